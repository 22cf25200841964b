package emitter_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/emitter"
)

// at is unsigned with another URL.
func at(host string) emitter.Settings {
	s := unsigned
	s.URL = host
	return s
}

// An attempt in flight ends as it began, and only then the new settings send
// what waits; an endpoint that is the very same is not held up.
func TestUpdateLetsAttemptsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("old", status(200, 10*time.Second))
		b.wire.set("new", status(200, time.Second))
		b.wire.set("other", status(200, 10*time.Second))
		for i := range 4 {
			b.queue.add("shop", "a", uint64(i+1))
			b.queue.add("other", "a", uint64(i+1))
		}
		b.queue.add("shop", "b", 1)
		before := endpoints{"shop": at("old"), "other": unsigned}.build(t, b.wire)
		b.run(t, before, emitter.Options{})
		defer b.stop()
		begun := time.Now()
		time.Sleep(4 * time.Second)
		after := endpoints{"shop": at("new")}.build(t, b.wire)
		b.emitter.Update(append(after, pick(before, "other")))
		time.Sleep(time.Minute)
		var got []string
		for _, s := range b.wire.requests() {
			got = append(got, fmt.Sprint(s.host, " ", strings.TrimPrefix(s.id, "evt_"), " ", s.at.Sub(begun)))
		}
		slices.Sort(got)
		want := []string{
			"new shop_a_2 10s", "new shop_a_3 11s", "new shop_a_4 12s", "old shop_a_1 0s", "old shop_b_1 0s",
			"other other_a_1 0s", "other other_a_2 10s", "other other_a_3 20s", "other other_a_4 30s",
		}
		if !slices.Equal(got, want) {
			t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// What waits for an endpoint that is gone is kept, and sent when it is back,
// not before what was in flight has ended. Meanwhile nothing is measured of it.
func TestUpdateRemoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("shop", status(200, 10*time.Second))
		b.wire.set("other", status(200, 0))
		b.queue.add("shop", "a", 1)
		b.queue.add("shop", "a", 2)
		all := endpoints{"shop": unsigned, "other": unsigned}.build(t, b.wire)
		registry := prometheus.NewRegistry()
		var told atomic.Int64 // of shop
		b.run(t, all, emitter.Options{Registerer: registry, Health: func(_ context.Context, c emitter.HealthChange) {
			if c.Endpoint == "shop" {
				told.Add(1)
			}
		}})
		defer b.stop()
		time.Sleep(time.Second)
		rest := []*emitter.Endpoint{pick(all, "other")}
		b.emitter.Update(rest)
		if err := b.emitter.Pause(t.Context(), "shop"); err == nil {
			t.Error("what is gone is paused")
		}
		b.emitter.Update(append(endpoints{"shop": unsigned}.build(t, b.wire), rest...)) // while the first is in flight
		b.emitter.Update(rest)
		time.Sleep(time.Hour)
		if n := len(b.wire.requests()); n != 1 {
			t.Errorf("%d requests, want only the one that was in flight", n)
		}
		if done, waiting := b.queue.outcomes(); len(done) != 1 || waiting != 1 {
			t.Errorf("%d settled and %d wait, want one of each", len(done), waiting)
		}
		if left := seriesOf(t, registry, "shop"); len(left) > 0 {
			t.Errorf("still measured: %v", left)
		}
		before := told.Load()
		b.emitter.Update(append(endpoints{"shop": unsigned}.build(t, b.wire), rest...))
		time.Sleep(time.Minute)
		if sent := b.wire.requests(); len(sent) != 2 || sent[1].id != "evt_shop_a_2" {
			t.Errorf("sent %+v", sent)
		}
		if before != 1 || told.Load() != 2 {
			t.Errorf("told of its health %d times, and %d when it is back", before, told.Load()-before)
		}
		if left := seriesOf(t, registry, "shop"); len(left) == 0 {
			t.Error("what is back is not measured")
		}
	})
}

// seriesOf are the metrics that name an endpoint.
func seriesOf(t *testing.T, r *prometheus.Registry, endpoint string) (names []string) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "endpoint" && l.GetValue() == endpoint {
					names = append(names, f.GetName())
				}
			}
		}
	}
	return slices.Compact(names)
}

