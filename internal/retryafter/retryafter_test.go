package retryafter_test

import (
	"testing"
	"time"

	"github.com/deltahook/deltahook/internal/retryafter"
)

func TestParse(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0":                               0,
		"120":                             2 * time.Minute,
		" 7 ":                             7 * time.Second,
		"0.3":                             300 * time.Millisecond,
		"1.5":                             1500 * time.Millisecond,
		"86400":                           24 * time.Hour,
		"86401":                           24 * time.Hour,
		"99999999999999999999999999999":   24 * time.Hour,
		"Mon, 23 Nov 2026 10:01:00 GMT":   time.Minute,    // IMF-fixdate
		"Monday, 23-Nov-26 10:01:00 GMT":  time.Minute,    // RFC 850
		"Mon Nov 23 10:01:00 2026":        time.Minute,    // asctime
		"Mon, 23 Nov 2026 09:59:00 GMT":   0,              // passed
		"Fri, 31 Dec 2126 23:59:59 GMT":   24 * time.Hour, // capped
		"Sunday, 23-Nov-97 10:01:00 GMT":  0,
		"00000000000000000000000000000.5": 500 * time.Millisecond,
	} {
		if got, ok := retryafter.Parse(value, now); !ok || got != want {
			t.Errorf("%q: %v, %v; want %v", value, got, ok, want)
		}
	}
	for _, value := range []string{"", "-1", "+1", "1e3", "0x10", "Inf", "NaN", ".5", "5.", "1.2.3", "1_0", "soon", "2026-11-23T10:01:00Z"} {
		if got, ok := retryafter.Parse(value, now); ok {
			t.Errorf("%q: %v, want nothing", value, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"120", "1.5", "Mon, 23 Nov 2026 10:01:00 GMT", "Monday, 23-Nov-26 10:01:00 GMT", "Mon Nov 23 10:01:00 2026", "1e400", "-1"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := retryafter.Parse(value, now)
		if got < 0 || got > 24*time.Hour || !ok && got != 0 {
			t.Errorf("%q: %v, %v", value, got, ok)
		}
	})
}
