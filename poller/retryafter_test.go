package poller_test

import (
	"testing"
	"time"

	"github.com/deltahook/deltahook/poller"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"120": 2 * time.Minute, " 3 ": 3 * time.Second, "0.25": 250 * time.Millisecond, "0": 0, "99999999999": 24 * time.Hour,
		"Mon, 23 Nov 2026 12:01:00 GMT": time.Minute, "Monday, 23-Nov-26 12:01:00 GMT": time.Minute, "Mon Nov 23 12:01:00 2026": time.Minute,
		"Mon, 23 Nov 2026 11:00:00 GMT": 0, "Thu, 23 Nov 2028 12:00:00 GMT": 24 * time.Hour,
		"": 0, "-1": 0, "1e3": 0, "Inf": 0, "0x10": 0, "1.2.3": 0, ".": 0, "soon": 0,
	} {
		if got := poller.RetryAfter(value, noon); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "0.25", "Mon, 23 Nov 2026 12:01:00 GMT", "1e309", "9999999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if got := poller.RetryAfter(value, noon); got < 0 || got > 24*time.Hour {
			t.Errorf("%q: %s", value, got)
		}
	})
}
