package emitter

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestRetryAfter caps what a receiver may ask for.
const longestRetryAfter = 24 * time.Hour

// ParseRetryAfter reads the value of a Retry-After header: seconds, whole or
// decimal, or one of the three forms of date of RFC 9110, section 5.6.7. The
// wait is capped at 24 hours. It is false where the value is none of these,
// and zero where it names a time that has passed.
func ParseRetryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if isDecimal(value) {
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil && !math.IsInf(seconds, 1) { // out of range is only long
			return 0, false
		}
		if seconds >= longestRetryAfter.Seconds() {
			return longestRetryAfter, true
		}
		return time.Duration(seconds * float64(time.Second)), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), longestRetryAfter), true
}

// isDecimal reports whether s is digits with at most one dot among them:
// neither the signs nor the exponents, hexadecimals and infinities that
// ParseFloat takes.
func isDecimal(s string) bool {
	whole, fraction, dotted := strings.Cut(s, ".")
	digits := func(s string) bool {
		return s != "" && strings.Trim(s, "0123456789") == ""
	}
	return digits(whole) && (!dotted || digits(fraction))
}
