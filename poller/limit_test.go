package poller_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// requests is a fake network that notes who was asked when.
type requests struct {
	mu      sync.Mutex
	start   time.Time
	at      []time.Duration            // all of them
	of      map[string][]time.Duration // by path
	now     int
	connect time.Duration                                        // before a request is sent
	most    int                                                  // at once
	answer  func(n int, r *http.Request) (*http.Response, error) // nil: {}
}

func (q *requests) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(q.connect)
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
	q.mu.Lock()
	if q.of == nil {
		q.of, q.start = map[string][]time.Duration{}, time.Now()
	}
	at := time.Since(q.start)
	q.at = append(q.at, at)
	q.of[r.URL.Path[1:]] = append(q.of[r.URL.Path[1:]], at)
	n := len(q.at)
	q.now++
	q.most = max(q.most, q.now)
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.now--
	}()
	if q.answer == nil {
		return reply(200, "{}")
	}
	return q.answer(n, r)
}

// window is the most requests in any span of so long.
func (q *requests) window(per time.Duration) (n int) {
	for i, first := 0, 0; i < len(q.at); i++ {
		for q.at[i] >= q.at[first]+per {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

// limited makes sources s0, s1, … of one limit and one schedule.
func limited(t testing.TB, q http.RoundTripper, n int, schedule string, limit poller.LimitSettings) []*poller.Source {
	t.Helper()
	c := poller.NewClientOver(q, poller.ClientOptions{Limits: map[string]poller.LimitSettings{"account": limit}})
	var made []*poller.Source
	for i := range n {
		name := fmt.Sprint("s", i)
		s, err := poller.NewSource(name, poller.Settings{
			Schedule: schedule, Limit: "account", Request: poller.RequestSettings{URL: "http://x.example/" + name},
		}, poller.ResponseSettings{}, c)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, s)
	}
	return made
}

func rate(n int, per time.Duration) units.Rate { return units.Rate{N: n, Per: per} }

// TestLimitIsFair: 500 sources that all want to be polled each second share 20
// requests a second for ten minutes. No second has more, and each source is
// polled within 1.2 times its fair share of 25 s.
func TestLimitIsFair(t *testing.T) {
	for name, c := range map[string]struct{ connect, latency time.Duration }{"fast": {}, "slow": {latency: 3 * time.Second}, "far": {connect: 80 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const share, length = 25 * time.Second, 10 * time.Minute
				q := &requests{connect: c.connect, answer: func(int, *http.Request) (*http.Response, error) {
					time.Sleep(c.latency)
					return reply(200, "{}")
				}}
				run(t, poller.New(limited(t, q, 500, "@every 1s", poller.LimitSettings{Rate: rate(20, time.Second)}), nil, &sink{}, poller.Options{}), length)
				if n := q.window(time.Second); n > 20 {
					t.Errorf("%d in one second", n)
				}
				if len(q.of) != 500 {
					t.Fatalf("%d sources were polled", len(q.of))
				}
				for name, at := range q.of {
					if at[0] > share*12/10 {
						t.Errorf("%s is first polled after %s", name, at[0])
					}
					if want := int(length / (share * 12 / 10)); len(at) < want {
						t.Errorf("%s is polled %d times, at least %d are its share", name, len(at), want)
					}
					for i := 1; i < len(at); i++ {
						if gap := at[i] - at[i-1]; gap > share*12/10 {
							t.Errorf("%s is polled after %s", name, gap)
						}
					}
				}
			})
		})
	}
}

// TestLimitOfUnevenConnections: a request that takes its time to be sent is
// counted when it is sent.
func TestLimitOfUnevenConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn atomic.Int64
		q := &requests{}
		uneven := roundTripper(func(r *http.Request) (*http.Response, error) {
			if turn.Add(1)%7 == 0 {
				time.Sleep(1300 * time.Millisecond)
			}
			return q.RoundTrip(r)
		})
		run(t, poller.New(limited(t, uneven, 50, "@every 1s", poller.LimitSettings{Rate: rate(10, time.Second)}), nil, &sink{}, poller.Options{}), time.Minute)
		slices.Sort(q.at)
		if n := q.window(time.Second); n > 10 {
			t.Errorf("%d in one second", n)
		}
		if len(q.at) < 150 {
			t.Errorf("only %d polls", len(q.at))
		}
	})
}

