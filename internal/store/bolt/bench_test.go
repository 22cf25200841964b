package bolt

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// benchCommit is a poll that found one changed item of 200 bytes.
func benchCommit(source string, version uint64) *differ.Commit {
	payload := bytes.Repeat([]byte("x"), 600)
	before := differ.Before{Change: differ.Updated, Old: payload[200:400]}
	return &differ.Commit{
		Source: source, Version: version, Before: []differ.Before{before},
		Items: []differ.Item{{Key: "a", Hash: differ.Hash{1}, Revision: version + 1, Content: payload[:200], Seen: time.Now()}},
		Events: []differ.Event{{
			ID: fmt.Sprintf("%s-%08d", source, version), Type: "shop.updated", Source: source, Key: "a", Revision: version + 1,
			Bodies: []differ.Body{{Endpoint: "hook", Payload: payload}},
		}},
	}
}

// each has n sources commit, one commit at a time each, until b.N are done.
func each(b *testing.B, n int, commit func(*differ.Commit) error) {
	b.Helper()
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range n {
		source := fmt.Sprintf("s%04d", i)
		wg.Go(func() {
			for v := uint64(0); left.Add(-1) >= 0; v++ {
				if err := commit(benchCommit(source, v)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkCommit compares the group commit with what bbolt offers, for the
// same commits by so many sources at once.
func BenchmarkCommit(b *testing.B) {
	apply := func(c *differ.Commit) func(*bbolt.Tx) error {
		return func(btx *bbolt.Tx) error {
			p, err := prepare(c, c.Unit())
			if err != nil {
				return err
			}
			t := newTx(btx)
			if err := p.check(t); err != nil {
				return err
			}
			if err := p.apply(t); err != nil {
				return err
			}
			return t.flush()
		}
	}
	for _, n := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("waiting=%d/group", n), func(b *testing.B) {
			s := openTemp(b)
			each(b, n, func(c *differ.Commit) error { return s.Commit(b.Context(), c) })
		})
		b.Run(fmt.Sprintf("waiting=%d/Batch", n), func(b *testing.B) {
			s := openTemp(b)
			each(b, n, func(c *differ.Commit) error { return s.db.Batch(apply(c)) })
		})
		b.Run(fmt.Sprintf("waiting=%d/Update", n), func(b *testing.B) {
			s := openTemp(b)
			each(b, n, func(c *differ.Commit) error { return s.db.Update(apply(c)) })
		})
	}
}

// BenchmarkPending asks for the first 10 where few and where a million wait.
func BenchmarkPending(b *testing.B) {
	for _, n := range []int{0, 10, 1_000_000} {
		b.Run(fmt.Sprintf("waiting=%d", n), func(b *testing.B) {
			if n > 10 && testing.Short() {
				b.Skip("takes a while to build up")
			}
			s := openTemp(b)
			c := benchCommit("shop", 0)
			event := c.Events[0]
			for from := 0; from < n; from += 10_000 {
				c.Items, c.Before, c.Events = nil, nil, nil
				for i := from; i < min(n, from+10_000); i++ {
					event.ID, event.Key = fmt.Sprintf("e%08d", i), fmt.Sprint(i)
					c.Events = append(c.Events, event)
				}
				if err := s.Commit(b.Context(), c); err != nil {
					b.Fatal(err)
				}
				c.Version++
			}
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				batch, err := s.Pending(b.Context(), "hook", now, 10, nil)
				if err != nil || len(batch.Due) != min(n, 10) {
					b.Fatalf("%d due, %v", len(batch.Due), err)
				}
			}
		})
	}
}

// BenchmarkSettle delivers 64 at a time.
func BenchmarkSettle(b *testing.B) {
	s := openTemp(b)
	c := benchCommit("shop", 0)
	event := c.Events[0]
	for i := range 64 {
		event.ID, event.Key = fmt.Sprint(i), fmt.Sprint(i)
		c.Events = append(c.Events, event)
	}
	if err := s.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	batch, err := s.Pending(b.Context(), "hook", time.Now(), 64, nil)
	if err != nil {
		b.Fatal(err)
	}
	outcomes := make([]emitter.Outcome, len(batch.Due))
	for i, d := range batch.Due {
		outcomes[i] = emitter.Outcome{Delivery: d, Attempt: emitter.Attempt{At: time.Now(), Status: 500}, Verdict: emitter.Verdict{State: emitter.Waiting, Due: time.Now()}}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Settle(b.Context(), outcomes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(outcomes))/b.Elapsed().Seconds(), "outcomes/s")
}

// BenchmarkLoad reads the marks of 100,000 items of 200 bytes.
func BenchmarkLoad(b *testing.B) {
	s := openTemp(b)
	c := benchCommit("shop", 0)
	item := c.Items[0]
	for i := range 100_000 {
		item.Key = fmt.Sprintf("k%d", i)
		c.Items = append(c.Items, item)
	}
	if err := s.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for state, err := range s.Load(b.Context()) {
			if err != nil || len(state.Items) < 100_000 {
				b.Fatal(err)
			}
		}
	}
}

// fillRare has five deliveries to the endpoint rare, of the source quiet, of
// which one is dead and one waits, and then n to hook of 1,000 sources.
func fillRare(t testing.TB, s *Store, n int) {
	t.Helper()
	event := func(id string, body differ.Body) differ.Event {
		return differ.Event{ID: id, Type: "shop.updated", Key: id, Bodies: []differ.Body{body}}
	}
	payload := bytes.Repeat([]byte("x"), 300)
	commits := []*differ.Commit{{Source: "quiet"}}
	for i := range 5 {
		commits[0].Events = append(commits[0].Events, event(fmt.Sprintf("a%d", i), differ.Body{Endpoint: "rare", Payload: payload}))
	}
	const sources = 1_000
	for i := range n {
		if i%10 == 0 {
			commits = append(commits, &differ.Commit{Source: fmt.Sprintf("s%04d", i/10%sources), Version: uint64(i / 10 / sources)})
		}
		c := commits[len(commits)-1]
		c.Events = append(c.Events, event(fmt.Sprintf("e%08d", i), differ.Body{Endpoint: "hook", Payload: payload, Dead: "dead"}))
	}
	for some := range slices.Chunk(commits, 1_000) {
		var wg sync.WaitGroup
		for _, c := range some {
			wg.Go(func() {
				if err := s.Commit(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	batch, err := s.Pending(t.Context(), "rare", time.Now(), 5, nil)
	if err != nil || len(batch.Due) != 5 {
		t.Fatal(len(batch.Due), err)
	}
	var outcomes []emitter.Outcome
	for i, d := range batch.Due[1:] {
		v := emitter.Verdict{State: emitter.Delivered}
		if i == 0 {
			v.State = emitter.Dead
		}
		outcomes = append(outcomes, emitter.Outcome{Delivery: d, Attempt: emitter.Attempt{At: time.Now(), Status: 200}, Verdict: v})
	}
	if err := s.Settle(t.Context(), outcomes); err != nil {
		t.Fatal(err)
	}
}

// envNumber is a number from the environment; 0: there is none.
func envNumber(t testing.TB, name string) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// BenchmarkRare asks for the five deliveries to an endpoint behind which there
// are 100,000 others, or DELTAHOOK_BENCH_DELIVERIES.
func BenchmarkRare(b *testing.B) {
	n := 100_000
	if more := envNumber(b, "DELTAHOOK_BENCH_DELIVERIES"); more > 0 {
		n = more
	}
	s := openTemp(b)
	fillRare(b, s, n)
	for _, part := range []struct {
		name string
		f    emitter.Filter
		want int
	}{
		{"endpoint", emitter.Filter{Endpoint: "rare"}, 5},
		{"source", emitter.Filter{Source: "quiet"}, 5},
		{"endpoint and source", emitter.Filter{Endpoint: "rare", Source: "quiet"}, 5},
		{"dead at it", emitter.Filter{Endpoint: "rare", State: emitter.Dead}, 1},
		{"waiting", emitter.Filter{State: emitter.Waiting}, 1},
		{"source, to another endpoint", emitter.Filter{Endpoint: "hook", Source: "quiet"}, 0},
		{"a page of 50", emitter.Filter{Endpoint: "hook"}, 50},
		{"a type that is not there", emitter.Filter{Type: "nothing"}, 0},
	} {
		b.Run("deliveries/"+part.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				page, err := s.Deliveries(b.Context(), part.f, emitter.Page{})
				if err != nil || len(page.Deliveries) != part.want {
					b.Fatal(len(page.Deliveries), page.Next, err)
				}
			}
		})
		b.Run("events/"+part.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				page, err := s.Events(b.Context(), part.f, emitter.Page{})
				if err != nil || len(page.Events) != part.want {
					b.Fatal(len(page.Events), page.Next, err)
				}
			}
		})
	}
}
