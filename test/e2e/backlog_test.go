package e2e

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// TestBacklogDrains lets a backlog grow while the receiver is down, over a
// kill. When the receiver is back it takes some events at the second attempt
// only, and one never: all else arrives once, in the order of its item, and
// never more often than the endpoint's rate says.
func TestBacklogDrains(t *testing.T) {
	t.Parallel()
	const n, versions, rate = 12, 8, 40
	var mu sync.Mutex
	var up bool
	var at []time.Time        // of requests since it is up
	tries := map[string]int{} // since then, by id
	hooks := newReceiver(t, func(d delivery) int {
		mu.Lock()
		defer mu.Unlock()
		if !up {
			return http.StatusServiceUnavailable
		}
		at = append(at, time.Now())
		tries[d.ID]++
		switch {
		case d.Data.Key == "3" && d.Data.Revision == 2:
			return http.StatusUnprocessableEntity
		case d.Data.Key == "5" && tries[d.ID] == 1:
			return http.StatusBadGateway
		}
		return http.StatusOK
	})
	url, set, _ := values(t, worth(n, 0))
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", endpointHook(hooks, "rate: 40/s, concurrency: 8, pause_after: 2s, retry: {schedule: [300ms, 300ms, 1s, 1s, 1s, 1s, 1s, 1s]}", listSource(url)))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	for v := 1; v <= versions; v++ {
		set(worth(n, v))
		d.until(t, "the changes wait", func() bool { return d.metric(t, "deltahook_deliveries_waiting") == float64(v*n) })
		if v == versions/2 {
			d.kill()
			d = start(t, binary(t), dir, "run")
		}
	}
	d.until(t, "it is paused", func() bool { return endpointStatus(t, dir, "hook").Pause == emitter.PauseOutage })
	mu.Lock()
	up = true
	mu.Unlock()
	if status, _, stderr := deltahook(t, dir, "resume", "hook"); status != 0 {
		t.Fatal(stderr)
	}
	last, ids := map[string]int{}, map[string]bool{}
	for range n*versions - 1 {
		got := hooks.next(t)
		want := last[got.Data.Key] + 1
		if got.Data.Key == "3" && want == 2 {
			want = 3
		}
		if got.Data.Revision != want || ids[got.ID] {
			t.Errorf("%s: revision %d after %d", got.Data.Key, got.Data.Revision, last[got.Data.Key])
		}
		last[got.Data.Key], ids[got.ID] = got.Data.Revision, true
	}
	d.until(t, "all is well", func() bool {
		e := endpointStatus(t, dir, "hook")
		return e.State == emitter.ConditionOK && e.Waiting == 0 && e.Dead == 1
	})
	mu.Lock()
	defer mu.Unlock()
	if want := n*versions + versions; len(at) != want {
		t.Errorf("%d requests, want %d", len(at), want)
	}
	slices.SortFunc(at, time.Time.Compare)
	for i, first := range at {
		// What is spaced when it is sent may be a little closer when it arrives.
		if j := i + rate + rate/4; j < len(at) && at[j].Sub(first) < time.Second {
			t.Errorf("%d requests in %s, want at most %d in a second", j-i+1, at[j].Sub(first), rate)
			break
		}
	}
}
