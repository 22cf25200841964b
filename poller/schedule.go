package poller

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/deltahook/deltahook/internal/units"
)

// Bounds of "@every".
const (
	shortestEvery = time.Second
	longestEvery  = 366 * 24 * time.Hour
)

// A Schedule says when a source is polled. It is immutable and safe for
// concurrent use.
type Schedule interface {
	// Next is the first time after the given one, in UTC. Successive calls
	// give strictly later times; the zero time is never given for a
	// schedule that ParseSchedule accepted.
	Next(after time.Time) time.Time
}

// ParseSchedule reads the schedule of the source called name.
//
// The spec is "@every D", one of @hourly, @daily, @midnight, @weekly,
// @monthly, @yearly, @annually, or five or six cron fields ([second] minute
// hour day-of-month month day-of-week) as robfig/cron reads them. A cron spec
// is read in timezone, an IANA name; empty means UTC. Its times are moved by
// hash(name) mod jitter; a jitter of zero moves nothing.
//
// "@every D" is the fixed grid of all times t with
//
//	(t - hash(name)) mod D = 0    counted from the Unix epoch
//
// so that sources are spread and a restart moves nothing. Timezone and jitter
// have no part in it. D lies between 1s and 366d.
//
// hash is the 64-bit FNV-1a of the name's bytes, as a number of nanoseconds.
// It never changes: it decides when deployed sources are polled.
//
// An error says which field is wrong and what was expected there.
func ParseSchedule(spec, timezone, name string, jitter time.Duration) (Schedule, error) {
	zone, err := parseZone(timezone)
	if err != nil {
		return nil, err
	}
	return parseSpec(spec, zone, name, jitter)
}

func parseSpec(spec string, zone *time.Location, name string, jitter time.Duration) (Schedule, error) {
	trimmed := strings.TrimSpace(spec)
	if interval, ok := strings.CutPrefix(trimmed, "@every"); ok {
		return parseEvery(strings.TrimSpace(interval), name)
	}
	if err := checkSpec(trimmed); err != nil {
		return nil, err
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	// The wall clock is reckoned in UTC, where no hour is missing or comes
	// twice; cronSchedule brings it into the zone.
	parsed, err := parser.Parse(trimmed)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", spec, err)
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("schedule %q: not a cron spec", spec)
	}
	fields.Location = time.UTC
	c := &cronSchedule{
		fields:    fields,
		zone:      zone,
		everyHour: fields.Hour&allHours == allHours,
		offset:    spread(name, jitter),
	}
	if c.wallAfter(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("schedule %q never comes: no month of those named has such a day", spec)
	}
	return c, nil
}

// parseZone is the location of an IANA name; empty is UTC.
func parseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("timezone %q: not an IANA name such as Europe/Berlin or UTC", name)
	}
	return zone, nil
}

// everySchedule is "@every": a grid that does not know of zones.
type everySchedule struct{ interval, phase time.Duration }

func parseEvery(text, name string) (Schedule, error) {
	var d units.Duration
	if err := d.UnmarshalText([]byte(text)); err != nil {
		return nil, fmt.Errorf("@every: %w", err)
	}
	interval := d.Std()
	if interval < shortestEvery || interval > longestEvery {
		return nil, fmt.Errorf("@every %s: expected 1s to 366d", text)
	}
	return everySchedule{interval, spread(name, interval)}, nil
}

// Next is the first point of the grid after the given time.
func (e everySchedule) Next(after time.Time) time.Time {
	since := (after.UnixNano() - int64(e.phase)) % int64(e.interval)
	if since < 0 {
		since += int64(e.interval)
	}
	return time.Unix(0, after.UnixNano()-since+int64(e.interval)).UTC()
}

// spread is a stable amount below window that the name decides; 0 where the
// window is not positive.
func spread(name string, window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return time.Duration(h.Sum64() % uint64(window))
}
