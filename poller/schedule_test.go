package poller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/poller"
)

const minute = "2006-01-02T15:04Z07:00"

func schedule(t testing.TB, spec, zone, name string, jitter time.Duration) poller.Schedule {
	t.Helper()
	s, err := poller.ParseSchedule(spec, zone, name, jitter)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func location(t testing.TB, zone string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(minute, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestDaylightSaving has each run from a time on, as the zone's own clock
// shows it. Berlin skips 02:00-03:00 and repeats it, New York skips
// 02:00-03:00 and repeats 01:00-02:00, Lord Howe skips 02:00-02:30 and repeats
// 01:30-02:00.
func TestDaylightSaving(t *testing.T) {
	for _, c := range []struct{ name, spec, zone, from, want string }{
		{"forward, in the gap", "30 2 * * *", "Europe/Berlin", "2026-03-28T00:00+01:00",
			"2026-03-28T02:30+01:00 2026-03-29T03:00+02:00 2026-03-30T02:30+02:00"},
		{"forward, several in the gap are one", "0,15,30 2 * * *", "Europe/Berlin", "2026-03-29T00:00+01:00",
			"2026-03-29T03:00+02:00 2026-03-30T02:00+02:00"},
		{"forward, in the gap and at its end", "0,30 2-3 * * *", "Europe/Berlin", "2026-03-29T00:00+01:00",
			"2026-03-29T03:00+02:00 2026-03-29T03:30+02:00 2026-03-30T02:00+02:00"},
		{"back, only the first", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00+02:00",
			"2026-10-25T02:30+02:00 2026-10-26T02:30+01:00"},
		{"back, asked between the two", "*/20 2 * * *", "Europe/Berlin", "2026-10-25T02:10+02:00",
			"2026-10-25T02:20+02:00 2026-10-25T02:40+02:00 2026-10-26T02:00+01:00"},
		{"back, asked in the second", "45 2 * * *", "Europe/Berlin", "2026-10-25T02:30+01:00",
			"2026-10-26T02:45+01:00"},
		{"back, the hour after", "0 3 * * *", "Europe/Berlin", "2026-10-25T02:30+02:00",
			"2026-10-25T03:00+01:00 2026-10-26T03:00+01:00"},
		{"every hour, forward", "30 * * * *", "Europe/Berlin", "2026-03-29T01:00+01:00",
			"2026-03-29T01:30+01:00 2026-03-29T03:30+02:00 2026-03-29T04:30+02:00"},
		{"every hour, back", "30 * * * *", "Europe/Berlin", "2026-10-25T01:00+02:00",
			"2026-10-25T01:30+02:00 2026-10-25T02:30+02:00 2026-10-25T02:30+01:00 2026-10-25T03:30+01:00"},
		{"every hour, at the change itself", "@hourly", "Europe/Berlin", "2026-10-25T01:30+02:00",
			"2026-10-25T02:00+02:00 2026-10-25T02:00+01:00 2026-10-25T03:00+01:00"},
		{"New York, forward", "30 2 * * *", "America/New_York", "2026-03-07T12:00-05:00",
			"2026-03-08T03:00-04:00 2026-03-09T02:30-04:00"},
		{"New York, back", "30 1 * * *", "America/New_York", "2026-10-31T12:00-04:00",
			"2026-11-01T01:30-04:00 2026-11-02T01:30-05:00"},
		{"New York, every hour, back", "15 * * * *", "America/New_York", "2026-11-01T00:30-04:00",
			"2026-11-01T01:15-04:00 2026-11-01T01:15-05:00 2026-11-01T02:15-05:00"},
		{"Lord Howe, forward, half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00+10:30",
			"2026-10-04T02:30+11:00 2026-10-05T02:15+11:00"},
		{"Lord Howe, back, half an hour", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00+11:00",
			"2026-04-05T01:45+11:00 2026-04-06T01:45+10:30"},
		{"Lord Howe, every hour, back", "45 * * * *", "Australia/Lord_Howe", "2026-04-05T01:00+11:00",
			"2026-04-05T01:45+11:00 2026-04-05T01:45+10:30 2026-04-05T02:45+10:30"},
		{"Lord Howe, every hour, forward", "45 * * * *", "Australia/Lord_Howe", "2026-10-04T01:00+10:30",
			"2026-10-04T01:45+10:30 2026-10-04T02:45+11:00"},
		{"every hour, the last day of a leap year", "30 * * * *", "Europe/Berlin", "2028-12-31T22:31+01:00",
			"2028-12-31T23:30+01:00 2029-01-01T00:30+01:00 2029-01-01T01:30+01:00"},
		{"once, the last day of a leap year", "30 0 * * *", "Europe/Berlin", "2028-12-31T00:31+01:00",
			"2029-01-01T00:30+01:00 2029-01-02T00:30+01:00"},
		{"a whole day skipped", "0 12 * * *", "Pacific/Apia", "2011-12-29T13:00-10:00",
			"2011-12-31T00:00+14:00 2011-12-31T12:00+14:00"},
		{"UTC by default", "30 2 * * *", "", "2026-03-28T12:00Z",
			"2026-03-29T02:30Z 2026-03-30T02:30Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := schedule(t, c.spec, c.zone, "a", 0)
			zone := location(t, c.zone)
			next := at(t, c.from)
			var got []string
			for range strings.FieldsSeq(c.want) {
				next = s.Next(next)
				got = append(got, next.In(zone).Format(minute))
			}
			if diff := cmp.Diff(strings.Fields(c.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScheduleSpecs(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"0 0 29 2 *", "2028-02-29T00:00:00Z"},
		{"10 30 6 * * fri,SAT", "2026-01-02T06:30:10Z"},
		{"0 12 1 jan,JUL ?", "2026-01-01T12:00:00Z"},
		{"@yearly", "2027-01-01T00:00:00Z"},
		{"  5/20 * * * *  ", "2026-01-01T00:05:00Z"},
	} {
		got := schedule(t, c.spec, "UTC", "a", 0).Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		if got.Format(time.RFC3339) != c.want {
			t.Errorf("%q: got %s, want %s", c.spec, got.Format(time.RFC3339), c.want)
		}
	}
	// No February has 29 days between 2096 and 2104.
	got := schedule(t, "0 0 29 2 *", "Europe/Berlin", "a", 0).Next(time.Date(2096, 3, 1, 0, 0, 0, 0, time.UTC))
	if want := "2104-02-28T23:00:00Z"; got.Format(time.RFC3339) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestScheduleFaults(t *testing.T) {
	for _, c := range []struct{ spec, zone, want string }{
		{"", "", "no schedule: expected 5 or 6 cron fields"},
		{"61 * * * *", "", `minute field "61": "61" is not 0 to 59`},
		{"* 9-17,24 * * *", "", `hour field "9-17,24": "24" is not 0 to 23`},
		{"* * 0 * *", "", `day-of-month field "0": "0" is not 1 to 31`},
		{"* * * mai *", "", `month field "mai": "mai" is not 1 to 12 or jan to dec`},
		{"* * * * 7", "", `day-of-week field "7": "7" is not 0 to 6 or sun to sat; Sunday is 0`},
		{"99 * * * * *", "", `second field "99"`},
		{"17-9 * * * *", "", "the range 17-9 runs backwards"},
		{"*/0 * * * *", "", `the step "0": expected a number from 1 to 60`},
		{"*-5 * * * *", "", `"*" is not 0 to 59`},
		{", * * * *", "", `"" is not 0 to 59`},
		{"+5 * * * *", "", `"+5" is not 0 to 59`},
		{"1-2-3 * * * *", "", `"2-3" is not 0 to 59`},
		{"* * * *", "", "found 4"},
		{"0 0 31 2 *", "", "never comes"},
		{"@fortnightly", "", "expected @hourly, @daily"},
		{"TZ=UTC 0 0 * * *", "", "write it as `timezone`"},
		{"TZ=", "", "write it as `timezone`"},
		{"CRON_TZ=Europe/Berlin 0 0 * * *", "", "write it as `timezone`"},
		{"@evry 5s", "", `(did you mean "@every 5s"?)`},
		{"@Hourly", "", `(did you mean "@hourly"?)`},
		{"@every 0", "", "expected 1s to 366d"},
		{"@every 999ms", "", "expected 1s to 366d"},
		{"@every 400d", "", "expected 1s to 366d"},
		{"@every -5s", "", `"-5s" is not a duration`},
		{"@every", "", `"" is not a duration`},
		{"@hourly", "Europe/Brelin", "not an IANA name"},
		{"@hourly", "Local", "not an IANA name"},
	} {
		_, err := poller.ParseSchedule(c.spec, c.zone, "a", 0)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in %q: got %v, want %q", c.spec, c.zone, err, c.want)
		}
	}
}

// TestEveryGrid pins the grid: it must be the same in every version.
func TestEveryGrid(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ name, spec, want string }{
		{"shipments", "@every 30s", "2026-01-01T00:00:06.569743248Z"},
		{"orders", "@every 30s", "2026-01-01T00:00:12.582064972Z"},
		{"shipments", "@every 7d", "2026-01-02T03:40:06.569743248Z"},
	} {
		s := schedule(t, c.spec, "", c.name, time.Hour)
		got := s.Next(from)
		if got.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s %s: got %s, want %s", c.name, c.spec, got.Format(time.RFC3339Nano), c.want)
		}
		if again := s.Next(from.Add(-time.Nanosecond)); !again.Equal(got) {
			t.Errorf("%s %s: the grid depends on when it is asked", c.name, c.spec)
		}
	}
}

func TestJitter(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	seen := map[time.Duration]bool{}
	for i := range 100 {
		s := schedule(t, "@hourly", "", fmt.Sprint("source-", i), 20*time.Second)
		first := s.Next(from)
		late := first.Sub(first.Truncate(time.Hour))
		if late < 0 || late >= 20*time.Second {
			t.Fatalf("moved by %s", late)
		}
		if got := s.Next(first); got.Sub(first) != time.Hour {
			t.Fatalf("the next is %s later", got.Sub(first))
		}
		seen[late.Truncate(time.Second)] = true
	}
	if len(seen) < 15 {
		t.Errorf("100 names fall into %d of 20 seconds", len(seen))
	}
}

// TestScheduleRises: whatever the spec, the zone and the time, Next is later
// than what it was asked after, never zero, and does not depend on from where
// in the interval it is asked.
func TestScheduleRises(t *testing.T) {
	zones := []string{"", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Casablanca"}
	field := func(low, high int) *rapid.Generator[string] {
		return rapid.OneOf(
			rapid.Just("*"),
			rapid.Map(rapid.IntRange(low, high), func(n int) string { return fmt.Sprint(n) }),
			rapid.Map(rapid.IntRange(1, high-low+1), func(n int) string { return fmt.Sprintf("*/%d", n) }),
			rapid.Map(rapid.IntRange(low, high), func(n int) string { return fmt.Sprintf("%d-%d", low, n) }),
		)
	}
	spec := rapid.OneOf(
		rapid.SampledFrom([]string{"@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@every 1s", "@every 17m", "@every 36h"}),
		rapid.Custom(func(t *rapid.T) string {
			return strings.Join([]string{
				field(0, 59).Draw(t, "minute"), field(0, 23).Draw(t, "hour"),
				field(1, 28).Draw(t, "day"), field(1, 12).Draw(t, "month"), field(0, 6).Draw(t, "weekday"),
			}, " ")
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		jitter := time.Duration(rapid.IntRange(0, 3600).Draw(t, "jitter")) * time.Second
		s, err := poller.ParseSchedule(spec.Draw(t, "spec"), rapid.SampledFrom(zones).Draw(t, "zone"), "a", jitter)
		if err != nil {
			t.Fatal(err)
		}
		after := rapid.OneOf(
			rapid.Map(rapid.Int64Range(1.3e9, 4.1e9), func(s int64) time.Time { return time.Unix(s, s%1000) }),
			rapid.Map(rapid.IntRange(2010, 2100), func(year int) time.Time { return time.Date(year, 12, 30, 18, 0, 0, 0, time.UTC) }),
		).Draw(t, "after")
		for range 50 {
			next := s.Next(after)
			if !next.After(after) {
				t.Fatalf("after %s comes %s", after, next)
			}
			between := after.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(after))-1).Draw(t, "between")))
			if again := s.Next(between); !again.Equal(next) {
				t.Fatalf("after %s comes %s, but after %s comes %s", after, next, between, again)
			}
			after = next
		}
	})
}

func FuzzParseSchedule(f *testing.F) {
	for _, seed := range []string{"*/5 * * * *", "@every 30s", "TZ=", "0 0 31 2 *", "* * 1-3/2 * * mon", "@every 1h30m"} {
		f.Add(seed, "Europe/Berlin", int64(time.Second))
	}
	f.Fuzz(func(t *testing.T, spec, zone string, jitter int64) {
		s, err := poller.ParseSchedule(spec, zone, "a", time.Duration(jitter))
		if err != nil {
			return
		}
		now := time.Date(2026, 3, 29, 0, 59, 59, 0, time.UTC)
		if next := s.Next(now); !next.After(now) {
			t.Errorf("%q: after %s comes %s", spec, now, next)
		}
	})
}

func BenchmarkScheduleNext(b *testing.B) {
	for _, spec := range []string{"@every 30s", "*/5 * * * *", "30 2 * * *", "0 0 29 2 *"} {
		b.Run(strings.ReplaceAll(spec, " ", "_"), func(b *testing.B) {
			s := schedule(b, spec, "Europe/Berlin", "a", 0)
			now := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				now = s.Next(now)
				if now.Year() > 2100 {
					now = time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
				}
			}
		})
	}
}
