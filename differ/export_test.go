package differ

import "time"

// Remembered is how many items d has in memory of a source, gone ones too.
func Remembered(d *Differ, source string) int { return len(d.memories[source].entries) }

// SetNow gives d another clock on the wall.
func SetNow(d *Differ, now func() time.Time) { d.now = now }

// Timers is how many timers d has in memory of a unit.
func Timers(d *Differ, unit string) (n int) {
	mem := d.memories[unit]
	if mem == nil || mem.timers == nil {
		return 0
	}
	for _, of := range mem.timers.of {
		n += len(of.byKey)
	}
	return n
}

// TimeOf reads a time as rules do, in a zone.
func TimeOf(v any, zone string) (time.Time, error) { return newMoments(zone).read(v) }
