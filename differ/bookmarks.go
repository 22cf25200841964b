package differ

import (
	"context"
	"sync"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// How bookmarks that moved without a change reach the disk.
const (
	flushEvery  = 5 * time.Second
	flushAtOnce = 1000 // sources in one transaction
	// nextWorth is how far a source's next run must have moved to be worth
	// a write of its own: losing it costs a source one early poll, so those
	// that are polled often never write one.
	nextWorth = 10 * time.Minute
	lastFlush = 5 * time.Second // time for the flush at the end
)

// Keep remembers bookmarks of a unit that moved without an answer being taken
// in. It does not wait for the disk.
func (d *Differ) Keep(unit string, b poller.Bookmarks) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, held := d.holds[unit] // a person may decide about the memory's own meanwhile
	if mem := d.memories[unit]; held || mem != nil && mem.open() {
		b = withoutValidators(b)
	}
	d.mark(unit, b, nil)
}

// marks are the bookmarks that a unit has: those that wait for a flush, or those
// that are stored. d.mu is held.
func (d *Differ) marks(unit string) poller.Bookmarks {
	if k, moved := d.moved[unit]; moved {
		return k.Bookmarks
	}
	return d.stored[unit]
}

// mark puts bookmarks and notes on the list of the next flush, where that is
// worth it. d.mu is held.
func (d *Differ) mark(unit string, b poller.Bookmarks, notes []Note) {
	b = d.stamp(unit, b)
	still := d.stored[unit]
	if step := b.Next.Sub(still.Next); step < nextWorth && step > -nextWorth {
		still.Next = b.Next
	}
	if before := d.moved[unit].Notes; still != b || len(notes) > 0 || len(before) > 0 {
		d.moved[unit] = Kept{b, merge(before, notes)}
	} else {
		delete(d.moved, unit) // what waited is older
	}
}

// wrote notes that bookmarks of a unit are stored, and with them what waited
// for a flush before. d.mu is held.
func (d *Differ) wrote(unit string, before Kept, b poller.Bookmarks) {
	d.stored[unit] = b
	if k := d.moved[unit]; k.Bookmarks == before.Bookmarks {
		delete(d.moved, unit)
	} else { // they moved on meanwhile
		d.moved[unit] = Kept{Bookmarks: k.Bookmarks}
	}
}

// doubted are notes that waited for a flush and went into a commit whose
// outcome is unknown. They wait apart: if the commit was done they are older
// than what it wrote.
type doubted struct {
	version uint64 // that the commit was made for
	notes   []Note
}

// doubt sets the notes of a unit apart after a commit that failed.
func (d *Differ) doubt(unit string, version uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.moved[unit]; len(k.Notes) > 0 {
		d.doubted[unit] = doubted{version, k.Notes}
		d.moved[unit] = Kept{Bookmarks: k.Bookmarks}
	}
}

// resolve puts such notes back where the commit was not done. d.mu is held.
func (d *Differ) resolve(unit string, stored State) {
	was, there := d.doubted[unit]
	if !there {
		return
	}
	delete(d.doubted, unit)
	if stored.Version != was.version {
		return
	}
	k, moved := d.moved[unit]
	if !moved {
		k.Bookmarks = stored.Bookmarks
	}
	d.moved[unit] = Kept{k.Bookmarks, merge(was.notes, k.Notes)}
}

func withoutValidators(b poller.Bookmarks) poller.Bookmarks {
	b.Request, b.ETag, b.LastModified = "", "", ""
	return b
}

// anew is b of a source that must be asked for all there is.
func anew(b poller.Bookmarks) poller.Bookmarks {
	b = withoutValidators(b)
	b.Cursor = ""
	return b
}

// Run tells what is due at a time, and writes moved bookmarks to the store every
// five seconds, until ctx is done, and once more then. It must outlive the
// poller.
func (d *Differ) Run(ctx context.Context) error {
	var clock sync.WaitGroup
	clock.Go(func() { d.keepTime(ctx) })
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			clock.Wait()
			d.flushLast(ctx)
			return nil
		case <-tick.C:
		}
		err := d.flush(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			d.log.Warn("bookmarks cannot be saved; trying again", "err", err)
		}
		failing = err != nil
	}
}

// flushLast is the flush at the end, when ctx is done already.
func (d *Differ) flushLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	if err := d.flush(ctx); err != nil {
		d.log.Warn("bookmarks are not saved: sources may be asked once more than needed", "err", err)
	}
}

// flush writes what moved, a bounded number at a time.
func (d *Differ) flush(ctx context.Context) error {
	for {
		if more, err := d.flushSome(ctx); err != nil || !more {
			return err
		}
	}
}

// flushSome writes some of what moved, and reports whether there was any.
func (d *Differ) flushSome(ctx context.Context) (bool, error) {
	if err := d.writing.Acquire(ctx, alone); err != nil {
		return false, err
	}
	defer d.writing.Release(alone)
	some := d.takeMoved()
	if len(some) == 0 {
		return false, nil
	}
	err := d.store.Keep(ctx, some)
	d.mu.Lock()
	defer d.mu.Unlock()
	for unit, k := range some {
		newer, there := d.moved[unit]
		switch {
		case err == nil:
			d.stored[unit] = k.Bookmarks
		case there:
			d.moved[unit] = Kept{newer.Bookmarks, merge(k.Notes, newer.Notes)}
		default:
			d.moved[unit] = k
		}
	}
	return true, err
}

// takeMoved takes a part of what moved off the list.
func (d *Differ) takeMoved() map[string]Kept {
	d.mu.Lock()
	defer d.mu.Unlock()
	some := make(map[string]Kept, min(len(d.moved), flushAtOnce))
	for unit, k := range d.moved {
		if len(some) == flushAtOnce {
			break
		}
		some[unit] = Kept{d.stamp(unit, k.Bookmarks), k.Notes} // a key may have been added or removed since
		delete(d.moved, unit)
	}
	return some
}
