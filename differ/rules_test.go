package differ_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// ruled are settings with rules, by name.
func ruled(rules ...ordered.Entry[differ.RuleSettings]) differ.Settings {
	return differ.Settings{Events: rules, Changes: differ.ChangeSettings{ConfirmDeletes: 1}}
}

func rule(name string, s differ.RuleSettings) ordered.Entry[differ.RuleSettings] {
	return ordered.Entry[differ.RuleSettings]{Key: name, Value: s}
}

func entering(when string) differ.RuleSettings {
	return differ.RuleSettings{When: when, Trigger: "enter"}
}

// one is an answer of item 1 with a value.
func one(v any) string { return fmt.Sprintf(`{"items":[{"id":1,"v":%v}]}`, v) }

// end ends the differ in order, so that what waits for the next flush is
// stored, and starts it anew.
func (b *bench) end(t *testing.T) {
	t.Helper()
	b.run(t)()
	b.restart()
}

func TestEnterTellsWhenItTurnsTrue(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		b := newBench(t, ruled(rule("high", entering("new.v > 5"))), listed)
		step := func(body string, want ...string) {
			t.Helper()
			b.expect(body, want...)
			if restarted { // as a kill does: nothing is flushed
				b.restart()
			}
		}
		step(one(1))
		step(one(6), "high 1@1")
		step(one(7))
		step(one(8))
		step(one(5))
		step(one(9), "high 1@5")
		step(`{"items":[]}`) // gone, and so is its state
		step(one(9), "high 1@7")
		step(one(10))
	}
}

// What is true from the start has entered.
func TestBaselineEntersSilently(t *testing.T) {
	b := newBench(t, ruled(rule("high", entering("new.v > 5")), rule("whole", entering("item.v > 5"))), listed)
	b.expect(one(6))
	b.expect(one(7))
	b.expect(one(1))
	b.expect(one(6), "high 1@3", "whole 1@3")

	emit := ruled(rule("high", entering("new.v > 5")))
	emit.Changes.Baseline.Emit = true
	b = newBench(t, emit, listed)
	b.expect(one(6), "high 1@1")
	b.expect(one(7))
}

// An item whose place is kept over a new baseline keeps that it has entered;
// what the new one shows counts.
func TestNewBaselineWeighsAnew(t *testing.T) {
	s := ruled(rule("high", entering("new.v > 5")))
	b := newBench(t, s, listed)
	b.expect(`{"items":[{"id":1,"v":9,"w":1},{"id":2,"v":9},{"id":3,"v":9},{"id":4,"v":1}]}`)
	r := listed
	r.Ignore = []string{"w"}
	b.configure(s, r)
	b.expect(`{"items":[{"id":1,"v":9},{"id":2,"v":1},{"id":4,"v":9}]}`)
	b.expect(`{"items":[{"id":1,"v":8},{"id":2,"v":9},{"id":3,"v":9},{"id":4,"v":8}]}`, "high 2@1", "high 3@1")

	b.told(b.over())
	b.expect(`{"items":[{"id":1,"v":9}]}`)
	b.expect(`{"items":[{"id":1,"v":7},{"id":2,"v":9}]}`, "high 2@2")
}

// The state follows what on leaves out.
func TestEnterFollowsAllKinds(t *testing.T) {
	high := entering("new.v > 5")
	high.On = []string{"updated"}
	b := newBench(t, ruled(rule("high", high)), listed)
	b.expect(`{"items":[]}`)
	b.expect(one(6)) // entered with created, which it does not tell
	b.expect(one(7))
	b.expect(one(1))
	b.expect(one(7), "high 1@4")
}

func TestEnterAtADeletion(t *testing.T) {
	b := newBench(t, ruled(rule("over", entering(`change == "deleted" or new.v > 5`))), listed)
	b.expect(`{"items":[{"id":1,"v":1},{"id":2,"v":9}]}`)
	b.expect(`{"items":[]}`, "over 1@1") // 2 was in it before
}

