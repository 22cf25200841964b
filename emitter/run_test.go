package emitter_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/units"
)

var unsigned = emitter.Settings{Signature: "none"}

func TestRunDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, 0))
		b.queue.add("shop", "a", 1)
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		defer b.stop()
		synctest.Wait()
		done, waiting := b.queue.outcomes()
		if len(done) != 1 || waiting != 0 || done[0].Verdict.State != emitter.Delivered || done[0].Attempt.Status != 200 || done[0].Delivery.Body != nil {
			t.Fatalf("settled %+v, %d waiting", done, waiting)
		}
		// What is committed later is sent at the hint, at once.
		before := time.Now()
		b.queue.add("shop", "a", 2)
		b.emitter.Wake("shop", "nobody")
		synctest.Wait()
		if sent := b.wire.requests(); len(sent) != 2 || !sent[1].at.Equal(before) || sent[1].id != "evt_shop_a_2" || sent[1].body != `{"id":"evt_shop_a_2"}` {
			t.Errorf("sent %+v", sent)
		}
	})
}

func TestRunFindsWhatNoHintToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, 0))
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		defer b.stop()
		synctest.Wait()
		b.queue.add("shop", "a", 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(b.wire.requests()); n != 1 {
			t.Errorf("%d requests after a minute, want 1", n)
		}
		time.Sleep(time.Hour)
		b.queue.set(func(q *memory) {
			if q.looks > 70 {
				t.Errorf("looked %d times into an idle queue in an hour", q.looks)
			}
		})
	})
}

// What falls due while the queue is being read is sent when it is due, and the
// queue isn't asked again and again until then.
func TestRunFindsWhatFellDueMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.queue.reading = 20 * time.Millisecond
		b.wire.set("shop", status(200, 0))
		b.queue.add("shop", "a", 1)
		b.queue.add("shop", "b", 1)
		due := time.Now().Add(10 * time.Millisecond)
		b.queue.waiting[0].Due, b.queue.waiting[1].Due = due, due.Add(time.Hour)
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		defer b.stop()
		time.Sleep(time.Minute)
		b.queue.set(func(q *memory) {
			if sent := b.wire.requests(); len(sent) != 1 || sent[0].at.Sub(due) > 50*time.Millisecond || q.looks > 5 {
				t.Errorf("due at %v, sent %+v, after %d looks", due, sent, q.looks)
			}
		})
	})
}

func TestRunRetriesOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(500, 0))
		b.queue.add("shop", "a", 1)
		b.queue.add("shop", "a", 2)
		s := unsigned
		s.PauseAfter = new(units.Duration)
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		defer b.stop()
		time.Sleep(5 * 24 * time.Hour)
		synctest.Wait()

		var first []sent
		for _, s := range b.wire.requests() {
			if s.id == "evt_shop_a_1" {
				first = append(first, s)
			}
		}
		if len(first) != 12 {
			t.Fatalf("%d attempts, want 12", len(first))
		}
		for i, wait := range (emitter.RetrySettings{}).Policy().Schedule {
			got := first[i+1].at.Sub(first[i].at)
			if low, high := time.Duration(float64(wait)*0.8), time.Duration(float64(wait)*1.2); got < low || got > high {
				t.Errorf("wait %d: %v, not within 20 %% of %v", i+1, got, wait)
			}
			if first[i+1].body != first[0].body || first[i+1].stamp != strconv.FormatInt(first[i+1].at.Unix(), 10) {
				t.Errorf("attempt %d: %+v", i+2, first[i+1])
			}
		}
		done, _ := b.queue.outcomes()
		if v := done[11].Verdict; v.State != emitter.Dead {
			t.Errorf("after the schedule: %+v", v)
		}
		// A dead letter lets the item's next event through.
		if last := b.wire.requests()[12]; last.id != "evt_shop_a_2" || last.at.Sub(first[11].at) > 100*time.Millisecond {
			t.Errorf("after the dead letter: %+v", last)
		}
	})
}

