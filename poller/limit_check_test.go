package poller_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/poller"
)

func reports(r fault.Report) (all []string) {
	for _, f := range r.All() {
		kind := "fault"
		if f.Warning {
			kind = "warning"
		}
		all = append(all, fmt.Sprint(kind, " ", strings.Join(f.Path, "."), ": ", f.Text))
	}
	return all
}

func TestSchedulesThatDoNotFit(t *testing.T) {
	day, hour := 24*time.Hour, time.Hour
	sources := func(limit string, schedules ...string) map[string]poller.Settings {
		all := map[string]poller.Settings{"other": {Schedule: "@every 1s"}, "off": {Schedule: "@every 1s", Limit: limit, Disabled: true}}
		for i, s := range schedules {
			all[fmt.Sprint("s", i)] = poller.Settings{Schedule: s, Limit: limit}
		}
		return all
	}
	same := func(n int, schedule string) (all []string) {
		for range n {
			all = append(all, schedule)
		}
		return all
	}
	for _, c := range []struct {
		name      string
		limit     poller.LimitSettings
		schedules []string
		want      []string
	}{
		{"fits", poller.LimitSettings{Quota: rate(288, day), Rate: rate(12, hour)}, []string{"*/5 * * * *"}, nil},
		{"a day's quota", poller.LimitSettings{Quota: rate(10_000, day)}, same(48, "*/5 * * * *"), []string{
			"warning limits.x.quota: the schedules do not fit: 48 sources × 288 polls a day = 13,824, quota 10,000/day",
		}},
		{"office hours", poller.LimitSettings{Quota: rate(107, day)}, []string{"*/5 9-17 * * 1-5"}, []string{
			"warning limits.x.quota: the schedules do not fit: 1 source × 108 polls a day = 108, quota 107/day",
		}},
		{"seconds", poller.LimitSettings{Quota: rate(1, day)}, []string{"*/10 * * * * *"}, []string{
			"warning limits.x.quota: the schedules do not fit: 1 source × 8,640 polls a day = 8,640, quota 1/day",
		}},
		{"several", poller.LimitSettings{Quota: rate(25, day)}, []string{"@hourly", "@hourly", "@every 7m", "@daily", "@every 100d", "0 9,15 * * *"}, []string{
			"warning limits.x.quota: the schedules do not fit: 1 source × 206 + 2 sources × 24 + 1 source × 2 + others polls a day = 258, quota 25/day",
		}},
		{"a rate", poller.LimitSettings{Rate: rate(20, time.Second)}, same(500, "@every 15s"), []string{
			"warning limits.x.rate: the schedules do not fit: 500 sources × 240 polls an hour = 120,000, rate 20/s allows 72,000",
		}},
		{"a rate of a day", poller.LimitSettings{Rate: rate(250, day)}, same(2, "@every 10m"), []string{
			"warning limits.x.rate: the schedules do not fit: 2 sources × 144 polls a day = 288, rate 250/day allows 250",
		}},
		{"both", poller.LimitSettings{Rate: rate(1, hour), Quota: rate(1, day)}, []string{"@every 30m", "a bad one"}, []string{
			"warning limits.x.quota: the schedules do not fit: 1 source × 48 polls a day = 48, quota 1/day",
			"warning limits.x.rate: the schedules do not fit: 1 source × 2 polls an hour = 2, rate 1/h allows 1",
		}},
	} {
		r := fault.New()
		poller.CheckLimits(r, map[string]poller.LimitSettings{"x": c.limit, "unused": {Quota: rate(1, day)}}, sources("x", c.schedules...))
		if diff := cmp.Diff(c.want, reports(r)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestWatchesThatDoNotFit: each batch of watch keys is a request.
func TestWatchesThatDoNotFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.txt")
	if err := os.WriteFile(path, []byte(strings.Join(numbered(0, 1000), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	limits := map[string]poller.LimitSettings{"x": {Quota: rate(10_000, 24*time.Hour), Rate: rate(1, time.Second)}}
	for _, c := range []struct {
		watch poller.WatchSettings
		want  []string
		room  string
	}{
		{poller.WatchSettings{Keys: numbered(0, 3)}, nil, ""},
		{poller.WatchSettings{API: true}, nil, "limit x has room for 33 keys (quota 10,000/day, 288 polls)"},
		{poller.WatchSettings{Fed: true, Batch: 30}, nil, "limit x has room for 990 keys (quota 10,000/day, 288 polls)"},
		{poller.WatchSettings{Keys: []string{"k00001", "more"}, File: path, Batch: 30, API: true}, []string{
			"warning limits.x.quota: the schedules do not fit: 1 source × 288 × 34 (1,001 watch keys, 30 in a request) + 1 source × 288 requests a day = 10,080, quota 10,000/day",
		}, "limit x has room for 990 keys (quota 10,000/day, 288 polls)"},
		{poller.WatchSettings{Keys: []string{"k00001", "more"}, File: path, Batch: 10}, []string{
			"warning limits.x.quota: the schedules do not fit: 1 source × 288 × 101 (1,001 watch keys, 10 in a request) + 1 source × 288 requests a day = 29,376, quota 10,000/day",
		}, ""},
		{poller.WatchSettings{File: path}, []string{
			"warning limits.x.quota: the schedules do not fit: 1 source × 288 × 1,000 watch keys + 1 source × 288 requests a day = 288,288, quota 10,000/day",
			"warning limits.x.rate: the schedules do not fit: 1 source × 12 × 1,000 watch keys + 1 source × 12 requests an hour = 12,012, rate 1/s allows 3,600",
		}, ""},
	} {
		r := fault.New()
		sources := map[string]poller.Settings{"plain": {Schedule: "*/5 * * * *", Limit: "x"}, "s": {Schedule: "*/5 * * * *", Limit: "x", Watch: c.watch}}
		poller.CheckLimits(r, limits, sources)
		if diff := cmp.Diff(c.want, reports(r)); diff != "" {
			t.Errorf("%+v: %s", c.watch.Describe(), diff)
		}
		if got := poller.Room("s", limits, sources); got != c.room {
			t.Errorf("%s: %q, want %q", c.watch.Describe(), got, c.room)
		}
	}
}

func TestLimitSettings(t *testing.T) {
	for _, c := range []struct {
		s    poller.LimitSettings
		want string
	}{
		{poller.LimitSettings{Rate: rate(1400, 10*time.Second), Quota: rate(100_000, 24*time.Hour), Concurrency: 4}, ""},
		{poller.LimitSettings{}, "warning limits.x: limits nothing: it has neither rate, quota nor concurrency"},
		{poller.LimitSettings{Rate: rate(1, 500*time.Millisecond)}, "fault limits.x.rate: 1/500ms: expected so many in 1s to 24h"},
		{poller.LimitSettings{Rate: rate(1, 48*time.Hour)}, "fault limits.x.rate: 1/2d: expected so many in 1s to 24h"},
		{poller.LimitSettings{Rate: rate(100_001, time.Second)}, "fault limits.x.rate: 100001/s: expected at most 100000"},
		{poller.LimitSettings{Quota: rate(60, time.Hour)}, "fault limits.x.quota: 60/h: expected so many a day, such as 60/day"},
		{poller.LimitSettings{Concurrency: 257}, "fault limits.x.concurrency: expected a number from 0 to 256"},
		{poller.LimitSettings{Concurrency: -1}, "fault limits.x.concurrency: expected a number from 0 to 256"},
	} {
		r := fault.New()
		c.s.Check(r.At("limits", "x"))
		if diff := cmp.Diff(c.want, strings.Join(reports(r), "\n")); diff != "" {
			t.Errorf("%+v: %s", c.s, diff)
		}
	}
}
