package retryafter

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// families are the names under which servers tell what is left of a budget.
// Their resets are read alike, for vendors don't agree even with themselves.
var families = []string{"X-Ratelimit-", "X-Rate-Limit-", "Ratelimit-"}

// epochFrom is the number from which a reset is seconds since 1970 rather than
// from now: no budget lasts 31 years.
const epochFrom = 1e9

// Header is how long an answer with this status and header asks to be left
// alone: by Retry-After, unless the status is 2xx or 304, and by a budget of
// which nothing is left (X-RateLimit-Remaining, X-Rate-Limit-Remaining,
// RateLimit-Remaining, or r of RateLimit) until its reset. Of several waits it
// is the longest, at most Longest; 0: it doesn't ask.
//
// A reset is seconds from now, seconds or milliseconds since 1970, or a date.
// With a status of 429 nothing is left, where the header doesn't say how much.
func Header(h http.Header, status int, now time.Time) (wait time.Duration) {
	if status >= 300 && status != http.StatusNotModified {
		wait, _ = Parse(h.Get("Retry-After"), now)
	}
	for _, family := range families {
		remaining := h.Get(family + "Remaining")
		if isNone(remaining) || remaining == "" && status == http.StatusTooManyRequests {
			wait = max(wait, reset(h.Get(family+"Reset"), now))
		}
	}
	return max(wait, fields(h.Values("Ratelimit"), now))
}

// isNone reports whether s is a number that is 0, or less.
func isNone(s string) bool {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil && n <= 0
}

// reset is how long it is until a reset; 0 where it is none.
func reset(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return min(max(at.Sub(now), 0), Longest)
	}
	if !isDecimal(value) {
		wait, _ := Parse(value, now)
		return wait
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || n < epochFrom {
		wait, _ := Parse(value, now)
		return wait
	}
	if n >= epochFrom*1000 {
		n /= 1000
	}
	left := n - float64(now.UnixMilli())/1000
	return time.Duration(math.Min(math.Max(left, 0), Longest.Seconds()) * float64(time.Second))
}

// fields reads RateLimit as the IETF's draft has it since its eighth version
// (draft-ietf-httpapi-ratelimit-headers): a list of "name";r=0;t=30, one for
// each budget. What isn't of that form says nothing.
func fields(values []string, now time.Time) (wait time.Duration) {
	for item := range strings.SplitSeq(strings.Join(values, ","), ",") {
		var left, until string
		for parameter := range strings.SplitSeq(item, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			switch name {
			case "r":
				left = value
			case "t":
				until = value
			}
		}
		if isNone(left) {
			wait = max(wait, reset(until, now))
		}
	}
	return wait
}
