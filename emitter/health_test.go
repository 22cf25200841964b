package emitter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/units"
)

// heard is what Options.Health was told.
type heard struct {
	mu    sync.Mutex
	all   []string
	block time.Duration
}

func (h *heard) note(ctx context.Context, c emitter.HealthChange) {
	select {
	case <-time.After(h.block):
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	line := fmt.Sprintf("%s: %s, was %s", c.Endpoint, c.Now, c.Was)
	if c.Pause != "" {
		line += fmt.Sprintf(", %s", c.Pause)
	}
	if !c.Since.IsZero() {
		line += fmt.Sprintf(", since %s", c.Since.Format("02 15:04:05"))
	}
	h.all = append(h.all, fmt.Sprintf("%s, %d wait", line, c.Waiting))
}

// told is what was told since it was asked last.
func (h *heard) told() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.all
	h.all = nil
	return all
}

func (h *heard) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, h.told()); diff != "" {
		t.Errorf("told (-want +got)\n%s", diff)
	}
}

func pauseAfter(d time.Duration) emitter.Settings {
	s := unsigned
	s.PauseAfter = (*units.Duration)(&d)
	return s
}

// An outage: it is failing after five minutes, paused after a day, then probed with
// its oldest event and no other; when it is over, all that waits is sent at
// once, in order, each once, and nothing is a dead letter.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // from midnight on
		var log bytes.Buffer
		b, h := newBench(), &heard{}
		b.wire.set("shop", status(503, time.Second))
		b.wire.set("other", status(200, time.Second))
		b.queue.add("shop", "a", 1)
		registry := prometheus.NewPedanticRegistry()
		b.start(t, endpoints{"shop": unsigned, "other": unsigned}, emitter.Options{
			Health: h.note, Registerer: registry, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		defer b.stop()
		state := func(want string) {
			t.Helper()
			for _, s := range []string{"ok", "failing", "paused", "disabled"} {
				got := gather(t, registry)[fmt.Sprintf("deltahook_endpoint_state{endpoint=\"shop\",state=%q}", s)]
				if (got == 1) != (s == want) {
					t.Errorf("deltahook_endpoint_state of %s is %v, want %s", s, got, want)
				}
			}
		}
		synctest.Wait()
		if got := h.told(); len(got) != 2 || !strings.Contains(strings.Join(got, "\n"), "shop: ok, was ok, 1 wait") {
			t.Errorf("at the start told %q", got)
		}
		time.Sleep(5*time.Minute - time.Second)
		h.want(t)
		state("ok")
		time.Sleep(2 * time.Second)
		h.want(t, "shop: failing, was ok, since 01 00:00:00, 1 wait")
		state("failing")

		for i := range 50 { // more is told to it, a few items each hour
			time.Sleep(29 * time.Minute)
			b.queue.add("shop", fmt.Sprint(i%7), uint64(i/7)+1)
			b.queue.add("other", fmt.Sprint(i), 1)
			b.emitter.Wake()
		}
		synctest.Wait() // what was told last to the other one is sent
		got := h.told()
		if len(got) != 1 || !strings.HasPrefix(got[0], "shop: paused, was failing, outage, since 02 00:00:") {
			t.Errorf("told %q", got)
		}
		state("paused")

		before := len(b.wire.requests())
		time.Sleep(48 * time.Hour)
		probes := b.wire.requests()[before:]
		if len(probes) < 40 || len(probes) > 90 {
			t.Errorf("%d probes in two days", len(probes))
		}
		last := time.Time{}
		for _, p := range probes {
			if p.id != "evt_shop_a_1" || p.at.Sub(last) < 8*time.Minute {
				t.Errorf("probed with %s after %s", p.id, p.at.Sub(last))
			}
			last = p.at
		}
		if s, _ := b.queue.Endpoint(t.Context(), "shop"); s.Waiting != 51 || s.Dead != 0 || s.Condition() != emitter.ConditionPaused {
			t.Errorf("state %+v", s)
		}

		b.wire.set("shop", status(200, time.Second))
		before = len(b.wire.requests())
		time.Sleep(75 * time.Minute)
		sent := b.wire.requests()[before:]
		if len(sent) != 51 || sent[0].id != "evt_shop_a_1" {
			t.Fatalf("%d requests after it, want 51: %+v", len(sent), sent)
		}
		if took := sent[50].at.Sub(sent[0].at); took > 15*time.Second { // four at once, a second each
			t.Errorf("the backlog took %s", took)
		}
		next := map[string]int{}
		for _, s := range sent[1:] {
			parts := strings.Split(s.id, "_")
			if next[parts[2]]++; parts[3] != fmt.Sprint(next[parts[2]]) {
				t.Errorf("%s came as number %d", s.id, next[parts[2]])
			}
		}
		got = h.told()
		if len(got) != 1 || !strings.HasPrefix(got[0], "shop: ok, was paused, since 02 00:00:") {
			t.Errorf("told %q", got)
		}
		state("ok")
		if s, _ := b.queue.Endpoint(t.Context(), "shop"); s.Health != (emitter.Health{}) || s.Waiting != 0 {
			t.Errorf("state %+v", s)
		}
		for _, want := range []string{
			`level=WARN msg="endpoint is paused; what is told to it waits" endpoint=shop cause=outage err="the receiver answered 503 Service Unavailable"`,
			`level=INFO msg="endpoint is not paused any more" endpoint=shop after=`,
		} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("no line, or several, %s in\n%s", want, &log)
			}
		}
		if n := len(b.wire.requests()); n == 0 || strings.Count(log.String(), "endpoint=other") != 0 {
			t.Errorf("logged of the other\n%s", &log)
		}
	})
}

