package bench_test

import (
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/store/bolt"
)

// BenchmarkDeliveredRate is how fast what waits at one endpoint is delivered,
// 16 in flight, over a store on disk: read, signed, sent, judged, and settled
// durably, until nothing waits any more. The bare client POSTs the same bodies,
// 16 in flight, over the same kind of connections, and does nothing else. The
// receiver is a process of its own; it answers at once, or after a while as
// receivers do. The two take turns, and what is reported are medians over the
// turns: of the rates, of the processor time of the sending process, and of the
// ratios of the two.
func BenchmarkDeliveredRate(b *testing.B) {
	const events, flying = 4_000, 16
	for _, takes := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond} {
		b.Run(takes.String(), func(b *testing.B) {
			url := elsewhere(b, takes)
			f := newSender(b, url, flying)
			transport := &http.Transport{MaxIdleConnsPerHost: flying, DisableCompression: true}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			drain := func() spent { return f.drain(b, events) }
			bare := func() spent { return postAll(b, client, url, events, flying) }
			drain()
			bare()
			var rates, cpus [2][]float64
			var ratios, effort []float64
			for n := 0; b.Loop(); n++ {
				var took [2]spent
				for i := range 2 {
					which := (i + n) % 2
					took[which] = []func() spent{drain, bare}[which]()
				}
				for i, t := range took {
					rates[i] = append(rates[i], events/t.time.Seconds())
					cpus[i] = append(cpus[i], float64(t.cpu.Nanoseconds())/1e3/events)
				}
				ratios = append(ratios, float64(took[0].time)/float64(took[1].time))
				effort = append(effort, float64(took[0].cpu)/float64(took[1].cpu))
			}
			for i, what := range []string{"delivered", "bare"} {
				b.ReportMetric(middle(rates[i]), what+"/s")
				b.ReportMetric(middle(cpus[i]), "cpu-µs/"+what)
			}
			b.ReportMetric(middle(ratios), "time-ratio")
			b.ReportMetric(middle(effort), "cpu-ratio")
			b.ReportMetric(0, "ns/op") // of both together: says nothing
		})
	}
}

// spent is what something took, of time and of this process's processor time.
type spent struct{ time, cpu time.Duration }

// spend measures what do takes.
func spend(do func()) spent {
	runtime.GC() // what went before left
	began, used := time.Now(), processor()
	do()
	return spent{time.Since(began), processor() - used}
}

// processor is the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it can't fail: the arguments are right
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func middle(all []float64) float64 {
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
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

// drain has so many events wait, and is what it takes from then until all are
// delivered and that is on disk.
func (f *flow) drain(b *testing.B, events int) (took spent) {
	b.Helper()
	f.commit(b, "s", "live", events)
	return spend(func() {
		f.run(b, func() {
			for {
				s, err := f.store.Endpoint(b.Context(), "live")
				if err != nil {
					b.Fatal(err)
				}
				if s.Waiting == 0 {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	})
}

// postAll is what a bare client takes.
func postAll(b *testing.B, client *http.Client, url string, n, flying int) spent {
	b.Helper()
	body := payload()
	var left atomic.Int64
	left.Store(int64(n))
	return spend(func() {
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
	})
}
