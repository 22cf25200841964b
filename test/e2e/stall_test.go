package e2e

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stalls watches for how long this process is kept from the processor, and
// gives the longest up to now: by so much may what arrives look later than it
// is, and closer to what follows.
func stalls(tb testing.TB) (longest func() time.Duration) {
	tb.Helper()
	const pause = 5 * time.Millisecond
	var most atomic.Int64
	var watch sync.WaitGroup
	end := make(chan struct{})
	tick := time.NewTicker(pause)
	watch.Go(func() {
		for last := time.Now(); ; {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			now := time.Now()
			most.Store(max(most.Load(), int64(now.Sub(last)-pause)))
			last = now
		}
	})
	tb.Cleanup(func() {
		close(end)
		watch.Wait()
		tick.Stop()
	})
	return func() time.Duration { return time.Duration(most.Load()) }
}
