package differ

import (
	"fmt"
	"time"
)

// Explained is why an item made the events that it made, or none.
type Explained struct {
	Watch    string // the watch key; "": the source has none
	Key      string // "": an item that item_ok refused and that has no id
	Change   Change // "": there is none
	Revision uint64 // with the change; 0: it was never changed
	Guard    Guard  // what kept the rules from being asked, or their events from being told; "": nothing
	Detail   string // of the guard, in words; often ""
	Rules    []Ruled
}

// Ruled is what one rule made of a change.
type Ruled struct {
	Rule    string // the type of its event
	Verdict Verdict
	Error   string    // of RuleError
	Until   time.Time // of RuleCooling; of RuleWaiting and RulePassed when it is, or was, due
}

// Guard is what stands between an item and the rules.
type Guard string

// Guards, in the order in which they are asked.
const (
	GuardUnknown   Guard = "unknown"   // item_ok is false, or the watch key is not in the answer
	GuardUnchanged Guard = "unchanged" // it is what is remembered
	GuardTolerated Guard = "tolerated" // it differs by no more than is tolerated
	GuardAbsent    Guard = "absent"    // not listed, which waits for confirm_deletes
	GuardKept      Guard = "kept"      // not listed, and kept (response.absent)
	GuardForgotten Guard = "forgotten" // not listed for longer than forget_after
	GuardGone      Guard = "gone"      // deleted_when is true, and it is not there already
	GuardConfirm   Guard = "confirm"   // it differs, which waits for confirm
	GuardHeld      Guard = "held"      // the answer is held: nothing of it counts
	GuardReleased  Guard = "released"  // a hold that a person released silently: taken in without telling
	GuardBaseline  Guard = "baseline"  // remembered without telling: the first answer, or the first after a reset or a change of the settings
)

// Verdict is what a rule makes of a change.
type Verdict string

// Verdicts.
const (
	RuleTold    Verdict = "told"    // it made an event
	RuleNotOn   Verdict = "not_on"  // this kind of change is not in on
	RuleFalse   Verdict = "false"   // when is false
	RuleEntered Verdict = "entered" // trigger enter: when held before
	RuleCooling Verdict = "cooling" // cooldown: an event of this item was made lately
	RuleError   Verdict = "error"   // when could not be evaluated
	RuleSilent  Verdict = "silent"  // when holds, and nothing is told at a baseline
	RuleWaiting Verdict = "waiting" // at: it is told when its time comes
	RulePassed  Verdict = "passed"  // at: its time has come, and was told or is too long ago
	RuleNoTime  Verdict = "no_time" // at: the item names no time
)

// explainedMost is how many items without a change are explained.
const explainedMost = 1000

// explanation gathers what is said of items without a change; nil gathers
// nothing.
type explanation struct {
	items []Explained
	total int
	by    map[string]int // index in items, by key
}

// say notes what became of an item, in the place of what was said before.
func (x *explanation) say(key string, revision uint64, guard Guard, detail string) {
	if x == nil {
		return
	}
	said := Explained{Key: key, Revision: revision, Guard: guard, Detail: detail}
	if i, ok := x.by[key]; ok && key != "" {
		x.items[i] = said
		return
	}
	if x.total++; len(x.items) == explainedMost {
		return
	}
	if x.by == nil {
		x.by = map[string]int{}
	}
	x.by[key] = len(x.items)
	x.items = append(x.items, said)
}

// waits notes an item whose absence, in n answers by now, waits to be confirmed.
func (x *explanation) waits(e *entry, n, most int) {
	if x != nil {
		x.say(e.key, e.revision, GuardAbsent, fmt.Sprintf("%d of %d answers", n, most))
	}
}

// same notes all that is remembered, of an answer that is the last one again.
func (x *explanation) same(mem *memory) {
	if x == nil {
		return
	}
	for i := range mem.entries {
		if e := &mem.entries[i]; !e.gone() && mem.absent[e.key] == 0 {
			x.say(e.key, e.revision, GuardUnchanged, "the answer is the last one again")
		}
	}
}

// unlisted notes the items that stay though the answer does not list them.
func (x *explanation) unlisted(c *comparison) {
	if x == nil || !c.src.kept || c.found.baseline {
		return
	}
	for i := range c.mem.entries {
		if e := &c.mem.entries[i]; !e.gone() && e.round != c.mem.round {
			x.say(e.key, e.revision, GuardKept, "")
		}
	}
	for _, item := range c.found.forgot {
		x.say(item.Key, item.Revision, GuardForgotten, "")
	}
}

// count is how many changes of an item were told; of none it is 0.
func (e *entry) count() uint64 {
	if e == nil {
		return 0
	}
	return e.revision
}

// explain adds why each item of a part makes events or none.
func (p *Preview) explain(out *outcome) {
	watch, found := out.part.watch, out.finding
	changed := map[string]bool{}
	for i := range found.changes {
		ch := &found.changes[i]
		changed[ch.key] = true
		said := Explained{Watch: watch, Key: ch.key, Change: ch.kind, Revision: ch.revision, Rules: ch.rules}
		switch {
		case out.held:
			said.Guard = GuardHeld
		case out.silent && !out.finding.baseline:
			said.Guard = GuardReleased
		case out.silent && !ch.told:
			said.Change, said.Guard = "", GuardBaseline
			p.Others = append(p.Others, said)
			continue
		}
		p.Changes = append(p.Changes, said)
	}
	for _, u := range found.pending {
		changed[u.key] = true
		p.Others = append(p.Others, Explained{
			Watch: watch, Key: u.key, Change: u.kind, Revision: u.revision, Guard: GuardConfirm,
			Detail: fmt.Sprintf("%d of %d answers", u.seen, out.source.confirm),
		})
	}
	for _, key := range found.tolerated {
		changed[key] = true
		p.Others = append(p.Others, Explained{Watch: watch, Key: key, Revision: out.memory.find(key).count(), Guard: GuardTolerated})
	}
	if out.part.lacking {
		p.Others = append(p.Others, Explained{Watch: watch, Guard: GuardUnknown, Detail: "the answer has nothing of this watch key"})
	}
	if x := out.part.why; x != nil {
		p.More += x.total - len(x.items)
		for _, said := range x.items {
			if said.Watch = watch; !changed[said.Key] {
				p.Others = append(p.Others, said)
			}
		}
	}
}
