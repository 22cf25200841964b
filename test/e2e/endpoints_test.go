package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// listSource is a source s of items that change, polled each second.
func listSource(url string) string {
	return fmt.Sprintf(`
  s:
    schedule: "@every 1s"
    request: {url: "%s", timeout: 60s}
    response: {items: items, id: id}
`, url)
}

// endpointHook is a configuration whose endpoint hook has these settings, too.
func endpointHook(hooks *receiver, settings, sources string) string {
	return strings.Replace(configured(hooks, sources), ", retry: {schedule: [1s, 1s, 1s, 1s]}}", ", "+settings+"}", 1)
}

// status is how an endpoint fares, as `deltahook endpoints` says.
func endpointStatus(t *testing.T, dir, name string) emitter.EndpointStatus {
	t.Helper()
	for _, e := range listed[[]emitter.EndpointStatus](t, dir, "endpoints") {
		if e.Endpoint == name {
			return e
		}
	}
	t.Fatalf("there is no endpoint %s", name)
	return emitter.EndpointStatus{}
}

// TestPausedByAnOutage has a receiver fail for longer than pause_after: what
// changes meanwhile waits, over a kill, and nothing becomes a dead letter,
// though the schedule is used up. When the receiver is back, all comes, each
// once and in the order of its item.
func TestPausedByAnOutage(t *testing.T) {
	t.Parallel()
	const n = 20
	var up atomic.Bool
	hooks := newReceiver(t, func(delivery) int {
		if up.Load() {
			return http.StatusOK
		}
		return http.StatusServiceUnavailable
	})
	url, set, _ := values(t, worth(n, 0))
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", endpointHook(hooks, "pause_after: 3s, retry: {schedule: [1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]}", listSource(url)))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(worth(n, 1))
	d.says(t, d.stderr, "endpoint is paused; what is told to it waits.*cause=outage")
	d.until(t, "it is paused", func() bool {
		return d.metric(t, "deltahook_endpoint_state", `endpoint="hook"`, `state="paused"`) == 1
	})
	tried := len(hooks.attempts())
	for v := 2; v < 5; v++ {
		set(worth(n, v))
		d.until(t, "the changes wait", func() bool { return d.metric(t, "deltahook_deliveries_waiting") == float64(v*n) })
	}
	e := endpointStatus(t, dir, "hook")
	if e.State != emitter.ConditionPaused || e.Pause != emitter.PauseOutage || e.Waiting != 4*n || e.Dead != 0 || !strings.Contains(e.Reason, "503") {
		t.Errorf("it is %+v", e)
	}
	if status, out, _ := deltahook(t, dir, "endpoints"); status != 0 || !strings.Contains(out, "paused (outage)") {
		t.Errorf("endpoints: status %d, %s", status, out)
	}
	if more := len(hooks.attempts()) - tried; more > 4 { // those in flight
		t.Errorf("%d attempts while it is paused", more)
	}
	tried = len(hooks.attempts())
	d.kill()
	d = start(t, binary(t), dir, "run")
	d.until(t, "it is probed at the start", func() bool { return len(hooks.attempts()) > tried })
	if got, want := hooks.attempts()[tried].ID, hooks.attempts()[0].ID; got[:12] > want[:12] {
		t.Errorf("probed with %s, which is not of the first: %s", got, want)
	}
	d.stop(t)
	up.Store(true) // and the probe of the next start finds it
	d = start(t, binary(t), dir, "run")
	last, ids := map[string]int{}, map[string]bool{}
	for range 4 * n {
		got := hooks.next(t)
		if got.Data.Revision != last[got.Data.Key]+1 && last[got.Data.Key] != 0 || ids[got.ID] {
			t.Errorf("%s: revision %d after %d", got.Data.Key, got.Data.Revision, last[got.Data.Key])
		}
		last[got.Data.Key], ids[got.ID] = got.Data.Revision, true
	}
	d.until(t, "all is well", func() bool {
		e := endpointStatus(t, dir, "hook")
		return e.State == emitter.ConditionOK && e.Waiting == 0 && e.Dead == 0
	})
}

