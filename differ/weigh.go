package differ

import (
	"maps"
	"slices"
	"time"
)

// weighing is the rules of a source over one answer. It reads the memory and
// leaves it alone: what moves is stored and taken in with the answer.
type weighing struct {
	src  *Source
	part *part
	mem  *memory
	now  time.Time

	window func(key string) windowFunc // of the items that the answer lists; nil: there is none

	seeded map[place]stand  // of rules that the unit did not know as they are
	moved  map[place]stand  // by what the answer shows
	events map[string]known // what the unit knows of rules from now on, where that moved
	fresh  map[*rule]int    // the rules of seeded, and with how many items they have entered

	errs   map[*rule]*ruleError
	fine   map[*rule]bool // evaluated, and none of errs
	cooled map[*rule]int  // events that were not made because of a cooldown
}

func (s *Source) weighing(p *part, mem *memory) *weighing {
	return &weighing{src: s, part: p, mem: mem, now: p.Received.Round(0).UTC()}
}

// begin forgets what was weighed, but not what was seeded.
func (w *weighing) begin() { w.moved, w.errs, w.fine, w.cooled = nil, nil, nil, nil }

// stand is where a rule stood before the answer.
func (w *weighing) stand(r *rule, key string) stand {
	if s, ok := w.seeded[place{r.event, key}]; ok {
		return s
	}
	return w.mem.standings.of[r.event][key]
}

func (w *weighing) move(r *rule, key string, s stand) {
	if w.moved == nil {
		w.moved = map[place]stand{}
	}
	w.moved[place{r.event, key}] = s
}

// weigh says what a rule makes of a change. Where silent, it makes no event,
// but stands then where the item is.
func (w *weighing) weigh(r *rule, f *facts, silent bool) Ruled {
	ch := f.change
	said := Ruled{Rule: r.event}
	on := r.on == nil || slices.Contains(r.on, ch.kind)
	if !on && !r.enter {
		said.Verdict = RuleNotOn
		return said
	}
	before := w.stand(r, ch.key)
	after := before
	if ch.kind == Deleted {
		after.Entered = false
	}
	holds, err := r.holds(f)
	if err == nil && r.enter && ch.kind != Deleted {
		after.Entered = holds
	}
	until, cools := r.cools(before.Told, w.now)
	switch {
	case !on:
		said.Verdict = RuleNotOn
	case err != nil:
		said.Verdict, said.Error = RuleError, err.Error()
		if !silent {
			w.fail(r, ch.key, err)
		}
	case !holds:
		said.Verdict = RuleFalse
	case silent:
		said.Verdict = RuleSilent
	case r.enter && before.Entered:
		said.Verdict = RuleEntered
	case cools:
		said.Verdict, said.Until = RuleCooling, until
		if w.cooled == nil {
			w.cooled = map[*rule]int{}
		}
		w.cooled[r]++
	default:
		said.Verdict = RuleTold
		if r.cooldown > 0 {
			after.Told = w.now.UnixMilli()
		}
	}
	if on && err == nil && !silent && r.when != nil {
		w.works(r)
	}
	if after != before {
		w.move(r, ch.key, after)
	}
	return said
}

// works notes that a rule could be evaluated.
func (w *weighing) works(r *rule) {
	if w.fine == nil {
		w.fine = map[*rule]bool{}
	}
	w.fine[r] = true
}

// fail notes that a rule could not be evaluated.
func (w *weighing) fail(r *rule, key string, err error) {
	if w.errs == nil {
		w.errs = map[*rule]*ruleError{}
	}
	if w.errs[r] == nil {
		w.errs[r] = &ruleError{key: key, err: err}
	}
	w.errs[r].count++
}

// leave has the rules forget items that are no longer there, and cooldowns
// that have passed.
func (w *weighing) leave(found *finding) {
	for i := range w.src.rules {
		r := &w.src.rules[i]
		stands := w.mem.standings.of[r.event]
		for _, item := range found.forgot {
			w.vacate(r, item.Key)
		}
		if found.baseline {
			listed := make(map[string]bool, len(found.changes))
			for _, ch := range found.changes {
				listed[ch.key] = true
			}
			for key := range stands {
				if !listed[key] {
					w.vacate(r, key)
				}
			}
		}
		if w.mem.standings.told[r.event] == 0 {
			continue
		}
		for key := range stands {
			s, moved := w.moved[place{r.event, key}]
			if !moved {
				s = w.stand(r, key)
			}
			if _, cools := r.cools(s.Told, w.now); s.Told != 0 && !cools {
				s.Told = 0
				w.move(r, key, s)
			}
		}
	}
}

// vacate notes that an item has left the rule's condition with itself.
func (w *weighing) vacate(r *rule, key string) {
	if s := w.stand(r, key); s.Entered {
		s.Entered = false
		w.move(r, key, s)
	}
}

// notes is what is to be stored of where the rules stand: of an answer that is
// held only what was seeded.
func (w *weighing) notes(held bool) []Note {
	var notes []Note
	for event, k := range w.events {
		if k != w.mem.standings.events[event] {
			notes = append(notes, knownNote(event, k))
		}
	}
	stands := w.seeded
	if !held && len(w.moved) > 0 {
		stands = maps.Clone(w.moved)
		for at, s := range w.seeded {
			if _, ok := stands[at]; !ok {
				stands[at] = s
			}
		}
	}
	for at, s := range stands {
		if s != w.mem.standings.of[at.event][at.key] {
			notes = append(notes, standNote(at, s))
		}
	}
	slices.SortFunc(notes, CompareNotes)
	return notes
}

// knows notes what the unit knows of a rule from now on.
func (w *weighing) knows(event string, change func(*known)) {
	k, ok := w.events[event]
	if !ok {
		k = w.mem.standings.events[event]
	}
	change(&k)
	if w.events == nil {
		w.events = map[string]known{}
	}
	w.events[event] = k
}