// A person's word reaches the endpoint that takes the place of the one it was
// given to.
func TestUpdateWhileAPersonPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("old", status(200, 10*time.Second))
		b.wire.set("new", status(200, 0))
		b.queue.add("shop", "a", 1)
		b.queue.add("shop", "a", 2)
		b.run(t, endpoints{"shop": at("old")}.build(t, b.wire), emitter.Options{})
		defer b.stop()
		time.Sleep(time.Second)
		for range 20 {
			b.emitter.Update(endpoints{"shop": at("new")}.build(t, b.wire))
		}
		if err := b.emitter.Pause(t.Context(), "shop"); err != nil {
			t.Errorf("a pause: %v", err)
		}
		time.Sleep(time.Hour)
		if n := len(b.wire.requests()); n > 2 {
			t.Errorf("%d requests", n)
		}
		b.emitter.Update([]*emitter.Endpoint{})
		b.emitter.Update(endpoints{"shop": at("new")}.build(t, b.wire))
		time.Sleep(time.Hour)
		all, err := b.emitter.Endpoints(t.Context())
		if err != nil || len(all) != 1 || all[0].State != emitter.ConditionPaused {
			t.Errorf("after it was gone and came back: %+v, %v", all, err)
		}
	})
}

// However often endpoints become others while attempts are slow and fail, each
// event is delivered once, each item's in order, and no two of an item at once.
func TestUpdateAtRandom(t *testing.T) {
	const items, revisions = 10, 10
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			b := newBench()
			b.queue.slow = 2 * time.Millisecond
			answer := func(r *http.Request) (*http.Response, error) {
				code := 200
				if rand.IntN(10) < 3 {
					code = 503
				}
				return status(code, time.Duration(rand.IntN(2000))*time.Millisecond)(r)
			}
			for i := range 3 {
				b.wire.set("h"+strconv.Itoa(i), answer)
			}
			for revision := range uint64(revisions) {
				for item := range items {
					b.queue.add("shop", strconv.Itoa(item), revision+1)
				}
			}
			version := func() []*emitter.Endpoint {
				s := at("h" + strconv.Itoa(rnd.IntN(3)))
				s.Retry.Schedule, s.Disabled = everySecond(200), rnd.IntN(6) == 0
				if rnd.IntN(6) == 0 {
					return nil
				}
				return endpoints{"shop": s}.build(t, b.wire)
			}
			b.run(t, version(), emitter.Options{})
			defer b.stop()
			for range 100 {
				time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
				b.emitter.Update(version())
			}
			s := at("h0")
			s.Retry.Schedule = everySecond(200)
			b.emitter.Update(endpoints{"shop": s}.build(t, b.wire))
			time.Sleep(time.Hour)
			done, waiting := b.queue.outcomes()
			if waiting != 0 {
				t.Fatalf("seed %d: %d still wait", seed, waiting)
			}
			next, ended := map[string]uint64{}, map[string]time.Time{}
			for _, o := range done {
				key := o.Delivery.Key
				if o.Delivery.Revision != next[key]+1 || o.Attempt.At.Before(ended[key]) {
					t.Fatalf("seed %d: item %s: revision %d at %s, after %d until %s", seed, key, o.Delivery.Revision, o.Attempt.At, next[key], ended[key])
				}
				ended[key] = o.Attempt.At.Add(o.Attempt.Took)
				if o.Verdict.State == emitter.Delivered {
					next[key]++
				}
			}
			if n := len(b.wire.requests()); n != len(done) {
				t.Errorf("seed %d: %d requests and %d outcomes", seed, n, len(done))
			}
			if want := slices.Max(slices.Collect(maps.Values(next))); len(next) != items || want != revisions {
				t.Errorf("seed %d: delivered %v", seed, next)
			}
		})
	}
}

// Before Run and after it, only what is rendered becomes another.
func TestUpdateBesideRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.wire.set("new", status(200, 0))
		b.queue.add("shop", "a", 1)
		b.emitter = emitter.New(endpoints{"shop": at("old")}.build(t, b.wire), b.queue, emitter.Options{})
		b.emitter.Update(endpoints{"shop": at("new")}.build(t, b.wire))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Minute)
			cancel()
		}()
		if err := b.emitter.Run(ctx); err != nil {
			t.Fatal(err)
		}
		b.queue.add("shop", "a", 2)
		b.emitter.Update(endpoints{"shop": at("new"), "more": unsigned}.build(t, b.wire))
		time.Sleep(time.Hour)
		if n := len(b.wire.requests()); n != 1 {
			t.Errorf("%d requests, want one while it ran", n)
		}
	})
}
