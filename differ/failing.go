package differ

import (
	"maps"
	"unicode/utf8"
)

// TypeFailing is the event of a rule that cannot be evaluated.
const TypeFailing = "rule.failing"

// maxErrorText is how much of an error an event says.
const maxErrorText = 500

// failing is what a TypeFailing says.
type failing struct {
	Rule  string `json:"rule"`
	Error string `json:"error"` // the first
	Key   string `json:"key"`   // of the item that it is of
	Count int    `json:"count"` // changes of this answer for which it failed
}

// alertFailing adds an event for each rule that began to fail with this answer
// to its commit, or to one that there is for that, and has the unit know those that fail, and those that
// failed and do no more. Where several watch keys fail, one tells.
func (d *Differ) alertFailing(out *outcome) error {
	w := out.rules
	if out.held || out.reset {
		return nil
	}
	for r := range out.source.all {
		e, bad := w.errs[r]
		switch {
		case !bad:
			if w.fine[r] && w.mem.standings.events[r.event].Failing {
				w.knows(r.event, func(k *known) { k.Failing = false })
				d.log.Info("a rule can be evaluated again", "source", out.source.name, "rule", r.event)
			}
			continue
		case !d.claim(r, out):
			continue
		}
		w.knows(r.event, func(k *known) { k.Failing = true })
		about := failing{Rule: r.event, Error: d.errorText(e.err), Key: clip(e.key), Count: e.count}
		event, ok, err := d.ownEvent(TypeFailing, out.part.unit, w.now, about, d.alerts)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if out.commit == nil {
			out.commit = out.bare()
		}
		out.commit.Events = append(out.commit.Events, event)
	}
	return nil
}

// claim reports whether this unit tells that a rule fails.
func (d *Differ) claim(r *rule, out *outcome) bool {
	if out.memory.standings.events[r.event].Failing {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if holder, held := d.failing[r]; held && holder != out.part.unit {
		return false
	}
	d.failing[r] = out.part.unit
	return true
}

// unclaim brings who tells that rules fail into line with what a unit knows.
// One that is polled no more tells nothing, and keeps no other from it. d.mu is
// held.
func (d *Differ) unclaim(src *Source, unit string, mem *memory) {
	if len(d.failing) == 0 && len(mem.standings.events) == 0 {
		return
	}
	for r := range src.all {
		holder, held := d.failing[r]
		switch failing := mem.standings.events[r.event].Failing && d.standing[unit].retired.IsZero(); {
		case failing && !held:
			d.failing[r] = unit
		case !failing && held && holder == unit:
			delete(d.failing, r)
		}
	}
}

// release has a unit that is polled no more keep no other from telling. d.mu is
// held.
func (d *Differ) release(unit string) {
	maps.DeleteFunc(d.failing, func(_ *rule, holder string) bool { return holder == unit })
}

// errorText is an error as an event may say it.
func (d *Differ) errorText(err error) string { return d.clean(err.Error()) }

// clean is a text as an event may say it: no secret, no more than fits.
func (d *Differ) clean(text string) string {
	if d.hide != nil {
		text = d.hide(text)
	}
	return cut(text, maxErrorText)
}

// cut is a text of so many bytes at most, and a … where it had more. No
// character is cut.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}
