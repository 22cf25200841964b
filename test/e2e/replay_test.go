package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// worth is an answer of n items that all have a value.
func worth(n, value int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"id":%d,"v":%d}`, i+1, value)
	}
	return fmt.Sprintf(`{"items":[%s]}`, strings.Join(items, ","))
}

// listed is what a command prints with -o json.
func listed[T any](t *testing.T, dir string, args ...string) (v T) {
	t.Helper()
	status, out, stderr := deltahook(t, dir, append(args, "-o", "json")...)
	if status != 0 {
		t.Fatalf("%v: status %d, %s%s", args, status, out, stderr)
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	return v
}

// until waits for something that the daemon shows.
func (p *process) until(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("still not: %s\n%s", what, p.stderr.String())
		}
	}
}

// idle waits until nothing waits to be told. Then it is stored that what came
// has arrived, and a kill brings none of it again.
func (p *process) idle(tb testing.TB) {
	tb.Helper()
	p.until(tb, "nothing waits", func() bool { return p.metric(tb, "deltahook_deliveries_waiting") == 0 })
}

// TestReplay is what a user does after an outage that outlasted the schedule:
// looks at the dead letters, mends the receiver, and has them told again; kills
// the daemon half way, and goes on.
func TestReplay(t *testing.T) {
	t.Parallel()
	const n = 60
	var up atomic.Bool
	hooks := newReceiver(t, func(delivery) int {
		if up.Load() {
			return http.StatusOK
		}
		return http.StatusBadRequest // a permanent one: dead at once
	})
	url, set, _ := values(t, worth(n, 1))
	dir := t.TempDir()
	source := fmt.Sprintf(`
  s:
    schedule: "@every 1s"
    request: {url: "%s", timeout: 60s}
    response: {items: items, id: id}