// A receiver that fails at random gets every event, each item's in order, and
// no two of one item at once.
func TestRunKeepsOrderPerItem(t *testing.T) {
	const items, revisions = 20, 15
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.queue.slow = 2 * time.Millisecond
		b.wire.set("shop", func(r *http.Request) (*http.Response, error) {
			code := 200
			if rand.IntN(10) < 3 {
				code = 503
			}
			return status(code, time.Duration(rand.IntN(20))*time.Millisecond)(r)
		})
		for revision := range uint64(revisions) {
			for item := range items {
				b.queue.add("shop", strconv.Itoa(item), revision+1)
			}
		}
		s := unsigned
		s.Concurrency = 8
		s.Retry.Schedule = make([]units.Duration, 100)
		for i := range s.Retry.Schedule {
			s.Retry.Schedule[i] = units.Duration(50 * time.Millisecond)
		}
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		defer b.stop()
		time.Sleep(10 * time.Minute)
		synctest.Wait()

		done, waiting := b.queue.outcomes()
		if waiting != 0 {
			t.Fatalf("%d still wait", waiting)
		}
		next := map[string]uint64{}
		ended := map[string]time.Time{}
		for _, o := range done {
			key := o.Delivery.Key
			if o.Delivery.Revision != next[key]+1 {
				t.Fatalf("item %s: revision %d after %d", key, o.Delivery.Revision, next[key])
			}
			if o.Attempt.At.Before(ended[key]) {
				t.Fatalf("item %s: two attempts at once", key)
			}
			ended[key] = o.Attempt.At.Add(o.Attempt.Took)
			if o.Verdict.State == emitter.Delivered {
				next[key]++
			}
		}
		if len(next) != items || next["0"] != revisions {
			t.Errorf("delivered %v", next)
		}
		if n := b.wire.peak["shop"]; n != 8 {
			t.Errorf("%d attempts at once, want 8", n)
		}
	})
}

func TestRunEndpointsDontDelayEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("slow", status(200, 19*time.Second))
		b.wire.set("fast", status(200, 10*time.Millisecond))
		for i := range 100 {
			b.queue.add("slow", strconv.Itoa(i), 1)
			b.queue.add("fast", strconv.Itoa(i), 1)
		}
		start := time.Now()
		b.start(t, endpoints{"slow": unsigned, "fast": unsigned}, emitter.Options{})
		defer b.stop()
		time.Sleep(251 * time.Millisecond) // 100 / 4 at once, 10 ms each
		synctest.Wait()
		n := map[string]int{}
		for _, s := range b.wire.requests() {
			n[s.host]++
		}
		if n["fast"] != 100 || n["slow"] != 4 {
			t.Errorf("after %v: %v, want 100 fast and 4 slow", time.Since(start), n)
		}
	})
}

// What ends while more waits is settled together, though settling takes no
// time; where nothing more waits, it is settled at once.
func TestRunSettlesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, time.Millisecond))
		for i := range 1_000 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		s := unsigned
		s.Concurrency = 8
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		defer b.stop()
		time.Sleep(time.Second)
		synctest.Wait()
		b.queue.set(func(q *memory) {
			if len(q.waiting) != 0 || len(q.batches) > 1_000/20 {
				t.Errorf("%d wait, settled in %d batches %v", len(q.waiting), len(q.batches), q.batches)
			}
		})
		b.queue.add("shop", "last", 1)
		b.emitter.Wake("shop")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		b.queue.set(func(q *memory) {
			if len(q.waiting) != 0 {
				t.Error("one that is alone is not settled when it has arrived")
			}
		})
	})
}

// While the queue is asked, what was started ahead is sent.
func TestRunGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.queue.reading = 100 * time.Millisecond
		b.wire.set("shop", status(200, 10*time.Millisecond))
		for i := range 100 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		defer b.stop()
		time.Sleep(150 * time.Millisecond) // four at 100 ms; the queue is asked again when they end
		synctest.Wait()
		if n := len(b.wire.requests()); n != 20 {
			t.Errorf("%d requests, want 4 and the 16 that were started ahead", n)
		}
	})
}

