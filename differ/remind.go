package differ

import (
	"slices"
	"strings"
	"time"
)

// Timer is when an item's rule with `at` is going to tell.
type Timer struct {
	Key  string
	Type string // of the event
	Due  time.Time
}

// addTimers takes in when the timers of an answer's items are due.
func (p *Preview) addTimers(out *outcome) {
	if len(out.source.timed) == 0 || out.commit == nil {
		return
	}
	type of struct{ event, key string }
	moved := map[of]timer{}
	for _, n := range out.commit.Notes {
		if event, ok := strings.CutPrefix(n.Name, noteTimer); ok && event != "" {
			moved[of{event, n.Key}], _ = readTimer(n.Data)
		}
	}
	for _, ch := range out.finding.changes {
		for i := range out.source.timed {
			event := out.source.timed[i].event
			t, ok := moved[of{event, ch.key}]
			if known := out.memory.timer(event, ch.key); !ok && known != nil {
				t = *known
			}
			if t.state == timerArmed {
				p.Timers = append(p.Timers, Timer{Key: ch.key, Type: event, Due: time.UnixMilli(t.due).UTC()})
			}
		}
	}
	slices.SortStableFunc(p.Timers, func(a, b Timer) int { return a.Due.Compare(b.Due) })
}

// remindAll notes what an answer does to the timers of its items: it arms those
// of contents that are new, and disarms those of items that are gone. errs gets
// what could not be evaluated.
func (d *Differ) remindAll(out *outcome, c *Commit, errs map[*rule]*ruleError) {
	src, mem, found := out.source, out.memory, out.finding
	if len(src.timed) == 0 && mem.timers == nil {
		return
	}
	now := d.now()
	listed := map[string]bool{}
	for i := range found.changes {
		ch := &found.changes[i]
		if ch.kind == Deleted {
			c.Notes = src.forgetTimers(c.Notes, mem, ch.key, now)
			continue
		}
		if found.baseline {
			listed[ch.key] = true
		}
		f := &facts{source: src.name, watch: out.part.watch, change: &change{
			kind: Due, key: ch.key, revision: ch.revision, new: ch.new, item: ch.new,
		}}
		for i := range src.timed {
			c.Notes = src.remind(c.Notes, &src.timed[i], mem, f, now, errs)
		}
	}
	for _, item := range found.forgot {
		c.Notes = src.forgetTimers(c.Notes, mem, item.Key, now)
	}
	if found.baseline {
		src.remindAnew(c, mem, listed, now)
	}
}

// remindAnew notes what a baseline does to the timers of items that it does not
// list, and of rules that are gone.
func (s *Source) remindAnew(c *Commit, mem *memory, listed map[string]bool, now time.Time) {
	if mem.timers != nil {
		for event, of := range mem.timers.of {
			stranger := s.timedRule(event) == nil
			for key := range of.byKey {
				if stranger || !listed[key] {
					c.Notes = s.forgetTimer(c.Notes, mem, event, key, now)
				}
			}
		}
	}
	if !s.knows(mem) {
		c.Notes = append(c.Notes, Note{Name: noteTimer, Data: s.timedBy})
	}
}

// remind adds the note that an item's content makes of the timer of a rule,
// where it is another than there is.
func (s *Source) remind(notes []Note, r *rule, mem *memory, f *facts, now time.Time, errs map[*rule]*ruleError) []Note {
	key := f.change.key
	was := mem.timer(r.event, key)
	named, err := r.named(f, s.moments)
	if err != nil {
		noteError(errs, r, key, err)
	}
	if named.IsZero() {
		return s.forgetTimer(notes, mem, r.event, key, now)
	}
	if next, changed := r.arm(was, key, named, now); changed {
		return append(notes, next.note())
	}
	return notes
}

// forgetTimers adds what remains of the timers of an item that is gone.
func (s *Source) forgetTimers(notes []Note, mem *memory, key string, now time.Time) []Note {
	if mem.timers == nil {
		return notes
	}
	for event := range mem.timers.of {
		notes = s.forgetTimer(notes, mem, event, key, now)
	}
	return notes
}

// forgetTimer adds what remains of a timer whose item, rule or time is gone.
func (s *Source) forgetTimer(notes []Note, mem *memory, event, key string, now time.Time) []Note {
	was := mem.timer(event, key)
	if was == nil || was.state == timerIdle {
		return notes
	}
	if r := s.timedRule(event); r != nil {
		if next, keep := r.disarm(was, now); keep {
			return append(notes, next.note())
		}
	}
	return append(notes, Note{Key: key, Name: noteTimer + event})
}

// noteError enters an error of a rule.
func noteError(errs map[*rule]*ruleError, r *rule, key string, err error) {
	if errs[r] == nil {
		errs[r] = &ruleError{key: key, err: err}
	}
	errs[r].count++
}
