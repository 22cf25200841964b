package retryafter_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/internal/retryafter"
)

// header reads lines of "Name: value".
func header(lines string) http.Header {
	h := http.Header{}
	for line := range strings.Lines(lines) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			h.Add(name, value)
		}
	}
	return h
}

func TestHeader(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) // 1795428000
	for _, c := range []struct {
		name   string
		status int
		lines  string
		want   time.Duration
	}{
		{"nothing", 429, "", 0},
		{"Retry-After", 429, "Retry-After: 30", 30 * time.Second},
		{"decimal (Shopify)", 429, "Retry-After: 2.0", 2 * time.Second},
		{"Retry-After of a success", 200, "Retry-After: 30", 0},
		{"Retry-After of a 304", 304, "Retry-After: 30", 0},
		{"epoch (GitHub)", 403, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795428060", time.Minute},
		{"epoch, with the last one left (GitHub)", 200, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795428060", time.Minute},
		{"milliseconds since 1970", 200, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795428060500", 60500 * time.Millisecond},
		{"epoch (Okta)", 429, "X-Rate-Limit-Remaining: 0\nX-Rate-Limit-Reset: 1795428007", 7 * time.Second},
		{"seconds (the draft)", 200, "RateLimit-Remaining: 0\nRateLimit-Reset: 50", 50 * time.Second},
		{"a date", 200, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: Mon, 23 Nov 2026 10:01:00 GMT", time.Minute},
		{"a time", 200, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 2026-11-23T10:01:00Z", time.Minute},
		{"some left", 200, "X-RateLimit-Remaining: 57\nX-RateLimit-Reset: 1795428060", 0},
		{"some left of a 503", 503, "X-RateLimit-Remaining: 57\nX-RateLimit-Reset: 1795428060", 0},
		{"a 429 that only says until when", 429, "X-RateLimit-Reset: 1795428060", time.Minute},
		{"a 500 that only says until when", 500, "X-RateLimit-Reset: 1795428060", 0},
		{"less than nothing", 200, "X-RateLimit-Remaining: -1\nX-RateLimit-Reset: 9", 9 * time.Second},
		{"passed", 200, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795427999", 0},
		{"too long", 200, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1799999999", 24 * time.Hour},
		{"no reset", 200, "X-RateLimit-Remaining: 0", 0},
		{"nonsense", 200, "X-RateLimit-Remaining: none\nX-RateLimit-Reset: soon", 0},
		{"the longest", 429, "Retry-After: 5\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 9", 9 * time.Second},
		{"a structured field", 200, `RateLimit: "burst";r=3;t=1, "daily";r=0;t=3600`, time.Hour},
		{"two structured fields", 200, "RateLimit: \"a\";r=0;t=5\nRateLimit: \"b\"; r=0; t=7", 7 * time.Second},
		{"a structured field of nonsense", 200, `RateLimit: r;=;;t=,r=0`, 0},
	} {
		if got := retryafter.Header(header(c.lines), c.status, now); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add("0", "1795428060", `"a";r=0;t=5`, 429)
	f.Add("0", "1e400", `"a";r=-1;t=99999999999999999999999`, 200)
	f.Add("NaN", "2026-11-23T10:01:00Z", "", 304)
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, remaining, reset, field string, status int) {
		h := http.Header{"X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}, "Ratelimit": {field}}
		if got := retryafter.Header(h, status, now); got < 0 || got > retryafter.Longest {
			t.Errorf("%s", got)
		}
	})
}
