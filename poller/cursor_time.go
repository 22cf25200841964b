package poller

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Unix times, by their size: below the first they are seconds (until the year
// 5138), below the second milliseconds.
const (
	unixMilli = 100_000_000_000
	unixMost  = 100_000_000_000_000
)

// timeForm is RFC 3339's date-time: date, time, fraction, zone.
var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$`)

// earlier is a time, as JSON, that is by so much earlier: in RFC 3339, or Unix
// seconds or milliseconds as a number or as text. It keeps its form: the zone,
// the digits of its fraction, the quotes. A Unix time does not go below 0. It
// reports false for what is no time.
func earlier(value string, by time.Duration) (string, bool) {
	var text string
	if json.Unmarshal([]byte(value), &text) != nil {
		return earlierUnix(value, by)
	}
	if shifted, ok := earlierUnix(text, by); ok {
		return strconv.Quote(shifted), true
	}
	m := timeForm.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
	if err != nil {
		return "", false
	}
	t = t.Add(-by)
	layout := "2006-01-02T15:04:05"
	if fraction := len(m[1]); fraction > 0 {
		layout += "." + strings.Repeat("0", fraction-1)
	}
	if t.Year() < 0 {
		return "", false
	}
	return strconv.Quote(t.Format(layout) + m[2]), true
}

// unixForm is a Unix time: digits, and perhaps a fraction.
var unixForm = regexp.MustCompile(`^(0|[1-9]\d{0,14})(\.\d+)?$`)

// earlierUnix does it for a number. What is taken off is a whole number of its
// units, rounded up.
func earlierUnix(text string, by time.Duration) (string, bool) {
	m := unixForm.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n >= unixMost {
		return "", false
	}
	unit := time.Second
	if n >= unixMilli {
		unit = time.Millisecond
	}
	if n -= int64((by + unit - 1) / unit); n < 0 {
		return "0", true
	}
	return strconv.FormatInt(n, 10) + m[2], true
}
