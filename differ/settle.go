package differ

import (
	"context"
	"maps"
	"slices"
)

// settle moves the memory on from what an answer showed.
func (out *outcome) settle(mem *memory, h hasher) {
	if out.held {
		out.finding.unsettle(mem, out.source.confirm)
		return
	}
	out.finding.settle(mem, out.part, h)
}

// commitsAtOnce is how many watch keys of one answer are committed at once, so
// that they share the store's next write.
const commitsAtOnce = 32

// finish writes what one part of an answer comes to.
func (d *Differ) finish(ctx context.Context, out *outcome) error {
	if err := d.alertFailing(out); err != nil {
		return err
	}
	out.notes = merge(out.notes, out.rules.notes(out.held))
	out.keepSamples()
	if out.commit == nil {
		out.settle(out.memory, d.hash)
		for _, n := range out.notes {
			out.memory.note(n)
		}
		d.moves(out)
		d.reportHold(out)
		d.heard(out)
		d.reportRules(out)
		return nil
	}
	out.commit.Notes = merge(out.commit.Notes, out.notes)
	if err := d.coalesce(ctx, out.source, out.commit); err != nil {
		return err
	}
	if err := d.commit(ctx, out.commit, false); err != nil {
		out.memory.doubtful = true
		return storeFailure("committing", err)
	}
	d.settle(out)
	return nil
}

// moves has what an answer moved without a commit written soon.
func (d *Differ) moves(out *outcome) {
	marks := out.marks
	if out.memory.partial() {
		marks = withoutValidators(marks)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mark(out.part.unit, marks, out.notes)
}

// commit writes c, and notes the bookmarks that the store has then. beside: it
// comes of no answer, and leaves them as they are.
func (d *Differ) commit(ctx context.Context, c *Commit, beside bool) error {
	if err := d.writing.Acquire(ctx, 1); err != nil {
		return err
	}
	defer d.writing.Release(1)
	unit := c.Unit()
	d.mu.Lock()
	if beside {
		c.Bookmarks = d.marks(unit)
	}
	c.Bookmarks = d.stamp(unit, c.Bookmarks)
	before := d.moved[unit]
	c.Notes = merge(before.Notes, c.Notes)
	d.mu.Unlock()
	if err := d.store.Commit(ctx, c); err != nil {
		d.doubt(unit, c.Version)
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrote(unit, before, c.Bookmarks)
	return nil
}

// settle moves on after a commit.
func (d *Differ) settle(out *outcome) {
	c, mem := out.commit, out.memory
	if out.finding.baseline && !out.held {
		out.renewed = mem.shape == forgotten
		mem.clear()
	}
	mem.version, mem.shape, mem.since = c.Version+1, c.Shape, c.Since
	out.settle(mem, d.hash)
	for _, n := range c.Notes {
		mem.note(n)
	}
	mem.trim()
	d.count(c.Source, mem)
	d.report(out)
	d.reportHold(out)
	d.reportRules(out)
	d.tellRetired(out)
	if !out.held {
		d.feed(out)
	}
	d.wind(out.part.unit, mem)
	d.heard(out)
	d.announce(c)
}

// announce counts the events of a commit and wakes those who send them.
func (d *Differ) announce(c *Commit) {
	told := map[string]bool{}
	for _, e := range c.Events {
		d.metrics.events.WithLabelValues(e.Source, e.Type).Inc()
		for _, b := range e.Bodies {
			told[b.Endpoint] = true
		}
	}
	if len(told) > 0 {
		d.wake(slices.Collect(maps.Keys(told))...)
	}
}
