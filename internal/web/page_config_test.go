package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
)

// self is a web.Daemon whose last reload failed.
type self struct{}

func (self) About() web.About {
	return web.About{Version: "1.2.3", Started: shelfTime, Store: web.Stored{Path: "/data/d.db", Size: 5 << 20}, Reload: &web.Reload{At: shelfTime, Error: "d.yaml:3:1: sources.x: <b>not a word</b>"}}
}

func (self) Config() web.Config {
	return web.Config{Files: []string{"/etc/d.yaml"}, Warnings: []string{"d.yaml:1:1: limits.x: <i>tight</i>"}, YAML: "server:\n  token: <secret>\n"}
}

func TestConfigPage(t *testing.T) {
	server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: filledShelf(), Daemon: self{}, Token: secret.New("t0ken-of-this")})
	s := &site{base: "http://" + server.Addr()}
	get := func(path string) nodes {
		resp, body := ask(t, http.MethodGet, s.base+path, "Bearer t0ken-of-this")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, body)
		}
		return parsed(t, path, resp, body)
	}
	text := get("/config").find("body").text()
	for _, want := range []string{"Deltahook 1.2.3", "/etc/d.yaml", "<i>tight</i>", "token: <secret>", "5.0 MiB", "was not taken", "<b>not a word</b>", "Sign out"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q has no %q", text, want)
		}
	}
	overview := get("/")
	if len(overview.find("#reload-failed")) != 1 || !strings.Contains(overview.find("main").text(), "The configuration has 1 warning.") {
		t.Error("the overview says nothing of the reload that failed, or of the warning")
	}

	// Without the token nothing is shown but where to show it.
	for path, next := range map[string]string{"/": "/signin", "/config": "/signin?next=%2Fconfig", "/sources/s?q=x": "/signin?next=%2Fsources%2Fs%3Fq%3Dx"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp, body := send(t, req); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != next || strings.Contains(body, "secret") {
			t.Errorf("%s: %d to %s", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	signin := s.get(t, "/signin?next=%2Fconfig", http.StatusOK)
	if signin.find("form[action='/signin'] input[name=next]").attr("value") != "/config" || len(signin.find("nav, a[href='/config']")) != 0 || strings.Contains(signin.find("body").text(), "1.2.3") {
		t.Errorf("the sign-in page tells too much, or not where to go on: %s", signin.find("body").text())
	}
}

// A reload is asked for by a button; the page that follows says what came of it.
func TestReloadButton(t *testing.T) {
	r, about := &reloader{}, &teller{}
	server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: filledShelf(), Daemon: about, Reloader: r})
	s := &site{base: "http://" + server.Addr()}
	if doc := s.get(t, "/config", http.StatusOK); doc.find("form[action='/config/reload'][method=post] button").text() != "Reload" || len(doc.find("#reloaded")) != 0 {
		t.Error("no button, or a reload that was none")
	}
	about.last = &web.Reload{At: shelfTime, Changed: &web.Reloaded{
		Sources: web.Reconfigured{Added: []string{"new", "newer"}, Removed: []string{"old"}}, Endpoints: web.Reconfigured{Changed: []string{"shop"}},
		Renamed: map[string]string{"parcels": "packages"},
	}}
	status, to := s.submit(t, "/config/reload", nil)
	if status != http.StatusSeeOther || to != "/config?did=reload" {
		t.Fatalf("%d to %s", status, to)
	}
	doc := s.get(t, to, http.StatusOK)
	for _, want := range []string{"2 sources added: new, newer", "1 source removed: old", "1 endpoint changed: shop", "1 source renamed: packages → parcels"} {
		if !strings.Contains(doc.find("#reloaded").text(), want) {
			t.Errorf("%q has no %q", doc.find("#reloaded").text(), want)
		}
	}
	if text := doc.find("#message").text(); !strings.Contains(text, "Reloaded") {
		t.Errorf("message %q", text)
	}
	about.last = &web.Reload{At: shelfTime, Changed: &web.Reloaded{}}
	if text := s.get(t, "/config", http.StatusOK).find("#reloaded").text(); !strings.Contains(text, "no source or endpoint was another") {
		t.Errorf("nothing changed: %q", text)
	}
	for _, tt := range []struct {
		err    error
		status int
		to     string
	}{
		{&web.Faulty{Faults: []string{"d.yaml:1:1: x"}}, http.StatusSeeOther, "/config#reload-failed"},
		{context.DeadlineExceeded, http.StatusSeeOther, "/config?did=reloading"},
		{fmt.Errorf("it ends: %w", web.ErrConflict), http.StatusConflict, ""},
	} {
		r.err = tt.err
		if status, to := s.submit(t, "/config/reload", nil); status != tt.status || to != tt.to {
			t.Errorf("%v: %d to %q, want %d to %q", tt.err, status, to, tt.status, tt.to)
		}
	}
}

// teller is a web.Daemon whose last reload is what it is told.
type teller struct {
	self
	last *web.Reload
}

func (d *teller) About() web.About {
	return web.About{Version: "1.2.3", Started: shelfTime, Reload: d.last}
}