// What was started ahead is not sent when the receiver asks for quiet, a person
// pauses the endpoint, or the end has come; and nobody has it in hand then.
func TestRunRecalls(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		do     func(t *testing.T, b *bench)
	}{
		"quiet": {http.StatusTooManyRequests, func(*testing.T, *bench) {}},
		"pause": {http.StatusOK, func(t *testing.T, b *bench) {
			if err := b.emitter.Pause(t.Context(), "shop"); err != nil {
				t.Error(err)
			}
		}},
		"end": {http.StatusOK, func(_ *testing.T, b *bench) { b.stop() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				b.wire.set("shop", func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("webhook-id") == "evt_shop_0_1" {
						return status(c.status, 2*time.Second, "Retry-After", "3600")(r)
					}
					return status(http.StatusOK, 5*time.Second)(r)
				})
				for i := range 4 {
					b.queue.add("shop", strconv.Itoa(i), 1)
				}
				s := unsigned
				s.Concurrency = 2
				b.start(t, endpoints{"shop": s}, emitter.Options{})
				time.Sleep(time.Second)
				c.do(t, b)
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := len(b.wire.requests()); n != 2 {
					t.Errorf("%d requests, want the 2 that were under way", n)
				}
				if name == "end" {
					return
				}
				defer b.stop()
				if n, err := b.emitter.Drop(t.Context(), "shop", time.Time{}, false); n < 2 || err != nil {
					t.Errorf("%d dropped, %v, want at least the 2 that were not sent", n, err)
				}
			})
		})
	}
}

// What has ended while the outlet was busy is settled at once and together.
func TestRunSettlesWhatIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.queue.reading = 10 * time.Millisecond
		b.wire.set("shop", status(200, 5*time.Millisecond))
		for i := range 4 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		s := unsigned
		s.Concurrency = 5
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		defer b.stop()
		time.Sleep(12 * time.Millisecond) // the four are in flight
		b.emitter.Wake("shop")            // they end while the queue is read
		time.Sleep(time.Second)
		synctest.Wait()
		b.queue.set(func(q *memory) {
			if len(q.batches) != 1 || q.batches[0] != 4 {
				t.Errorf("settled in batches of %v, want one of 4", q.batches)
			}
		})
	})
}

// What is sent runs ahead of what is stored by a bounded number only.
func TestRunBoundsWhatIsUnsettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.queue.slow = time.Hour
		b.wire.set("shop", status(200, time.Millisecond))
		for i := range 100 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		s := unsigned
		s.Concurrency = 3
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		defer b.stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(b.wire.requests()); n != 96 {
			t.Errorf("%d requests while none is settled, want 32 times the concurrency of 3", n)
		}
	})
}

// Where much waits, the queue is not asked for each delivery; and what has
// become due before others meanwhile does not wait behind what was read ahead.
func TestRunReadsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", func(r *http.Request) (*http.Response, error) { // they end one after the other
			return status(200, time.Second+time.Duration(len(b.wire.requests()))*time.Millisecond)(r)
		})
		for i := range 1_000 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		s := unsigned
		s.Concurrency = 10
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		defer b.stop()
		time.Sleep(20 * time.Second)
		sent := len(b.wire.requests())
		b.queue.set(func(q *memory) {
			if sent < 100 || q.looks > sent/2 {
				t.Errorf("the queue was asked %d times for %d", q.looks, sent)
			}
			last := len(q.waiting) - 1
			q.waiting[last].Due = time.Now().Add(-time.Hour) // the fake gives what is due first, first
			for i := range q.waiting[:last] {
				q.waiting[i].Due = time.Now().Add(-time.Minute)
			}
		})
		b.emitter.Wake("shop")
		time.Sleep(3 * time.Second)
		if got := b.wire.requests()[sent]; got.id != "evt_shop_999_1" {
			t.Errorf("then %s was sent", got.id)
		}
	})
}

