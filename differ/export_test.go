package differ

import "time"

// Remembered is how many items d has in memory of a source, gone ones too.
func Remembered(d *Differ, source string) int { return len(d.memories[source].entries) }

// Repage reads a page of samples and writes what it read. n is how many
// buckets that were.
func Repage(number int64, data []byte) (again []byte, n int) {
	p := page{number, data}
	origin, width, _, ok := p.head()
	if !ok {
		return nil, 0
	}
	buckets := p.appendBuckets(nil)
	return newPage(number, origin, width, buckets).data, len(buckets)
}

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

// Keys are the keys of a memory, for the tests of its index.
type Keys struct{ m memory }

// Put enters key, if it is not there, and gives its number.
func (k *Keys) Put(key string) int {
	if k.m.find(key) == nil {
		k.m.enter(key)
	}
	return k.Find(key)
}

// Find gives the number of key; -1: it is not there.
func (k *Keys) Find(key string) int { return k.m.index.find(k.m.entries, key) }

// At is the key of a number.
func (k *Keys) At(i int) string { return k.m.entries[i].key }