`, url)
	write(t, dir, "deltahook.yaml", configured(hooks, source))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(worth(n, 2))
	d.until(t, "all are dead letters", func() bool { return d.metric(t, "deltahook_dead_letters") == n })
	first := map[string][]byte{}
	for _, a := range hooks.attempts() {
		first[a.ID] = a.Body
	}

	// What is to be seen.
	if status, out, _ := deltahook(t, dir, "deliveries", "--dead", "--limit", "3"); status != 0 || strings.Count(out, " dead ") != 3 {
		t.Errorf("deliveries --dead: status %d, %s", status, out)
	}
	dead := listed[emitter.DeliveryPage](t, dir, "deliveries", "--dead", "--key", "7")
	if len(dead.Deliveries) != 1 || dead.Deliveries[0].Event.Key != "7" {
		t.Fatalf("the dead letter of 7: %+v", dead)
	}
	one := dead.Deliveries[0]
	if status, out, _ := deltahook(t, dir, "deliveries", "show", fmt.Sprint(one.Number)); status != 0 ||
		!strings.Contains(out, "400 Bad Request") || !strings.Contains(out, `"v": 2`) || strings.Contains(out, whsec) {
		t.Errorf("deliveries show: status %d, %s", status, out)
	}
	if status, out, _ := deltahook(t, dir, "events", "show", one.Event.ID); status != 0 || !strings.Contains(out, `"v": 2`) {
		t.Errorf("events show: status %d, %s", status, out)
	}
	if events := listed[emitter.EventPage](t, dir, "events", "--type", "s.updated", "--since", "1h", "--limit", "500"); len(events.Events) != n {
		t.Errorf("%d events, want %d", len(events.Events), n)
	}

	// One, then the rest.
	up.Store(true)
	if status, out, stderr := deltahook(t, dir, "replay", fmt.Sprint(one.Number)); status != 0 || out != "1 put back\n" {
		t.Fatalf("replay of one: status %d, %s%s", status, out, stderr)
	}
	if got := hooks.next(t); got.ID != one.Event.ID || !bytes.Equal(got.Body, first[got.ID]) {
		t.Errorf("told %s again as %s", one.Event.ID, got.ID)
	}
	if job := listed[emitter.ReplayJob](t, dir, "replay", "--source", "s", "--dry-run"); job.Replayed.Replayed != n-1 || !job.Order.Dry {
		t.Errorf("a dry run: %+v", job)
	}
	if status, _, stderr := deltahook(t, dir, "replay"); status != 2 || !strings.Contains(stderr, "say what") {
		t.Errorf("replay of nothing: status %d, %s", status, stderr)
	}
	asking := start(t, binary(t), dir, "replay", "--source", "s", "--rate", "10/s")
	var got []string
	take := func() {
		t.Helper()
		d := hooks.next(t)
		if !bytes.Equal(d.Body, first[d.ID]) {
			t.Errorf("%s has another body than at first: %s", d.ID, d.Body)
		}
		got = append(got, d.ID)
	}
	for range 10 {
		take()
	}
	d.kill()
	if status := asking.exit(t, patience); status != 1 {
		t.Errorf("replay, when the daemon was killed: status %d", status)
	}
	for len(hooks.got) > 0 { // of before the kill
		take()
	}

	// Its store can be looked at meanwhile.
	left := listed[emitter.DeliveryPage](t, dir, "deliveries", "--dead", "--limit", "500").Deliveries
	if len(left) == 0 || len(left) > n-11 {
		t.Errorf("%d dead letters are left of %d", len(left), n)
	}
	put := len(listed[emitter.DeliveryPage](t, dir, "deliveries", "--state", "replayed", "--limit", "500").Deliveries)
	if put+len(left) != n {
		t.Errorf("%d were put back and %d are dead letters, of %d", put, len(left), n)
	}
	d = start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "deltahook runs")
	if status, out, stderr := deltahook(t, dir, "replay", "--source", "s", "--rate", "1000/s"); status != 0 || !strings.HasPrefix(out, fmt.Sprintf("%d put back", len(left))) {
		t.Fatalf("replay of the rest: status %d, %s%s", status, out, stderr)
	}
	d.until(t, "none waits", func() bool {
		return d.metric(t, "deltahook_dead_letters") == 0 && d.metric(t, "deltahook_deliveries_waiting") == 0
	})
	for len(hooks.got) > 0 {
		take()
	}
	// Each once, but for those that were under way at the kill.
	slices.Sort(got)
	twice := len(got) - len(slices.Compact(slices.Clone(got)))
	if len(got)-twice != n-1 || twice > 4 {
		t.Errorf("%d arrived, %d of them twice, want %d", len(got), twice, n-1)
	}

	// One that arrived can be told again, too.
	if status, out, stderr := deltahook(t, dir, "replay", one.Event.ID, "--endpoint", "hook"); status != 0 {
		t.Errorf("replay of an event: status %d, %s%s", status, out, stderr)
	}
	if got := hooks.next(t); got.ID != one.Event.ID {
		t.Errorf("told %s, want %s", got.ID, one.Event.ID)
	}
	for _, args := range [][]string{{"events", "show", "evt_no"}, {"deliveries", "show", "99999"}, {"replay", "evt_no"}, {"replay", "99999"}} {
		if status, _, stderr := deltahook(t, dir, args...); status != 1 || !strings.Contains(stderr, "not found") {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
	}

	// The file is made smaller once nobody has it open.
	if status, _, stderr := deltahook(t, dir, "compact"); status != 1 || !strings.Contains(stderr, "stop the daemon first") {
		t.Errorf("compact beside the daemon: status %d, %s", status, stderr)
	}
	d.stop(t)
	before := listed[emitter.DeliveryPage](t, dir, "deliveries", "--limit", "500")
	if status, out, stderr := deltahook(t, dir, "compact"); status != 0 || !strings.Contains(out, ", was ") {
		t.Errorf("compact: status %d, %s%s", status, out, stderr)
	}
	if after := listed[emitter.DeliveryPage](t, dir, "deliveries", "--limit", "500"); len(after.Deliveries) != len(before.Deliveries) {
		t.Errorf("%d deliveries after it was compacted, %d before", len(after.Deliveries), len(before.Deliveries))
	}
}

// TestReplayStopped ends a replay by Ctrl-C.
func TestReplayStopped(t *testing.T) {
	t.Parallel()
	hooks := newReceiver(t, func(delivery) int { return http.StatusBadRequest })
	url, set, _ := values(t, worth(40, 1))
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(`
  s:
    schedule: "@every 1s"
    request: {url: "%s", timeout: 60s}
    response: {items: items, id: id}
`, url)))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(worth(40, 2))
	d.until(t, "all are dead letters", func() bool { return d.metric(t, "deltahook_dead_letters") == 40 })
	asking := start(t, binary(t), dir, "replay", "--all", "--rate", "5/s")
	d.until(t, "some were put back", func() bool { return len(hooks.attempts()) > 42 })
	asking.signal(t, syscall.SIGINT)
	if status := asking.exit(t, patience); status != 1 || !strings.Contains(asking.stderr.String(), "stopped; to go on") {
		t.Errorf("stopped: status %d, %s%s", status, asking.stdout.String(), asking.stderr.String())
	}
	jobs, text := d.get(t, "/api/v1/replays")
	if jobs != http.StatusOK || !strings.Contains(text, `"stopped"`) {
		t.Errorf("the replays: %d %s", jobs, text)
	}
}
