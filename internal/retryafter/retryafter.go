// Package retryafter reads how long a server asks to be left alone.
package retryafter

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Longest caps what a server may ask for.
const Longest = 24 * time.Hour

// Parse reads the value of a Retry-After header (RFC 9110, section 10.2.3):
// seconds, whole or, as some send, decimal, or one of the three forms of a
// date (section 5.6.7). The wait is at most Longest. It is false, and zero,
// where the value is none of these, and zero where it names a time that has
// passed.
func Parse(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if isDecimal(value) {
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil && !math.IsInf(seconds, 1) { // out of range is only long
			return 0, false
		}
		if seconds >= Longest.Seconds() {
			return Longest, true
		}
		return time.Duration(seconds * float64(time.Second)), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), Longest), true
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
