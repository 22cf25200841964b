package poller_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// TestPollNow: what a person waits for does not wait for the schedule, and the
// schedule goes on.
func TestPollNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, s := time.Now(), &sink{}
		answers := func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/c" {
				return reply(503, "", "Retry-After", "3600")
			}
			time.Sleep(time.Second)
			return reply(200, "{}")
		}
		p := poller.New(sources(t, answers, "", map[string]string{"a": "@hourly", "b": "@hourly", "c": "@hourly"}), nil, s, poller.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		pollNow(t, p, "a", "", nil)
		synctest.Wait() // it begins
		pollNow(t, p, "a", "", poller.ErrPolling)
		pollNow(t, p, "c", "", poller.ErrResting)
		pollNow(t, p, "nobody", "", poller.ErrNoSource)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		minutes := func(source string) (out []int) {
			for _, at := range s.times(source, start) {
				out = append(out, int(at.Round(time.Second)/time.Minute))
			}
			return out
		}
		if got := minutes("a"); !slices.Equal(got, []int{0, 10, 60}) {
			t.Errorf("a was polled at minutes %v", got)
		}
		if got := minutes("b"); !slices.Equal(got, []int{0, 60}) {
			t.Errorf("b was polled at minutes %v", got)
		}
		if got := minutes("c"); len(got) != 0 {
			t.Errorf("c was taken in at minutes %v", got)
		}
	})
}

// TestPollNowOfAWatchKey brings that key's poll forward and no other's.
func TestPollNowOfAWatchKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newCrowd()
		src, err := poller.NewSource("w", poller.Settings{
			Schedule: "@daily", Request: poller.RequestSettings{URL: "http://x.example/", Body: "{{ key }}"},
			Watch: poller.WatchSettings{Keys: []string{"a", "b", "c"}},
		}, poller.ResponseSettings{}, poller.NewClientOver(api, poller.ClientOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		p := poller.New([]*poller.Source{src}, nil, &sink{}, poller.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(50 * time.Minute)
		before := map[string]int{"a": len(api.times("a")), "b": len(api.times("b")), "c": len(api.times("c"))}
		pollNow(t, p, "w", "b", nil)
		pollNow(t, p, "w", "x", poller.ErrNotWatched)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		before["b"]++
		for key, want := range before {
			if got := len(api.times(key)); got != want {
				t.Errorf("%s was asked for %d times, want %d", key, got, want)
			}
		}
	})
}

func pollNow(t *testing.T, p *poller.Poller, source, watch string, want error) {
	t.Helper()
	if err := p.PollNow(source, watch); !errors.Is(err, want) {
		t.Errorf("%s %s: %v, want %v", source, watch, err, want)
	}
}

// TestPollNowSaysWhyNot: with what a person needs to know.
func TestPollNowSaysWhyNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := poller.NewClientOver(roundTripper(func(r *http.Request) (*http.Response, error) {
			switch r.URL.Path {
			case "/slow":
				time.Sleep(time.Hour)
			case "/tired":
				return reply(200, "{}", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "Sat, 01 Jan 2000 09:00:00 GMT")
			}
			return reply(200, "{}")
		}), poller.ClientOptions{Limits: map[string]poller.LimitSettings{"account": {Concurrency: 1}}})
		var made []*poller.Source
		for name, s := range map[string]poller.Settings{
			"slow": {Limit: "account"}, "waits": {Limit: "account"}, "tired": {}, "off": {Disabled: true},
			"none": {Watch: poller.WatchSettings{API: true}},
		} {
			s.Schedule, s.Request = "@hourly", poller.RequestSettings{URL: "http://x.example/" + name, Timeout: units.Duration(time.Hour)}
			if name == "none" {
				s.Request.URL += "?{{ key }}"
			}
			src, err := poller.NewSource(name, s, poller.ResponseSettings{}, c)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, src)
		}
		marks := map[string]poller.Bookmarks{"slow": {Next: time.Now().Add(time.Second)}, "waits": {Next: time.Now().Add(2 * time.Second)}}
		p := poller.New(made, marks, &sink{}, poller.Options{Drain: time.Second})
		pollNow(t, p, "tired", "", poller.ErrNotPolled)
		while(t, p, 10*time.Minute, func() {
			time.Sleep(time.Minute)
			for name, want := range map[string]string{
				"slow":  "it is being polled",
				"waits": "it is due already, and waits for limit account",
				"tired": "its server asked to be left alone until 2000-01-01T09:00:00Z",
				"off":   "the source is disabled in the configuration",
				"none":  "it has no watch key",
			} {
				if err := p.PollNow(name, ""); err == nil || err.Error() != want {
					t.Errorf("%s: %v", name, err)
				}
			}
			pollNow(t, p, "slow", "key", poller.ErrNotWatched)
		})
		pollNow(t, p, "tired", "", poller.ErrNotPolled)
	})
}

// TestPollNowOfASourceThatFails: who has mended it need not wait for its
// schedule, though nobody hammers on it either.
func TestPollNowOfASourceThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		s := &sink{}
		c := poller.NewClientOver(roundTripper(func(r *http.Request) (*http.Response, error) {
			switch {
			case mended.Load():
				return reply(200, "{}")
			case r.URL.Path == "/limited":
				return reply(503, "", "Retry-After", "3600")
			}
			return reply(500, "")
		}), poller.ClientOptions{Limits: map[string]poller.LimitSettings{"account": {Concurrency: 1}}})
		var made []*poller.Source
		for name, limit := range map[string]string{"broken": "", "limited": "account"} {
			src, err := poller.NewSource(name, poller.Settings{
				Schedule: "@every 24h", Limit: limit, Request: poller.RequestSettings{URL: "http://x.example/" + name},
			}, poller.ResponseSettings{}, c)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, src)
		}
		failed := func(n int) poller.Bookmarks {
			return poller.Bookmarks{Failures: n, FailingSince: time.Now(), LastError: "status: 500", Next: time.Now().Add(time.Hour)}
		}
		p := poller.New(made, map[string]poller.Bookmarks{"broken": failed(20)}, s, poller.Options{})
		begun := time.Now()
		while(t, p, 12*time.Hour, func() {
			time.Sleep(5 * time.Second) // "limited" is polled at once
			pollNow(t, p, "limited", "", poller.ErrResting)
			pollNow(t, p, "broken", "", nil) // which this process has not polled yet
			time.Sleep(9*time.Second + 500*time.Millisecond)
			want := "its last poll failed less than 10 s ago; it can be asked again at " + begun.Add(15*time.Second).Format(time.RFC3339)
			if err := p.PollNow("broken", ""); err == nil || err.Error() != want || !errors.Is(err, poller.ErrFailing) {
				t.Errorf("moments after it failed: %v, want %s", err, want)
			}
			time.Sleep(500 * time.Millisecond)
			pollNow(t, p, "broken", "", nil)
			time.Sleep(10 * time.Hour)
			mended.Store(true)
			pollNow(t, p, "broken", "", nil)
			time.Sleep(time.Second)
			if st, _ := p.Status("broken"); st.Failures != 0 || len(s.times("broken", begun)) != 1 {
				t.Errorf("it works, and says %+v", st)
			}
			pollNow(t, p, "broken", "", nil) // what works may be polled as often as anybody likes
		})
	})
}
