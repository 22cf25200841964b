package docs_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRemindersPage plays docs/reminders.md: what `deltahook poll` says of
// rules, for each configuration that is followed by an answer and by that.
func TestRemindersPage(t *testing.T) {
	const path = "docs/reminders.md"
	blocks := cut(t, path, read(t, filepath.Join(root, path)))
	host := regexp.MustCompile(`https://(www\.googleapis|graph\.microsoft)\.com`)
	// The page's times are to come, whenever this runs.
	later := strings.NewReplacer("2026-", "2098-")
	played := 0
	for i := range blocks {
		if i+2 >= len(blocks) || blocks[i].lang != "yaml" || blocks[i+1].lang != "json" || blocks[i+2].lang != "text" {
			continue
		}
		played++
		config, answer, want := blocks[i].text, later.Replace(blocks[i+1].text), later.Replace(blocks[i+2].text)
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, answer)
		}))
		t.Cleanup(api.Close)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "deltahook.yaml"), []byte(host.ReplaceAllString(config, api.URL)), 0o600); err != nil {
			t.Fatal(err)
		}
		name := regexp.MustCompile(`(?m)^  (\w+):$`).FindStringSubmatch(config)[1]
		cmd := command(t, dir, "poll", name)
		cmd.Env = append(cmd.Env, "CALENDAR_TOKEN=x", "GRAPH_TOKEN=x", "WEBHOOK_SECRET="+someSecret)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s:%d: %v\n%s", path, blocks[i].line, err, out)
		}
		_, got, _ := strings.Cut(string(out), "\nChanges ")
		got, _, _ = strings.Cut(got, "\nEvents ")
		if diff := cmp.Diff(want, "Changes "+got+"\n"); diff != "" {
			t.Errorf("%s:%d: (-page +printed):\n%s\n%s", path, blocks[i+2].line, diff, out)
		}
	}
	if played < 2 {
		t.Errorf("only %d examples were found", played)
	}
}
