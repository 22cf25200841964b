// Package zone is time zones by the names that APIs use, and what a clock on
// the wall means in one.
package zone

import (
	"fmt"
	"path"
	"sync"
	"time"
	_ "time/tzdata" // the container has no zone files
)

// longest is a name that is looked up: the longest there is has 33 bytes.
const longest = 64

// Load gives the zone of an IANA name (Europe/Berlin, UTC) or of a Windows
// name as Microsoft's APIs use them (W. Europe Standard Time). The zone of the
// machine, and no name at all, are errors.
func Load(name string) (*time.Location, error) {
	iana := name
	if of, ok := windows[name]; ok {
		iana = of
	}
	if iana != "" && iana != "Local" && len(iana) <= longest && path.Clean(iana) == iana { // it may be read as a path
		if l, err := time.LoadLocation(iana); err == nil {
			return l, nil
		}
	}
	if len(name) > longest {
		name = name[:longest] + "…"
	}
	return nil, fmt.Errorf("%q is neither an IANA zone such as Europe/Berlin nor a Windows zone such as W. Europe Standard Time", name)
}

// Cache remembers the zones that were loaded, which costs some 20 µs each. The
// zero value is empty. It may be used concurrently, and holds at most as many
// zones as there are names.
type Cache struct{ zones sync.Map }

// Load is the function of this name.
func (c *Cache) Load(name string) (*time.Location, error) {
	if l, ok := c.zones.Load(name); ok {
		return l.(*time.Location), nil
	}
	l, err := Load(name)
	if err == nil {
		c.zones.Store(name, l)
	}
	return l, err
}

// Wall is what the clock on the wall shows at t in t's zone, as if it were UTC.
func Wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// Instant is when the wall clock of a zone shows w, which is in UTC: for the
// first time, or, where the zone skips w, the end of the gap.
func Instant(w time.Time, in *time.Location) time.Time {
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), w.Nanosecond(), in)
	start, end := t.ZoneBounds()
	if !Wall(t).Equal(w) { // skipped; time.Date moved it to one side of the gap
		if Wall(t).After(w) {
			return start
		}
		return end
	}
	if start.IsZero() {
		return t
	}
	// Where the offset before this one was larger, w may have been shown
	// before the clock was put back.
	_, was := start.Add(-1).Zone()
	_, is := t.Zone()
	if first := t.Add(time.Duration(is-was) * time.Second); first.Before(start) && Wall(first.In(in)).Equal(w) {
		return first
	}
	return t
}
