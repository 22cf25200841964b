package poller

import (
	"time"

	"github.com/robfig/cron/v3"

	"github.com/deltahook/deltahook/internal/zone"
)

// allHours are the bits of a cron hour field that matches every hour.
const allHours = 1<<24 - 1

// cronSchedule is a cron spec in a zone. The spec itself is reckoned on a
// clock without daylight saving (UTC standing for the wall clock), for
// robfig/cron skips times that the zone skips and gives twice those that it
// has twice; what a wall time means in the zone is decided here:
//
//   - A spec that matches every hour follows real time: it fires at each
//     instant at which the wall clock shows a time of the spec.
//   - Any other spec fires once for each wall time: a time that comes twice
//     counts at its first coming, one that is skipped at the end of the gap.
type cronSchedule struct {
	fields    *cron.SpecSchedule // in UTC
	zone      *time.Location
	everyHour bool
	offset    time.Duration // the source's share of the jitter
}

// Next is the first time after the given one.
func (c *cronSchedule) Next(after time.Time) time.Time {
	after = after.Add(-c.offset).In(c.zone)
	next := c.nextOnce(after)
	if c.everyHour {
		next = c.nextReal(after)
	}
	if next.IsZero() {
		return next
	}
	return next.Add(c.offset).UTC()
}

// nextReal is the first instant after t whose wall time matches.
func (c *cronSchedule) nextReal(t time.Time) time.Time {
	for {
		w := c.wallAfter(zone.Wall(t))
		if w.IsZero() {
			return w
		}
		next := t.Add(w.Sub(zone.Wall(t)))
		end := offsetEnd(t)
		if end.IsZero() || next.Before(end) {
			return next
		}
		// The offset may change before that: go on from there. The
		// instant of the change may itself match.
		if w := zone.Wall(end); c.wallAfter(w.Add(-1)).Equal(w) {
			return end
		}
		t = end
	}
}

// nextOnce is the first instant after t that stands for a matching wall time.
func (c *cronSchedule) nextOnce(t time.Time) time.Time {
	from := zone.Wall(t)
	if start, _ := t.ZoneBounds(); !start.IsZero() {
		// Wall times before the one at which the clock was last put back
		// had their turn.
		if before := zone.Wall(start.Add(-1)).Add(1); before.After(from) {
			from = before.Add(-1)
		}
	}
	for {
		w := c.wallAfter(from)
		if w.IsZero() {
			return w
		}
		if next := zone.Instant(w, c.zone); next.After(t) {
			return next
		}
		from = w
	}
}

// offsetEnd is a time after t up to which the zone's offset stays as it is at
// t; zero: it stays for ever. That is what Time.ZoneBounds says, but in years
// that the zone's rule covers it gives the year's end where no change comes
// before, and, on the last day of a leap year, 365 days after its beginning:
// a time that has passed.
func offsetEnd(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		return end.Add(24 * time.Hour)
	}
	return end
}

// wallAfter is the first wall time after w that matches. The library looks
// five years ahead, and from 2096 to 2104 no February has 29 days.
func (c *cronSchedule) wallAfter(w time.Time) time.Time {
	for range 3 {
		if next := c.fields.Next(w); !next.IsZero() {
			return next
		}
		w = time.Date(w.Year()+5, 1, 1, 0, 0, 0, 0, time.UTC).Add(-1)
	}
	return time.Time{}
}
