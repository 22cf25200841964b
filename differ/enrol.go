package differ

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// Enrol notes that a watch key was added over the API, and returns when that
// is durable.
func (d *Differ) Enrol(ctx context.Context, source, key string) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := d.writing.Acquire(ctx, alone); err != nil {
		return err
	}
	defer d.writing.Release(alone)
	unit := poller.Unit(source, key)
	d.mu.Lock()
	before := d.standing[unit].enrolled
	d.enrolled(unit, true)
	b := d.stamp(unit, d.marks(unit))
	d.mu.Unlock()

	err = d.store.Keep(ctx, map[string]Kept{unit: {Bookmarks: b}})
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.enrolled(unit, before)
		return err
	}
	d.stored[unit] = b
	return nil
}

// enrolled notes in the standing of a unit whether it was added over the API.
// d.mu is held.
func (d *Differ) enrolled(unit string, is bool) {
	s := d.standing[unit]
	s.enrolled = is
	d.standing[unit] = s
}

// Forget drops all that is remembered of watch keys, and returns when that is
// durable. No answer of theirs may be on its way into Take.
func (d *Differ) Forget(ctx context.Context, source string, keys ...string) error {
	store, ok := d.store.(Forgetter)
	if !ok {
		return errors.New("the store forgets nothing")
	}
	units := make([]string, len(keys))
	for i, key := range keys {
		units[i] = poller.Unit(source, key)
	}
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	locked := units
	if d.quiets[source] != nil {
		locked = append(slices.Clone(units), source)
	}
	release, err := d.units.lock(ctx, locked...)
	if err != nil {
		return err
	}
	defer release()
	if d.quiets[source] != nil {
		if err := d.inheritQuiet(ctx, source); err != nil {
			return err
		}
	}
	if err := d.forget(ctx, store, units); err != nil {
		return err
	}
	d.unfeed(source, units)
	return nil
}

// forget is Forget under the locks of the units.
func (d *Differ) forget(ctx context.Context, store Forgetter, units []string) error {
	if err := d.writing.Acquire(ctx, alone); err != nil {
		return err
	}
	defer d.writing.Release(alone)
	err := store.Forget(ctx, units...)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, unit := range units {
		mem := d.memories[unit]
		if err != nil {
			if mem != nil {
				mem.doubtful = true
			}
			continue
		}
		d.drop(unit)
	}
	return err
}

// drop takes a unit out of memory. d.mu is held.
func (d *Differ) drop(unit string) {
	source, _ := poller.CutUnit(unit)
	if mem := d.memories[unit]; mem != nil && mem.counted > 0 {
		d.metrics.items.WithLabelValues(source).Sub(float64(mem.counted))
		d.tallies.add(source, -mem.counted, time.Time{})
	}
	delete(d.memories, unit)
	delete(d.stored, unit)
	delete(d.moved, unit)
	delete(d.doubted, unit)
	d.release(unit)
	delete(d.standing, unit)
	d.clock.set(task{unit: unit}, 0, false)
	if q := d.quiets[source]; q != nil {
		delete(q.silent, unit)
	}
	delete(d.holds, unit)
	d.metrics.held.Set(float64(len(d.holds)))
}
