package poller_test

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// TestStatus: what can be said of sources, each in another state.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		at := func(d time.Duration) time.Time { return start.Add(d).UTC() }
		c := poller.NewClientOver(roundTripper(func(r *http.Request) (*http.Response, error) {
			switch r.URL.Path {
			case "/slow":
				time.Sleep(time.Hour)
			case "/down":
				return reply(503, "", "Retry-After", "3600")
			case "/keys/bad":
				return reply(500, "")
			}
			time.Sleep(30 * time.Millisecond)
			return reply(200, "{}")
		}), poller.ClientOptions{Limits: map[string]poller.LimitSettings{"account": {Concurrency: 1}}})
		var made []*poller.Source
		marks := map[string]poller.Bookmarks{}
		for name, s := range map[string]poller.Settings{
			"ok": {Schedule: "0 9 * * *", Timezone: "Europe/Berlin"}, "down": {Schedule: "@daily"}, "off": {Schedule: "@daily", Disabled: true},
			"slow": {Schedule: "@hourly", Limit: "account"}, "waits": {Schedule: "@hourly", Limit: "account"},
			"keys": {Schedule: "@every 10m", Watch: poller.WatchSettings{Keys: []string{"a", "bad", "c"}}},
		} {
			s.Request = poller.RequestSettings{URL: "http://x.example/" + name, Timeout: units.Duration(time.Hour)}
			if name == "keys" {
				s.Request.URL += "/{{ key }}"
			}
			src, err := poller.NewSource(name, s, poller.ResponseSettings{}, c)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, src)
			marks[name] = poller.Bookmarks{Next: at(10 * time.Second)}
		}
		marks["waits"] = poller.Bookmarks{Next: at(11 * time.Second)}
		p := poller.New(made, marks, &sink{}, poller.Options{Drain: time.Second})
		if s, ok := p.Status("ok"); !ok || s.Schedule != "0 9 * * *" || !s.Next.IsZero() {
			t.Errorf("before the start it is %+v", s)
		}
		if _, ok := p.Status("nobody"); ok {
			t.Error("nobody has a status")
		}
		var got []poller.Status
		while(t, p, 90*time.Second, func() {
			time.Sleep(80 * time.Second)
			got = p.Statuses()
		})
		took := func(s poller.Status, ended, took time.Duration) poller.Status {
			s.Host, s.Ended, s.Took = "http://x.example:80", at(ended), took
			return s
		}
		const ms = time.Millisecond
		want := []poller.Status{
			took(poller.Status{
				Source: "down", Schedule: "@daily", Next: at(time.Hour + 10*time.Second), Failures: 1, FailingSince: at(10 * time.Second),
				LastError: "status: 503 Service Unavailable", Class: poller.ClassStatus,
			}, 10*time.Second, 0),
			{
				Source: "keys", Schedule: "@every 10m", Host: "http://x.example:80", Watches: 3,
				Failures: 1, LastError: "status: 500 Internal Server Error (watch key bad)", Class: poller.ClassStatus,
			},
			{Source: "off", Schedule: "@daily", Host: "http://x.example:80", Disabled: true},
			took(poller.Status{Source: "ok", Schedule: "0 9 * * *", Timezone: "Europe/Berlin", Next: at(8 * time.Hour)}, 10*time.Second+30*ms, 30*ms),
			{Source: "slow", Schedule: "@hourly", Host: "http://x.example:80", Limit: "account", Polling: true},
			{Source: "waits", Schedule: "@hourly", Host: "http://x.example:80", Limit: "account", Next: at(11 * time.Second), Waiting: "limit account"},
		}
		for i := range got { // the keys have their times by their number
			if got[i].Source == "keys" {
				if late := got[i].Next.Sub(at(80 * time.Second)); late <= 0 || late > 10*time.Minute || got[i].Ended.IsZero() {
					t.Errorf("keys: %+v", got[i])
				}
				got[i].Next, got[i].Ended, got[i].Took, got[i].FailingSince = time.Time{}, time.Time{}, 0, time.Time{}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestStatusNamesTheKeysThatFail, one of them, and counts the others.
func TestStatusNamesTheKeysThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s, err := poller.NewSource("s", poller.Settings{
			Schedule: "@every 1m", Watch: poller.WatchSettings{Keys: []string{"a", "b", "c", "d"}, Batch: 2},
			Request: poller.RequestSettings{URL: "http://x.example/", Query: map[string]string{"ids": "{{ join(keys, \",\") }}"}},
		}, poller.ResponseSettings{}, poller.NewClientOver(roundTripper(func(*http.Request) (*http.Response, error) {
			return reply(500, "")
		}), poller.ClientOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		p := poller.New([]*poller.Source{s}, nil, &sink{}, poller.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		while(t, p, 10*time.Minute, func() {
			time.Sleep(5 * time.Minute)
			got, _ := p.Status("s")
			if ok, _ := regexp.MatchString(`^status: 500 .* \(watch key [ac] and 3 others\)$`, got.LastError); !ok {
				t.Errorf("its status is %q", got.LastError)
			}
		})
		if ok, _ := regexp.MatchString(`msg="poll failed" source=s watch=[ac] others=1 `, log.String()); !ok {
			t.Errorf("the log is\n%s", log.String())
		}
	})
}

// TestStatusWhilePolling is for the race detector: nobody waits for a poll to
// be looked at.
func TestStatusWhilePolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newCrowd()
		p := poller.New([]*poller.Source{
			watched(t, api, "@every 1s", poller.WatchSettings{Keys: []string{"a", "b", "c"}, API: true}),
		}, nil, &sink{}, poller.Options{Watches: newDiary()})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		for range 5_000 {
			time.Sleep(time.Millisecond)
			if s, ok := p.Status("s"); !ok || s.Watches != 3 {
				t.Fatalf("%+v", s)
			}
			_ = p.PollNow("s", "a")
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}
