package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/deltahook/deltahook/test/loopback"
)

// alert is what an own event says.
type alert struct {
	Type string
	Data struct {
		Source, Endpoint, Auth, Class, Error, Setting, Reason string
		Failures                                              int
		Sources, Was                                          []string
	}
}

// ids are the events that came. One may come twice: its sender was killed
// before it knew.
func ids(r *receiver) map[string]bool {
	all := map[string]bool{}
	for _, d := range r.attempts() {
		all[d.ID] = true
	}
	return all
}

// alerted is the next event, which is an own one of this type.
func alerted(t *testing.T, r *receiver, seen map[string]bool, kind string) alert {
	t.Helper()
	got := r.next(t)
	for seen[got.ID] {
		got = r.next(t)
	}
	seen[got.ID] = true
	var a alert
	if err := json.Unmarshal(got.Body, &a); err != nil || a.Type != kind {
		t.Fatalf("told %s, want %s", got.Body, kind)
	}
	return a
}

// TestSourceFailingAndRecovered: three polls fail, and one webhook says so;
// neither more failures nor a kill repeat it, and its end is told once.
func TestSourceFailingAndRecovered(t *testing.T) {
	t.Parallel()
	a, hooks, dir, seen := newAPI(t), newReceiver(t, nil), t.TempDir(), map[string]bool{}
	write(t, dir, "deltahook.yaml", "alerts: {to: [hook]}\n"+configured(hooks, oneSource(a.URL, "@every 1s")))
	d := start(t, binary(t), dir, "run")
	down := reply(http.StatusServiceUnavailable, "text/plain", []byte("no"))
	for range 3 { // it was never answered
		a.play(t, down)
	}
	told := alerted(t, hooks, seen, "source.failing")
	if told.Data.Source != "s" || told.Data.Failures != 3 || told.Data.Class != "status" || !strings.Contains(told.Data.Error, "503") {
		t.Errorf("told %+v", told)
	}
	d.kill()
	a.gone(t)
	d = start(t, binary(t), dir, "run")
	a.play(t, down)
	a.play(t, body([]byte(`{"v":1}`)))
	if told = alerted(t, hooks, seen, "source.recovered"); told.Data.Source != "s" || len(told.Data.Was) != 1 {
		t.Errorf("told %+v", told)
	}
	d.says(t, d.stderr, "first answer remembered")
	a.play(t, body([]byte(`{"v":2}`)))
	if got, want := line(t, hooks.next(t)), `s.updated s 1 {"v":1} -> {"v":2}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	d.kill()
	a.gone(t)
	start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{"v":2}`)))
	a.settled(t)
	if n := len(ids(hooks)); n != 3 {
		t.Errorf("%d events came, want 3", n)
	}
}

// TestSourceStale: no poll succeeds, and no count of failures is asked for.
// What is told shows no secret.
func TestSourceStale(t *testing.T) {
	t.Parallel()
	hooks, dir, seen := newReceiver(t, nil), t.TempDir(), map[string]bool{}
	url := "http://" + loopback.Nobody + "/private?api_key=" + hiddenWord
	write(t, dir, "deltahook.yaml", "alerts: {to: [hook], source_failing_after: 0, source_stale_after: 4s}\n"+
		configured(hooks, oneSource(url, "@every 1s")))
	d := start(t, binary(t), dir, "run")
	told := alerted(t, hooks, seen, "source.stale")
	if told.Data.Source != "s" || told.Data.Class != "network" || told.Data.Error == "" {
		t.Errorf("told %+v", told)
	}
	d.says(t, d.stderr, "no poll has succeeded for long")
	if all := hooks.attempts(); len(all) != 1 || strings.Contains(string(all[0].Body), hiddenWord) {
		t.Errorf("came %d, the first %s", len(all), all[0].Body)
	}
	if strings.Contains(d.stderr.String(), hiddenWord) {
		t.Error("the log shows the secret")
	}
}

// hiddenWord is a secret that is shown nowhere.
const hiddenWord = "hiddenWord-secret-4711"