// A restart in the middle changes nothing and tells what there is; a crash
// between the end of a pause and what follows from it is made good.
func TestOutageOverRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := newBench(), &heard{}
		b.wire.set("shop", status(500, 0))
		b.queue.add("shop", "a", 1)
		b.queue.add("shop", "b", 1)
		s := pauseAfter(time.Hour)
		run := func() { b.start(t, endpoints{"shop": s}, emitter.Options{Health: h.note}) }
		run()
		h.want(t, "shop: ok, was ok, 2 wait")
		time.Sleep(4 * time.Minute)
		b.stop()
		run()
		h.want(t, "shop: ok, was ok, 2 wait")
		time.Sleep(61 * time.Second)
		h.want(t, "shop: failing, was ok, since 01 00:00:00, 2 wait")
		b.stop()
		run()
		h.want(t, "shop: failing, was failing, since 01 00:00:00, 2 wait")
		time.Sleep(time.Hour)
		h.want(t, "shop: paused, was failing, outage, since 01 01:00:00, 2 wait")
		b.stop()
		before := len(b.wire.requests())
		run()
		h.want(t, "shop: paused, was paused, outage, since 01 01:00:00, 2 wait")
		time.Sleep(time.Second)
		if n := len(b.wire.requests()) - before; n != 1 {
			t.Errorf("%d requests after the restart, want one probe", n)
		}
		b.stop()
		// Not delivered before it is told what waits.
		b.wire.set("shop", status(200, time.Millisecond))
		b.queue.set(func(q *memory) { // killed before what waits was made due
			q.state["shop"] = emitter.EndpointState{Health: emitter.Health{Hasten: true}}
		})
		run()
		time.Sleep(time.Second)
		h.want(t, "shop: ok, was ok, 2 wait")
		if done, waiting := b.queue.outcomes(); waiting != 0 {
			t.Errorf("%d wait of %d", waiting, len(done))
		}
		b.stop()
	})
}

