package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/test/loopback"
)

// issuer is a token endpoint that takes each refresh token once: it answers
// with the next one. Used twice, access is gone for good.
type issuer struct {
	URL string

	mu    sync.Mutex
	good  string   // the refresh token that is good
	token string   // the access token that is good
	asked []string // forms
	worst int      // refusals
}

func newIssuer(tb testing.TB, first string) *issuer {
	tb.Helper()
	i := &issuer{good: first}
	server := loopback.NewServer(tb, func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.asked = append(i.asked, r.PostFormValue("grant_type"))
		if given := r.PostFormValue("refresh_token"); given != "" && given != i.good {
			i.good = "none any more"
			i.worst++
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"%s was used before"}`, given)
			return
		}
		i.good = fmt.Sprintf("rotated-refresh-%03d", len(i.asked))
		i.token = fmt.Sprintf("granted-access-%03d", len(i.asked))
		fmt.Fprintf(w, `{"access_token":%q,"refresh_token":%q,"expires_in":3600}`, i.token, i.good)
	})
	tb.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

func (i *issuer) now() (token string, asked, refused int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.token, len(i.asked), i.worst
}

// A daemon that is killed at the first use of a token has stored the refresh
// token that came with it: the next start gets on with that, time after time.
// Another one in the configuration takes its place.
func TestRotatedRefreshTokenSurvivesKills(t *testing.T) {
	t.Parallel()
	i, a, hooks, dir := newIssuer(t, "configured-refresh"), newAPI(t), newReceiver(t, nil), t.TempDir()
	config := func(refresh string) {
		write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(`
  list:
    schedule: "@every 1s"
    request: {url: "%s/list", timeout: 60s, auth: calendar}
`, a.URL))+fmt.Sprintf(`
auth:
  calendar: {oauth2: {grant: refresh_token, token_url: "%s", client_id: me, refresh_token: %s}}
`, i.URL, refresh))
	}
	config("configured-refresh")
	for n := range 8 {
		d := start(t, plainBinary(t), dir, "run")
		a.settled(t)
		token, asked, refused := i.now()
		if got := a.last.Header.Get("Authorization"); got != "Bearer "+token || asked != n+1 || refused != 0 {
			t.Fatalf("start %d: the API got %q, the endpoint was asked %d times and refused %d", n, got, asked, refused)
		}
		d.kill()
		a.gone(t)
	}

	// deltahook poll stores the new one as well.
	p := start(t, plainBinary(t), dir, "poll", "list")
	a.play(t, body([]byte(`{}`)))
	if status := p.exit(t, patience); status != 0 {
		t.Errorf("poll ended with status %d", status)
	}
	d := start(t, binary(t), dir, "run")
	a.settled(t)
	if _, _, refused := i.now(); refused != 0 {
		t.Error("the token that poll got was lost")
	}

	// Access that ends is told once, and the endpoint is left alone.
	d.kill()
	a.gone(t)
	i.mu.Lock()
	i.good = "somebody took it away"
	i.mu.Unlock()
	d = start(t, binary(t), dir, "run")
	d.says(t, d.stderr, `level=ERROR msg="auth expired" auth=calendar`)
	d.says(t, d.stderr, `msg="poll failed" source=list err="auth: calendar: the refresh token is no longer good \(invalid_grant\)`)
	for deadline := time.Now().Add(patience); d.metric(t, "deltahook_polls_total", `result="auth"`) < 3; <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the source is polled no more")
		}
	}
	if _, asked, refused := i.now(); asked != 11 || refused != 1 {
		t.Errorf("the endpoint was asked %d times and refused %d, want 11 and once", asked, refused)
	}
	d.kill()
	i.mu.Lock()
	i.good = "allowed-anew"
	i.mu.Unlock()
	config("allowed-anew")
	d = start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{}`)))
	a.settled(t)
	if n := d.metric(t, "deltahook_polls_total", `result="ok"`); n != 1 {
		t.Errorf("%v polls went well with the new token, want 1", n)
	}
}

// Fifty sources share a token that is fetched once, and neither it nor what it
// is got with is in a log, an error, a metric or the store, though the API
// repeats all it is sent.
func TestSharedTokenStaysHidden(t *testing.T) {
	t.Parallel()
	i, hooks, dir := newIssuer(t, ""), newReceiver(t, nil), t.TempDir()
	var mu sync.Mutex
	heard := map[string]int{}
	server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		heard[r.Header.Get("Authorization")+" "+r.URL.Query().Get("appid")]++
		mu.Unlock()
		w.Header().Set("Content-Type", "text/"+r.Header.Get("Authorization")+";"+r.URL.RawQuery)
		repeat(w, r)
	})
	t.Cleanup(server.Close)
	var sources strings.Builder
	for n := range 50 {
		fmt.Fprintf(&sources, "\n  s%02d: {schedule: \"@every 1s\", request: {url: \"%s/%d\", auth: shop}, response: {format: json}}", n, server.URL, n)
	}
	write(t, dir, "deltahook.yaml", configured(hooks, sources.String())+fmt.Sprintf(`
log: {level: debug}
auth:
  shop:
    oauth2: {grant: client_credentials, token_url: "%s/token", client_id: deltahook-client, client_secret: pl4nted-client-secret, scopes: [read]}
    api_key: {query: appid, value: "pl4nted/key+value"}
`, i.URL))
	d := start(t, binary(t), dir, "run")
	for n := range 50 {
		d.says(t, d.stderr, fmt.Sprintf(`msg="poll failed" source=s%02d`, n))
	}
	token, asked, _ := i.now()
	if asked != 1 {
		t.Errorf("the token endpoint was asked %d times, want once", asked)
	}
	mu.Lock()
	if heard["Bearer "+token+" pl4nted/key+value"] < 50 || len(heard) != 1 {
		t.Errorf("the API heard %v", heard)
	}
	mu.Unlock()
	seen := map[string]string{}
	_, seen["/metrics"] = d.get(t, "/metrics")
	p := start(t, binary(t), dir, "poll", "s00")
	p.exit(t, patience)
	seen["poll"] = p.stdout.String() + p.stderr.String()
	if !strings.Contains(seen["poll"], "appid=<secret>") || !strings.Contains(seen["poll"], "Authorization: <secret>") {
		t.Errorf("poll does not show where the credentials go:\n%s", seen["poll"])
	}
	other, _, _ := i.now()
	d.kill()
	seen["run"] = d.stdout.String() + d.stderr.String()
	seen["the store"] = string(content(t, dir, "deltahook.db"))
	for where, text := range seen {
		for _, value := range []string{token, other, "pl4nted-client-secret", "pl4nted/key+value"} {
			for _, spelling := range []string{value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value))} {
				if strings.Contains(text, spelling) {
					t.Errorf("%s shows %q", where, spelling)
				}
			}
		}
	}
}
