package poller_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
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

// sink notes what it is given.
type sink struct {
	mu    sync.Mutex
	taken []*poller.Answer
	kept  []poller.Bookmarks
	refer func(ctx context.Context, a *poller.Answer) error // nil: takes all
}

func (s *sink) Take(ctx context.Context, a *poller.Answer) error {
	if s.refer != nil {
		if err := s.refer(ctx, a); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, a)
	return nil
}

func (s *sink) Keep(_ string, b poller.Bookmarks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, b)
}

// times are when the answers of a source were taken, since the start.
func (s *sink) times(source string, start time.Time) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var at []time.Duration
	for _, a := range s.taken {
		if a.Source == source {
			at = append(at, a.Received.Sub(start))
		}
	}
	return at
}

// reply is a response of a fake network.
func reply(status int, body string, header ...string) (*http.Response, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}, nil
}

func ok(*http.Request) (*http.Response, error) { return reply(200, "{}") }

// sources makes a source for each name and schedule; the URL's path is the
// name.
func sources(t testing.TB, rt roundTripper, missed string, schedules map[string]string) []*poller.Source {
	t.Helper()
	c := poller.NewClientOver(rt, poller.ClientOptions{})
	var made []*poller.Source
	for _, name := range slices.Sorted(maps.Keys(schedules)) {
		s, err := poller.NewSource(name, poller.Settings{
			Schedule: schedules[name], Missed: missed, Request: poller.RequestSettings{URL: "http://x.example/" + name},
		}, poller.ResponseSettings{}, c)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, s)
	}
	return made
}

// run runs p for so long, and wants it to end in good order.
func run(t *testing.T, p *poller.Poller, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// marked is a source that was polled before and has no run of its own to come:
// the next one is the schedule's.
var marked = poller.Bookmarks{Next: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}

// TestDay: on time through a day, each schedule by itself, and when the
// sources come anew, each is polled at once and then on its schedule.
func TestDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		schedules := map[string]string{"a": "@hourly", "b": "*/5 * * * *", "c": "@every 90s", "d": "15 10 6 * * *", "e": "0 0 1 1 *"}
		s := &sink{}
		run(t, poller.New(sources(t, ok, "", schedules), nil, s, poller.Options{}), 24*time.Hour+time.Second)
		for name, spec := range schedules {
			schedule := schedule(t, spec, "", name, 0)
			want := 1 // at the start
			for next := schedule.Next(start); next.Before(start.Add(24*time.Hour + time.Second)); next = schedule.Next(next) {
				want++
			}
			got := s.times(name, start)
			if len(got) != want {
				t.Errorf("%s: %d polls, want %d", spec, len(got), want)
			}
			next := start
			for i, at := range got {
				if i == 0 {
					if at > 70*time.Millisecond {
						t.Errorf("%s: first polled after %s", spec, at)
					}
					continue
				}
				next = schedule.Next(next)
				if late := start.Add(at).Sub(next); late < 0 || late > 20*time.Millisecond {
					t.Errorf("%s: %s after it was due", spec, late)
				}
			}
		}
	})
}

// TestNoOverlap: a source that takes longer than its interval is polled again
// at the first time that comes after it ended.
func TestNoOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Duration
		start, running := time.Now(), 0
		slow := func(*http.Request) (*http.Response, error) {
			if running++; running > 1 {
				t.Error("polled while it was polled")
			}
			starts = append(starts, time.Since(start).Truncate(time.Second))
			time.Sleep(25 * time.Second)
			running--
			return reply(200, "{}")
		}
		marks := map[string]poller.Bookmarks{"a": marked}
		run(t, poller.New(sources(t, slow, "", map[string]string{"a": "*/10 * * * * *"}), marks, &sink{}, poller.Options{Drain: time.Minute}), 95*time.Second)
		want := []time.Duration{10 * time.Second, 40 * time.Second, 70 * time.Second}
		if diff := cmp.Diff(want, starts); diff != "" {
			t.Error(diff)
		}
	})
}

