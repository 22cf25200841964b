package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
)

// reloader is a web.Reloader that answers what it is told to.
type reloader struct {
	done web.Reloaded
	err  error
}

func (r *reloader) Reload(context.Context) (web.Reloaded, error) { return r.done, r.err }

// A reload says what it changed, or all that is wrong, to the API and to the
// commands alike.
func TestReload(t *testing.T) {
	r := &reloader{done: web.Reloaded{
		Sources:   web.Reconfigured{Added: []string{"b"}, Removed: []string{"a"}, Changed: []string{}},
		Endpoints: web.Reconfigured{Added: []string{}, Removed: []string{}, Changed: []string{"shop"}},
		Renamed:   map[string]string{"b": "a"}, Warnings: []string{"deltahook.yaml:1:2: x: is odd"},
	}}
	store := filepath.Join(t.TempDir(), "state.db")
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Store: store, Snapshots: &reader{}, Reloader: r, Token: secret.New("t0ken")})
	at := "http://" + s.Addr() + "/api/v1/reload"
	if resp, _ := ask(t, "POST", at, ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", resp.StatusCode)
	}
	if resp, _ := ask(t, "GET", at, "Bearer t0ken"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", resp.StatusCode)
	}
	resp, body := ask(t, "POST", at, "Bearer t0ken")
	var got web.Reloaded
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s: %v", resp.StatusCode, body, err)
	}
	if diff := cmp.Diff(r.done, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	client, err := web.Dial(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got, err := client.Reload(t.Context()); err != nil || cmp.Diff(r.done, got) != "" {
		t.Errorf("the client: %+v, %v", got, err)
	}

	r.err = &web.Faulty{Faults: []string{"deltahook.yaml:3:4: sources.s.schedule: is missing", "another"}}
	resp, body = ask(t, "POST", at, "Bearer t0ken")
	if resp.StatusCode != http.StatusUnprocessableEntity || resp.Header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(body, `"faults":["deltahook.yaml:3:4: sources.s.schedule: is missing","another"]`) {
		t.Errorf("of a faulty one: %d %s", resp.StatusCode, body)
	}
	_, err = client.Reload(t.Context())
	if faulty, ok := errors.AsType[*web.Faulty](err); !ok || len(faulty.Faults) != 2 {
		t.Errorf("the client, of a faulty one: %v", err)
	}
	r.err = errors.New("the disk is full")
	if resp, body = ask(t, "POST", at, "Bearer t0ken"); resp.StatusCode != http.StatusInternalServerError || !strings.Contains(body, "disk") {
		t.Errorf("of one that fails: %d %s", resp.StatusCode, body)
	}
}

// Another token counts at once, and whoever showed the one before is signed
// out. With none, all may ask again.
func TestSetToken(t *testing.T) {
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Reloader: &reloader{}, Token: secret.New("first")})
	at := "http://" + s.Addr()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	reload := func() int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/api/v1/reload", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	resp, err := browser.PostForm(at+"/signin", url.Values{"token": {"first"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if status := reload(); status != http.StatusOK {
		t.Errorf("signed in: %d", status)
	}
	s.SetToken(secret.New("first"))
	if status := reload(); status != http.StatusOK {
		t.Errorf("after the same token: %d", status)
	}
	s.SetToken(secret.New("second"))
	if status := reload(); status != http.StatusUnauthorized {
		t.Errorf("signed in with the token before: %d", status)
	}
	for token, want := range map[string]int{"first": http.StatusUnauthorized, "second": http.StatusOK} {
		if resp, _ := ask(t, "POST", at+"/api/v1/reload", "Bearer "+token); resp.StatusCode != want {
			t.Errorf("with the %s token: %d, want %d", token, resp.StatusCode, want)
		}
	}
	s.SetToken(secret.Text{})
	if status := reload(); status != http.StatusOK {
		t.Errorf("without a token: %d", status)
	}
	s.SetToken(secret.New("third"))
	if status := reload(); status != http.StatusUnauthorized {
		t.Errorf("with a token again: %d", status)
	}
}
