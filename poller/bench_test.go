package poller_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// BenchmarkAsk is one poll over loopback HTTP, judged, the server's share of
// the time included.
func BenchmarkAsk(b *testing.B) {
	list := func(size int) []byte {
		out := bytes.NewBufferString(`[`)
		for i := 0; out.Len() < size-120; i++ {
			if i > 0 {
				out.WriteByte(',')
			}
			fmt.Fprintf(out, `{"id": %d, "status": "in transit", "eta": "2026-11-23T09:58:00Z", "weight": 1.50, "tags": ["a", "b"]}`, i)
		}
		out.WriteByte(']')
		return out.Bytes()
	}
	for _, c := range []struct {
		name string
		body []byte
		etag string
	}{
		{"304", []byte("[]"), `"v1"`},
		{"2KB", list(2 << 10), ""},
		{"200KB", list(200 << 10), ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			server := serve(b, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if c.etag != "" {
					w.Header().Set("ETag", c.etag)
					if r.Header.Get("If-None-Match") == c.etag {
						w.WriteHeader(http.StatusNotModified)
						return
					}
				}
				_, _ = w.Write(c.body)
			})
			s := source(b, client(b), poller.RequestSettings{URL: server.URL}, poller.ResponseSettings{})
			var marks poller.Bookmarks
			b.ReportAllocs()
			for b.Loop() {
				a, err := s.Ask(b.Context(), marks)
				if err != nil {
					b.Fatal(err)
				}
				marks = a.Bookmarks
			}
		})
	}
}

// BenchmarkDispatch runs 100,000 sources on "@every 5s", 20,000 polls a second,
// for 10 s; a poll costs nothing here but its own judgment. It says how late
// polls started, and what part of a processor each took. The 20 ms that polls
// wait for a tick are part of the lateness.
func BenchmarkDispatch(b *testing.B) {
	const n = 100_000
	body := []byte(`{}`)
	header := http.Header{"Content-Type": {"application/json"}}
	rt := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: header, ContentLength: 2, Body: io.NopCloser(bytes.NewReader(body))}, nil
	})
	c := poller.NewClientOver(rt, poller.ClientOptions{})
	s := &lateness{schedules: map[string]poller.Schedule{}}
	made := make([]*poller.Source, n)
	marks := make(map[string]poller.Bookmarks, n)
	for i := range made {
		name := fmt.Sprint("source-", i)
		made[i] = must(poller.NewSource(name, poller.Settings{Schedule: "@every 5s", Request: poller.RequestSettings{URL: "http://x.example"}}, poller.ResponseSettings{}, c))
		marks[name] = marked
		s.schedules[name] = made[i].Schedule()
	}
	for b.Loop() {
		s.late = nil
		before, start := processor(), time.Now()
		ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
		if err := poller.New(made, marks, s, poller.Options{}).Run(ctx); err != nil {
			b.Fatal(err)
		}
		cancel()
		used := processor() - before
		slices.Sort(s.late)
		polls := len(s.late)
		b.ReportMetric(float64(polls)/time.Since(start).Seconds(), "polls/s")
		b.ReportMetric(float64(used.Microseconds())/float64(polls), "cpu-µs/poll")
		b.ReportMetric(float64(s.late[polls/2].Microseconds())/1000, "p50-ms-late")
		b.ReportMetric(float64(s.late[polls*99/100].Microseconds())/1000, "p99-ms-late")
	}
}

// lateness is a sink that notes how late answers are.
type lateness struct {
	schedules map[string]poller.Schedule
	mu        sync.Mutex
	late      []time.Duration
}

func (l *lateness) Take(_ context.Context, a *poller.Answer) error {
	late := 5*time.Second - l.schedules[a.Source].Next(a.Received).Sub(a.Received)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late = append(l.late, late)
	return nil
}

func (*lateness) Keep(string, poller.Bookmarks) {}

// processor is the time on processors that the process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// BenchmarkUpdate has 10,000 sources become the same ones but for ten.
func BenchmarkUpdate(b *testing.B) {
	p, all, c := idlers(b, 10_000)
	n := 0
	for b.Loop() {
		for range 10 {
			i := n % len(all)
			all[i] = must(poller.NewSource(all[i].Name(), idler, poller.ResponseSettings{}, c))
			n++
		}
		if err := p.Update(b.Context(), all, nothing); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStatuses looks at 10,000 sources.
func BenchmarkStatuses(b *testing.B) {
	p, _, _ := idlers(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if got := len(p.Statuses()); got != 10_000 {
			b.Fatal(got)
		}
	}
}

var idler = poller.Settings{Schedule: "@yearly", Request: poller.RequestSettings{URL: "http://x.example"}}

// idlers are sources of a poller that runs and has nothing to do.
func idlers(b *testing.B, n int) (*poller.Poller, []*poller.Source, *poller.Client) {
	b.Helper()
	c := poller.NewClientOver(roundTripper(ok), poller.ClientOptions{})
	made, marks := make([]*poller.Source, n), make(map[string]poller.Bookmarks, n)
	for i := range made {
		name := fmt.Sprint("source-", i)
		made[i] = must(poller.NewSource(name, idler, poller.ResponseSettings{}, c))
		marks[name] = marked
	}
	p := poller.New(made, marks, &sink{}, poller.Options{})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	for s, _ := p.Status("source-0"); s.Next.IsZero(); s, _ = p.Status("source-0") {
		time.Sleep(time.Millisecond) // it begins
	}
	b.Cleanup(func() { cancel(); <-done })
	return p, made, c
}