// What cannot be evaluated moves no state, and is neither true nor false.
func TestAnErrorLeavesTheState(t *testing.T) {
	b := newBench(t, ruled(rule("high", entering("new.v > 5"))), listed)
	b.expect(one(9))
	b.expect(one(`"?"`))
	b.expect(one(8)) // still in it
	b.expect(one(1))
	b.expect(one(`"?"`))
	b.expect(one(8), "high 1@5")
}

func TestCooldown(t *testing.T) {
	registry := prometheus.NewRegistry()
	b := newBench(t, ruled(), listed)
	b.options.Registerer = registry
	calm := differ.RuleSettings{Cooldown: units.Duration(10 * time.Minute)}
	b.configure(ruled(rule("calm", calm), rule("any", differ.RuleSettings{})), listed)
	b.expect(one(0))
	b.expect(one(1), "calm 1@1", "any 1@1")
	b.expect(one(2), "any 1@2")
	b.options.Registerer = nil
	b.restart()
	b.later(7 * time.Minute)
	b.expect(one(3), "any 1@3") // 9 minutes
	b.expect(`{"items":[{"id":1,"v":4},{"id":2,"v":0}]}`, "calm 1@4", "any 1@4", "calm 2@1", "any 2@1")
	b.expect(`{"items":[{"id":2,"v":1}]}`, "any 2@2", "any 1@5") // silent about what is gone, too
	b.expect(`{"items":[{"id":1,"v":4},{"id":2,"v":1}]}`, "any 1@6")
	b.later(time.Hour)
	b.expect(`{"items":[{"id":1,"v":4},{"id":2,"v":2}]}`, "calm 2@3", "any 2@3")
	b.expect(`{"items":[{"id":1,"v":5},{"id":2,"v":2}]}`, "calm 1@7", "any 1@7")
	if n := counted(t, registry, "deltahook_events_cooled_total"); n != 1 {
		t.Errorf("%v events were counted as cooled, want 1", n)
	}
}

// counted is the sum of a counter, or of a gauge.
func counted(t *testing.T, r *prometheus.Registry, name string) (n float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return n
}

// A clock that was set back silences a rule for no longer than its cooldown
// allows; one that was far ahead not at all.
func TestCooldownAndTheClock(t *testing.T) {
	b := newBench(t, ruled(rule("calm", differ.RuleSettings{Cooldown: units.Duration(10 * time.Minute)})), listed)
	b.expect(one(0))
	b.expect(one(1), "calm 1@1")
	b.later(-5 * time.Minute)
	b.expect(one(2))
	b.later(-24 * time.Hour)
	b.expect(one(3), "calm 1@3")
	b.expect(one(4))
	b.later(365 * 24 * time.Hour)
	b.expect(one(5), "calm 1@5")
}

// With both, an item enters whether it is told or not.
func TestEnterWithCooldown(t *testing.T) {
	high := entering("new.v > 5")
	high.Cooldown = units.Duration(10 * time.Minute)
	b := newBench(t, ruled(rule("high", high)), listed)
	b.expect(one(1))
	b.expect(one(6), "high 1@1")
	b.expect(one(1))
	b.expect(one(6)) // cooling
	b.later(time.Hour)
	b.expect(one(7)) // entered before
	b.expect(one(1))
	b.expect(one(7), "high 1@6")
}

