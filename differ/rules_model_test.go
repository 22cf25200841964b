package differ_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/units"
)

// modelled is a rule as the model sees it: a few lines that nobody can doubt.
type modelled struct {
	name     string
	settings differ.RuleSettings
	holds    func(kind string, old, now int, at time.Time) bool

	entered map[string]bool
	told    map[string]time.Time
}

const modelCooldown = 10 * time.Minute

// noon is when a condition of the model ends to hold.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func modelRules() []*modelled {
	high := func(_ string, _, v int, _ time.Time) bool { return v > 1 }
	return []*modelled{
		{name: "enter", settings: entering("new.v > 1"), holds: high},
		{name: "enter.updated", settings: differ.RuleSettings{On: []string{"updated"}, When: "new.v > 1", Trigger: "enter"}, holds: high},
		{name: "cool", settings: differ.RuleSettings{When: "new.v > 1", Cooldown: units.Duration(modelCooldown)}, holds: high},
		{name: "both", settings: differ.RuleSettings{When: "new.v > 1", Trigger: "enter", Cooldown: units.Duration(modelCooldown)}, holds: high},
		{name: "cool.all", settings: differ.RuleSettings{Cooldown: units.Duration(modelCooldown)},
			holds: func(string, int, int, time.Time) bool { return true }},
		{name: "timed", settings: entering(`new.v > 1 and now() < date("2026-11-23T12:00:00Z")`),
			holds: func(_ string, _, v int, at time.Time) bool { return v > 1 && at.Before(noon) }},
		{name: "rising", settings: entering("new.v > (old.v ?? 0)"),
			holds: func(_ string, old, v int, _ time.Time) bool { return v > old }},
	}
}

// weigh is what the rule tells of one answer, and moves its state.
func (m *modelled) weigh(kind, key string, old, v int, at time.Time, silent bool) bool {
	holds := kind != "deleted" && m.holds(kind, old, v, at)
	if kind == "deleted" {
		holds = m.settings.When == ""
	}
	on := m.settings.On == nil || slices.Contains(m.settings.On, kind)
	enter := m.settings.Trigger == "enter"
	fires := on && holds && !silent && (!enter || !m.entered[key])
	m.entered[key] = enter && holds && kind != "deleted"
	if !fires || m.settings.Cooldown == 0 {
		return fires
	}
	if m.cools(key, at) {
		return false
	}
	m.told[key] = at
	return true
}

func (m *modelled) cools(key string, at time.Time) bool {
	last, told := m.told[key]
	return told && at.Sub(last).Abs() < modelCooldown
}

// TestRulesAreThoseOfTheModel plays random values, deletions, restarts, lost
// replies and jumps of the clock.
func TestRulesAreThoseOfTheModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		model := modelRules()
		s := ruled()
		for _, m := range model {
			m.entered, m.told = map[string]bool{}, map[string]time.Time{}
			s.Events = append(s.Events, rule(m.name, m.settings))
		}
		b := newBench(t, s, listed)
		now := map[string]int{}
		for step := range rapid.IntRange(1, 15).Draw(rt, "steps") {
			next := maps.Clone(now)
			for _, key := range []string{"a", "b"} {
				switch fate := rapid.IntRange(-2, 3).Draw(rt, "fate of "+key); {
				case fate == -1:
					delete(next, key)
				case fate >= 0:
					next[key] = fate
				}
			}
			b.later(time.Duration(rapid.IntRange(-20, 40).Draw(rt, "minutes")) * time.Minute)
			var items, want []string
			for _, key := range slices.Sorted(maps.Keys(next)) {
				items = append(items, fmt.Sprintf(`{"id":%q,"v":%d}`, key, next[key]))
			}
			a := b.answer(fmt.Sprintf(`{"n":%d,"items":[%s]}`, rapid.IntRange(0, 1).Draw(rt, "noise"), strings.Join(items, ",")))
			for _, m := range model {
				for _, key := range []string{"a", "b"} {
					old, had := now[key]
					v, has := next[key]
					kind := "updated"
					switch {
					case !had && !has, step == 0 && !has:
						continue
					case !had:
						kind, old = "created", 0
					case !has:
						kind, v = "deleted", 0
					case old == v: // unchanged: time may arm it again
						if m.name == "timed" && !m.holds(kind, v, v, a.Received) {
							m.entered[key] = false
						}
						continue
					}
					if m.weigh(kind, key, old, v, a.Received, step == 0) {
						want = append(want, m.name+" "+key)
					}
				}
				for key := range m.told {
					if !m.cools(key, a.Received) {
						delete(m.told, key)
					}
				}
			}
			now = next
			if rapid.IntRange(0, 4).Draw(rt, "trouble") == 0 {
				b.store.after = fmt.Errorf("reply lost")
				_ = b.differ.Take(t.Context(), a)
				b.store.after = nil
			}
			if err := b.differ.Take(t.Context(), a); err != nil {
				rt.Fatal(err)
			}
			var got []string
			for _, e := range b.events() {
				name, _, _ := strings.Cut(e, "@")
				got = append(got, name)
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatalf("step %d at %v, %v (-want +got):\n%s", step, a.Received, next, diff)
			}
			if rapid.Bool().Draw(rt, "restart") {
				b.end(t)
			}
		}
	})
}
