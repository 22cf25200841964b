package poller_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

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
			return reply(200, "{}")
		}
		p := poller.New(sources(t, answers, "", map[string]string{"a": "@hourly", "b": "@hourly", "c": "@hourly"}), nil, s, poller.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		if !p.PollNow("a", "") {
			t.Error("a is not polled")
		}
		if p.PollNow("c", "") || p.PollNow("nobody", "") {
			t.Error("who must be left alone, or is not there, is polled")
		}
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
		if !p.PollNow("w", "b") || p.PollNow("w", "x") {
			t.Error("b is not polled, or x is")
		}
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
