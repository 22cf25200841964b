package emitter_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/units"
)

// most is the largest number of requests in any span of time.
func most(all []sent, span time.Duration) (n int) {
	for i := range all {
		j := i
		for j < len(all) && all[j].at.Sub(all[i].at) < span {
			j++
		}
		n = max(n, j-i)
	}
	return n
}

// A rate holds in any span of time, the queue does the waiting, and what is
// there is sent as fast as the rate lets it.
func TestRate(t *testing.T) {
	for name, c := range map[string]struct {
		settings emitter.Settings
		rate     units.Rate
		events   int
		within   time.Duration // by a person's patience
	}{
		"given":            {emitter.Settings{Rate: units.Rate{N: 10, Per: time.Second}, Concurrency: 16}, units.Rate{N: 10, Per: time.Second}, 100, 12 * time.Second},
		"one at a time":    {emitter.Settings{Rate: units.Rate{N: 10, Per: time.Second}, Concurrency: 1}, units.Rate{N: 10, Per: time.Second}, 50, 7 * time.Second},
		"fast":             {emitter.Settings{Rate: units.Rate{N: 500, Per: time.Second}, Concurrency: 64}, units.Rate{N: 500, Per: time.Second}, 1_500, 4 * time.Second},
		"slack":            {emitter.Settings{Format: "slack"}, units.Rate{N: 1, Per: time.Second}, 10, 12 * time.Second},
		"teams":            {emitter.Settings{Format: "teams"}, units.Rate{N: 4, Per: time.Second}, 40, 12 * time.Second},
		"zapier":           {emitter.Settings{Format: "zapier"}, units.Rate{N: 30, Per: time.Second}, 150, 6 * time.Second},
		"another of slack": {emitter.Settings{Format: "slack", Rate: units.Rate{N: 3, Per: time.Minute}}, units.Rate{N: 3, Per: time.Minute}, 9, 4 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				b.wire.set("shop", func(r *http.Request) (*http.Response, error) {
					answer, err := status(200, 50*time.Millisecond)(r)
					if err == nil {
						answer.Body = http.NoBody
						if c.settings.Format == "slack" {
							answer.Body = okBody()
						}
					}
					return answer, err
				})
				for i := range c.events {
					b.queue.add("shop", fmt.Sprint(i), 1)
				}
				b.start(t, endpoints{"shop": c.settings}, emitter.Options{})
				begun := time.Now()
				time.Sleep(c.within)
				synctest.Wait()
				b.stop()
				all := b.wire.requests()
				if len(all) != c.events {
					t.Fatalf("%d of %d were sent within %s", len(all), c.events, c.within)
				}
				if n := most(all, c.rate.Per); n > c.rate.N {
					t.Errorf("%d within %s, where the rate is %s", n, c.rate.Per, c.rate)
				}
				last := all[len(all)-1].at.Sub(begun)
				if least := time.Duration(c.events/c.rate.N-1) * c.rate.Per; last < least {
					t.Errorf("all were sent after %s, which is too soon", last)
				}
			})
		})
	}
}

// An endpoint without a connection keeps neither its place in the rate nor
// the endpoint from the next try.
func TestRateWithoutConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") })
		for i := range 3 {
			b.queue.add("shop", fmt.Sprint(i), 1)
		}
		s := emitter.Settings{Rate: units.Rate{N: 1, Per: time.Second}}
		s.Retry.Schedule = []units.Duration{units.Duration(time.Second), units.Duration(time.Second)}
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		time.Sleep(30 * time.Second)
		b.stop()
		if n := len(b.wire.requests()); n != 9 {
			t.Errorf("%d attempts, want 9", n)
		}
	})
}

// An endpoint with a rate doesn't keep another one waiting.
func TestRateOfOneEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("slow", status(200, 0))
		b.wire.set("fast", status(200, 0))
		for i := range 50 {
			b.queue.add("slow", fmt.Sprint(i), 1)
			b.queue.add("fast", fmt.Sprint(i), 1)
		}
		b.start(t, endpoints{"slow": {Rate: units.Rate{N: 1, Per: time.Hour}}, "fast": {}}, emitter.Options{})
		synctest.Wait() // nothing was sent before the start: the first doesn't wait
		b.stop()
		count := map[string]int{}
		for _, r := range b.wire.requests() {
			count[r.host]++
		}
		if count["fast"] != 50 || count["slow"] != 1 {
			t.Errorf("sent %v", count)
		}
	})
}

// A limit that is used up, as Discord says in its answers, holds the endpoint
// and no more; it ends a pause as any delivery does.
func TestLimitUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("chat", status(200, 0, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset-After", "2"))
		for i := range 4 {
			b.queue.add("chat", fmt.Sprint(i), 1)
		}
		b.queue.state = map[string]emitter.EndpointState{"chat": {Health: emitter.Health{Hold: time.Now().Add(time.Hour), Pause: emitter.PauseGone, Reason: "gone"}}}
		b.start(t, endpoints{"chat": {Format: "discord", Concurrency: 2}}, emitter.Options{})
		begun := time.Now()
		time.Sleep(10 * time.Second)
		b.stop()
		var at []time.Duration
		for _, r := range b.wire.requests() {
			at = append(at, r.at.Sub(begun))
		}
		// One while it is paused, then two at once.
		if len(at) != 4 || at[0] != 0 || at[1] != 2*time.Second || at[2] != 2*time.Second || at[3] != 4*time.Second {
			t.Errorf("sent after %v", at)
		}
	})
}

// What was sent before a restart counts, and what was sent long before it keeps
// nobody waiting.
func TestRateOverRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, 0))
		for i := range 4 {
			b.queue.add("shop", fmt.Sprint(i), 1)
		}
		s := emitter.Settings{Rate: units.Rate{N: 1, Per: time.Second}}
		var at []time.Duration
		begun := time.Now()
		for _, wait := range []time.Duration{100 * time.Millisecond, time.Second, time.Hour} {
			b.start(t, endpoints{"shop": s}, emitter.Options{})
			time.Sleep(100 * time.Millisecond)
			b.stop()
			time.Sleep(wait)
		}
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		synctest.Wait()
		b.stop()
		for _, r := range b.wire.requests() {
			at = append(at, r.at.Sub(begun))
		}
		// At 0; not at 200 ms; at 1.3 s; and at once after the hour.
		if len(at) != 3 || at[0] != 0 || at[1] != 1300*time.Millisecond || at[2] < time.Hour {
			t.Errorf("sent after %v", at)
		}
	})
}
