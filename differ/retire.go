package differ

import (
	"context"
	"errors"
	"slices"
)

// retire has the key's end committed where it has come: with what the answer
// changes, or by itself.
func (d *Differ) retire(ctx context.Context, out *outcome) error {
	p, w := out.part, out.source.watch
	if p.watch == "" || w.until == nil && w.maxAge == 0 || out.held {
		return nil
	}
	old := w.maxAge > 0 && p.Received.Sub(d.met(p.unit)) >= w.maxAge
	if !old {
		over, err := d.over(ctx, out)
		if err != nil || !over {
			return err
		}
	}
	if out.commit == nil {
		if err := d.complete(out); err != nil {
			return err
		}
		if p.lacking {
			out.commit.Shape = out.memory.shape // nothing was read
		}
	}
	out.commit.Bookmarks.Retired = p.Received.Round(0).UTC()
	return nil
}

// over reports whether until holds for all items of the key: those that the
// answer lists, and those that are remembered though it doesn't. An answer that
// says nothing new is not looked at again.
func (d *Differ) over(ctx context.Context, out *outcome) (bool, error) {
	src, seen := out.source, out.finding
	switch {
	case src.watch.until == nil, out.part.lacking, len(seen.waiting)+len(seen.pending) > 0:
		return false, nil
	case !seen.read && out.memory.unknown:
		return false, nil
	case !d.judgeFirst(out.part.unit) && !seen.read && len(seen.changes) == 0:
		return false, nil
	}
	e := &ending{d: d, out: out, changed: make(map[string]*change, len(seen.changes)), listed: map[string]bool{}, errs: map[*rule]*ruleError{}}
	for i := range seen.changes {
		e.changed[seen.changes[i].key] = &seen.changes[i]
	}
	err := e.judgeListed()
	if err == nil {
		err = e.judgeKept(ctx)
	}
	d.reportErrors(src, e.errs)
	if errors.Is(err, errEnough) {
		return false, nil
	}
	return e.held > 0 && err == nil, err
}

// ending is the question whether a key is over, under way.
type ending struct {
	d       *Differ
	out     *outcome
	changed map[string]*change
	listed  map[string]bool // items that the answer has
	held    int             // items for which until holds
	errs    map[*rule]*ruleError
}

// judgeListed looks at the items that the answer lists.
func (e *ending) judgeListed() error {
	return e.out.source.readPart(e.out.part, func(f found) error {
		if f.unknown || f.key == "" {
			return errEnough
		}
		e.listed[f.key] = true
		if f.deleted {
			return nil
		}
		content, err := e.out.source.content(new(room), f.raw)
		if err != nil {
			return err
		}
		return e.judge(f.key, content, []byte(f.raw))
	})
}

// judgeKept looks at the items that are remembered and not listed.
func (e *ending) judgeKept(ctx context.Context) error {
	if e.out.finding.baseline {
		return nil
	}
	gone := make(map[string]bool, len(e.out.finding.forgot))
	for _, item := range e.out.finding.forgot {
		gone[item.Key] = true
	}
	var keys []string
	for i := range e.out.memory.entries {
		entry := &e.out.memory.entries[i]
		if c := e.changed[entry.key]; entry.gone() || e.listed[entry.key] || gone[entry.key] || c != nil && c.kind == Deleted {
			continue
		}
		keys = append(keys, entry.key)
	}
	for some := range slices.Chunk(keys, feedAtOnce) {
		items, err := e.d.store.Items(ctx, e.out.part.unit, some)
		if err != nil {
			return storeFailure("reading", err)
		}
		for _, item := range items {
			if err := e.judge(item.Key, item.Content, item.Content); err != nil {
				return err
			}
		}
	}
	// What is new was listed by the answer before, where this is it again.
	for key, c := range e.changed {
		if c.kind == Created && !e.listed[key] {
			if err := e.judge(key, c.new, c.item); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge looks at one item. The error is errEnough where until does not hold.
func (e *ending) judge(key string, content, whole []byte) error {
	ch := change{key: key, new: content, old: content, item: whole}
	if c := e.changed[key]; c != nil {
		ch = *c
	} else if entry := e.out.memory.find(key); entry != nil {
		ch.revision = entry.revision
	}
	ch.window = e.out.window(key)
	until := e.out.source.watch.until
	holds, err := until.holds(e.out.rules.facts(&ch))
	if err != nil {
		e.errs[until] = &ruleError{count: 1, key: key, err: err}
	}
	if !holds {
		return errEnough
	}
	e.held++
	return nil
}

// judgeFirst reports whether a unit's end is asked after for the first time in
// this process: until may have been another before.
func (d *Differ) judgeFirst(unit string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.standing[unit]
	first := !s.judged
	s.judged = true
	d.standing[unit] = s
	return first
}

// tellRetired tells the poller of a key whose end was committed.
func (d *Differ) tellRetired(out *outcome) {
	p := out.part
	if at := out.commit.Bookmarks.Retired; p.watch != "" && !at.IsZero() {
		d.mu.Lock()
		s := d.standing[p.unit]
		s.retired = at
		d.release(p.unit)
		d.standing[p.unit] = s
		d.mu.Unlock()
		d.log.Info("watch key retired: it is polled no more", "source", p.Source, "watch", clip(p.watch))
		if p.Retire != nil {
			p.Retire(p.watch)
		}
	}
}