// TestConcurrency: no more at once than is allowed; the others wait their turn
// in the order in which they fell due.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		running, most := 0, 0
		start := time.Now()
		slow := func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			running++
			most = max(most, running)
			order = append(order, fmt.Sprint(r.URL.Path[1:], "@", time.Since(start).Truncate(time.Second)))
			mu.Unlock()
			time.Sleep(10 * time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return reply(200, "{}")
		}
		schedules, marks := map[string]string{}, map[string]poller.Bookmarks{}
		for i := range 6 {
			name := fmt.Sprint("s", i)
			schedules[name], marks[name] = fmt.Sprint(i+1, " * * * * *"), marked
		}
		run(t, poller.New(sources(t, slow, "", schedules), marks, &sink{}, poller.Options{Concurrency: 2}), 59*time.Second)
		want := []string{"s0@1s", "s1@2s", "s2@11s", "s3@12s", "s4@21s", "s5@22s"}
		if diff := cmp.Diff(want, order); diff != "" || most != 2 {
			t.Errorf("%d at once: %s", most, diff)
		}
	})
}

// TestDrain: when the context ends, what runs may end; what runs too long is
// cut off and counts neither as an answer nor as a failure.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/long" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			time.Sleep(5 * time.Second)
			return reply(200, "{}")
		}
		s := &sink{}
		schedules := map[string]string{"long": "@every 20s", "short": "@every 20s", "waits": "@every 20s"}
		p := poller.New(sources(t, answers, "", schedules), nil, s, poller.Options{Concurrency: 2})
		start := time.Now()
		run(t, p, 2*time.Second)
		if took := time.Since(start); took != 12*time.Second {
			t.Errorf("ended after %s", took)
		}
		if len(s.taken) != 1 || len(s.kept) != 0 {
			t.Errorf("took %d, kept %+v", len(s.taken), s.kept)
		}
	})
}

// TestStart: when the first run is, by what is stored.
func TestStart(t *testing.T) {
	for _, c := range []struct {
		name   string
		missed string
		next   time.Duration // stored, from now; 0: none
		fails  int
		want   time.Duration
	}{
		{"never polled", "", 0, 0, 0},
		{"missed", "", -time.Hour, 0, 0},
		{"missed, once", "once", -time.Second, 3, 0},
		{"missed, skip", "skip", -time.Hour, 0, 10 * time.Minute},
		{"to come", "", 4 * time.Minute, 0, 4 * time.Minute},
		{"to come, but the schedule is shorter now", "", 4 * time.Hour, 0, 10 * time.Minute},
		{"backing off", "", 4 * time.Hour, 2, 4 * time.Hour},
		{"backing off too long for any reason", "", 90 * time.Hour, 2, 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				marks := map[string]poller.Bookmarks{}
				if c.next != 0 {
					marks["a"] = poller.Bookmarks{Next: start.Add(c.next).Round(0), Failures: c.fails}
				}
				s := &sink{}
				run(t, poller.New(sources(t, ok, c.missed, map[string]string{"a": "*/10 * * * *"}), marks, s, poller.Options{}), 25*time.Hour)
				if got := s.times("a", start)[0]; got < c.want || got > c.want+30*time.Millisecond {
					t.Errorf("polled after %s, want %s", got, c.want)
				}
			})
		})
	}
}

// TestStartIsSpread: sources that are all new start over 10 ms each.
func TestStartIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		schedules := map[string]string{}
		for i := range 1000 {
			schedules[fmt.Sprint("source-", i)] = "@hourly"
		}
		start, perSecond := time.Now(), map[time.Duration]int{}
		s := &sink{}
		run(t, poller.New(sources(t, ok, "", schedules), nil, s, poller.Options{}), time.Minute)
		for _, a := range s.taken {
			perSecond[a.Received.Sub(start).Truncate(time.Second)]++
		}
		if len(s.taken) != 1000 {
			t.Errorf("%d polls", len(s.taken))
		}
		for second, n := range perSecond {
			if second >= 11*time.Second || n > 150 {
				t.Errorf("%d in second %s", n, second)
			}
		}
	})
}