// Where something is committed all the time, what was read ahead is not read
// again each time.
func TestRunIsHintedOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, time.Minute))
		for i := range 100 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		defer b.stop()
		time.Sleep(time.Second)
		b.queue.set(func(q *memory) { q.looks = 0 })
		for range 200 {
			b.emitter.Wake("shop")
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		b.queue.set(func(q *memory) {
			if q.looks < 10 || q.looks > 30 {
				t.Errorf("the queue was asked %d times in 200 ms, in which it was hinted 200 times", q.looks)
			}
		})
	})
}

// While the outcome of what was sent can't be stored, nothing is sent again
// and nothing new is sent.
func TestRunQueueFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench()
		b.wire.set("shop", status(200, time.Second))
		b.queue.failing = errDisk
		for i := range 20 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer b.stop()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		before := len(b.wire.requests())
		if before > 8 { // 4 at once, and 4 before the first failure is known
			t.Errorf("%d requests although nothing can be settled", before)
		}
		b.queue.set(func(q *memory) {
			if tries := q.attempts / before; tries < 15 || tries > 35 {
				t.Errorf("settling was tried %d times in 10 minutes", tries)
			}
			q.failing = nil
		})
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if sent := b.wire.requests(); len(sent) != 20 {
			t.Errorf("%d requests for 20 events: %+v", len(sent), sent)
		}
		if _, waiting := b.queue.outcomes(); waiting != 0 {
			t.Errorf("%d wait", waiting)
		}
		if strings.Count(log.String(), `msg="the queue fails"`) != 1 || strings.Count(log.String(), `msg="the queue works again"`) != 1 {
			t.Errorf("logged\n%s", &log)
		}
	})
}

func TestRunQueueCantBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench()
		b.wire.set("shop", status(200, 0))
		b.queue.add("shop", "a", 1)
		b.queue.blind = errDisk
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer b.stop()
		time.Sleep(10 * time.Minute)
		b.queue.set(func(q *memory) { q.blind = nil })
		time.Sleep(30 * time.Second)
		synctest.Wait()
		b.queue.set(func(q *memory) { q.blind = errDisk })
		b.emitter.Wake()
		time.Sleep(10 * time.Minute)
		b.queue.add("shop", "a", 2)
		b.queue.set(func(q *memory) {
			if q.looks > 40 {
				t.Errorf("looked %d times into a broken queue", q.looks)
			}
			q.blind = nil
		})
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := len(b.wire.requests()); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
		if n := strings.Count(log.String(), `msg="the queue`); n != 4 {
			t.Errorf("logged\n%s", &log)
		}
	})
}

func TestRunRetryAfterHoldsEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(429, 0, "Retry-After", "90"))
		b.queue.add("shop", "a", 1)
		start := time.Now()
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		synctest.Wait()
		b.wire.set("shop", status(200, 0))
		b.queue.add("shop", "b", 1)
		b.emitter.Wake("shop")
		time.Sleep(30 * time.Second)
		b.stop()
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{}) // a restart changes nothing
		defer b.stop()
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := len(b.wire.requests()); n != 1 {
			t.Fatalf("%d requests within the hold, want 1", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		sent := b.wire.requests()
		if len(sent) != 3 || sent[1].at.Sub(start) != 90*time.Second {
			t.Errorf("after the hold: %+v", sent)
		}
	})
}

// Neither a shorter hold nor a delivery that was under way ends a hold.
func TestRunLongestHoldWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", func(r *http.Request) (*http.Response, error) {
			switch r.Header.Get("webhook-id") {
			case "evt_shop_long_1":
				return status(503, time.Second, "Retry-After", "100")(r)
			case "evt_shop_short_1":
				return status(503, 2*time.Second, "Retry-After", "10")(r)
			default:
				return status(200, 3*time.Second)(r)
			}
		})
		b.queue.add("shop", "long", 1)
		b.queue.add("shop", "short", 1)
		b.queue.add("shop", "good", 1)
		start := time.Now()
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		time.Sleep(5 * time.Second)
		b.queue.add("shop", "good", 2)
		b.emitter.Wake()
		time.Sleep(time.Minute)
		b.stop()
		if s, _ := b.queue.Endpoint(t.Context(), "shop"); s.Pause != "" || s.Hold.Sub(start) != 101*time.Second {
			t.Errorf("state %+v", s)
		}
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		defer b.stop()
		time.Sleep(time.Minute)
		if sent := b.wire.requests(); len(sent) < 4 || sent[3].at.Sub(start) != 101*time.Second {
			t.Errorf("sent %+v", sent)
		}
	})
}

func TestRunPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(410, 0))
		b.queue.add("shop", "a", 1)
		start := time.Now()
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		defer b.stop()
		synctest.Wait()
		for i := range 10 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		b.emitter.Wake()
		time.Sleep(24*time.Hour - time.Second)
		synctest.Wait()
		if n := len(b.wire.requests()); n != 1 {
			t.Fatalf("%d requests within the pause, want 1", n)
		}
		// Then one is tried, and no more while it is gone.
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if sent := b.wire.requests(); len(sent) != 2 || sent[1].at.Sub(start) != 24*time.Hour {
			t.Fatalf("after the pause: %+v", sent)
		}
		b.wire.set("shop", status(200, time.Second))
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		sent := b.wire.requests()
		if len(sent) != 13 {
			t.Fatalf("%d requests, want all 13", len(sent))
		}
		if probe, next := sent[2].at, sent[3].at; next.Sub(probe) != time.Second {
			t.Errorf("the first that was tried did not go alone: next after %v", next.Sub(probe))
		}
		if s, _ := b.queue.Endpoint(t.Context(), "shop"); s.Pause != "" || s.Waiting != 0 || s.Dead != 0 {
			t.Errorf("state %+v", s)
		}
	})
}

// A hold that was stored while the clock was a year ahead ends within a day,
// also where the clock was set back while it ran.
func TestRunBelievesNoLongHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, 0))
		b.queue.add("shop", "a", 1)
		b.queue.state = map[string]emitter.EndpointState{"shop": {Health: emitter.Health{Hold: time.Now().Add(365 * 24 * time.Hour)}}}
		start := time.Now()
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		defer b.stop()
		time.Sleep(25 * time.Hour)
		if sent := b.wire.requests(); len(sent) != 1 || sent[0].at.Sub(start) < 23*time.Hour {
			t.Errorf("sent %+v", sent)
		}
	})
}

// What is damaged is told once, and the rest is sent.
func TestRunStepsOverDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench()
		b.wire.set("shop", status(200, 0))
		for _, key := range []string{"a", "b", "c"} {
			b.queue.add("shop", key, 1)
		}
		b.queue.damaged = map[string]bool{"a": true}
		registry := prometheus.NewPedanticRegistry()
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{Registerer: registry, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(time.Hour)
		b.stop()
		if n := len(b.wire.requests()); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
		if got := gather(t, registry)[`deltahook_deliveries_damaged{endpoint="shop"}`]; got != 1 {
			t.Errorf("deltahook_deliveries_damaged is %v", got)
		}
		if want := `level=ERROR msg="deliveries are damaged and not sent, nor is what follows them" endpoint=shop number=1 err="a bit fell over"`; !strings.Contains(log.String(), want) || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("logged\n%s", &log)
		}
	})
}

// What waits for endpoints that were taken out of the configuration is told of
// once, at the start.
func TestRunTellsOfStrays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench()
		for _, endpoint := range []string{"off", "old", "old", "elder"} {
			b.queue.add(endpoint, "a", 1)
		}
		disabled := unsigned
		disabled.Disabled = true
		b.start(t, endpoints{"shop": unsigned, "off": disabled}, emitter.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(time.Hour)
		b.stop()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		const want = `level=WARN msg="deliveries wait for an endpoint that is not configured" endpoint=`
		if len(lines) != 2 || !strings.Contains(lines[0], want+"elder waiting=1") || !strings.Contains(lines[1], want+"old waiting=2") {
			t.Errorf("logged\n%s", &log)
		}
	})
}

func TestRunTriesPausedEndpointAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(410, 0))
		b.queue.add("shop", "a", 1)
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		time.Sleep(time.Hour)
		b.stop()
		if s, _ := b.queue.Endpoint(t.Context(), "shop"); s.Pause == "" || s.Waiting != 1 || !strings.Contains(s.Reason, "410 Gone") {
			t.Fatalf("state %+v", s)
		}
		for i := range 5 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		b.wire.set("new.shop", status(200, time.Second)) // the URL is mended
		s := unsigned
		s.URL = "new.shop"
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		defer b.stop()
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if n := len(b.wire.requests()); n != 2 {
			t.Errorf("%d requests half a second after the start, want the first and one more", n)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s, _ := b.queue.Endpoint(t.Context(), "shop"); s.Pause != "" || !s.Hold.IsZero() || s.Waiting != 0 {
			t.Errorf("state %+v", s)
		}
	})
}

// A delivery that was under way when the endpoint said 410 doesn't end the pause.
func TestRunPauseOutlastsEarlierAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.Header.Get("webhook-id"), "slow") {
				return status(200, 3*time.Second)(r)
			}
			return status(410, time.Second)(r)
		})
		b.queue.add("shop", "slow", 1)
		b.queue.add("shop", "gone", 1)
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		defer b.stop()
		time.Sleep(5 * time.Second)
		b.queue.add("shop", "slow", 2)
		b.emitter.Wake()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(b.wire.requests()); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
		if s, _ := b.queue.Endpoint(t.Context(), "shop"); s.Pause == "" || s.Hold.IsZero() {
			t.Errorf("state %+v", s)
		}
	})
}

func TestRunDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, 3*time.Second))
		b.wire.set("hangs", status(200, 19*time.Second))
		for i := range 8 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		b.queue.add("hangs", "a", 1)
		b.start(t, endpoints{"shop": unsigned, "hangs": unsigned}, emitter.Options{Drain: 5 * time.Second})
		time.Sleep(time.Second)
		start := time.Now()
		b.stop()
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("drained for %v, want 5s", took)
		}
		if sent := b.wire.requests(); len(sent) != 5 {
			t.Errorf("%d requests, want the 4 and 1 that were in flight: %+v", len(sent), sent)
		}
		done, waiting := b.queue.outcomes()
		if len(done) != 4 || waiting != 5 {
			t.Errorf("%d settled, %d wait", len(done), waiting)
		}
		for _, o := range done {
			if o.Verdict.State != emitter.Delivered {
				t.Errorf("%+v", o)
			}
		}
	})
}

func TestRunDrainsThoughQueueFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, 0))
		b.queue.failing = errDisk
		b.queue.add("shop", "a", 1)
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{})
		synctest.Wait()
		start := time.Now()
		b.stop()
		if took := time.Since(start); took != 12*time.Second {
			t.Errorf("ended after %v, want the drain of 10s and 2s", took)
		}
	})
}

func TestRunLeavesDisabledEndpointAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		s := unsigned
		s.Disabled = true
		b.queue.add("shop", "a", 1)
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		b.emitter.Wake("shop")
		b.emitter.Wake("shop")
		time.Sleep(time.Hour)
		b.stop()
		if n := len(b.wire.requests()); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestRunLogsStreaksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench()
		b.wire.set("shop", status(500, 0))
		for i := range 50 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		s := unsigned
		s.URL = "shop/s3cr3t-path"
		b.start(t, endpoints{"shop": s}, emitter.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer b.stop()
		time.Sleep(time.Minute)
		b.wire.set("shop", status(200, 0))
		time.Sleep(time.Hour)
		b.wire.set("shop", status(404, 0))
		b.queue.add("shop", "x", 1)
		b.emitter.Wake()
		synctest.Wait()

		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		for i, want := range []string{
			`level=WARN msg="endpoint fails" endpoint=shop event=evt_shop_`,
			`level=INFO msg="endpoint works again" endpoint=shop failed=`,
			`level=WARN msg="endpoint fails" endpoint=shop event=evt_shop_x_1`,
			`level=WARN msg="dead letter" endpoint=shop event=evt_shop_x_1 delivery=51 source=shipments key=x attempt=1 err="the receiver answered 404 Not Found; this status is permanent"`,
		} {
			if i >= len(lines) || !strings.Contains(lines[i], want) || len(lines) != 4 {
				t.Fatalf("line %d is not %s in\n%s", i+1, want, &log)
			}
		}
		if strings.Contains(log.String(), "s3cr3t") {
			t.Errorf("logged a URL's path\n%s", &log)
		}
	})
}

