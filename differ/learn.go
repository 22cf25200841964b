package differ

import (
	"context"
	"encoding/json"
)

// learn makes the timers of rules that the unit does not know, or knows
// otherwise, from the contents that are remembered, and drops those of rules
// that are gone.
func (l *look) learn(ctx context.Context) error {
	rules := l.src.unknownTo(l.mem)
	var notes []Note
	keys := make([]string, 0, l.mem.present)
	for i := range l.mem.entries {
		if e := &l.mem.entries[i]; len(rules) > 0 && !e.gone() {
			keys = append(keys, e.key)
		}
	}
	err := l.remembered(ctx, l.out, keys, func(item *Item) {
		f := l.rules.due(item.Key, item.Revision, item.Content)
		for _, r := range rules {
			notes, _ = l.rules.remind(notes, r, f)
		}
	})
	if err != nil {
		return err
	}
	for _, event := range l.mem.timers.strangers(l.src) {
		for key := range l.mem.timers.of[event].byKey {
			notes = append(notes, Note{Key: key, Name: noteTimer + event})
		}
	}
	l.log.Debug("the times of items are read anew", "source", l.src.name, "watch", clip(l.out.part.watch), "items", len(keys), "rules", len(rules))
	return l.write(ctx, append(notes, Note{Name: noteTimer, Data: l.src.timedBy}), nil)
}

// unknownTo are the rules whose timers mem does not have, or has otherwise.
func (s *Source) unknownTo(mem *memory) (rules []*rule) {
	known := map[string]string{}
	if mem.timers != nil && mem.timers.known != nil {
		_ = json.Unmarshal(mem.timers.known, &known) // what is no mapping knows no rule
	}
	for i := range s.timed {
		if r := &s.timed[i]; known[r.event] != r.timing.print {
			rules = append(rules, r)
		}
	}
	return rules
}

// strangers are events of timers that no rule makes any more.
func (ts *timers) strangers(s *Source) (events []string) {
	if ts == nil {
		return nil
	}
	for event := range ts.of {
		if s.timedRule(event) == nil {
			events = append(events, event)
		}
	}
	return events
}

func (s *Source) timedRule(event string) *rule {
	for i := range s.timed {
		if s.timed[i].event == event {
			return &s.timed[i]
		}
	}
	return nil
}
