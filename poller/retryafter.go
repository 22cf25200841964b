package poller

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestWait is the most that a server may ask to wait.
const longestWait = 24 * time.Hour

// retryAfter reads a Retry-After header (RFC 9110, section 10.2.3): seconds,
// whole or, as some send, decimal, or one of the three forms of a date. It is
// capped at 24 h; 0 where there is none, where it has passed, or where it is
// neither.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789.") == "" {
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil && seconds == 0 { // not out of range, but no number
			return 0
		}
		return time.Duration(min(seconds, longestWait.Seconds()) * float64(time.Second))
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), longestWait)
}
