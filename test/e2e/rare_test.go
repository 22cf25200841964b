package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/deltahook/deltahook/emitter"
)

// TestRareIsFound tells an endpoint of three changes, one of which dies there, and
// then another one of more than a list looks at: the three are on the first page
// of each list of theirs.
func TestRareIsFound(t *testing.T) {
	t.Parallel()
	const many = 12_000
	var came atomic.Int64
	rare := newReceiver(t, func(delivery) int {
		if came.Add(1) == 1 {
			return http.StatusBadRequest // a permanent one: dead at once
		}
		return http.StatusOK
	})
	few, setFew, _ := values(t, worth(3, 1))
	lots, setLots, _ := values(t, worth(many, 1))
	dir := t.TempDir()
	source := `
  %[1]s:
    schedule: "@every 1s"
    request: {url: %[2]q, timeout: 60s}
    response: {items: items, id: id}
    changes: {max_events: 20000}
    events: {%[1]s.changed: {to: [%[3]s]}}`
	config := endpointHook(rare, "rate: 1/s", fmt.Sprintf(source, "quiet", few, "rare")+fmt.Sprintf(source, "loud", lots, "hook")+"\n")
	config = strings.Replace(config, "egress:", fmt.Sprintf("  rare: {url: %q, secrets: [%s], concurrency: 1}\negress:", rare.URL+"/rare", whsec), 1)
	write(t, dir, "deltahook.yaml", config)
	d := start(t, plainBinary(t), dir, "run") // so many take the race detector long
	d.until(t, "both are remembered", func() bool { return strings.Count(d.stderr.String(), "first answer remembered") == 2 })
	setFew(worth(3, 2))
	d.until(t, "the rare endpoint is told", func() bool { return len(rare.attempts()) >= 3 })
	setLots(worth(many, 2))
	d.until(t, "the other one is to be told of all", func() bool {
		return d.metric(t, "deltahook_deliveries_waiting", `endpoint="hook"`) > many-100
	})

	counts := func(list, args string, want int) {
		t.Helper()
		status, out, stderr := deltahook(t, dir, append(strings.Fields(list+" "+args), "-o", "json")...)
		if n := strings.Count(out, `"id": `); status != 0 || n != want || strings.Contains(stderr, "there may be more") {
			t.Errorf("%s %s: status %d, %d of %d, %s\n%s", list, args, status, n, want, stderr, out)
		}
	}
	counts("deliveries", "--endpoint rare", 3)
	counts("deliveries", "--endpoint rare --state dead", 1)
	counts("deliveries", "--source quiet", 3)
	counts("deliveries", "--source quiet --endpoint rare", 3)
	counts("events", "--endpoint rare", 3)
	counts("events", "--endpoint rare --state dead", 1)
	for path, want := range map[string]int{
		"/api/v1/deliveries?endpoint=rare":            3,
		"/api/v1/deliveries?endpoint=rare&state=dead": 1,
		"/api/v1/deliveries?source=quiet":             3,
		"/api/v1/events?endpoint=rare":                3,
		"/api/v1/events?source=quiet&endpoint=hook":   0,
	} {
		status, body := d.get(t, path)
		if n := strings.Count(body, `"key":`); status != http.StatusOK || n != want || strings.Contains(body, `"next"`) {
			t.Errorf("%s: %d, %d of %d\n%.2000s", path, status, n, want, body)
		}
	}
	for path, want := range map[string]string{
		"/endpoints/rare":        "quiet.changed",
		"/dead?endpoint=rare":    "quiet.changed",
		"/events?endpoint=rare":  "quiet.changed",
		"/events?source=quiet":   "quiet.changed",
		"/sources/quiet":         "quiet.changed",
		"/events?endpoint=other": "",
	} {
		if status, page := d.get(t, path); status != http.StatusOK || want != "" && !strings.Contains(page, want) || strings.Contains(page, "the search goes on") {
			t.Errorf("%s: %d, want %q", path, status, want)
		}
	}
	if jobs := listed[emitter.ReplayJob](t, dir, "replay", "--endpoint", "rare", "--dry-run"); jobs.Replayed.Replayed != 1 {
		t.Errorf("a dry run of a replay: %+v", jobs)
	}
	d.stop(t)
}
