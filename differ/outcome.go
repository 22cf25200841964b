package differ

import (
	"context"
	"fmt"
	"slices"

	"github.com/deltahook/deltahook/poller"
)

// outcome is what an answer comes to before anything is written.
type outcome struct {
	source   *Source
	memory   *memory
	part     *part
	finding  *finding
	sampled  bool                 // its samples are complete
	values   map[string][]float64 // of them, by key; see own
	rules    *weighing
	silent   bool    // a baseline of which nothing is told
	reset    bool    // what is remembered no longer counts
	renewed  bool    // a baseline that follows a reset
	held     bool    // the answer is not taken in: the snapshot stays as it is
	hold     *Hold   // why, where it is held
	unheld   *Hold   // what ends with this answer
	withheld []Event // what is not told because it is held
	marks    poller.Bookmarks
	notes    []Note  // to be stored: with the commit where there is one
	commit   *Commit // nil: there is nothing to write that cannot wait
}

// bare is a commit that changes no item.
func (out *outcome) bare() *Commit {
	mem, found, p := out.memory, out.finding, out.part
	c := &Commit{
		Source: p.Source, Watch: p.watch, Version: mem.version, Shape: mem.shape, Since: mem.since, Bookmarks: out.marks,
	}
	if len(found.waiting)+len(found.pending) > 0 || found.unknown > 0 || !found.read && mem.unknown {
		c.Bookmarks = withoutValidators(c.Bookmarks) // see memory.partial
	}
	return c
}

// complete makes the commit: it evaluates the rules and renders the events.
func (d *Differ) complete(out *outcome) error {
	src, found, p := out.source, out.finding, out.part
	c := out.bare()
	c.Shape, c.Reset = src.shape, found.baseline
	if found.baseline {
		c.Since = p.Received.UTC()
	}
	c.Items = slices.Concat(found.gone, found.renewed, found.forgot)
	out.rules.begin()
	for i := range found.changes {
		ch := &found.changes[i]
		ch.rules = nil
		if !out.silent || ch.told {
			c.Before = append(c.Before, Before{Item: len(c.Items), Change: ch.kind, Hash: out.memory.hashOf(ch.key), Old: ch.old})
		}
		c.Items = append(c.Items, Item{Key: ch.key, Hash: ch.hash, Revision: ch.revision, Content: ch.new, Seen: p.Received.UTC()})
		if err := d.tell(c, out, ch); err != nil {
			return err
		}
	}
	d.remindAll(out, c)
	d.noteChange(out, c)
	out.commit = c
	return nil
}

// readOld fills in what the changed items were.
func (d *Differ) readOld(ctx context.Context, mem *memory, unit string, changes []change) error {
	byKey := map[string]*change{}
	keys := make([]string, 0, len(changes))
	for i := range changes {
		if ch := &changes[i]; ch.kind != Created {
			byKey[ch.key] = ch
			keys = append(keys, ch.key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	items, err := d.store.Items(ctx, unit, keys)
	if err != nil {
		return storeFailure("reading", err)
	}
	for _, item := range items {
		if ch := byKey[item.Key]; ch != nil {
			ch.old = item.Content
			delete(byKey, item.Key)
		}
	}
	for key := range byKey {
		mem.doubtful = true
		return storeFailure("reading", fmt.Errorf("item %q is in memory and not in the store", clip(key)))
	}
	return nil
}

// tell adds the events that a change makes to c. A rule that cannot be
// evaluated makes none and stops no other.
func (d *Differ) tell(c *Commit, out *outcome, ch *change) error {
	src, p, silent := out.source, out.part, out.silent && !ch.told
	if silent && !src.follows {
		return nil
	}
	f := out.rules.facts(ch)
	for i := range src.rules {
		r := &src.rules[i]
		if silent && !r.enter {
			continue
		}
		said := out.rules.weigh(r, f, silent)
		if p.why != nil {
			ch.rules = append(ch.rules, said)
		}
		if said.Verdict != RuleTold {
			continue
		}
		e, err := newEvent(r.event, src, p.watch, ch, p.Received.UTC())
		if err != nil {
			return storeFailure("naming an event of", err)
		}
		if err := d.address(&e, r.to); err != nil {
			return err
		}
		c.Events = append(c.Events, e)
	}
	return nil
}
