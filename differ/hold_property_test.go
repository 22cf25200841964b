package differ_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
)

// heldModel says what a source with guards must do, from nothing but what has
// been told of it.
type heldModel struct {
	known map[int]int // contents by id, as a receiver has them
	told  int         // alerts
	hold  *modelHold
}

type modelHold struct {
	state           differ.HoldState
	deleted, events int
}

// take says whether an answer is taken in, and whether that is told.
func (m *heldModel) take(items map[int]int, most int) (taken, told bool) {
	deleted, events := 0, 0
	for id := range m.known {
		if _, there := items[id]; !there {
			deleted++
		}
	}
	for id, v := range items {
		if was, there := m.known[id]; !there || was != v {
			events++
		}
	}
	events += deleted
	if (len(m.known) < 10 || deleted <= len(m.known)/2) && events <= most {
		m.hold = nil
		return true, true
	}
	if h := m.hold; h != nil && (h.state == differ.Held || deleted <= h.deleted+h.deleted/10 && events <= h.events+h.events/10) {
		switch h.state {
		case differ.Released, differ.ReleasedSilently:
			m.hold = nil
			return true, h.state == differ.Released
		default:
			h.deleted, h.events = deleted, events
			return false, false
		}
	}
	m.hold = &modelHold{differ.Held, deleted, events}
	m.told++
	return false, false
}

// TestHoldsAtRandom plays whole, half and flooding answers, restarts and
// decisions in any order. What a receiver has is what the model says, and
// nothing is told twice.
func TestHoldsAtRandom(t *testing.T) {
	const most = 12
	rapid.Check(t, func(r *rapid.T) {
		s := differ.Settings{Changes: differ.ChangeSettings{ConfirmDeletes: 1, MaxEvents: most}}
		b := newBench(t, s, listed)
		b.options.Alerts = []string{"ops"}
		b.restart()
		model := &heldModel{known: map[int]int{}}
		alerts, receiver, truth := 0, map[int]int{}, map[int]int{}
		for id := range rapid.IntRange(0, 30).Draw(r, "items") {
			truth[id] = 0
		}
		play := func(items map[int]int) {
			for _, e := range b.take(listOf(items)) {
				kind, rest, _ := strings.Cut(e, " ")
				var id, revision int
				if kind == differ.TypeHeld {
					alerts++
					continue
				}
				if _, err := fmt.Sscanf(rest, "%d@%d", &id, &revision); err != nil {
					r.Fatal(e, err)
				}
				if kind == "s.deleted" {
					delete(receiver, id)
				} else {
					receiver[id] = items[id]
				}
			}
		}
		play(truth) // the silent baseline
		maps.Copy(receiver, truth)
		maps.Copy(model.known, truth)
		r.Repeat(map[string]func(*rapid.T){
			"whole": func(r *rapid.T) {
				for id := range rapid.IntRange(0, 4).Draw(r, "changed") {
					truth[id*7%31] = rapid.IntRange(0, 3).Draw(r, "v")
				}
				judge(model, truth, most, receiver, play)
			},
			"half": func(r *rapid.T) {
				half, keep := map[int]int{}, rapid.IntRange(0, 100).Draw(r, "per cent")
				for id, v := range truth {
					if id*37%100 < keep {
						half[id] = v
					}
				}
				judge(model, half, most, receiver, play)
			},
			"flood": func(r *rapid.T) {
				from := rapid.IntRange(100, 140).Draw(r, "from")
				for id := from; id < from+rapid.IntRange(1, 20).Draw(r, "new"); id++ {
					truth[id] = 1
				}
				judge(model, truth, most, receiver, play)
			},
			"restart": func(*rapid.T) {
				b.run(t)()
				b.restart()
			},
			"decide": func(r *rapid.T) {
				state := rapid.SampledFrom([]differ.HoldState{differ.Released, differ.ReleasedSilently, differ.Discarded}).Draw(r, "state")
				if err := b.differ.Decide(t.Context(), "s", "", state); (err == nil) != (model.hold != nil) {
					r.Fatalf("decide: %v, the model holds %v", err, model.hold)
				}
				if model.hold != nil {
					model.hold.state = state
				}
			},
			"": func(r *rapid.T) {
				if !maps.Equal(receiver, model.known) {
					r.Fatalf("the receiver has %v, the model %v", receiver, model.known)
				}
				holds := b.differ.Holds()
				if (len(holds) == 1) != (model.hold != nil) || len(holds) == 1 && holds[0].State != model.hold.state {
					r.Fatalf("holds are %+v, the model's %+v", holds, model.hold)
				}
				if alerts != model.told {
					r.Fatalf("%d alerts, want %d", alerts, model.told)
				}
			},
		})
	})
}

// judge plays an answer to both. What is taken in without a word, a receiver
// does not know; it is told what is remembered then.
func judge(m *heldModel, items map[int]int, most int, receiver map[int]int, play func(map[int]int)) {
	taken, told := m.take(items, most)
	before := maps.Clone(receiver)
	play(items)
	if !taken {
		return
	}
	m.known = maps.Clone(items)
	if !told {
		if !maps.Equal(receiver, before) {
			panic("something was told of what was released silently")
		}
		clear(receiver)
		maps.Copy(receiver, items)
	}
}

// listOf is an answer of items.
func listOf(items map[int]int) string {
	out := make([]string, 0, len(items))
	for _, id := range slices.Sorted(maps.Keys(items)) {
		out = append(out, fmt.Sprintf(`{"id":%d,"v":%d}`, id, items[id]))
	}
	return `{"items":[` + strings.Join(out, ",") + `]}`
}
