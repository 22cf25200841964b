package poller_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/poller"
)

// nothing is who has nothing to do between.
func nothing(context.Context) (map[string]poller.Bookmarks, error) { return nil, nil }

// server answers after a while, and notes who asks; it minds who asks twice at
// once.
type server struct {
	t      *testing.T
	takes  func(source string) time.Duration
	mu     sync.Mutex
	asking map[string]bool
	begun  map[string]int
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	source, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	if s.asking[r.URL.Path] {
		s.t.Errorf("%s is polled twice at once", r.URL.Path)
	}
	s.asking[r.URL.Path] = true
	s.begun[source]++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asking[r.URL.Path] = false
	}()
	select {
	case <-time.After(s.takes(source)):
		return reply(200, "{}", "ETag", `"1"`)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func newServer(t *testing.T, takes func(string) time.Duration) *server {
	return &server{t: t, takes: takes, asking: map[string]bool{}, begun: map[string]int{}}
}

func made(t *testing.T, c *poller.Client, name, schedule string, change func(*poller.Settings)) *poller.Source {
	t.Helper()
	s := poller.Settings{Schedule: schedule, Request: poller.RequestSettings{URL: "http://x.example/" + name}}
	if change != nil {
		change(&s)
	}
	src, err := poller.NewSource(name, s, poller.ResponseSettings{}, c)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// TestUpdatesAtRandom: whatever comes, goes and changes while polls run, no
// source is polled twice at once; one that stays is answered once for each time
// that its schedule has, be it touched or not; one that is not there not at all.
func TestUpdatesAtRandom(t *testing.T) {
	for seed, n := range []int{60, 60, 60, 1000} {
		t.Run(fmt.Sprint(n, " sources"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { updatesAtRandom(t, n, rand.New(rand.NewPCG(uint64(seed), 1))) })
		})
	}
}

func updatesAtRandom(t *testing.T, n int, random *rand.Rand) {
	const d = 90 * time.Second
	start := time.Now()
	var mu sync.Mutex
	takes := func(string) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(random.IntN(300)) * time.Millisecond
	}
	pick := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	api, out := newServer(t, takes), &sink{}
	out.refer = func(ctx context.Context, a *poller.Answer) error {
		time.Sleep(time.Duration(pick(30)) * time.Millisecond)
		return ctx.Err()
	}
	c := poller.NewClientOver(api, poller.ClientOptions{Limits: map[string]poller.LimitSettings{"account": {Concurrency: 100}}})
	another := func(i int) *poller.Source {
		return made(t, c, fmt.Sprint("s", i), "@every 5s", func(s *poller.Settings) {
			s.Request.URL = fmt.Sprintf("http://host%d.example/s%d", i/100, i)
			s.Request.Headers = map[string]string{"X-Turn": fmt.Sprint(pick(1000))}
			if i%2 == 0 {
				s.Limit = "account" // the others share their host: 8 at once
			}
		})
	}
	now := []*poller.Source{}
	for i := range n {
		now = append(now, another(i))
	}
	marks := map[string]poller.Bookmarks{}
	for _, s := range now {
		marks[s.Name()] = marked
	}
	p := poller.New(now, marks, out, poller.Options{Drain: time.Minute})
	absent := map[string][][2]time.Duration{}
	while(t, p, d, func() {
		for time.Since(start) < d-10*time.Second {
			time.Sleep(time.Duration(200+pick(1500)) * time.Millisecond)
			next := slices.Clone(now)
			for range n / 6 { // of the first third nobody is touched, the last comes and goes
				i := n/3 + pick(2*n/3)
				switch {
				case i < 2*n/3 || next[i] == nil || pick(2) == 0:
					next[i] = another(i)
				default:
					next[i] = nil
				}
			}
			fails := pick(5) == 0
			var went []string
			err := p.Update(t.Context(), slices.DeleteFunc(slices.Clone(next), func(s *poller.Source) bool { return s == nil }),
				func(context.Context) (map[string]poller.Bookmarks, error) {
					api.mu.Lock()
					for i, s := range now {
						if s != nil && next[i] != s && api.asking["/"+s.Name()] {
							t.Errorf("%s is polled while others change", s.Name())
						}
					}
					api.mu.Unlock()
					time.Sleep(time.Duration(pick(100)) * time.Millisecond)
					if fails {
						return nil, errors.New("no")
					}
					return nil, nil
				})
			if (err != nil) != fails {
				t.Errorf("got %v", err)
			}
			if fails {
				continue
			}
			for i := range next {
				name := fmt.Sprint("s", i)
				if now[i] != nil && next[i] == nil {
					went = append(went, name)
				}
				if now[i] == nil && next[i] != nil {
					gone := absent[name]
					gone[len(gone)-1][1] = time.Since(start)
				}
			}
			for _, name := range went {
				absent[name] = append(absent[name], [2]time.Duration{time.Since(start), d})
			}
			now = next
		}
	})
	for i := range n {
		name := fmt.Sprint("s", i)
		times := out.times(name, start)
		if i >= 2*n/3 {
			for _, gone := range absent[name] {
				for _, at := range times {
					if at > gone[0]+60*time.Millisecond && at < gone[1] {
						t.Errorf("%s was answered at %s, though it was not there from %s to %s", name, at, gone[0], gone[1])
					}
				}
			}
			continue
		}
		if len(times) < 17 || len(times) > 18 {
			t.Errorf("%s was answered %d times", name, len(times))
		}
		for j := 1; j < len(times); j++ {
			if gap := times[j] - times[j-1]; gap < 2*time.Second || gap > 8*time.Second {
				t.Errorf("%s was answered at %s and then at %s", name, times[j-1], times[j])
			}
		}
	}
	if len(out.kept) > 0 {
		t.Errorf("%d failures", len(out.kept))
	}
}