// Each edit of a rule, played with and without a flush before the restart.
func TestEditsOfRulesFireNothing(t *testing.T) {
	const high, wide = "new.v > 5", "new.v > 3"
	each := differ.RuleSettings{When: high}
	cooled := entering(high)
	cooled.Cooldown = units.Duration(time.Hour)
	elsewhere := entering(high)
	elsewhere.To = []string{"shop"}
	updates := entering(high)
	updates.On = []string{"updated"}
	for _, c := range []struct {
		name          string
		before, after differ.Settings
		want          [][]string // of the values 8, 4, 9 after a start at 7
	}{
		{"the same", ruled(rule("r", entering(high))), ruled(rule("r", entering(high))), [][]string{nil, nil, {"r 1@4"}}},
		{"added", ruled(rule("x", differ.RuleSettings{When: "false"})), ruled(rule("r", entering(high))), [][]string{nil, nil, {"r 1@4"}}},
		{"removed", ruled(rule("r", entering(high)), rule("x", entering(wide))), ruled(rule("x", entering(wide))), [][]string{nil, nil, nil}},
		{"when changed", ruled(rule("r", entering(high))), ruled(rule("r", entering(wide))), [][]string{nil, nil, nil}},
		{"when changed to what did not hold", ruled(rule("r", entering(high))), ruled(rule("r", entering("new.v > 7"))), [][]string{{"r 1@2"}, nil, {"r 1@4"}}},
		{"each to enter", ruled(rule("r", each)), ruled(rule("r", entering(high))), [][]string{nil, nil, {"r 1@4"}}},
		{"enter to each", ruled(rule("r", entering(high))), ruled(rule("r", each)), [][]string{{"r 1@2"}, nil, {"r 1@4"}}},
		{"cooldown", ruled(rule("r", entering(high))), ruled(rule("r", cooled)), [][]string{nil, nil, {"r 1@4"}}},
		{"to", ruled(rule("r", entering(high))), ruled(rule("r", elsewhere)), [][]string{nil, nil, {"r 1@4"}}},
		{"on", ruled(rule("r", entering(high))), ruled(rule("r", updates)), [][]string{nil, nil, {"r 1@4"}}},
	} {
		for _, flushed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/flushed=%t", c.name, flushed), func(t *testing.T) {
				b := newBench(t, c.before, listed)
				b.take(one(0))
				b.take(one(7)) // told by those that have it
				b.configure(c.after, listed)
				for i, v := range []int{8, 4, 9} {
					if flushed {
						b.take(one(map[int]int{0: 7, 1: 8, 2: 4}[i])) // unchanged
						b.end(t)
					}
					b.expect(one(v), c.want[i]...)
				}
			})
		}
	}
}

// What a removed rule knew is gone when it comes back.
func TestARuleThatCameBack(t *testing.T) {
	s := ruled(rule("high", entering("new.v > 5")))
	b := newBench(t, s, listed)
	b.expect(one(9))
	b.configure(ruled(rule("other", differ.RuleSettings{When: "false"})), listed)
	b.expect(one(1))
	if state := stateOf(t, b); len(state.Notes) != 0 {
		t.Errorf("what is noted of a rule that is gone: %+v", state.Notes)
	}
	b.configure(s, listed)
	b.expect(one(9), "high 1@2")
}

func stateOf(t *testing.T, b *bench) differ.State {
	t.Helper()
	var state differ.State
	for s, err := range b.store.Load(t.Context(), "s") {
		if err != nil {
			t.Fatal(err)
		}
		state = s
	}
	return state
}

