package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/store/bolt"
)

// flow is a store on disk with an emitter at work on it, whose endpoint live is
// a receiver that notes when each event arrives.
type flow struct {
	store     *bolt.Store
	endpoints []*emitter.Endpoint
	emitter   *emitter.Emitter // at work
	versions  map[string]uint64

	mu      sync.Mutex
	arrived map[string]time.Time
}

// receiver takes everything.
func (f *flow) receiver(b *testing.B) string {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.arrived[r.Header.Get("webhook-id")] = time.Now()
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// commit tells n events of a source to an endpoint, each of an item of its own.
func (f *flow) commit(b *testing.B, source, endpoint string, n int) (ids []string) {
	b.Helper()
	version := f.versions[source]
	c := &differ.Commit{Source: source, Version: version}
	for i := range n {
		id := fmt.Sprintf("evt_%s-%06d-%04d", source, version, i)
		ids = append(ids, id)
		c.Events = append(c.Events, differ.Event{
			ID: id, Type: source + ".updated", Source: source, Key: fmt.Sprintf("%d-%d", version, i), Change: differ.Updated, Revision: 1, Time: time.Now(),
			Bodies: []differ.Body{{Endpoint: endpoint, Payload: payload()}},
		})
	}
	if err := f.store.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	f.versions[source]++
	return ids
}

// payload is the body of each event.
func payload() []byte { return make([]byte, 500) }

// newFlow is a flow with the endpoints live and, at url, down.
func newFlow(b *testing.B, url string) *flow {
	b.Helper()
	f := &flow{versions: map[string]uint64{}, arrived: map[string]time.Time{}}
	var err error
	if f.store, err = bolt.Open(filepath.Join(b.TempDir(), "flow.db"), bolt.Options{}); err != nil {
		b.Fatal(err)
	}
	for name, url := range map[string]string{"live": f.receiver(b), "down": url} {
		e, err := emitter.NewEndpoint(name, emitter.Settings{URL: url, Signature: "none"}, emitter.EndpointOptions{Egress: egress.Policy{AllowPrivate: true}})
		if err != nil {
			b.Fatal(err)
		}
		f.endpoints = append(f.endpoints, e)
	}
	return f
}

// run has an emitter at work meanwhile.
func (f *flow) run(b *testing.B, do func()) {
	b.Helper()
	f.emitter = emitter.New(f.endpoints, f.store, emitter.Options{Drain: time.Millisecond})
	ctx, end := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.emitter.Run(ctx) }()
	do()
	end()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// delays are the times from a commit to the arrival of its event at live, of so
// many commits one after the other.
func (f *flow) delays(b *testing.B, commits int) (all []time.Duration) {
	b.Helper()
	began := map[string]time.Time{}
	for range commits {
		ids := f.commit(b, "live", "live", 1)
		began[ids[0]] = time.Now() // it is durable from then on
		f.emitter.Wake("live")
		time.Sleep(2 * time.Millisecond)
	}
	for deadline := time.Now().Add(30 * time.Second); len(all) < commits; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d arrived", len(all), commits)
		}
		all = all[:0]
		f.mu.Lock()
		for id, at := range began {
			if arrived, there := f.arrived[id]; there {
				all = append(all, max(0, arrived.Sub(at)))
			}
		}
		f.mu.Unlock()
	}
	return all
}

// BenchmarkBesideDown has one endpoint live and another one down, at which
// 100,000 deliveries wait: it refuses connections, answers 500 at once, or
// doesn't answer. What is measured is the time from commit to arrival at the
// live one, and the same where nothing waits, by turns, for the machine is not
// equally busy all the time: so the ratio is the median of those of the turns.
func BenchmarkBesideDown(b *testing.B) {
	waiting, commits, turns := 100_000, 4_000, 20
	if testing.Short() {
		waiting, commits, turns = 1_000, 100, 2
	}
	for name, down := range map[string]func(b *testing.B) string{
		// Nothing ever listens there; a port that was free a moment ago may be another's.
		"refuses": func(*testing.B) string { return "http://127.0.0.1:1" },
		"fails": func(b *testing.B) string {
			b.Helper()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
			b.Cleanup(server.Close)
			return server.URL
		},
		"hangs": func(b *testing.B) string {
			b.Helper()
			ctx, end := context.WithCancel(context.Background())
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ctx.Done() }))
			b.Cleanup(server.Close)
			b.Cleanup(end)
			return server.URL
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				alone, beside := newFlow(b, down(b)), newFlow(b, down(b))
				for range waiting / 1000 {
					beside.commit(b, "much", "down", 1000)
				}
				var times [2][]time.Duration
				var ratios []float64
				for range turns {
					var p99 [2]time.Duration
					for i, f := range []*flow{alone, beside} {
						f.run(b, func() {
							f.delays(b, 50) // connections
							turn := f.delays(b, commits/turns)
							slices.Sort(turn)
							p99[i], times[i] = percentile(turn, 99), append(times[i], turn...)
						})
					}
					ratios = append(ratios, float64(p99[1])/float64(p99[0]))
				}
				slices.Sort(ratios)
				s, err := beside.store.Endpoint(b.Context(), "down")
				if err != nil || s.Waiting < waiting*99/100 {
					b.Fatalf("%d wait, %v", s.Waiting, err)
				}
				for i, what := range []string{"alone", "beside"} {
					slices.Sort(times[i])
					for _, percent := range []int{50, 99} {
						b.ReportMetric(float64(percentile(times[i], percent))/float64(time.Millisecond), fmt.Sprintf("%s-p%d-ms", what, percent))
					}
				}
				b.ReportMetric(ratios[len(ratios)/2], "p99-ratio")
				for _, f := range []*flow{alone, beside} {
					if err := f.store.Close(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[len(sorted)*percent/100]
}

// BenchmarkOpenMillion opens a store in which a million deliveries wait at one
// endpoint, and asks for the first that are due.
func BenchmarkOpenMillion(b *testing.B) {
	const waiting = 1_000_000
	if testing.Short() {
		b.Skip("takes a minute to build up")
	}
	path := filepath.Join(b.TempDir(), "million.db")
	f := &flow{versions: map[string]uint64{}}
	var err error
	if f.store, err = bolt.Open(path, bolt.Options{}); err != nil {
		b.Fatal(err)
	}
	for i := range waiting / 10_000 {
		f.commit(b, fmt.Sprint("s", i%50), "down", 10_000)
	}
	if err := f.store.Close(); err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		s, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Arrange(b.Context(), "down", emitter.OrderItem); err != nil {
			b.Fatal(err)
		}
		batch, err := s.Pending(b.Context(), "down", time.Now(), 16, nil)
		if err != nil || len(batch.Due) != 16 {
			b.Fatalf("%d due, %v", len(batch.Due), err)
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapInuse-min(before.HeapInuse, after.HeapInuse))/(1<<20), "MiB-held")
		began := time.Now()
		if _, found, err := s.Oldest(b.Context(), "down", nil); err != nil || !found {
			b.Fatal(found, err)
		}
		b.ReportMetric(float64(time.Since(began))/float64(time.Millisecond), "oldest-ms")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