// TestUpdateCarries: what a source keeps that is another than before, what one
// that is new begins with, and what is left of one that went.
func TestUpdateCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		registry := prometheus.NewRegistry()
		var mu sync.Mutex
		down := true
		var asked []string
		api := roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprintf("%s at %s %s", r.URL.Path[1:], time.Since(start).Truncate(time.Second), r.Header.Get("If-None-Match")))
			if r.URL.Path == "/down" && down {
				return reply(500, "")
			}
			return reply(200, "{}", "ETag", `"1"`)
		})
		c := poller.NewClientOver(api, poller.ClientOptions{})
		other := func(s *poller.Settings) { s.Missed = "skip" }
		marks := map[string]poller.Bookmarks{}
		soon := time.Now().Add(time.Second)
		for _, name := range []string{"same", "later", "down", "gone", "gone too"} {
			marks[name] = poller.Bookmarks{Next: soon}
		}
		p := poller.New([]*poller.Source{
			made(t, c, "same", "@hourly", nil), made(t, c, "later", "@hourly", nil), made(t, c, "down", "*/20 * * * *", nil),
			made(t, c, "gone", "@hourly", nil), made(t, c, "gone too", "@hourly", nil),
		}, marks, &sink{}, poller.Options{Metrics: registry})
		while(t, p, 2*time.Hour+time.Minute, func() {
			time.Sleep(10*time.Minute + 30*time.Second)
			update := []*poller.Source{
				made(t, c, "same", "@hourly", other), made(t, c, "later", "30 * * * *", other), made(t, c, "down", "*/20 * * * *", other),
				made(t, c, "new", "@hourly", nil), made(t, c, "off", "@hourly", func(s *poller.Settings) { s.Disabled = true }),
			}
			if err := p.Update(t.Context(), update, func(context.Context) (map[string]poller.Bookmarks, error) {
				return map[string]poller.Bookmarks{"new": {Next: start.Add(15 * time.Minute)}}, nil
			}); err != nil {
				t.Fatal(err)
			}
			if s, _ := p.Status("down"); s.Failures < 2 || !s.FailingSince.Equal(start.Add(time.Second)) {
				t.Errorf("down is %+v", s)
			}
			if _, there := p.Status("gone"); there {
				t.Error("gone is there")
			}
			mu.Lock()
			defer mu.Unlock()
			down = false
		})
		want := map[string][]string{
			"same":  {"1s ", `1h0m0s "1"`, `2h0m0s "1"`},
			"later": {"1s ", `30m0s "1"`, `1h30m0s "1"`},
			"gone":  {"1s "},
			"new":   {"15m0s ", `1h0m0s "1"`, `2h0m0s "1"`},
			"off":   nil,
		}
		for name, want := range want {
			var got []string
			for _, line := range asked {
				if at, ok := strings.CutPrefix(line, name+" at "); ok {
					got = append(got, at)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			switch f.GetName() {
			case "deltahook_sources", "deltahook_sources_failing":
				got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
			case "deltahook_polls_total":
				for _, m := range f.GetMetric() {
					got["polls of "+m.GetLabel()[1].GetValue()]++
				}
			case "deltahook_source_failing":
				for _, m := range f.GetMetric() {
					got[m.GetLabel()[0].GetValue()+" fails"] = m.GetGauge().GetValue()
				}
			case "deltahook_source_last_success_timestamp_seconds":
				for _, m := range f.GetMetric() {
					got["success of "+m.GetLabel()[0].GetValue()]++
				}
			}
		}
		wantMetrics := map[string]float64{
			"deltahook_sources": 4, "deltahook_sources_failing": 0,
			"same fails": 0, "later fails": 0, "down fails": 0, "new fails": 0,
			"polls of same": 1, "polls of later": 1, "polls of down": 2, "polls of new": 1,
			"success of same": 1, "success of later": 1, "success of down": 1, "success of new": 1,
		}
		if diff := cmp.Diff(wantMetrics, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestUpdateWaitsForWhatIsTakenIn: a poll that still asks is cut off and made
// again, one whose answer is there is waited for; where between fails, both go
// on.
func TestUpdateWaitsForWhatIsTakenIn(t *testing.T) {
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprint("between fails: ", fails), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				api := newServer(t, func(source string) time.Duration {
					if source == "asks" {
						return 20 * time.Second // less than a poll may take
					}
					return 0
				})
				out := &sink{refer: func(ctx context.Context, a *poller.Answer) error {
					if a.Source == "takes" {
						time.Sleep(10 * time.Second)
					}
					return ctx.Err()
				}}
				c := poller.NewClientOver(api, poller.ClientOptions{})
				soon := poller.Bookmarks{Next: start.Add(time.Second)}
				p := poller.New([]*poller.Source{made(t, c, "asks", "@hourly", nil), made(t, c, "takes", "@hourly", nil), made(t, c, "stays", "@hourly", nil)},
					map[string]poller.Bookmarks{"asks": soon, "takes": soon, "stays": soon}, out, poller.Options{})
				while(t, p, 5*time.Minute, func() {
					time.Sleep(5 * time.Second)
					err := p.Update(t.Context(), []*poller.Source{made(t, c, "asks", "@hourly", nil), made(t, c, "takes", "@hourly", nil)},
						func(context.Context) (map[string]poller.Bookmarks, error) {
							if took := time.Since(start).Round(time.Second); took != 11*time.Second {
								t.Errorf("between comes at %s", took)
							}
							if fails {
								return nil, errors.New("no")
							}
							return nil, nil
						})
					if (err != nil) != fails {
						t.Errorf("got %v", err)
					}
				})
				answered := func(name string) (at []time.Duration) {
					for _, d := range out.times(name, start) {
						at = append(at, d.Round(time.Second))
					}
					return at
				}
				if diff := cmp.Diff([]time.Duration{31 * time.Second}, answered("asks")); diff != "" || api.begun["asks"] != 2 {
					t.Errorf("begun %d times: %s", api.begun["asks"], diff)
				}
				if diff := cmp.Diff([]time.Duration{time.Second}, answered("takes")); diff != "" || api.begun["takes"] != 1 {
					t.Errorf("begun %d times: %s", api.begun["takes"], diff)
				}
				if len(out.kept) > 0 {
					t.Errorf("counted as failures: %+v", out.kept)
				}
			})
		})
	}
}