// Only what matters is noted, and what no longer does is removed.
func TestNotesAreFew(t *testing.T) {
	high := entering("new.v > 5")
	high.Cooldown = units.Duration(10 * time.Minute)
	b := newBench(t, ruled(rule("high", high)), listed)
	b.expect(`{"items":[{"id":1,"v":1},{"id":2,"v":1},{"id":3,"v":9}]}`)
	b.expect(`{"items":[{"id":1,"v":9},{"id":2,"v":1},{"id":3,"v":9}]}`, "high 1@1")
	names := func() (out []string) {
		for _, n := range stateOf(t, b).Notes {
			out = append(out, n.Name+" of "+n.Key)
		}
		return out
	}
	if diff := cmp.Diff([]string{"rule/high of ", "rule/high of 1", "rule/high of 3"}, names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.expect(`{"items":[{"id":2,"v":1}]}`)
	if diff := cmp.Diff([]string{"rule/high of ", "rule/high of 1"}, names()); diff != "" {
		t.Errorf("once they are gone (-want +got):\n%s", diff)
	}
	b.later(time.Hour)
	b.expect(`{"items":[{"id":2,"v":1}],"n":1}`)
	b.end(t)
	if diff := cmp.Diff([]string{"rule/high of "}, names()); diff != "" {
		t.Errorf("once it has cooled down (-want +got):\n%s", diff)
	}
}

// A condition that time makes false is armed again while the item stays.
func TestTimeArmsAgain(t *testing.T) {
	for _, again := range []string{"as it was", "otherwise spelled", "304"} {
		for _, restarted := range []bool{false, true} {
			s := ruled(rule("fresh", entering(`now() - date(new.at) < duration("10m") and new.v > 5`)))
			b := newBench(t, s, listed)
			at := func(v int) string {
				return fmt.Sprintf(`{"items":[{"id":1,"v":%d,"at":%q}]}`, v, b.received.Format(time.RFC3339))
			}
			b.expect(at(1))
			first := at(6)
			b.expect(first, "fresh 1@1")
			pause := func(d time.Duration) {
				t.Helper()
				b.later(d)
				a := b.answer(first)
				switch again {
				case "304":
					a.Unmodified, a.Pages = true, nil
				case "otherwise spelled":
					a.Pages[0] = append(a.Pages[0], ' ')
				}
				b.told(a)
				if restarted {
					b.end(t)
				}
			}
			pause(time.Minute)
			b.expect(at(7)) // still in it
			first = at(8)
			b.expect(first)
			pause(time.Hour)
			b.expect(at(9), "fresh 1@4")
		}
	}
}

// The whole item is not at hand where the answer says only that nothing
// changed: then nothing is armed.
func TestTimeAndTheWholeItem(t *testing.T) {
	r := listed
	r.Pick = ordered.Map[string]{{Key: "v", Value: "v"}}
	b := newBench(t, ruled(rule("fresh", entering(`now() - date(item.at) < duration("10m")`))), r)
	at := func(v int) string {
		return fmt.Sprintf(`{"items":[{"id":1,"v":%d,"at":%q}]}`, v, b.received.Format(time.RFC3339))
	}
	b.expect(`{"items":[]}`)
	first := at(1)
	b.expect(first, "fresh 1@1")
	b.later(time.Hour)
	a := b.answer("")
	a.Unmodified, a.Pages = true, nil
	b.told(a)
	b.expect(at(2))
	first = at(3)
	b.expect(first)
	b.later(time.Hour)
	b.expect(first)
	b.expect(at(4), "fresh 1@4")
}

func TestNowIsTheTimeOfTheAnswer(t *testing.T) {
	b := newBench(t, ruled(rule("at", differ.RuleSettings{When: `now() == date("2026-11-23T10:02:00Z") and now().Year() == 2026`})), listed)
	b.expect(one(0))
	b.expect(one(1), "at 1@1")
	b.expect(one(2))
}

func TestChangesOfSeveralRulesAreInTheOrderOfTheFile(t *testing.T) {
	b := newBench(t, ruled(rule("z", entering("new.v > 1")), rule("a", differ.RuleSettings{}), rule("m", entering("new.v > 1"))), listed)
	b.expect(`{"items":[{"id":1,"v":1},{"id":2,"v":1}]}`)
	b.expect(`{"items":[{"id":2,"v":2},{"id":1,"v":2}]}`, "z 2@1", "a 2@1", "m 2@1", "z 1@1", "a 1@1", "m 1@1")
}

// Watch keys stand for themselves.
func TestEachWatchKeyHasItsBaseline(t *testing.T) {
	b := newBench(t, ruled(rule("high", entering("new.v > 5"))), differ.ResponseSettings{})
	answer := func(key string, v int) *poller.Answer {
		a := b.answer(fmt.Sprintf(`{"v":%d}`, v))
		a.Keys = []string{key}
		return a
	}
	b.told(answer("x", 9))
	b.told(answer("y", 1))
	b.told(answer("x", 8))
	b.told(answer("y", 9), "high y@1")
	b.restart()
	b.told(answer("x", 1))
	b.told(answer("x", 9), "high x@3")
	b.told(answer("y", 8))
}

// A commit whose reply was lost moves the rules once.
func TestALostReplyTellsOnce(t *testing.T) {
	b := newBench(t, ruled(rule("high", entering("new.v > 5"))), listed)
	b.expect(one(1))
	b.store.after = fmt.Errorf("reply lost")
	_ = b.differ.Take(t.Context(), b.answer(one(6)))
	b.store.after = nil
	b.expect(one(6), "high 1@1") // by the commit before
	b.expect(one(7))
	b.store.before = fmt.Errorf("disk full")
	_ = b.differ.Take(t.Context(), b.answer(one(1)))
	b.store.before = nil
	b.expect(one(8)) // it never left
}

func TestPreviewMovesNoRule(t *testing.T) {
	b := newBench(t, ruled(rule("high", entering("new.v > 5"))), listed)
	b.expect(one(1))
	for range 2 {
		p, err := b.differ.Preview(t.Context(), b.answer(one(6)))
		if err != nil || len(p.Events) != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	b.expect(one(6), "high 1@1")
}

// What waits for a flush when the reply of a commit is lost is older than what
// the commit wrote.
func TestALostReplyIsNotUndone(t *testing.T) {
	for _, applied := range []bool{false, true} {
		b := newBench(t, ruled(rule("calm", differ.RuleSettings{Cooldown: units.Duration(10 * time.Minute)})), listed)
		b.expect(one(0))
		b.expect(one(1), "calm 1@1")
		b.later(time.Hour)
		b.expect(one(1)) // the cooldown is forgotten with the next flush
		if applied {
			b.store.after = fmt.Errorf("reply lost")
		} else {
			b.store.before = fmt.Errorf("disk full")
		}
		_ = b.differ.Take(t.Context(), b.answer(one(2)))
		b.store.after, b.store.before = nil, nil
		b.expect(one(2), "calm 1@2")
		b.end(t)
		b.expect(one(3))
	}
}

// What is held moves no rule; what a person lets pass does.
func TestAHeldAnswerMovesNoRule(t *testing.T) {
	flood := func(v int) string {
		return fmt.Sprintf(`{"items":[{"id":1,"v":%d},{"id":2,"v":%d},{"id":3,"v":%d}]}`, v, v, v)
	}
	start := func() *bench {
		s := ruled(rule("high", entering("new.v > 5")))
		s.Changes.MaxEvents = 2
		b := newBench(t, s, listed)
		b.expect(flood(1))
		b.expect(flood(9))
		if len(b.differ.Holds()) != 1 {
			t.Fatal("the answer is not held")
		}
		return b
	}
	decide := func(b *bench, state differ.HoldState) {
		t.Helper()
		if err := b.differ.Decide(t.Context(), "s", "", state); err != nil {
			t.Fatal(err)
		}
	}
	b := start()
	b.restart()
	b.expect(flood(1)) // it was wrong
	b.expect(`{"items":[{"id":1,"v":9},{"id":2,"v":1},{"id":3,"v":1}]}`, "high 1@1")

	b = start()
	decide(b, differ.Released)
	b.expect(flood(9), "high 1@1", "high 2@1", "high 3@1")
	b.expect(flood(8))

	b = start()
	decide(b, differ.ReleasedSilently)
	b.expect(flood(9))
	b.expect(flood(8)) // they are in it all the same
	b.expect(`{"items":[{"id":1,"v":1},{"id":2,"v":8},{"id":3,"v":8}]}`)
	b.expect(`{"items":[{"id":1,"v":6},{"id":2,"v":8},{"id":3,"v":8}]}`, "high 1@3")
}

// A 304 stands for the answer before it, which listed what was new in it too.
func TestANewItemComesOutWithA304(t *testing.T) {
	b := newBench(t, ruled(rule("r", entering("change != 'deleted' && new.v > now().Minute()"))), listed)
	b.expect(`{"items":[]}`)  // 10:01
	b.expect(one(5), "r 1@1") // 10:02
	b.later(5 * time.Minute)  // and at 10:08 it is out
	a := &poller.Answer{Source: "s", Status: 304, Unmodified: true, Received: b.received.Add(time.Minute)}
	b.told(a)
	b.later(time.Hour - 6*time.Minute)
	b.expect(one(6), "r 1@2") // 11:03: and in again
}