// TestAuthExpired: a person is told once what to do, over a restart too, and
// again only after it had worked.
func TestAuthExpired(t *testing.T) {
	t.Parallel()
	url, _, _ := values(t, `{"v":1}`)
	var good atomic.Bool
	tokens := loopback.NewServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if good.Load() {
			fmt.Fprint(w, `{"access_token":"fresh-token","expires_in":3600}`)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"%s was revoked"}`, hiddenWord)
	})
	t.Cleanup(tokens.Close)
	hooks, dir, seen := newReceiver(t, nil), t.TempDir(), map[string]bool{}
	source := fmt.Sprintf(`
  s:
    schedule: "@every 1s"
    request: {url: "%s", auth: shop}
`, url)
	write(t, dir, "deltahook.yaml", fmt.Sprintf(`
alerts: {to: [hook], source_failing_after: 0}
auth: {shop: {oauth2: {grant: refresh_token, token_url: "%s", refresh_token: %s, client_id: me}}}
`, tokens.URL, hiddenWord)+configured(hooks, source))
	run := func(says string) {
		t.Helper()
		d := start(t, binary(t), dir, "run")
		d.says(t, d.stderr, says)
		if strings.Contains(d.stderr.String(), hiddenWord) {
			t.Error("the log shows the refresh token")
		}
		d.stop(t)
	}
	d := start(t, binary(t), dir, "run")
	told := alerted(t, hooks, seen, "auth.expired")
	if told.Data.Auth != "shop" || told.Data.Setting != "auth.shop.oauth2.refresh_token" || strings.Join(told.Data.Sources, " ") != "s" {
		t.Errorf("told %+v", told)
	}
	d.kill()
	run("auth expired")
	good.Store(true)
	run("first answer remembered")
	good.Store(false)
	run("auth expired")
	if n := len(ids(hooks)); n != 1 {
		t.Errorf("%d events came, want 1: within ten minutes it is told once", n)
	}
	for _, got := range hooks.attempts() {
		if strings.Contains(string(got.Body), hiddenWord) {
			t.Errorf("the webhook shows the refresh token: %s", got.Body)
		}
	}
}

// TestEndpointPausedIsToldToTheOther: alerts.to names both, and the one that
// says 410 is told nothing of itself; over a restart neither is the other.
func TestEndpointPausedIsToldToTheOther(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	gone.Store(true)
	shop, ops := newReceiver(t, func(delivery) int {
		if gone.Load() {
			return http.StatusGone
		}
		return http.StatusOK
	}), newReceiver(t, nil)
	url, set, _ := values(t, `{"v":1}`)
	dir, seen := t.TempDir(), map[string]bool{}
	more := fmt.Sprintf("endpoints:\n  ops: {url: \"%s\", secrets: [%s]}\n", ops.URL, whsec)
	config := strings.Replace(configured(shop, oneSource(url, "@every 1s")+"    events: {s.changed: {to: [hook]}}\n"), "endpoints:\n", more, 1)
	write(t, dir, "deltahook.yaml", "alerts: {to: [hook, ops]}\n"+config)
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(`{"v":2}`)
	told := alerted(t, ops, seen, "endpoint.paused")
	if told.Data.Endpoint != "hook" || !strings.Contains(told.Data.Reason, "410") {
		t.Errorf("told %+v", told)
	}
	d.kill()
	d = start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "deltahook runs")
	gone.Store(false)
	if status, out, stderr := deltahook(t, dir, "resume", "hook"); status != 0 {
		t.Fatalf("resume: status %d, %s%s", status, out, stderr)
	}
	if told = alerted(t, ops, seen, "endpoint.recovered"); told.Data.Endpoint != "hook" {
		t.Errorf("told %+v", told)
	}
	if got := shop.next(t); got.Type != "s.changed" {
		t.Errorf("the shop was told %s", got.Body)
	}
	for _, got := range shop.attempts() {
		if got.Type != "s.changed" {
			t.Errorf("the shop was told %s", got.Body)
		}
	}
	if n := len(ids(ops)); n != 2 {
		t.Errorf("%d events came, want 2", n)
	}
}