// A receiver that is down for a moment is neither failing nor paused, nor is one
// that takes some.
func TestNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := newBench(), &heard{}
		up := time.Now().Add(45 * time.Second)
		b.wire.set("blinks", func(r *http.Request) (*http.Response, error) {
			if time.Now().Before(up) {
				return status(502, 0)(r)
			}
			return status(200, 0)(r)
		})
		n := 0
		b.wire.set("picks", func(r *http.Request) (*http.Response, error) {
			if n++; n%5 == 0 {
				return status(200, 0)(r)
			}
			return status(500, 0)(r)
		})
		b.wire.set("aborts", status(500, 0, "webhook-delivery", "abort-message"))
		for i := range 100 {
			b.queue.add("blinks", fmt.Sprint(i), 1)
		}
		s := pauseAfter(time.Hour)
		s.Concurrency = 1
		b.start(t, endpoints{"blinks": unsigned, "picks": s, "aborts": s}, emitter.Options{Health: h.note})
		synctest.Wait()
		h.told()
		for i := range 3 * 120 {
			time.Sleep(30 * time.Second)
			b.queue.add("picks", fmt.Sprint(i), 1)
			b.queue.add("aborts", fmt.Sprint(i), 1)
			b.emitter.Wake()
		}
		b.stop()
		h.want(t)
	})
}

// A receiver that is down gets one attempt at a time, ten a second at most; one
// that is back gets all that there is room for.
func TestDownIsNotPushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(500, time.Millisecond))
		for i := range 1_000 {
			b.queue.add("shop", fmt.Sprint(i), 1)
		}
		s := unsigned
		s.Concurrency = 8
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		defer b.stop()
		time.Sleep(time.Second)
		b.wire.set("shop", status(500, 30*time.Millisecond))
		time.Sleep(time.Second)
		b.wire.most("shop")
		before := len(b.wire.requests())
		time.Sleep(10 * time.Second)
		if n := len(b.wire.requests()) - before; n != 100 {
			t.Errorf("%d attempts in ten seconds", n)
		}
		if n := b.wire.most("shop"); n != 1 {
			t.Errorf("%d attempts at once", n)
		}
		if before > 8+10+20 {
			t.Errorf("%d attempts until then", before)
		}
		b.wire.set("shop", status(200, 100*time.Millisecond))
		time.Sleep(time.Second)
		if n := b.wire.most("shop"); n != 8 {
			t.Errorf("%d at once when it is back", n)
		}
	})
}

func TestNeverPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := newBench(), &heard{}
		b.wire.set("shop", status(500, 0))
		b.queue.add("shop", "a", 1)
		b.start(t, endpoints{"shop": pauseAfter(0)}, emitter.Options{Health: h.note})
		defer b.stop()
		time.Sleep(48 * time.Hour)
		h.want(t, "shop: ok, was ok, 1 wait", "shop: failing, was ok, since 01 00:00:00, 1 wait")
	})
}

// 410 pauses at once, by another cause, and is told so; the probe of the next
// day ends it.
func TestGoneIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := newBench(), &heard{block: time.Minute}
		b.wire.set("shop", status(410, 0))
		b.queue.add("shop", "a", 1)
		b.start(t, endpoints{"shop": unsigned}, emitter.Options{Health: h.note})
		defer b.stop()
		time.Sleep(3 * time.Minute)
		h.want(t, "shop: ok, was ok, 1 wait", "shop: paused, was ok, gone, since 01 00:00:00, 1 wait")
		b.wire.set("shop", status(200, 0))
		time.Sleep(24 * time.Hour)
		h.want(t, "shop: ok, was paused, since 01 00:00:00, 0 wait")
	})
}

