package units

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// RatePattern matches the written form of a Rate.
const RatePattern = `^[1-9][0-9]*/([1-9][0-9]*)?(ms|s|m|h|d|w)$|^[1-9][0-9]*/(second|minute|hour|day|week)$`

// Rate is a number of things in a span of time, written 5/s, 1400/10s or
// 250/day. The zero value is none at all, which has no written form.
type Rate struct {
	N   int           // at least 1
	Per time.Duration // at least 1ms
}

var (
	rateForm = regexp.MustCompile(RatePattern)
	rateWord = map[string]string{"second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w"}
)

// IsZero reports whether r is the zero value.
func (r Rate) IsZero() bool { return r == Rate{} }

// In is how many there are in a span of time at this rate.
func (r Rate) In(span time.Duration) float64 {
	if r.Per <= 0 {
		return 0
	}
	return float64(r.N) * (float64(span) / float64(r.Per))
}

// UnmarshalText reads the written form.
func (r *Rate) UnmarshalText(b []byte) error {
	s := string(b)
	if !rateForm.MatchString(s) {
		return fmt.Errorf("%q is not a rate such as 5/s, 1400/10s or 250/day", s)
	}
	count, span, _ := strings.Cut(s, "/")
	if unit, ok := rateWord[span]; ok {
		span = unit
	}
	if span[0] > '9' {
		span = "1" + span
	}
	n, err := strconv.ParseInt(count, 10, 32)
	var per Duration
	if err != nil || per.UnmarshalText([]byte(span)) != nil {
		return fmt.Errorf("%q is too large a rate", s)
	}
	*r = Rate{int(n), per.Std()}
	return nil
}

// MarshalText writes the form that UnmarshalText reads; the zero value is
// empty.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String is the written form in the largest unit that divides the span: 5/s,
// 1400/10s, 250/day.
func (r Rate) String() string {
	if r.IsZero() {
		return ""
	}
	for _, u := range []string{"w", "d", "h", "m", "s", "ms"} {
		if n := r.Per / durationUnit[u]; n > 0 && r.Per%durationUnit[u] == 0 {
			switch {
			case n == 1 && u == "d":
				return fmt.Sprintf("%d/day", r.N)
			case n == 1:
				return fmt.Sprintf("%d/%s", r.N, u)
			}
			return fmt.Sprintf("%d/%d%s", r.N, n, u)
		}
	}
	return fmt.Sprintf("%d/%s", r.N, r.Per)
}
