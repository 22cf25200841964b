package docs_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// apiAnswer is one of the weather API that the README asks.
const apiAnswer = `{"latitude":52.52,"longitude":13.419998,"generationtime_ms":0.0278949737548828,"elevation":38.0,` +
	`"current":{"time":"2026-11-23T13:45","interval":900,"temperature_2m":4.3,"wind_speed_10m":11.2}}`

// TestFirstSource runs the first source of the README, in YAML and in TOML,
// with a server on loopback as the API: the first answer arrives and its
// signature is good, and the page shows what is printed.
func TestFirstSource(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/forecast" || r.URL.Query().Get("current") != "temperature_2m,wind_speed_10m" {
			http.Error(w, r.URL.String(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, apiAnswer)
	}))
	t.Cleanup(api.Close)

	readme := read(t, filepath.Join(root, "README.md"))
	blocks := cut(t, "README.md", readme)
	at := slices.IndexFunc(blocks, func(b block) bool { return b.lang == "text" && strings.Contains(b.text, "weather.created") })
	if at < 0 {
		t.Fatal("README.md does not show the first webhook")
	}
	tried := 0
	for _, b := range blocks {
		if b.lang != "yaml" && b.lang != "toml" {
			continue
		}
		tried++
		if n := strings.Count(b.text, "\n"); n > 10 {
			t.Errorf("README.md:%d: %d lines are more than ten", b.line, n)
		}
		t.Run(b.lang, func(t *testing.T) {
			s := newStage(t)
			text := strings.ReplaceAll(s.own(b.text), "https://api.open-meteo.com", api.URL)
			admin := map[string]string{"yaml": "\nserver: {listen: \"\"}\n", "toml": "\n[server]\nlisten = \"\"\n"}[b.lang]
			if err := os.WriteFile(filepath.Join(s.dir, "deltahook."+b.lang), []byte(text+admin), 0o600); err != nil {
				t.Fatal(err)
			}
			listen := s.start("listening on", "listen", "--addr", s.receiver, "--secret", someSecret)
			listen.mu.Lock()
			listen.marker, listen.ready = "\n          }\n", make(chan struct{})
			listen.mu.Unlock()
			run := s.start("deltahook runs", "run")
			select {
			case <-listen.ready:
			case <-time.After(30 * time.Second):
				t.Errorf("no webhook came:\n%s\n%s", listen.printed(), run.printed())
			}
			run.end(t)
			_, got, _ := strings.Cut(listen.end(t), "\n") // less the line that it listens
			if diff := cmp.Diff(steady(blocks[at].text), steady(got)); diff != "" {
				t.Errorf("README.md:%d (-page +printed):\n%s", blocks[at].line, diff)
			}
		})
	}
	if tried != 2 {
		t.Errorf("README.md has %d configurations, not one in YAML and one in TOML", tried)
	}
}

// TestDemoPrintsWhatTheReadmeShows runs the demo until it shows something. Its
// lines have the form of those in the README.
func TestDemoPrintsWhatTheReadmeShows(t *testing.T) {
	line := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  parcel\.\w+ +DH-\d+  .* in \w+  (✓ verified|\(answered 503, to show that it comes again\))$`)
	readme := read(t, filepath.Join(root, "README.md"))
	for _, b := range cut(t, "README.md", readme) {
		if b.lang == "text" && strings.Contains(b.text, "parcel.") {
			if got, want := len(line.FindAllString(b.text, -1)), strings.Count(b.text, "\n"); got != want {
				t.Errorf("README.md:%d: %d of %d lines are such as the demo prints", b.line, got, want)
			}
		}
	}
	out := newStage(t).start("✓ verified\n", "demo").end(t)
	if len(line.FindAllString(out, -1)) == 0 {
		t.Errorf("the demo shows nothing:\n%s", out)
	}
}