// A person pauses: what is under way ends, nothing else is sent, whatever
// happens, over a restart, until a person resumes; then what waits for a retry
// is tried at once, too.
func TestPersonPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := newBench(), &heard{}
		b.wire.set("shop", status(200, time.Second))
		b.wire.set("late", status(500, 0))
		for i := range 6 {
			b.queue.add("shop", fmt.Sprint(i), 1)
		}
		run := func() { b.start(t, endpoints{"shop": unsigned}, emitter.Options{Health: h.note}) }
		run()
		time.Sleep(500 * time.Millisecond)
		if err := b.emitter.Pause(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if s, _ := b.queue.Endpoint(t.Context(), "shop"); s.Pause != emitter.PauseManual {
			t.Errorf("not stored: %+v", s)
		}
		if err := b.emitter.Pause(t.Context(), "shop"); err != nil {
			t.Errorf("a second time: %v", err)
		}
		time.Sleep(30 * 24 * time.Hour)
		b.emitter.Wake()
		time.Sleep(time.Hour)
		if done, waiting := b.queue.outcomes(); len(done) != 4 || waiting != 2 {
			t.Errorf("%d settled, %d wait, want the 4 that were under way", len(done), waiting)
		}
		h.want(t, "shop: ok, was ok, 6 wait", "shop: paused, was ok, manual, since 01 00:00:00, 6 wait")
		b.stop()
		run()
		time.Sleep(time.Hour)
		h.want(t, "shop: paused, was paused, manual, since 01 00:00:00, 2 wait")
		b.queue.set(func(q *memory) { q.waiting[0].Due, q.waiting[0].Attempts = time.Now().Add(20*time.Hour), 9 })
		if err := b.emitter.Resume(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if done, waiting := b.queue.outcomes(); waiting != 0 {
			t.Errorf("%d settled, %d wait", len(done), waiting)
		}
		h.want(t, "shop: ok, was paused, since 01 00:00:00, 2 wait")
		b.stop()
		if err := b.emitter.Pause(t.Context(), "shop"); err == nil {
			t.Error("paused after the end")
		}
	})
}

// What a person asks for is answered when it is stored, and with an error where
// it can't be.
func TestPersonAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, 0))
		off := unsigned
		off.Disabled = true
		b.queue.failing = errDisk
		b.start(t, endpoints{"shop": unsigned, "off": off}, emitter.Options{})
		defer b.stop()
		if err := b.emitter.Pause(t.Context(), "shop"); !errors.Is(err, errDisk) {
			t.Errorf("while nothing can be stored: %v", err)
		}
		b.queue.set(func(q *memory) { q.failing = nil })
		time.Sleep(time.Minute)
		if s, _ := b.queue.Endpoint(t.Context(), "shop"); s.Pause != emitter.PauseManual {
			t.Errorf("not stored later: %+v", s)
		}
		for _, do := range []func(context.Context, string) error{b.emitter.Pause, b.emitter.Resume} {
			if err := do(t.Context(), "nobody"); !errors.Is(err, emitter.ErrNoEndpoint) {
				t.Errorf("of an endpoint that isn't there: %v", err)
			}
			if err := do(t.Context(), "off"); !errors.Is(err, emitter.ErrDisabled) {
				t.Errorf("of an endpoint that is disabled: %v", err)
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if err := do(gone, "shop"); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("of a person who went away: %v", err)
			}
		}
	})
}

func TestEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(410, 0))
		off := unsigned
		off.Disabled = true
		for _, name := range []string{"shop", "off", "old", "old"} {
			b.queue.add(name, "a", 1)
		}
		ordered := unsigned
		ordered.Order = "endpoint"
		b.start(t, endpoints{"shop": unsigned, "off": off, "idle": ordered}, emitter.Options{})
		defer b.stop()
		synctest.Wait()
		all, err := b.emitter.Endpoints(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range all {
			got = append(got, fmt.Sprintf("%s %s %s %s %d, %d at once", e.Endpoint, e.Host, e.State, e.Pause, e.Waiting, e.Concurrency))
		}
		want := []string{
			"idle https://idle ok  0, 1 at once", "off https://off disabled  1, 4 at once",
			"old  not configured  2, 0 at once", "shop https://shop paused gone 1, 4 at once",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// What is dropped is not sent; what is under way is not dropped; and nothing
// new is sent meanwhile.
func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.queue.slow = time.Minute // also what it takes to drop
		b.wire.set("shop", status(200, time.Second))
		off := unsigned
		off.Disabled = true
		for i := range 20 {
			b.queue.add("shop", fmt.Sprint(i), 1)
		}
		b.queue.add("off", "a", 1)
		b.queue.add("old", "a", 1)
		b.start(t, endpoints{"shop": unsigned, "off": off, "idle": unsigned}, emitter.Options{})
		defer b.stop()
		time.Sleep(500 * time.Millisecond)
		drop := func(name string, dry bool) int {
			t.Helper()
			n, err := b.emitter.Drop(t.Context(), name, time.Time{}, dry)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return n
		}
		for name, want := range map[string]int{"off": 1, "old": 1, "idle": 0} {
			if n := drop(name, true); n != want {
				t.Errorf("%s: %d would be dropped, want %d", name, n, want)
			}
		}
		if _, err := b.emitter.Drop(t.Context(), "nobody", time.Time{}, false); !errors.Is(err, emitter.ErrNoEndpoint) {
			t.Errorf("of an endpoint that isn't there: %v", err)
		}
		second := make(chan error, 1)
		go func() {
			time.Sleep(30 * time.Second)
			_, err := b.emitter.Drop(t.Context(), "shop", time.Time{}, false)
			second <- err
		}()
		before := len(b.wire.requests())
		sent := drop("shop", false)
		if n := len(b.wire.requests()); n != before {
			t.Errorf("%d were sent while others were dropped", n-before)
		}
		if sent+before != 20 {
			t.Errorf("%d were dropped and %d sent before, of 20", sent, before)
		}
		if err := <-second; !errors.Is(err, emitter.ErrBusy) {
			t.Errorf("a second one meanwhile: %v", err)
		}
		b.queue.add("shop", "new", 1)
		b.emitter.Wake()
		time.Sleep(10 * time.Minute)
		if n := len(b.wire.requests()); n != before+1 {
			t.Errorf("%d were sent after it, want the new one", n-before)
		}
		if n := drop("off", false) + drop("old", false); n != 2 {
			t.Errorf("%d of 2 were dropped where nobody sends", n)
		}
	})
}

// What is older than ttl when its turn comes is not sent; what isn't goes on,
// also of the same item; and a thousand of the former are no delay.
func TestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench()
		b.queue.slow = 5 * time.Millisecond
		b.wire.set("shop", status(503, 0, "Retry-After", "7200"))
		b.wire.set("other", status(200, 0))
		for i := range 1_000 {
			b.queue.add("shop", fmt.Sprint(i%100), uint64(i/100)+1)
			b.queue.add("other", fmt.Sprint(i), 1)
		}
		s := unsigned
		s.TTL = units.Duration(time.Hour)
		registry := prometheus.NewPedanticRegistry()
		b.start(t, endpoints{"shop": s, "other": unsigned}, emitter.Options{Registerer: registry, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer b.stop()
		time.Sleep(90 * time.Minute)
		for i := range 100 {
			b.queue.add("shop", fmt.Sprint(i), 11)
		}
		b.wire.set("shop", status(200, 0))
		before := len(b.wire.requests())
		time.Sleep(30*time.Minute + time.Second)
		got := b.wire.requests()[before:]
		if len(got) != 100 {
			t.Errorf("%d were sent, want the 100 that are not old", len(got))
		}
		for _, r := range got {
			if !strings.HasSuffix(r.id, "_11") {
				t.Errorf("%s was sent", r.id)
			}
		}
		states := map[emitter.State]int{}
		done, _ := b.queue.outcomes()
		for _, o := range done {
			if o.Delivery.Endpoint == "shop" {
				states[o.Verdict.State]++
			}
			if o.Verdict.State == emitter.Expired && (o.Attempt.Error != emitter.ErrorExpired || o.Attempt.Reason != "older than ttl (1h) when its turn came") {
				t.Fatalf("recorded as %+v", o.Attempt)
			}
		}
		if states[emitter.Expired] != 1_000 || states[emitter.Delivered] != 100 || states[emitter.Dead] != 0 {
			t.Errorf("settled %v", states)
		}
		for name, want := range map[string]float64{
			`deltahook_deliveries_expired_total{endpoint="shop"}`:          1000,
			`deltahook_deliveries_expired_total{endpoint="other"}`:         0,
			`deltahook_attempts_total{endpoint="shop",result="delivered"}`: 100,
		} {
			if got := gather(t, registry)[name]; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		time.Sleep(2 * time.Minute)
		b.stop()
		if n := strings.Count(log.String(), "deliveries expired"); n == 0 || n > 2 {
			t.Errorf("%d lines about it\n%s", n, &log)
		}
	})
}

