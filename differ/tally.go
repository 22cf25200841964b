package differ

import (
	"maps"
	"sync"
	"time"
)

// Tally is what there is of a source in a few numbers; all watch keys are one.
type Tally struct {
	Items int       // that are there
	Since time.Time // when its first answer was taken in, of watch keys the first; zero: none was
}

// tallies are those of all sources that were ever answered.
type tallies struct {
	mu sync.Mutex
	of map[string]Tally
}

// add adds items to a source's, and one of the times since when it is known.
func (t *tallies) add(source string, items int, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[string]Tally{}
	}
	now := t.of[source]
	now.Items += items
	if !since.IsZero() && (now.Since.IsZero() || since.Before(now.Since)) {
		now.Since = since
	}
	t.of[source] = now
}

func (t *tallies) drop(source string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, source)
}

// Tally is that of a source; zero: it was never answered.
func (d *Differ) Tally(source string) Tally {
	d.tallies.mu.Lock()
	defer d.tallies.mu.Unlock()
	return d.tallies.of[source]
}

// Tallies are those of all sources that were ever answered.
func (d *Differ) Tallies() map[string]Tally {
	d.tallies.mu.Lock()
	defer d.tallies.mu.Unlock()
	return maps.Clone(d.tallies.of)
}
