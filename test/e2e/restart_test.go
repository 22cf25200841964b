package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRestartNoBurst kills the daemon while two receivers hang and all that
// changed waits for them, and starts it again when they don't: to the one with
// a rate comes no more than that, from before the kill on, and to the other no
// more at once than its concurrency.
func TestRestartNoBurst(t *testing.T) {
	t.Parallel()
	const items, rate, flying = 200, 10, 4
	longest := stalls(t)
	killed := make(chan struct{})
	let := sync.OnceFunc(func() { close(killed) })
	var mu sync.Mutex
	var at []time.Time // what came to the one with a rate
	now, most := 0, 0  // in flight at the other one, since the kill
	hanging := func() bool {
		select {
		case <-killed:
			return false
		default:
		}
		<-killed
		return true
	}
	slow := newReceiver(t, func(delivery) int {
		mu.Lock()
		at = append(at, time.Now())
		mu.Unlock()
		if hanging() {
			return http.StatusServiceUnavailable // nobody is told
		}
		return http.StatusOK
	})
	wide := newReceiver(t, func(delivery) int {
		if hanging() {
			return http.StatusServiceUnavailable
		}
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(20 * time.Millisecond) // it takes its time, so that some are in flight
		mu.Lock()
		now--
		mu.Unlock()
		return http.StatusOK
	})
	t.Cleanup(let) // before the receivers wait for those
	url, set, _ := values(t, worth(items, 0))
	dir := t.TempDir()
	config := endpointHook(slow, fmt.Sprintf("rate: %d/s, concurrency: 64, timeout: 60s", rate), listSource(url))
	config = strings.Replace(config, "egress:", fmt.Sprintf("  wide: {url: %q, secrets: [%s], concurrency: %d, timeout: 60s}\negress:", wide.URL, whsec, flying), 1)
	write(t, dir, "deltahook.yaml", config)
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(worth(items, 1))
	d.until(t, "all waits", func() bool {
		return d.metric(t, "deltahook_deliveries_waiting") == 2*items && len(slow.attempts()) >= rate && len(wide.attempts()) >= flying
	})
	d.kill()
	let()
	d = start(t, binary(t), dir, "run")
	tried := len(slow.attempts())
	d.until(t, "the backlog drains", func() bool { return len(slow.attempts()) >= tried+2*rate && len(wide.got) == items })
	d.kill()

	mu.Lock()
	defer mu.Unlock()
	if most != flying {
		t.Errorf("%d were in flight after the start, want %d", most, flying)
	}
	for i := range at {
		// What is spaced when it is sent may be a little closer when it arrives.
		if j := i + rate + rate/4; j < len(at) && at[j].Sub(at[i]) < time.Second-longest() {
			t.Errorf("%d requests in %s, want at most %d in a second", j-i+1, at[j].Sub(at[i]), rate)
			break
		}
	}
}
