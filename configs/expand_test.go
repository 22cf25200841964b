package configs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/configs"
)

// TestExpansion reads one value through ${…}, in a place where any text may
// stand.
func TestExpansion(t *testing.T) {
	env := map[string]string{"A": "alpha", "EMPTY": "", "TRICK": "${A}", "YAML": "x: {y: [1]}\n# no", "N": "5"}
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"${A}", "alpha"},
		{"<${A}-${A}>", "<alpha-alpha>"},
		{"${A:-other}", "alpha"},
		{"${NONE:-other}", "other"},
		{"${NONE:-}", ""},
		{"${EMPTY}", ""},
		{"${EMPTY:-other}", "other"},
		{"${NONE:-a:-b c}", "a:-b c"},
		{"$${A}", "${A}"},
		{"$$${A}", "$${A}"},
		{"$A {A} $", "$A {A} $"},
		{"${TRICK}", "${A}"}, // what was put in is not read again
		{"${YAML}", "x: {y: [1]}\n# no"},
		{"{{ now() }} ${N}", "{{ now() }} 5"},
	} {
		for _, syntax := range []string{"yaml", "toml"} {
			cfg := parse(t, "x."+syntax, withBody(t, syntax, c.in), env)
			if got := cfg.Sources["s"].Poll.Request.Body; got != c.want {
				t.Errorf("%s: %q became %q, not %q", syntax, c.in, got, c.want)
			}
		}
	}
}

// withBody is a configuration whose only source has a body, in a syntax.
func withBody(t *testing.T, syntax, body string) string {
	t.Helper()
	quoted, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(quoted))
	if syntax == "toml" {
		return "[sources.s]\nschedule = '@hourly'\nrequest = {url = 'https://api.example/', headers = {Content-Type = 'text/plain'}, body = " + text + "}\n"
	}
	return "sources: {s: {schedule: '@hourly', request: {url: 'https://api.example/', headers: {Content-Type: text/plain}, body: " + text + "}}}\n"
}

func TestExpandedNumbersAndBooleans(t *testing.T) {
	env := map[string]string{"N": "7", "B": "true", "T": "45s"}
	for name, data := range map[string]string{
		"x.yaml": "endpoints:\n  e:\n    url: https://e.example/\n    signature: none\n    concurrency: ${N}\n    disabled: ${B}\n    timeout: ${T}\n",
		"y.yaml": "endpoints: {e: {url: 'https://e.example/', signature: none, concurrency: '${N}', disabled: '${B}', timeout: '${T}'}}",
		"x.toml": "[endpoints.e]\nurl = 'https://e.example/'\nsignature = 'none'\nconcurrency = '${N}'\ndisabled = '${B}'\ntimeout = '${T}'",
	} {
		e := parse(t, name, data, env).Endpoints["e"]
		if e.Concurrency != 7 || !e.Disabled || e.Timeout.String() != "45s" {
			t.Errorf("%s: %d, %v, %v", name, e.Concurrency, e.Disabled, e.Timeout)
		}
	}
	_, err := configs.Parse("x.yaml", []byte("endpoints: {e: {url: 'https://e.example/', concurrency: '1${N}'}}"), func(string) (string, bool) { return "7", true })
	if err == nil || !strings.Contains(err.Error(), "a whole number was expected") {
		t.Errorf("part of a text became a number: %v", err)
	}
}

func TestFilesAreReadBesideTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secrets", "token"), "hunter2-hunter2\r\n")
	write(t, filepath.Join(dir, "two"), "line\n\n")
	write(t, filepath.Join(dir, "deltahook.yaml"), "server: {token: '${file:secrets/token}'}\nsources: {s: {schedule: '@hourly', request: {url: 'https://api.example/', body: '${file:two}'}}}")
	cfg, err := configs.Load(filepath.Join(dir, "deltahook.yaml"), unset)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Server.Token.Reveal(); got != "hunter2-hunter2" {
		t.Errorf("token %q", got)
	}
	if got := cfg.Sources["s"].Poll.Request.Body; got != "line\n" {
		t.Errorf("body %q: one newline is cut, no more", got)
	}
	write(t, filepath.Join(dir, "two"), strings.Repeat("x", 1<<20+1))
	if _, err := configs.Load(filepath.Join(dir, "deltahook.yaml"), unset); err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("a file over 1 MiB: %v", err)
	}
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestNoSecretIsShown prints a loaded configuration in every way there is and
// sends its secrets through the Redactor.
func TestNoSecretIsShown(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "url"), "https://chat.example/hooks/T0-from-a-file")
	write(t, filepath.Join(dir, "deltahook.yaml"), `
server: {listen: "", token: token-in-a-field}
sources:
  s:
    schedule: "@hourly"
    request:
      url: https://api.example/
      headers: {Authorization: "Bearer header-of-a-request", Accept: application/json}
      query: {api_key: query-of-a-request, page: "12345678"}
endpoints:
  e:
    url: ${file:url}
    secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]
    headers: {X-Team: header-of-an-endpoint}
`)
	cfg, err := configs.Load(filepath.Join(dir, "deltahook.yaml"), unset)
	if err != nil {
		t.Fatal(err)
	}
	hidden := []string{
		"token-in-a-field", "header-of-a-request", "query-of-a-request",
		"T0-from-a-file", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "header-of-an-endpoint",
	}
	redact := cfg.Redactor()
	for _, secret := range []string{
		"token-in-a-field", "Bearer header-of-a-request", "header-of-a-request", "query-of-a-request",
		"https://chat.example/hooks/T0-from-a-file", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "header-of-an-endpoint",
	} {
		if got := redact.Text("a " + secret + " b"); got != "a <secret> b" {
			t.Errorf("the redactor makes %q of %q", got, secret)
		}
	}
	if got := redact.Text("application/json 12345678"); got != "application/json 12345678" {
		t.Errorf("the redactor cuts %q", got)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "server", cfg.Server, "endpoint", cfg.Endpoints["e"].Secrets)
	asJSON, err := json.Marshal(struct{ A, B any }{cfg.Server, cfg.Endpoints["e"].Headers})
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(cfg.Server)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{logged.String(), string(asJSON), string(asYAML), fmt.Sprintf("%v %+v %#v", cfg.Server, cfg.Endpoints["e"].Headers, cfg.Endpoints["e"].Secrets)} {
		for _, secret := range hidden {
			if strings.Contains(out, secret) {
				t.Errorf("%q is shown in %s", secret, out)
			}
		}
	}
}

// TestWordsOfASecret: what stands behind a space is a secret of its own in a header
// only, and words of others are shown.
func TestWordsOfASecret(t *testing.T) {
	cfg, err := configs.Parse("x.yaml", []byte(`
auth:
  keyed: {api_key: {header: Authorization, value: "Token of-the-keyed"}}
  basic: {basic: {user: somebody, password: "correct horse battery staple"}}
sources:
  s:
    schedule: "@hourly"
    request:
      url: https://api.example/
      headers: {Authorization: "Bearer of-a-request"}
endpoints:
  e: {url: "https://hooks.example/", signature: github, secrets: ["it's a secret"], headers: {Authorization: "Bearer of-an-endpoint"}}
`), unset)
	if err != nil {
		t.Fatal(err)
	}
	redact := cfg.Redactor()
	for text, want := range map[string]string{
		"endpoints.ceb: no secrets: webhooks are not signed": "endpoints.ceb: no secrets: webhooks are not signed",
		"what a secret, a horse battery staple":              "what a secret, a horse battery staple",
		"it's a secret":                                      "<secret>",
		"correct horse battery staple":                       "<secret>",
		"of-the-keyed of-a-request of-an-endpoint":           "<secret> <secret> <secret>",
	} {
		if got := redact.Text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// TestFaultsHideValues has the stages quote values that came from outside.
func TestFaultsHideValues(t *testing.T) {
	env := map[string]string{"CRON": "hunter2 * * * *", "Z": "x/hunter2"}
	_, err := configs.Parse("x.yaml", []byte("sources: {s: {schedule: '${CRON}', timezone: '${Z}', request: {url: 'https://api.example/'}}}"),
		func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	if err == nil {
		t.Fatal("no fault was found")
	}
	if strings.Contains(err.Error(), "x/hunter2") {
		t.Errorf("a value is shown: %v", err)
	}
}
