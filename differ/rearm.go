package differ

import (
	"context"
	"slices"

	"github.com/deltahook/deltahook/internal/expr"
)

// drifts reports whether the rule's condition can turn false while the item
// stays as it is.
func (r *rule) drifts() bool {
	return r.enter && r.when != nil && (r.when.Uses("now") || r.when.Uses("window"))
}

// listens reports whether it matters which items an answer lists, also where
// nothing changed, and a 304 does not say it to a process that has not seen the
// answer that it stands for.
func (s *Source) listens() bool {
	return s.kept && (len(s.history) > 0 || slices.ContainsFunc(s.rules, func(r rule) bool { return r.drifts() }))
}

// rearm weighs the rules whose condition moves with time anew with the items
// that have entered and did not change: where it no longer holds, the next
// change may tell again. An item that did not change tells nothing.
func (d *Differ) rearm(ctx context.Context, out *outcome) error {
	w, found, mem := out.rules, out.finding, out.memory
	if out.part.lacking || out.silent || out.held {
		return nil
	}
	var changed map[string]bool
	for i := range w.src.rules {
		r := &w.src.rules[i]
		if !r.drifts() || len(mem.standings.of[r.event]) == 0 {
			continue
		}
		if changed == nil {
			changed = make(map[string]bool, len(found.changes))
			for i := range found.changes {
				changed[found.changes[i].key] = true
			}
		}
		whole, ok, err := w.whole(r)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		var keys []string
		for key := range mem.standings.of[r.event] {
			if out.lists(key) && !changed[key] && w.stand(r, key).Entered {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys) // the first that fails is told
		err = d.remembered(ctx, out, keys, func(item *Item) {
			ch := &change{kind: Updated, key: item.Key, revision: item.Revision, item: item.Content, new: item.Content, old: item.Content}
			if whole != nil {
				if ch.item = whole[item.Key]; ch.item == nil {
					return
				}
			}
			holds, err := r.holds(w.facts(ch))
			switch {
			case err != nil:
				w.fail(r, item.Key, err)
			case !holds:
				w.vacate(r, item.Key)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lists reports whether the answer has an item that is remembered. One that is
// the last again has what that had; where it is not known which that are, none
// of those that stay anyway.
func (out *outcome) lists(key string) bool {
	mem := out.memory
	e := mem.find(key)
	switch {
	case e == nil || e.gone():
		return false
	case out.finding.read || mem.pages != 0:
		return e.round == mem.round
	}
	return !out.source.kept && mem.absent[key] == 0
}

// whole gives the whole items that the answer lists, by key, where the rule
// looks at them, and otherwise nothing. They are not at hand, ok is false,
// where the answer says only that nothing changed.
func (w *weighing) whole(r *rule) (items map[string][]byte, ok bool, err error) {
	if !r.when.Uses("item") {
		return nil, true, nil
	}
	if w.part.Unmodified {
		return nil, false, nil
	}
	items = map[string][]byte{}
	err = w.src.readPart(w.part, func(f found) error {
		if !f.unknown && w.stand(r, f.key).Entered {
			items[f.key] = []byte(f.raw)
		}
		return nil
	})
	return items, true, err
}

// facts is what rules may ask about a change in this answer.
func (w *weighing) facts(ch *change) *facts {
	if w.window != nil {
		ch.window = w.window(ch.key)
	}
	return &facts{source: w.src.name, form: &w.src.form, watch: w.part.watch, change: ch, at: w.now}
}

// uses reports whether a rule's condition uses a name; nil uses none.
func uses(p *expr.Program, name string) bool { return p != nil && p.Uses(name) }