// TestLimitOfARequestThatCannotBeMade: what a poll takes and does not use does
// not stay taken for ever.
func TestLimitOfARequestThatCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &requests{}
		c := poller.NewClientOver(q, poller.ClientOptions{Limits: map[string]poller.LimitSettings{"account": {Rate: rate(2, time.Second)}}})
		var all []*poller.Source
		for name, url := range map[string]string{"bad": "{{ raw('ftp') }}://x.example", "good": "http://x.example/good"} {
			s, err := poller.NewSource(name, poller.Settings{
				Schedule: "@every 1s", Limit: "account", Request: poller.RequestSettings{URL: url},
			}, poller.ResponseSettings{}, c)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		run(t, poller.New(all, nil, &sink{}, poller.Options{}), time.Minute)
		if n := len(q.of["good"]); n < 45 {
			t.Errorf("the source whose request is good was polled %d times in a minute", n)
		}
	})
}

// TestLimitHoldsNobodyElseUp: sources that wait for a limit take no worker.
func TestLimitHoldsNobodyElseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &requests{}
		all := limited(t, q, 300, "@every 1s", poller.LimitSettings{Rate: rate(1, time.Minute)})
		all = append(all, sources(t, q.RoundTrip, "", map[string]string{"free": "@every 1s"})...)
		run(t, poller.New(all, nil, &sink{}, poller.Options{Concurrency: 2}), time.Minute)
		if n := len(q.of["free"]); n < 59 {
			t.Errorf("the source without a limit was polled %d times in a minute", n)
		}
	})
}

// TestLimitConcurrency: no more polls of a limit at once than it says, and none
// is forgotten.
func TestLimitConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &requests{answer: func(int, *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return reply(200, "{}")
		}}
		run(t, poller.New(limited(t, q, 10, "@every 1s", poller.LimitSettings{Concurrency: 3}), nil, &sink{}, poller.Options{}), time.Minute)
		if q.most != 3 || len(q.of) != 10 || len(q.at) < 170 {
			t.Errorf("%d at once, %d sources, %d polls", q.most, len(q.of), len(q.at))
		}
		for name, at := range q.of {
			if len(at) < 14 {
				t.Errorf("%s was polled %d times", name, len(at))
			}
		}
	})
}

// paged makes sources of one limit whose lists have so many pages; those with
// one page are polled every 10 s, the others all the time.
func paged(t *testing.T, q *requests, rate units.Rate, pages ...int) []*poller.Source {
	t.Helper()
	q.answer = func(_ int, r *http.Request) (*http.Response, error) {
		time.Sleep(30 * time.Millisecond)
		var of, n int
		_, _ = fmt.Sscan(r.FormValue("of"), &of)
		_, _ = fmt.Sscan(r.FormValue("page"), &n)
		return reply(200, fmt.Sprintf(`{"items":[%d],"pages":%d}`, n, of))
	}
	c := poller.NewClientOver(q, poller.ClientOptions{Limits: map[string]poller.LimitSettings{"account": {Rate: rate}}})
	var made []*poller.Source
	for i, n := range pages {
		schedule := "@every 1s"
		if n == 1 {
			schedule = "@every 10s"
		}
		name := fmt.Sprint("s", i)
		s, err := poller.NewSource(name, poller.Settings{Schedule: schedule, Limit: "account", Request: poller.RequestSettings{
			URL: fmt.Sprintf("http://x.example/%s?of=%d", name, n), Paginate: poller.PaginateSettings{Page: "page", Pages: "pages", MaxPages: 10_000},
		}}, list, c)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, s)
	}
	return made
}

// TestPagesLetOthersStart: requests of a long list and those of other sources
// take turns, and there are no more than there may be.
func TestPagesLetOthersStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &requests{}
		run(t, poller.New(paged(t, q, rate(10, time.Second), 3000, 1, 1, 1, 1, 1), nil, &sink{}, poller.Options{}), 10*time.Minute)
		if n := q.window(time.Second); n > 10 {
			t.Errorf("%d in one second", n)
		}
		if n := len(q.at); n < 10*60*8 {
			t.Errorf("only %d requests", n)
		}
		for name, at := range q.of {
			if name == "s0" {
				continue
			}
			for i := 1; i < len(at); i++ {
				if gap := at[i] - at[i-1]; gap > 12*time.Second {
					t.Errorf("%s is polled after %s", name, gap)
				}
			}
		}
	})
}

// TestPagesAreNotStarved: however many long lists want to begin, those that
// have begun get their pages in time.
func TestPagesAreNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := &requests{}, &sink{}
		var pages []int
		for range 200 {
			pages = append(pages, 100)
		}
		run(t, poller.New(paged(t, q, rate(1, time.Second), pages...), nil, s, poller.Options{}), 3*time.Hour)
		if len(s.kept) != 0 || len(s.taken) < 80 {
			t.Errorf("%d polls, %d failures", len(s.taken), len(s.kept))
		}
	})
}

