package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/test/loopback"
)

// planted are secrets in every place of a configuration that may hold one.
var planted = map[string]string{
	"header":         "pl4nted-header-0001",
	"user":           "pl4nted-user-00002",
	"password":       "pl4nted-password-3",
	"query":          "pl4nted/query+0004=",
	"in the url":     "pl4nted-url-query-5",
	"file":           "pl4nted-file-00006",
	"endpoint path":  "pl4ntedEndpointPath007",
	"endpoint query": "pl4nted-ep-query-8",
	"hook header":    "pl4nted-hook-head9",
	"whsec":          strings.TrimPrefix(whsec, "whsec_"),
	"admin token":    "pl4nted-admin-tok10",
}

// No secret of the configuration is in a log, an error, a page, a metric or
// the store, though the API and the receiver repeat every request they get,
// fail, redirect and go away.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	a, dir := newAPI(t), t.TempDir()
	attempts := make(chan string, 100)
	shop := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		attempts <- r.URL.Path
		if strings.HasSuffix(r.URL.Path, "/dead") {
			w.WriteHeader(http.StatusNotFound)
		} else {
			w.WriteHeader(http.StatusInternalServerError)
		}
		repeat(w, r)
	})
	t.Cleanup(shop.Close)
	gone := "http://" + loopback.Nobody
	with := func(base string) string { // a URL with all that may be secret in it
		return strings.Replace(base, "http://", "http://"+planted["user"]+":"+planted["password"]+"@", 1) + "/v1/${file:token}?api_key=" + planted["in the url"]
	}
	write(t, dir, "token", planted["file"]+"\n")
	write(t, dir, "deltahook.yaml", fmt.Sprintf(`
log: {level: debug}
server: {listen: "127.0.0.1:0", token: %[4]s}
defaults:
  source:
    schedule: "@every 1s"
    request:
      timeout: 60s
      headers: {X-Api-Key: "%[5]s"}
      query: {access_token: "%[6]s"}
sources:
  s: {request: {url: "%[1]s"}}
  gone: {request: {url: "%[2]s"}}
endpoints:
  shop: {url: "%[3]s/%[7]s/hook?sig=%[8]s", secrets: [%[10]s], headers: {X-Token: "%[9]s"}, retry: {schedule: [1h]}}
  dead: {url: "%[3]s/%[7]s/dead", secrets: [%[10]s]}
  gone: {url: "%[11]s/%[7]s/gone?sig=%[8]s", secrets: [%[10]s], retry: {schedule: [1h]}}
egress: {endpoints: {allow: [127.0.0.0/8]}}
`, with(a.URL), with(gone), shop.URL, planted["admin token"], planted["header"], planted["query"],
		planted["endpoint path"], planted["endpoint query"], planted["hook header"], whsec, gone))

	d := start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{"v":1}`)))
	// The secrets do arrive where they are meant to; else there was nothing to hide.
	heard := a.last.Path + a.last.Header.Get("X-Api-Key")
	for _, name := range []string{"header", "query", "in the url", "file"} {
		if !strings.Contains(heard, planted[name]) && !strings.Contains(heard, url.QueryEscape(planted[name])) {
			t.Errorf("the API did not get the secret of the %s: %s", name, heard)
		}
	}
	for _, answer := range []http.HandlerFunc{
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); repeat(w, r) },
		repeat, // words that are no JSON
		func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, gone+r.URL.RequestURI(), http.StatusFound)
		},
	} {
		a.play(t, answer)
	}
	a.play(t, body([]byte(`{"v":2}`)))
	for range 2 { // to shop and to dead
		if path := <-attempts; !strings.Contains(path, planted["endpoint path"]) {
			t.Errorf("the receiver was asked for %s", path)
		}
	}
	d.says(t, d.stderr, `msg="dead letter" endpoint=dead`)
	d.says(t, d.stderr, `msg="endpoint fails" endpoint=gone`)
	d.says(t, d.stderr, `msg="poll failed" source=gone`)

	seen := map[string]string{"/metrics": metrics(t, d)}
	a.settled(t)
	run := func(args ...string) {
		p := start(t, binary(t), dir, args...)
		if args[0] == "poll" && args[1] == "s" {
			<-a.arrived // beside the daemon's own poll, which waits
			for range 2 {
				a.answers <- body([]byte(`{"v":3}`))
			}
		}
		p.exit(t, patience)
		seen[strings.Join(args, " ")] = p.stdout.String() + p.stderr.String()
	}
	run("poll", "s")
	run("poll", "gone")
	run("check")
	run("send", "shop")
	run("send", "dead")
	run("send", "gone")
	run("events")
	run("deliveries", "-o", "json")
	for number := range 3 {
		run("deliveries", "show", fmt.Sprint(number+1))
		run("deliveries", "show", fmt.Sprint(number+1), "-o", "json")
	}
	run("replay", "--all", "--dry-run", "-o", "json")
	d.kill()
	seen["run"] = d.stdout.String() + d.stderr.String()
	seen["the store"] = string(content(t, dir, "deltahook.db"))
	write(t, dir, "faulty.yaml", strings.ReplaceAll(string(content(t, dir, "deltahook.yaml")), "timeout: 60s", "timeout: 60"))
	run("check", "-c", "faulty.yaml")

	// What was repeated did come that far, less the secrets.
	for _, where := range []string{"send shop", "the store", "deliveries show 3", "deliveries show 3 -o json"} {
		if !strings.Contains(seen[where], "You asked for <secret> with") {
			t.Errorf("%s does not hold the receiver's answer", where)
		}
	}
	for where, text := range seen {
		if text == "" {
			t.Errorf("%s is empty", where)
		}
		for what, value := range planted {
			for _, spelling := range []string{value, url.QueryEscape(value), url.PathEscape(value), base64.StdEncoding.EncodeToString([]byte(value))} {
				if i := strings.Index(text, spelling); i >= 0 {
					t.Errorf("%s shows the secret of the %s: …%q…", where, what, text[max(0, i-100):min(len(text), i+100)])
				}
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 5 {
		t.Errorf("besides its store and its socket the daemon leaves files: %q (%v)", left, err)
	}
}

// repeat answers with all that was asked, as error pages do.
func repeat(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "You asked for %s with\n", r.URL.RequestURI())
	_ = r.Header.Write(w) // whoever asked may be gone
	_, _ = io.Copy(w, r.Body)
}

// metrics are the page that a token is needed for.
func metrics(t *testing.T, d *process) string {
	t.Helper()
	if status, _ := d.get(t, "/metrics"); status != http.StatusUnauthorized {
		t.Errorf("/metrics without the token answers %d, want 401", status)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.Addr(t)+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+planted["admin token"])
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("/metrics answers %d (%v)", res.StatusCode, err)
	}
	return string(text)
}
