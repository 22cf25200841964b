package differ

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// How bookmarks that moved without a change reach the disk.
const (
	flushEvery = 5 * time.Second
	flushAtOne = 1000 // sources in one transaction
	// nextWorth is how far a source's next run must have moved to be worth
	// a write of its own: losing it costs a source one early poll, so those
	// that are polled often never write one.
	nextWorth = 10 * time.Minute
	lastFlush = 5 * time.Second // time for the flush at the end
)

// Keep remembers bookmarks that moved without an answer being taken in. It
// does not wait for the disk.
func (d *Differ) Keep(source string, b poller.Bookmarks) {
	d.mu.Lock()
	mem := d.memories[source]
	d.mu.Unlock()
	if mem == nil {
		mem = &memory{} // nothing was ever taken in
	}
	d.mark(source, mem, b)
}

// mark puts bookmarks on the list of the next flush, where that is worth it.
// While an absence waits to be confirmed they go without validators: after a
// restart the answer must come whole again to be counted.
func (d *Differ) mark(source string, mem *memory, b poller.Bookmarks) {
	if mem.absent > 0 {
		b = withoutValidators(b)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	still := d.stored[source]
	if step := b.Next.Sub(still.Next); step < nextWorth && step > -nextWorth {
		still.Next = b.Next
	}
	if still != b {
		d.moved[source] = b
	}
}

// committed notes that a commit has written bookmarks.
func (d *Differ) committed(source string, b poller.Bookmarks) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stored[source] = b
	delete(d.moved, source)
}

func withoutValidators(b poller.Bookmarks) poller.Bookmarks {
	b.Request, b.ETag, b.LastModified = "", "", ""
	return b
}

// Run writes moved bookmarks to the store every five seconds until ctx is
// done, and once more then. It must outlive the poller.
func (d *Differ) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
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
	d.mu.Lock()
	moved := d.moved
	d.moved = map[string]poller.Bookmarks{}
	d.mu.Unlock()
	for some := range slices.Chunk(slices.Sorted(maps.Keys(moved)), flushAtOne) {
		part := make(map[string]poller.Bookmarks, len(some))
		for _, source := range some {
			part[source] = moved[source]
		}
		if err := d.store.Keep(ctx, part); err != nil {
			d.restore(moved)
			return err
		}
		d.mu.Lock()
		maps.Copy(d.stored, part)
		d.mu.Unlock()
	}
	return nil
}

// restore puts back what was not written, unless it moved on meanwhile.
func (d *Differ) restore(moved map[string]poller.Bookmarks) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for source, b := range moved {
		if _, newer := d.moved[source]; !newer {
			d.moved[source] = b
		}
	}
}
