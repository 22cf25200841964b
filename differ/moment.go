package differ

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/zone"
)

// moments reads times as APIs give them.
type moments struct {
	home  *time.Location // of times that say no zone
	zones zone.Cache
}

// newMoments reads times without a zone in the one that name calls; "" and
// what is no zone, which the poller tells, are UTC.
func newMoments(name string) *moments {
	home := time.UTC
	if l, err := zone.Load(name); err == nil {
		home = l
	}
	return &moments{home: home}
}

// env adds the function time to what expressions may name.
func (m *moments) env(e expr.Env) expr.Env {
	e["time"] = m.time
	return e
}

// Bounds of what is a time.
const (
	longestTime = 64                  // bytes of text
	firstMilli  = 100_000_000_000     // numbers from here on are milliseconds, below they are seconds
	lastMilli   = 253_402_300_799_999 // the end of the year 9999
)

// read gives the time that v is. The zero time is none: v is null or empty, or
// the year 1, which APIs give for no time.
func (m *moments) read(v any) (time.Time, error) {
	if fields, ok := v.(map[string]any); ok {
		return m.fields(fields)
	}
	return m.plain(v, m.home)
}

// fields is a time as Google Calendar and Microsoft Graph give it.
func (m *moments) fields(v map[string]any) (time.Time, error) {
	value, ok := first(v, "dateTime", "date_time", "date")
	if !ok {
		return time.Time{}, errors.New("a mapping without dateTime and without date is not a time")
	}
	in, _ := first(v, "timeZone", "time_zone")
	return m.in(value, in)
}

// first is the first of some fields that is not null; ok reports whether any of
// them is there.
func first(v map[string]any, names ...string) (value any, ok bool) {
	for _, name := range names {
		field, there := v[name]
		if ok = ok || there; field != nil {
			return field, true
		}
	}
	return nil, ok
}

// time is the function of this name in rules: a time that stands beside its
// zone. nil is nil.
func (m *moments) time(v any, in ...any) (any, error) {
	if len(in) > 1 {
		return nil, errors.New("time: a time and its zone were expected")
	}
	var t time.Time
	var err error
	if len(in) == 1 && in[0] != nil {
		t, err = m.in(v, in[0])
	} else {
		t, err = m.read(v)
	}
	if err != nil || t.IsZero() {
		return nil, err
	}
	return t, nil
}

// in reads a time in the zone of a name; nil and "" say none.
func (m *moments) in(v, name any) (time.Time, error) {
	text, ok := name.(string)
	switch {
	case name == nil || ok && text == "":
		return m.plain(v, m.home)
	case !ok:
		return time.Time{}, fmt.Errorf("the name of a zone was expected, not %T", name)
	}
	l, err := m.zones.Load(text)
	if err != nil {
		return time.Time{}, err
	}
	return m.plain(v, l)
}

// plain reads a single value; one that says no zone in that which is given.
func (m *moments) plain(v any, in *time.Location) (time.Time, error) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case string:
		return timeOf(v, in)
	case time.Time:
		return precise(v), nil
	case int:
		return unixTime(float64(v))
	case int64:
		return unixTime(float64(v))
	case float64:
		return unixTime(v)
	case map[string]any:
		return time.Time{}, errors.New("a mapping was given where a single time was expected")
	}
	return time.Time{}, fmt.Errorf("a value of the type %T is not a time", v)
}

// precise is t to the millisecond, in UTC; the year 1 is none.
func precise(t time.Time) time.Time {
	if t = t.UTC(); t.Year() <= 1 {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// unixTime is Unix seconds or milliseconds.
func unixTime(n float64) (time.Time, error) {
	switch {
	case !(n >= 0 && n <= lastMilli):
		return time.Time{}, fmt.Errorf("%v is not a time: Unix seconds or milliseconds were expected", n)
	case n < firstMilli:
		n *= 1000
	}
	return time.UnixMilli(int64(math.Floor(n))).UTC(), nil
}

// timeForm is RFC 3339 and what is near to it: a space for the T, no seconds,
// any number of decimals, no offset or one without a colon; or a date alone.
var timeForm = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})` +
	`(?:[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?([.,][0-9]{1,30})? ?([Zz]|[+-][0-9]{2}:?(?:[0-9]{2})?)?)?$`)

// timeOf reads a time that is text.
func timeOf(text string, in *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if len(text) > longestTime {
		return time.Time{}, fmt.Errorf("a text of %d bytes is not a time", len(text))
	}
	part := timeForm.FindStringSubmatch(text)
	if len(part) == 0 || part[3] == "" && part[4] != "" {
		return time.Time{}, fmt.Errorf("%q is not a time such as 2026-11-23T09:00:00Z, 2026-11-23 09:00 or 2026-11-23", text)
	}
	date, minutes, seconds, decimals, offset := part[1], part[2], part[3], part[4], part[5]
	if date < "0002" {
		return time.Time{}, nil
	}
	if minutes == "" {
		minutes = "00:00"
	}
	if seconds == "" {
		seconds = ":00"
	}
	wall, err := time.Parse(time.DateTime, date+" "+minutes+seconds)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time: there is no such day or hour", text)
	}
	wall = wall.Add(millis(decimals))
	if offset == "" {
		return precise(zone.Instant(wall, in)), nil
	}
	east, ok := eastOf(offset)
	if !ok {
		return time.Time{}, fmt.Errorf("%q is not a time: there is no such offset", text)
	}
	return precise(wall.Add(-east)), nil
}

// millis is the thousandths of decimals such as ".0000000".
func millis(decimals string) time.Duration {
	n := 0
	for i := 1; i <= 3; i++ {
		n *= 10
		if i < len(decimals) {
			n += int(decimals[i] - '0')
		}
	}
	return time.Duration(n) * time.Millisecond
}

// eastOf is how far an offset is ahead of UTC: Z, +01, +0100 or +01:00.
func eastOf(offset string) (time.Duration, bool) {
	if offset == "Z" || offset == "z" {
		return 0, true
	}
	digit := func(i int) int { return int(offset[i] - '0') }
	hours, minutes := 10*digit(1)+digit(2), 0
	if n := len(offset); n >= 5 {
		minutes = 10*digit(n-2) + digit(n-1)
	}
	east := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if offset[0] == '-' {
		east = -east
	}
	return east, hours < 24 && minutes < 60 && offset[len(offset)-1] != ':'
}