// TestPersonSteersAnEndpoint pauses, looks, drops, resumes.
func TestPersonSteersAnEndpoint(t *testing.T) {
	t.Parallel()
	const n = 10
	hooks := newReceiver(t, nil)
	url, set, _ := values(t, worth(n, 0))
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, listSource(url)))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	do := func(want string, args ...string) {
		t.Helper()
		if status, out, stderr := deltahook(t, dir, args...); status != 0 || !strings.Contains(out, want) {
			t.Errorf("%v: status %d, %s%s, want %s", args, status, out, stderr, want)
		}
	}
	waits := func(n int) {
		t.Helper()
		d.until(t, fmt.Sprint(n, " wait"), func() bool { return endpointStatus(t, dir, "hook").Waiting == n })
	}
	do("hook: paused", "pause", "hook")
	set(worth(n, 1))
	waits(n)
	do("hook: 10 deliveries would go to the dead letters", "drop", "hook")
	do("hook: 0 deliveries would go to the dead letters", "drop", "hook", "--before", "1h")
	do("hook: 10 deliveries dropped", "drop", "hook", "--before", time.Now().Add(time.Hour).Format(time.RFC3339), "--yes")
	if e := endpointStatus(t, dir, "hook"); e.State != emitter.ConditionPaused || e.Pause != emitter.PauseManual || e.Waiting != 0 || e.Dead != n {
		t.Errorf("it is %+v", e)
	}
	dead := listed[emitter.DeliveryPage](t, dir, "deliveries", "--dead").Deliveries
	if len(dead) != n || dead[0].Attempts != 0 {
		t.Fatalf("%d dead letters, %+v", len(dead), dead)
	}
	show := []string{"deliveries", "show", fmt.Sprint(dead[0].Number)}
	do("\nEnd", show...) // and not an attempt: nothing was sent
	if _, out, _ := deltahook(t, dir, show...); strings.Contains(out, "Attempt") || !strings.Contains(out, "dropped by a person") {
		t.Errorf("it shows\n%s", out)
	}
	d.kill()
	d = start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "deltahook runs")
	set(worth(n, 2))
	waits(n)
	if got := len(hooks.attempts()); got != 0 {
		t.Errorf("%d attempts while it is paused", got)
	}
	do("hook: resumed", "resume", "hook")
	for range n {
		if got := hooks.next(t); got.Data.Revision != 2 {
			t.Errorf("revision %d came", got.Data.Revision)
		}
	}
	do("10 put back", "replay", "--endpoint", "hook", "--rate", "100/s")
	for range n {
		if got := hooks.next(t); got.Data.Revision != 1 {
			t.Errorf("revision %d was replayed", got.Data.Revision)
		}
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"pause", "nobody"}, `no endpoint is called "nobody"; there are: hook`},
		{[]string{"resume", "nobody"}, `no endpoint is called "nobody"; there are: hook`},
		{[]string{"drop", "nobody", "--yes"}, `no endpoint is called "nobody"; there are: hook`},
	} {
		if status, _, stderr := deltahook(t, dir, c.args...); status != 1 || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: status %d, %s", c.args, status, stderr)
		}
	}
	if status, _, stderr := deltahook(t, dir, "drop", "hook", "--before", "soon"); status != 2 || !strings.Contains(stderr, "--before") {
		t.Errorf("drop before soon: status %d, %s", status, stderr)
	}
	status, body := d.get(t, "/api/v1/endpoints")
	var list struct{ Endpoints []map[string]any }
	if err := json.Unmarshal([]byte(body), &list); status != http.StatusOK || err != nil || len(list.Endpoints) != 1 || list.Endpoints[0]["state"] != "ok" {
		t.Errorf("/api/v1/endpoints: %d %s", status, body)
	}
}

// TestOrderOfAnEndpoint has a receiver refuse the first event for a while: with
// order: endpoint nothing else comes before it, with item the other items do,
// with none so does what follows of its own. The order is changed while
// deliveries wait.
func TestOrderOfAnEndpoint(t *testing.T) {
	t.Parallel()
	var refuse atomic.Value // the key that is refused
	refuse.Store("1")
	hooks := newReceiver(t, func(d delivery) int {
		if d.Data.Key == refuse.Load() && d.Data.Revision == 1 {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	url, set, _ := values(t, worth(3, 0))
	dir := t.TempDir()
	configure := func(order string) {
		write(t, dir, "deltahook.yaml", endpointHook(hooks, "retry: {schedule: [60s, 60s]}, order: "+order, listSource(url)))
	}
	configure("endpoint")
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	waiting := func(n float64) {
		t.Helper()
		d.until(t, fmt.Sprint(n, " wait"), func() bool { return d.metric(t, "deltahook_deliveries_waiting") == n })
	}
	set(worth(3, 1))
	waiting(3)
	set(worth(3, 2))
	waiting(6)
	if all := hooks.attempts(); len(all) != 1 || all[0].Data.Key != "1" {
		t.Errorf("with order endpoint there came %d", len(all))
	}
	d.stop(t)
	configure("item")
	d = start(t, binary(t), dir, "run")
	waiting(2)
	for range 4 {
		if got := hooks.next(t); got.Data.Key == "1" {
			t.Errorf("with order item there came %s", got.Body)
		}
	}
	d.stop(t)
	configure("none")
	d = start(t, binary(t), dir, "run")
	if got := hooks.next(t); got.Data.Key != "1" || got.Data.Revision != 2 {
		t.Errorf("with order none there came %s", got.Body)
	}
	d.stop(t)
	refuse.Store("")
	configure("endpoint")
	d = start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "deltahook runs")
	if status, _, stderr := deltahook(t, dir, "resume", "hook"); status != 0 {
		t.Error(stderr)
	}
	if got := hooks.next(t); got.Data.Key != "1" || got.Data.Revision != 1 {
		t.Errorf("at last there came %s", got.Body)
	}
}

// TestExpiredIsNotSent restarts after what waits has become too old.
func TestExpiredIsNotSent(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	hooks := newReceiver(t, func(delivery) int {
		if up.Load() {
			return http.StatusOK
		}
		return http.StatusInternalServerError
	})
	url, set, _ := values(t, worth(5, 0))
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", endpointHook(hooks, "ttl: 8s, retry: {schedule: [11s, 11s]}", listSource(url)))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(worth(5, 1))
	d.until(t, "each is tried", func() bool { return len(hooks.attempts()) == 5 })
	up.Store(true)
	d.until(t, "they expire", func() bool { return d.metric(t, "deltahook_deliveries_expired_total") == 5 })
	set(worth(5, 2))
	for range 5 {
		if got := hooks.next(t); got.Data.Revision != 2 {
			t.Errorf("revision %d came", got.Data.Revision)
		}
	}
	if page := listed[emitter.DeliveryPage](t, dir, "deliveries", "--state", "expired"); len(page.Deliveries) != 5 {
		t.Errorf("%d are listed as expired", len(page.Deliveries))
	}
	if e := endpointStatus(t, dir, "hook"); e.Waiting != 0 || e.Dead != 0 {
		t.Errorf("it is %+v", e)
	}
}
