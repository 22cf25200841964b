package poller_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// TestEarlyRetries: a poll that failed is made again before its schedule comes,
// where that is long; never before the server wants, nor where a quota was
// reckoned from the schedule.
func TestEarlyRetries(t *testing.T) {
	const m, h, day = time.Minute, time.Hour, 24 * time.Hour
	late := []string{"Retry-After", "1500"}
	for _, c := range []struct {
		name, schedule string
		header         []string
		limits         poller.LimitSettings
		keys           []string
		works          int // the n-th poll does, and all after it; 0: none
		span           time.Duration
		want           []time.Duration
	}{
		{name: "a day, again each day", schedule: "@daily", span: day + 10*m, want: []time.Duration{0, m, 6 * m, 21 * m, day, day + m, day + 6*m}},
		{name: "an hour", schedule: "@hourly", span: h + 2*m, want: []time.Duration{0, m, 6 * m, 21 * m, h, h + m}},
		{name: "once more and it works", schedule: "@daily", works: 2, span: day + m, want: []time.Duration{0, m, day}},
		{name: "twenty minutes", schedule: "*/20 * * * *", span: 22 * m, want: []time.Duration{0, m, 6 * m, 20 * m, 21 * m}},
		{name: "as long as the wait", schedule: "* * * * *", span: 3 * m, want: []time.Duration{0, m, 2 * m, 3 * m}},
		{name: "not before the server wants", schedule: "@daily", header: late, span: 4 * h, want: []time.Duration{0, 25 * m, 50 * m, 75 * m}},
		{name: "not where that is near the schedule", schedule: "@hourly", header: late, span: 2*h + m, want: []time.Duration{0, 25 * m, h, h + 25*m, 2 * h}},
		{name: "a quota", schedule: "@daily", limits: poller.LimitSettings{Quota: units.Rate{N: 100, Per: day}}, span: day + h, want: []time.Duration{0, day}},
		{name: "a rate", schedule: "@daily", limits: poller.LimitSettings{Rate: units.Rate{N: 1, Per: 10 * m}}, span: h, want: []time.Duration{time.Second, 10*m + time.Second, 20*m + 2*time.Second, 35*m + 2*time.Second}},
		{name: "watch keys", schedule: "@daily", keys: []string{"a"}, span: day - m, want: []time.Duration{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var asked []time.Duration
				client := poller.NewClientOver(roundTripper(func(*http.Request) (*http.Response, error) {
					if asked = append(asked, time.Since(start).Round(time.Second)); c.works > 0 && len(asked) >= c.works {
						return reply(200, "{}")
					}
					return reply(503, "", c.header...)
				}), poller.ClientOptions{Limits: map[string]poller.LimitSettings{"l": c.limits}})
				settings := poller.Settings{Schedule: c.schedule, Request: poller.RequestSettings{URL: "http://x.example/"}, Watch: poller.WatchSettings{Keys: c.keys}}
				if c.limits != (poller.LimitSettings{}) {
					settings.Limit = "l"
				}
				if c.keys != nil {
					settings.Request.URL += "{{ key }}"
				}
				s, err := poller.NewSource("s", settings, poller.ResponseSettings{}, client)
				if err != nil {
					t.Fatal(err)
				}
				run(t, poller.New([]*poller.Source{s}, nil, &sink{}, poller.Options{}), c.span+time.Second)
				if c.keys != nil && len(asked) == 1 {
					asked[0] = 0 // anywhere in the interval
				}
				if diff := cmp.Diff(c.want, asked); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestResetIsFollowedUp: what changes between a reset and the next answer is
// told by nobody, so that answer is asked for at once; but not over and over.
func TestResetIsFollowedUp(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers map[int]int // status by number of the poll; others: 200
		want    []time.Duration
	}{
		{"once", map[int]int{2: 410}, []time.Duration{0, time.Hour, time.Hour + time.Second, 2 * time.Hour, 3 * time.Hour}},
		{"again and again", map[int]int{1: 410, 2: 410, 3: 410}, []time.Duration{0, time.Second, time.Hour, 2 * time.Hour, 3 * time.Hour}},
		{"once more later", map[int]int{1: 410, 3: 410}, []time.Duration{0, time.Second, time.Hour, time.Hour + time.Second, 2 * time.Hour, 3 * time.Hour}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var asked []time.Duration
				client := poller.NewClientOver(roundTripper(func(*http.Request) (*http.Response, error) {
					asked = append(asked, time.Since(start).Round(time.Second))
					if status := c.answers[len(asked)]; status != 0 {
						return reply(status, "")
					}
					return reply(200, "{}")
				}), poller.ClientOptions{})
				s, err := poller.NewSource("s", poller.Settings{Schedule: "@hourly", Request: poller.RequestSettings{URL: "http://x.example/"}},
					poller.ResponseSettings{Status: map[string]string{"410": "reset"}}, client)
				if err != nil {
					t.Fatal(err)
				}
				into := &sink{}
				run(t, poller.New([]*poller.Source{s}, nil, into, poller.Options{}), 3*time.Hour+time.Second)
				if diff := cmp.Diff(c.want, asked); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for i, a := range into.taken[:len(into.taken)-1] { // a restart goes on likewise
					if next := a.Bookmarks.Next.Sub(start).Round(time.Second); next != c.want[i+1] {
						t.Errorf("after poll %d the next one is stored for %s, want %s", i+1, next, c.want[i+1])
					}
				}
			})
		})
	}
}