// Of many dead letters the first is told, then each minute how many more, and
// none is left out of the count: neither when no other follows nor at the end.
func TestRunCountsDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench()
		b.wire.set("shop", status(401, time.Second))
		for i := range 500 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(time.Hour)
		for i := range 9 {
			b.queue.add("shop", strconv.Itoa(i), 2)
		}
		b.emitter.Wake()
		time.Sleep(10 * time.Second)
		b.stop()
		told := strings.Count(log.String(), `msg="dead letter"`)
		lines := told
		for line := range strings.Lines(log.String()) {
			if _, number, ok := strings.Cut(strings.TrimSpace(line), `msg="more dead letters" endpoint=shop number=`); ok {
				n, err := strconv.Atoi(number)
				if err != nil {
					t.Error(err)
				}
				told, lines = told+n, lines+1
			}
		}
		if told != 509 || lines > 14 {
			t.Errorf("told of %d in %d lines\n%s", told, lines, &log)
		}
	})
}

// A receiver that fails every second time doesn't fill the log.
func TestRunLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench()
		var n int
		b.wire.set("shop", func(r *http.Request) (*http.Response, error) {
			n++
			return status(200+300*(n%2), time.Second)(r)
		})
		for i := range 300 {
			b.queue.add("shop", strconv.Itoa(i), 1)
		}
		s := unsigned
		s.Concurrency = 1
		b.start(t, endpoints{"shop": s}, emitter.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(10 * time.Minute)
		b.stop()
		if n := strings.Count(log.String(), "\n"); n < 10 || n > 22 {
			t.Errorf("%d lines in 10 minutes\n%s", n, &log)
		}
	})
}

func TestRunMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", func(r *http.Request) (*http.Response, error) {
			codes := map[string]int{"ok": 200, "later": 500, "never": 404}
			return status(codes[strings.Split(r.Header.Get("webhook-id"), "_")[2]], time.Second)(r)
		})
		for _, key := range []string{"ok", "later", "never"} {
			b.queue.add("shop", key, 1)
		}
		registry := prometheus.NewPedanticRegistry()
		b.start(t, endpoints{"shop": unsigned, "idle": unsigned}, emitter.Options{Registerer: registry})
		defer b.stop()
		time.Sleep(2 * time.Second)
		got := gather(t, registry)
		for name, want := range map[string]float64{
			`deltahook_attempts_total{endpoint="shop",result="delivered"}`: 1,
			`deltahook_attempts_total{endpoint="shop",result="retry"}`:     1,
			`deltahook_attempts_total{endpoint="shop",result="dead"}`:      1,
			`deltahook_attempts_total{endpoint="idle",result="delivered"}`: 0,
			`deltahook_attempt_duration_seconds{endpoint="shop"}`:          3,
			`deltahook_attempt_duration_seconds{endpoint="idle"}`:          0,
			`deltahook_deliveries_waiting{endpoint="shop"}`:                1,
			`deltahook_deliveries_waiting{endpoint="idle"}`:                0,
			`deltahook_dead_letters{endpoint="shop"}`:                      1,
			`deltahook_delivery_delay_seconds{}`:                           1,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s = %v, %v; want %v", name, v, ok, want)
			}
		}
	})
}

// gather gives counters' and gauges' values and histograms' counts of samples.
func gather(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			got[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return got
}

func TestEmitterRenders(t *testing.T) {
	var m differ.Renderer = emitter.New(endpoints{"shop": unsigned}.build(t, newWire()), &memory{}, emitter.Options{})
	e := event(differ.Updated)
	want, err := emitter.RenderStandard(e)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Render(e, "shop"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if _, err := m.Render(e, "nobody"); err == nil {
		t.Error("renders for an endpoint that isn't there")
	}
}
