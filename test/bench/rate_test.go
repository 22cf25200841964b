package bench_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/store/bolt"
)

// BenchmarkDeliveredRate is how fast what waits at one endpoint is delivered,
// 16 in flight, over a store on disk: read, signed, sent, judged, and settled
// durably. The bare client POSTs as many bodies of the same size, 16 in flight,
// and does nothing else. Both by turns, to a receiver that answers at once and
// to one that takes a millisecond; the ratio is of their times.
func BenchmarkDeliveredRate(b *testing.B) {
	const events, flying = 4_000, 16
	for name, takes := range map[string]time.Duration{"at-once": 0, "1ms": time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			url, count := counter(b, takes)
			f := newSender(b, url, flying)
			transport := &http.Transport{MaxIdleConnsPerHost: flying}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			ours := func() time.Duration { return f.drain(b, count, events) }
			bare := func() time.Duration { return postAll(b, client, url, events, flying) }
			ours()
			bare()
			var took [2]time.Duration
			n := 0
			for ; b.Loop(); n++ {
				took[0] += ours()
				took[1] += bare()
			}
			for i, what := range []string{"delivered/s", "bare/s"} {
				b.ReportMetric(float64(events*n)/took[i].Seconds(), what)
			}
			b.ReportMetric(float64(took[0])/float64(took[1]), "ratio")
		})
	}
}

// newSender is a flow with the one endpoint live, at url.
func newSender(b *testing.B, url string, flying int) *flow {
	b.Helper()
	f := &flow{versions: map[string]uint64{}, arrived: map[string]time.Time{}}
	var err error
	if f.store, err = bolt.Open(filepath.Join(b.TempDir(), "rate.db"), bolt.Options{}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.store.Close() })
	e, err := emitter.NewEndpoint("live", emitter.Settings{
		URL: url, Secrets: []secret.Text{secret.New("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}, Concurrency: flying,
	}, emitter.EndpointOptions{Egress: egress.Policy{AllowPrivate: true}})
	if err != nil {
		b.Fatal(err)
	}
	f.endpoints = []*emitter.Endpoint{e}
	return f
}

// drain is how long so many events that wait take until all have arrived.
func (f *flow) drain(b *testing.B, arrived *atomic.Int64, events int) (took time.Duration) {
	b.Helper()
	arrived.Store(0)
	f.commit(b, "s", "live", events)
	f.run(b, func() {
		start := time.Now()
		for arrived.Load() < int64(events) {
			time.Sleep(100 * time.Microsecond)
		}
		took = time.Since(start)
		for { // what is in flight when the emitter ends would be sent again
			if s, err := f.store.Endpoint(b.Context(), "live"); err != nil || s.Waiting == 0 {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	return took
}

// counter is a receiver that takes everything, and its time, and counts it.
func counter(b *testing.B, takes time.Duration) (url string, count *atomic.Int64) {
	b.Helper()
	count = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if takes > 0 {
			time.Sleep(takes)
		}
		count.Add(1)
	}))
	b.Cleanup(server.Close)
	return server.URL, count
}

// postAll is how long a bare client takes.
func postAll(b *testing.B, client *http.Client, url string, n, flying int) time.Duration {
	b.Helper()
	start, body := time.Now(), make([]byte, 500)
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for range flying {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				r, err := client.Post(url, "application/json", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
			}
		})
	}
	all.Wait()
	return time.Since(start)
}