// The oldest event of a paused endpoint may be too old: then it is no probe.
func TestProbeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(410, 0))
		s := unsigned
		s.TTL = units.Duration(time.Hour)
		b.queue.add("shop", "a", 1)
		b.start(t, endpoints{"shop": s}, emitter.Options{})
		defer b.stop()
		time.Sleep(23*time.Hour + 30*time.Minute)
		b.queue.add("shop", "b", 1)
		time.Sleep(time.Hour)
		if sent := b.wire.requests(); len(sent) != 2 || sent[1].id != "evt_shop_b_1" {
			t.Errorf("sent %+v", sent)
		}
	})
}

// Where much that waits at a paused endpoint is too old, all of it goes at
// once, and what isn't probes: the queue is not asked for each.
func TestProbeExpiresMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(410, 0))
		s := unsigned
		s.TTL = units.Duration(time.Hour)
		for i := range 1_000 {
			b.queue.add("shop", fmt.Sprint(i%500), uint64(i/500)+1)
		}
		registry := prometheus.NewPedanticRegistry()
		b.start(t, endpoints{"shop": s}, emitter.Options{Registerer: registry})
		defer b.stop()
		time.Sleep(23*time.Hour + 30*time.Minute)
		b.queue.add("shop", "0", 3)
		b.queue.set(func(q *memory) { q.looks, q.failing = 0, errDisk })
		time.Sleep(45 * time.Minute)
		if sent := b.wire.requests(); len(sent) > 8 || sent[len(sent)-1].id == "evt_shop_0_3" {
			t.Errorf("%d sent while nothing can be stored", len(sent))
		}
		b.queue.set(func(q *memory) { q.failing = nil })
		time.Sleep(time.Minute)
		sent := b.wire.requests()
		if last := sent[len(sent)-1]; last.id != "evt_shop_0_3" {
			t.Errorf("probed with %s", last.id)
		}
		b.queue.set(func(q *memory) {
			if q.looks > 200 {
				t.Errorf("the queue was asked %d times", q.looks)
			}
		})
		done, _ := b.queue.outcomes()
		expired := 0
		for _, o := range done {
			if o.Verdict.State == emitter.Expired && o.Attempt.Error == emitter.ErrorExpired && o.Attempt.Reason == "older than ttl (1h) when its turn came" {
				expired++
			}
		}
		if n := gather(t, registry)[`deltahook_deliveries_expired_total{endpoint="shop"}`]; expired != 1_000 || n != 1_000 {
			t.Errorf("%d expired, %v counted", expired, n)
		}
	})
}

// What waits is put into the order of the configuration before anything is sent.
func TestRunArranges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		for _, order := range []emitter.Order{"", emitter.OrderEndpoint, emitter.OrderNone, emitter.OrderItem} {
			s := unsigned
			s.Order = string(order)
			b.start(t, endpoints{"shop": s}, emitter.Options{})
			synctest.Wait()
			b.stop()
			want := order
			if want == "" {
				want = emitter.OrderItem
			}
			if got := b.queue.orders["shop"]; got != want {
				t.Errorf("order %q is arranged as %q", order, got)
			}
		}
	})
}
