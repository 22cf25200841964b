package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// curlConfig is a configuration with what the pages' curl commands name.
const curlConfig = `
sources:
  parcels:
    schedule: "@every 1h"
    request: {url: "http://127.0.0.1:9100/parcels.json"}
    response: {items: parcels, id: number}
  shipments:
    schedule: "@every 1h"
    request: {url: "http://127.0.0.1:9100/{{ key }}.json"}
    watch: {api: true}
endpoints:
  shop: {url: "http://127.0.0.1:9000/hooks", secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
egress: {endpoints: {allow: [127.0.0.1]}}
`

var (
	// inlineCurl is a curl command within a line of prose.
	inlineCurl = regexp.MustCompile("`(curl [^`]+)`")
	// watchedBy is the source whose watch keys a curl command is about.
	watchedBy = regexp.MustCompile(`/sources/([^/ ]+)/watches`)
)

// TestCurlCommandsAreAnswered runs each curl command of the pages that asks a
// daemon, in their order. Those of recipes ask one without a token.
func TestCurlCommandsAreAnswered(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	var general, ofRecipes []string
	for _, p := range pages(t) {
		if strings.HasPrefix(p.path, "docs/recipes/") {
			ofRecipes = append(ofRecipes, curls(p)...)
		} else {
			general = append(general, curls(p)...)
		}
	}
	if len(general) < 8 || len(ofRecipes) < 8 {
		t.Errorf("only %d and %d commands were found", len(general), len(ofRecipes))
	}
	const token = "token-of-the-test"
	askByCurl(t, general, curlConfig, ", token: "+token, "TOKEN="+token)

	config := "sources:\n"
	for _, m := range watchedBy.FindAllStringSubmatch(strings.Join(ofRecipes, "\n"), -1) {
		if name := "  " + m[1] + ": "; !strings.Contains(config, name) {
			config += name + "{schedule: \"@every 1h\", request: {url: \"http://127.0.0.1:9100/{{ key }}\"}, watch: {api: true}}\n"
		}
	}
	askByCurl(t, ofRecipes, config, "", "")
}

// curls are the commands of a page that ask a daemon.
func curls(p page) (lines []string) {
	for _, b := range p.blocks {
		for line := range strings.Lines(b.text) {
			if b.lang == "sh" && strings.HasPrefix(line, "curl ") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	for _, m := range inlineCurl.FindAllStringSubmatch(p.text, -1) {
		if strings.Contains(m[1], "/api/") {
			lines = append(lines, m[1])
		}
	}
	return lines
}

// askByCurl runs commands while a daemon runs with a configuration, and more of
// its server.
func askByCurl(t *testing.T, lines []string, config, server, env string) {
	t.Helper()
	s := newStage(t)
	config = s.own(config) + fmt.Sprintf("server: {listen: %q%s}\n", s.admin, server)
	for name, text := range map[string]string{"deltahook.yaml": config, "parcels.json": `{"parcels": [{"number": "DH-1042"}]}`} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	daemon := s.start("deltahook runs", "run")
	defer daemon.end(t)
	for _, line := range lines {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.NewReplacer(
			"curl -fsS ", "curl -fsS ", "curl ", "curl -sS --fail-with-body ", "127.0.0.1:8080", s.admin, "https://…", "http://"+s.admin).Replace(line))
		cmd.Dir, cmd.Env = s.dir, append(os.Environ(), env)
		out, err := cmd.CombinedOutput()
		if err != nil || len(out) > 0 && !json.Valid(out) {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}
