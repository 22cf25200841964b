package differ

import "time"

// remindAll notes what an answer does to the timers of its items: it arms those
// of contents that are new, and disarms those of items that are gone.
func (d *Differ) remindAll(out *outcome, c *Commit) {
	w, found := out.rules, out.finding
	if len(w.src.timed) == 0 && w.mem.timers == nil {
		return
	}
	listed := map[string]bool{}
	for i := range found.changes {
		ch := &found.changes[i]
		if ch.kind == Deleted {
			c.Notes = w.forgetTimers(c.Notes, ch.key)
			continue
		}
		if found.baseline {
			listed[ch.key] = true
		}
		f := w.due(ch.key, ch.revision, ch.new)
		for i := range w.src.timed {
			var said Ruled
			if c.Notes, said = w.remind(c.Notes, &w.src.timed[i], f); out.part.why != nil {
				ch.rules = append(ch.rules, said)
			}
		}
	}
	for _, item := range found.forgot {
		c.Notes = w.forgetTimers(c.Notes, item.Key)
	}
	if found.baseline {
		c.Notes = w.remindAnew(c.Notes, listed)
	}
}

// remindAnew adds what a baseline does to the timers of items that it does not
// list, and of rules that are gone.
func (w *weighing) remindAnew(notes []Note, listed map[string]bool) []Note {
	if w.mem.timers != nil {
		for event, of := range w.mem.timers.of {
			stranger := w.src.timedRule(event) == nil
			for key := range of.byKey {
				if stranger || !listed[key] {
					notes = w.forgetTimer(notes, event, key)
				}
			}
		}
	}
	if !w.src.knows(w.mem) {
		notes = append(notes, Note{Name: noteTimer, Data: w.src.timedBy})
	}
	return notes
}

// due is what a rule may ask about an item whose time has come, or is looked
// for: what is remembered of it, or is going to be.
func (w *weighing) due(key string, revision uint64, content []byte) *facts {
	return w.facts(&change{kind: Due, key: key, revision: revision, new: content, item: content})
}

// remind adds the note that an item's content makes of the timer of a rule,
// where it is another than there is, and says where the rule stands then.
func (w *weighing) remind(notes []Note, r *rule, f *facts) ([]Note, Ruled) {
	key := f.change.key
	said := Ruled{Rule: r.event, Verdict: RuleNoTime}
	named, err := r.named(f, w.src.moments)
	if err != nil {
		w.fail(r, key, err)
		said.Verdict, said.Error = RuleError, err.Error()
	} else {
		w.works(r)
	}
	if named.IsZero() {
		return w.forgetTimer(notes, r.event, key), said
	}
	next, changed := r.arm(w.mem.timer(r.event, key), key, named, w.now)
	if changed {
		notes = append(notes, next.note())
	}
	said.Verdict, said.Until = RulePassed, time.UnixMilli(next.due).UTC()
	if next.state == timerArmed {
		said.Verdict = RuleWaiting
	}
	return notes, said
}

// forgetTimers adds what remains of the timers of an item that is gone.
func (w *weighing) forgetTimers(notes []Note, key string) []Note {
	if w.mem.timers == nil {
		return notes
	}
	for event := range w.mem.timers.of {
		notes = w.forgetTimer(notes, event, key)
	}
	return notes
}

// forgetTimer adds what remains of a timer whose item, rule or time is gone.
func (w *weighing) forgetTimer(notes []Note, event, key string) []Note {
	was := w.mem.timer(event, key)
	if was == nil || was.state == timerIdle {
		return notes
	}
	if r := w.src.timedRule(event); r != nil {
		if next, keep := r.disarm(was, w.now); keep {
			return append(notes, next.note())
		}
	}
	return append(notes, Note{Key: key, Name: noteTimer + event})
}
