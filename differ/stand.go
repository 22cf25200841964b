package differ

import (
	"encoding/json"
	"strings"
	"time"
)

// stand is where a rule stands with an item.
type stand struct {
	Entered bool  `json:"entered,omitempty"` // trigger enter: when held at the last change
	Told    int64 `json:"told,omitempty"`    // cooldown: the last event, in Unix milliseconds; 0: none that matters
}

// known is what a unit knows of a rule.
type known struct {
	When    string `json:"when,omitempty"`    // fingerprint of the condition that the stands are of; "": it has none
	Failing bool   `json:"failing,omitempty"` // that it cannot be evaluated was told
}

// place names a stand.
type place struct{ event, key string }

// standings is where the rules of a unit stand: of those only that have a
// trigger or a cooldown, and only with items that have entered or cool down.
type standings struct {
	of     map[string]map[string]stand // by type of the event, then by the item's key
	told   map[string]int              // of these, those that were told
	events map[string]known
}

// note takes in a stored note whose name begins with noteRule. One that cannot
// be read is no state at all.
func (s *standings) note(n Note, keep func(string) string) {
	event := strings.TrimPrefix(n.Name, noteRule)
	if n.Key == "" {
		var k known
		if _ = json.Unmarshal(n.Data, &k); k == (known{}) {
			delete(s.events, event)
			return
		}
		if s.events == nil {
			s.events = map[string]known{}
		}
		s.events[event] = k
		return
	}
	var now stand
	_ = json.Unmarshal(n.Data, &now)
	s.put(event, n.Key, now, keep)
}

func (s *standings) put(event, key string, now stand, keep func(string) string) {
	if s.of == nil {
		s.of, s.told = map[string]map[string]stand{}, map[string]int{}
	}
	stands := s.of[event]
	if stands[key].Told != 0 {
		s.told[event]--
	}
	if now == (stand{}) {
		if delete(stands, key); len(stands) == 0 {
			delete(s.of, event)
			delete(s.told, event)
		}
		return
	}
	if stands == nil {
		stands = map[string]stand{}
		s.of[event] = stands
	}
	if now.Told != 0 {
		s.told[event]++
	}
	stands[keep(key)] = now
}

// standNote is what is stored of a stand.
func standNote(at place, s stand) Note {
	n := Note{Key: at.key, Name: noteRule + at.event}
	if s != (stand{}) {
		n.Data, _ = json.Marshal(s)
	}
	return n
}

// knownNote is what is stored of what a unit knows of a rule.
func knownNote(event string, k known) Note {
	n := Note{Name: noteRule + event}
	if k != (known{}) {
		n.Data, _ = json.Marshal(k)
	}
	return n
}

// keep is a key's text as the memory has it already, or a copy: a key of an
// answer is a part of its page.
func (m *memory) keep(key string) string {
	if e := m.find(key); e != nil {
		return e.key
	}
	return strings.Clone(key)
}

// cools reports whether the rule is silent about an item of which it told
// last at told, and until when. A clock that was ahead by more than the
// cooldown silences nothing.
func (r *rule) cools(told int64, now time.Time) (until time.Time, cools bool) {
	if r.cooldown == 0 || told == 0 {
		return time.Time{}, false
	}
	last := time.UnixMilli(told).UTC()
	since := now.Sub(last)
	return last.Add(r.cooldown), since < r.cooldown && since > -r.cooldown
}
