package differ

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// outcome is what an answer comes to before anything is written.
type outcome struct {
	source   *Source
	memory   *memory
	part     *part
	finding  *finding
	silent   bool    // a baseline of which nothing is told
	reset    bool    // what is remembered no longer counts
	held     bool    // the answer is not taken in: the snapshot stays as it is
	hold     *Hold   // why, where it is held
	unheld   *Hold   // what ends with this answer
	withheld []Event // what is not told because it is held
	marks    poller.Bookmarks
	notes    []Note  // to be stored: with the commit where there is one
	commit   *Commit // nil: there is nothing to write that cannot wait
}

// complete makes the commit: it evaluates the rules and renders the events.
func (d *Differ) complete(out *outcome) error {
	src, mem, found, p := out.source, out.memory, out.finding, out.part
	c := &Commit{
		Source: src.name, Watch: p.watch, Version: mem.version, Shape: src.shape, Since: mem.since,
		Bookmarks: out.marks, Reset: found.baseline,
	}
	if found.baseline {
		c.Since = p.Received.UTC()
	}
	if len(found.waiting)+len(found.pending) > 0 || found.unknown > 0 || !found.read && mem.unknown {
		c.Bookmarks = withoutValidators(c.Bookmarks) // see memory.partial
	}
	c.Items = slices.Concat(found.gone, found.renewed, found.forgot)
	errs := map[*rule]*ruleError{}
	for i := range found.changes {
		ch := &found.changes[i]
		c.Items = append(c.Items, Item{Key: ch.key, Hash: ch.hash, Revision: ch.revision, Content: ch.new, Seen: p.Received.UTC()})
		if out.silent && !ch.told {
			continue
		}
		if err := d.tell(c, src, ch, p, errs); err != nil {
			return err
		}
	}
	d.remindAll(out, c, errs)
	d.noteChange(out, c)
	d.reportRules(src, errs)
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

// ruleError is what went wrong with one rule over one answer.
type ruleError struct {
	count int
	key   string // of the first
	err   error  // the first
}

// reportRules tells of the rules that could not be evaluated, once for each
// rule and answer, and at most once a minute for each rule.
func (d *Differ) reportRules(src *Source, errs map[*rule]*ruleError) {
	for r, e := range errs {
		d.metrics.ruleErrors.WithLabelValues(src.name, r.event).Add(float64(e.count))
		d.mu.Lock()
		last, now := d.reported[r], time.Now()
		tell := last.IsZero() || now.Sub(last) >= time.Minute
		if tell {
			d.reported[r] = now
		}
		d.mu.Unlock()
		if tell {
			d.log.Warn("a rule could not be evaluated, and made no event", "source", src.name, "rule", r.event,
				"changes", e.count, "key", clip(e.key), "err", e.err)
		}
	}
}

// tell adds the events that a change makes to c. A rule that cannot be
// evaluated makes none and stops no other: it is entered in errs.
func (d *Differ) tell(c *Commit, src *Source, ch *change, p *part, errs map[*rule]*ruleError) error {
	f := &facts{source: src.name, watch: p.watch, form: &src.form, change: ch}
	for i := range src.rules {
		r := &src.rules[i]
		matches, err := r.matches(f)
		if err != nil {
			if errs[r] == nil {
				errs[r] = &ruleError{key: ch.key, err: err}
			}
			if errs[r].count++; errs[r].count <= previewedErrors {
				ch.errors = append(ch.errors, r.event+": "+err.Error())
			}
			continue
		}
		if !matches {
			continue
		}
		e, err := newEvent(r.event, src.name, p.watch, ch, p.Received.UTC())
		if err != nil {
			return storeFailure("naming an event of", err)
		}
		if err := d.address(&e, r.to); err != nil {
			return err
		}
		ch.events = append(ch.events, r.event)
		c.Events = append(c.Events, e)
	}
	return nil
}