// TestBackoff: 1s, 2s, 4s … 10m between failures, not before Retry-After, and
// the schedule's own time where that is later; kept each time, with all else
// as it was.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		last := time.Now()
		answers := func(*http.Request) (*http.Response, error) {
			at = append(at, time.Since(last).Round(time.Second))
			last = time.Now()
			switch n := len(at); {
			case n == 1:
				return reply(200, "{}", "ETag", "1")
			case n == 4:
				return reply(503, "", "Retry-After", "3600")
			case n < 15:
				return reply(500, "")
			}
			return reply(200, "{}", "ETag", "2")
		}
		s := &sink{}
		marks := map[string]poller.Bookmarks{"a": marked}
		run(t, poller.New(sources(t, answers, "", map[string]string{"a": "*/3 * * * * *"}), marks, s, poller.Options{}), 3*time.Hour)
		want := []int{3, 3, 3, 3, 3600, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600}
		for i, seconds := range want {
			// A time of the schedule may come up to 3 s later.
			if late := at[i] - time.Duration(seconds)*time.Second; late < 0 || late > 3*time.Second {
				t.Errorf("poll %d: %s after the one before, want %ds", i+1, at[i], seconds)
			}
		}
		if len(s.kept) != 13 {
			t.Fatalf("kept %d times", len(s.kept))
		}
		for i, k := range s.kept {
			if k.Failures != i+1 || k.ETag != "1" || k.FailingSince.IsZero() || !k.FailingSince.Equal(s.kept[0].FailingSince) ||
				!strings.HasPrefix(k.LastError, "status: 50") || !k.Next.After(k.FailingSince) {
				t.Errorf("kept %+v", k)
			}
		}
		after := s.taken[1].Bookmarks
		if after.Failures != 0 || after.ETag != "2" || after.LastError != "" || !after.FailingSince.IsZero() || after.Next.IsZero() {
			t.Errorf("after the success: %+v", after)
		}
	})
}

// TestBookmarksMoveWithTheCommit: validators of an answer that was not taken
// in are not sent. After a failure of the store none is: what it has may be
// newer than the last answer that it said it took.
func TestBookmarksMoveWithTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		answers := func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r.Header.Get("If-None-Match"))
			return reply(200, "{}", "ETag", fmt.Sprint("v", len(sent)))
		}
		s := &sink{}
		s.refer = func(context.Context, *poller.Answer) error {
			switch len(sent) {
			case 2:
				return poller.Failf(poller.ClassItems, "no list")
			case 3:
				return errors.New("the disk is full")
			}
			return nil
		}
		run(t, poller.New(sources(t, answers, "", map[string]string{"a": "@every 10s"}), nil, s, poller.Options{}), 45*time.Second)
		if diff := cmp.Diff([]string{"", "v1", "v1", "", "v4"}, sent[:5]); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("store: the disk is full", s.kept[1].LastError); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("items: no list", s.kept[0].LastError); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off, err := poller.NewSource("a", poller.Settings{Schedule: "@every 1s", Disabled: true, Request: poller.RequestSettings{URL: "http://x.example"}},
			poller.ResponseSettings{}, poller.NewClientOver(roundTripper(ok), poller.ClientOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		s := &sink{}
		run(t, poller.New([]*poller.Source{off}, nil, s, poller.Options{}), time.Hour)
		if len(s.taken) != 0 {
			t.Errorf("polled %d times", len(s.taken))
		}
	})
}

// TestMetrics compares what is counted in an hour with failures.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		answers := func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/down" {
				return reply(500, "")
			}
			if n++; n == 3 {
				return reply(200, "<html>")
			}
			if r.Header.Get("If-None-Match") != "" {
				return reply(304, "")
			}
			return reply(200, "{}", "ETag", "1")
		}
		registry := prometheus.NewRegistry()
		marks := map[string]poller.Bookmarks{"a": marked, "down": marked}
		p := poller.New(sources(t, answers, "", map[string]string{"a": "*/10 * * * *", "down": "30 0 * * *"}), marks, &sink{}, poller.Options{Metrics: registry})
		run(t, p, time.Hour+time.Second)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		want := map[string]float64{
			"deltahook_polls_total ok a":         1,
			"deltahook_polls_total unmodified a": 5, // one of them an early retry
			"deltahook_polls_total format a":     1,
			"deltahook_polls_total status down":  4, // three of them early retries
			"deltahook_poll_duration_seconds":    11,
			"deltahook_poll_lateness_seconds":    11,
			"deltahook_sources":                  2,
			"deltahook_sources_failing":          1,
			"deltahook_source_failing a":         0,
			"deltahook_source_failing down":      1,

			"deltahook_source_last_success_timestamp_seconds a": float64(time.Now().Truncate(time.Hour).Unix()),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