// TestHostConcurrency: eight at once at a host, of sources without a limit; a
// host is scheme, name and port.
func TestHostConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := map[string]int{}, map[string]int{}
		slow := func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			now[r.URL.Host]++
			most[r.URL.Host] = max(most[r.URL.Host], now[r.URL.Host])
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now[r.URL.Host]--
			mu.Unlock()
			return reply(200, "{}")
		}
		c := poller.NewClientOver(roundTripper(slow), poller.ClientOptions{})
		var all []*poller.Source
		for i := range 20 {
			for kind, url := range map[string]string{
				"a": "http://one.example/" + fmt.Sprint(i), "b": "http://ONE.example:80?q=" + fmt.Sprint(i),
				"c": "http://one.example:8080/", "d": `http://{{ "two" }}.example/`,
			} {
				s, err := poller.NewSource(fmt.Sprint(kind, i), poller.Settings{
					Schedule: "0 * * * * *", Request: poller.RequestSettings{URL: url},
				}, poller.ResponseSettings{}, c)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, s)
			}
		}
		marks := map[string]poller.Bookmarks{}
		for _, s := range all {
			marks[s.Name()] = marked
		}
		run(t, poller.New(all, marks, &sink{}, poller.Options{}), 90*time.Second)
		mu.Lock()
		defer mu.Unlock()
		if got := most["one.example"] + most["ONE.example:80"]; got < 8 || most["one.example"] > 8 || most["ONE.example:80"] > 8 {
			t.Errorf("%v at once", most)
		}
		if most["one.example:8080"] != 8 {
			t.Errorf("%d at once at the other port", most["one.example:8080"])
		}
		if most["two.example"] != 20 {
			t.Errorf("%d at once where the host is computed", most["two.example"])
		}
	})
}

// TestRedirectsSpend: within the origin each is a request of the account; the
// one to another origin is not.
func TestRedirectsSpend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &requests{answer: func(_ int, r *http.Request) (*http.Response, error) {
			resp, err := reply(200, "{}")
			if next := map[string]string{"/s0": "/b", "/b": "http://else.example/c", "/c": "/d"}[r.URL.Path]; next != "" {
				resp.StatusCode, resp.Header = http.StatusFound, http.Header{"Location": {next}}
			}
			return resp, err
		}}
		p := poller.New(limited(t, q, 1, "@every 1m", poller.LimitSettings{Rate: rate(5, time.Second), Quota: rate(7, 24*time.Hour)}), nil, &sink{}, poller.Options{})
		run(t, p, time.Hour)
		if n := fmt.Sprint(len(q.of["s0"]), len(q.of["b"]), len(q.of["c"]), len(q.of["d"])); n != "4 3 3 3" {
			t.Errorf("asked %s times, and 7 requests are the quota", n)
		}
	})
}

// TestLimitOfADryRun: what is asked without the dispatcher waits for its limit
// too, no longer than a minute.
func TestLimitOfADryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := limited(t, &requests{}, 1, "@every 1s", poller.LimitSettings{Rate: rate(2, time.Minute)})[0]
		start, n := time.Now(), 0
		for ; ; n++ {
			_, err := s.Ask(t.Context(), poller.Bookmarks{})
			if f, ok := errors.AsType[*poller.Failure](err); ok {
				if f.Class != poller.ClassLimit || !strings.Contains(f.Error(), "limit account lets no request through before 2000-01-01T00:") {
					t.Errorf("%v", err)
				}
				break
			}
			if n > 10 {
				t.Fatal("it is never refused")
			}
			if n == 3 {
				break
			}
		}
		if took := time.Since(start); took < time.Minute {
			t.Errorf("%d took only %s", n, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Ask(ctx, poller.Bookmarks{}); err == nil {
			t.Error("asked though the context ended")
		}
	})
}

func TestLimitIsNotThere(t *testing.T) {
	_, err := poller.NewSource("a", poller.Settings{Schedule: "@hourly", Limit: "no", Request: poller.RequestSettings{URL: "http://x.example"}},
		poller.ResponseSettings{}, poller.NewClient(poller.ClientOptions{}))
	if err == nil || err.Error() != `source a: no limit is called "no"` {
		t.Errorf("%v", err)
	}
}

func TestLimitMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		p := poller.New(limited(t, &requests{}, 5, "@every 1s", poller.LimitSettings{Rate: rate(1, time.Minute), Quota: rate(100, 24*time.Hour)}), nil, &sink{},
			poller.Options{Metrics: registry})
		run(t, p, 150*time.Second)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "deltahook_limit") {
				m := f.GetMetric()[0]
				got[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
		want := map[string]float64{
			"deltahook_limit_waiting account": 5, "deltahook_limit_used_total account": 3, "deltahook_limit_quota_left account": 97,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// logger is a log and what it wrote.
func logger() (*slog.Logger, func() string) {
	var out bytes.Buffer
	return slog.New(slog.NewTextHandler(&out, nil)), out.String
}