// TestUpdateAtAnyTime: before the start, when its context ends meanwhile, and
// after the end.
func TestUpdateAtAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, func(string) time.Duration { return time.Second })
		c, out := poller.NewClientOver(api, poller.ClientOptions{}), &sink{}
		out.refer = func(context.Context, *poller.Answer) error {
			time.Sleep(time.Second)
			return nil
		}
		a, b := made(t, c, "a", "*/10 * * * * *", nil), made(t, c, "b", "*/10 * * * * *", nil)
		p := poller.New([]*poller.Source{a}, map[string]poller.Bookmarks{"a": marked}, out, poller.Options{})
		if err := p.Update(t.Context(), []*poller.Source{b}, nothing); err != nil {
			t.Error(err)
		}
		if err := p.Update(t.Context(), []*poller.Source{a, b}, func(context.Context) (map[string]poller.Bookmarks, error) {
			return map[string]poller.Bookmarks{"a": marked}, nil
		}); err != nil {
			t.Error(err)
		}
		while(t, p, 55*time.Second, func() {
			time.Sleep(11*time.Second + 500*time.Millisecond) // a's answer is being taken in
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := p.Update(ctx, []*poller.Source{b}, func(context.Context) (map[string]poller.Bookmarks, error) {
				t.Error("something is between, though there is no more time")
				return nil, nil
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
		if n := len(out.times("a", time.Now())); n != 5 {
			t.Errorf("a was answered %d times", n)
		}
		if err := p.Update(t.Context(), nil, nothing); !errors.Is(err, poller.ErrEnded) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestUpdateOfWatchKeys: a source with watch keys that becomes another keeps
// those that were added over the API; its file and its configuration are read
// anew. No key is polled later than it was to be, and none twice at once.
func TestUpdateOfWatchKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.txt")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	for _, batch := range []int{0, 4} {
		t.Run(fmt.Sprint("batch ", batch), func(t *testing.T) {
			put("f1\nf2\n")
			synctest.Test(t, func(t *testing.T) {
				start, api, l := time.Now(), newCrowd(), newDiary()
				api.slow = 300 * time.Millisecond
				another := func(keys ...string) *poller.Source {
					return watched(t, api, "@every 10s", poller.WatchSettings{Keys: keys, File: path, API: true, Batch: batch})
				}
				p := poller.New([]*poller.Source{another(numbered(0, 20)...)}, nil, &sink{}, poller.Options{Watches: l})
				while(t, p, 5*time.Minute, func() {
					watch(t, p, "api1", "api2")
					for range 60 {
						time.Sleep(3100 * time.Millisecond)
						if err := p.Update(t.Context(), []*poller.Source{another(numbered(0, 20)...)}, nothing); err != nil {
							t.Error(err)
						}
					}
					put("f2\nf3\n")
					if err := p.Update(t.Context(), []*poller.Source{another(numbered(10, 20)...)}, nothing); err != nil {
						t.Error(err)
					}
					unwatch(t, p, "api2")
					time.Sleep(time.Minute)
					keys, err := p.Watched("s")
					if err != nil {
						t.Error(err)
					}
					var got []string
					for _, k := range keys {
						got = append(got, k.Key+" "+strings.Join(k.From, "+"))
					}
					want := []string{"api1 api", "f2 file", "f3 file"}
					for _, key := range numbered(10, 20) {
						want = append(want, key+" config")
					}
					slices.Sort(want)
					slices.Sort(got)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Error(diff)
					}
				})
				for _, key := range append(numbered(10, 20), "api1", "f2") {
					last := time.Duration(0)
					for _, at := range api.times(key) {
						if gap := at.Sub(start) - last; gap > 11*time.Second {
							t.Errorf("%s waited for %s until %s", key, gap, at.Sub(start))
						}
						last = at.Sub(start)
					}
					if n := len(api.times(key)); last < 280*time.Second || n > 75 {
						t.Errorf("%s was asked for %d times, last at %s", key, n, last)
					}
				}
				forgotten := l.took()
				slices.Sort(forgotten)
				want := []string{"forget api2", "forget f1", "put api1", "put api2"}
				for _, key := range numbered(0, 10) {
					want = append(want, "forget "+key)
				}
				slices.Sort(want)
				if diff := cmp.Diff(want, forgotten); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
