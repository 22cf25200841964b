package zone_test

import (
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/internal/zone"
)

// Winter and summer of what Graph and Google say, by either name.
func TestLoad(t *testing.T) {
	for name, want := range map[string]string{
		"Europe/Berlin":                  "2026-01-01T12:00:00+01:00 2026-07-01T12:00:00+02:00",
		"W. Europe Standard Time":        "2026-01-01T12:00:00+01:00 2026-07-01T12:00:00+02:00",
		"Romance Standard Time":          "2026-01-01T12:00:00+01:00 2026-07-01T12:00:00+02:00",
		"GMT Standard Time":              "2026-01-01T12:00:00Z 2026-07-01T12:00:00+01:00",
		"Pacific Standard Time":          "2026-01-01T12:00:00-08:00 2026-07-01T12:00:00-07:00",
		"Central Standard Time (Mexico)": "2026-01-01T12:00:00-06:00 2026-07-01T12:00:00-06:00",
		"India Standard Time":            "2026-01-01T12:00:00+05:30 2026-07-01T12:00:00+05:30",
		"Tokyo Standard Time":            "2026-01-01T12:00:00+09:00 2026-07-01T12:00:00+09:00",
		"AUS Eastern Standard Time":      "2026-01-01T12:00:00+11:00 2026-07-01T12:00:00+10:00",
		"UTC+12":                         "2026-01-01T12:00:00+12:00 2026-07-01T12:00:00+12:00",
		"UTC":                            "2026-01-01T12:00:00Z 2026-07-01T12:00:00Z",
		"Etc/UTC":                        "2026-01-01T12:00:00Z 2026-07-01T12:00:00Z",
	} {
		var cache zone.Cache
		for range 2 {
			l, err := cache.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			winter, summer := time.Date(2026, 1, 1, 12, 0, 0, 0, l), time.Date(2026, 7, 1, 12, 0, 0, 0, l)
			if got := winter.Format(time.RFC3339) + " " + summer.Format(time.RFC3339); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
	for _, name := range []string{"", "Local", "Europe/Berln", "w. europe", "../etc/passwd", "Europe//Berlin", "./Europe/Berlin", "Europe/./Berlin", "/etc/localtime", strings.Repeat("x", 1000), "tzone://Microsoft/Custom"} {
		if l, err := zone.Load(name); err == nil {
			t.Errorf("%q is %s", name, l)
		} else if len(err.Error()) > 250 {
			t.Errorf("%.20q: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func TestInstant(t *testing.T) {
	for _, c := range []struct{ in, wall, want string }{
		{"Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29T00:59:59Z"},
		{"Europe/Berlin", "2026-03-29 02:00:00", "2026-03-29T01:00:00Z"}, // the gap: its end
		{"Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29 03:00:00", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"}, // twice: the first
		{"Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z"},
		{"America/New_York", "2026-03-08 02:30:00", "2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-11-01 01:30:00", "2026-11-01T05:30:00Z"},
		{"Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-03T15:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z"},
		{"Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30T10:00:00Z"},      // a day that was skipped
		{"America/Sao_Paulo", "2018-11-04 00:00:00", "2018-11-04T03:00:00Z"}, // midnight that was skipped
	} {
		l, err := zone.Load(c.in)
		if err != nil {
			t.Fatal(err)
		}
		wall, err := time.Parse(time.DateTime, c.wall)
		if err != nil {
			t.Fatal(err)
		}
		if got := zone.Instant(wall, l).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s is %s, want %s", c.wall, c.in, got, c.want)
		}
	}
}

// Where the wall clock shows a time at all, it shows it at the instant that is
// given, and not before.
func TestInstantIsWhatTheWallShows(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		l, err := zone.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		first := map[time.Time]time.Time{}
		for at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2027; at = at.Add(15 * time.Minute) {
			w := zone.Wall(at.In(l))
			if _, ok := first[w]; !ok {
				first[w] = at
			}
		}
		for w, want := range first {
			if got := zone.Instant(w, l); !got.Equal(want) {
				t.Fatalf("%s in %s is %s, want %s", w.Format(time.DateTime), name, got.UTC(), want)
			}
		}
	}
}
