package differ_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
)

// timeline gives the changes that are kept of an item, the first one first, as
// "revision change old->new".
func (b *bench) timeline(key string) []string {
	b.t.Helper()
	list, err := b.store.Store.(differ.Archive).Revisions(b.t.Context(), "s", key, 0, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, r := range list {
		text := fmt.Sprintf("%d %s %s->%s", r.Revision, r.Change, r.Old, r.New)
		if r.Omitted {
			text += " omitted"
		}
		out = append([]string{text}, out...)
	}
	return out
}

func (b *bench) wantTimeline(what, key string, want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.timeline(key)); diff != "" {
		b.t.Errorf("%s: the timeline of %s (-want +got):\n%s", what, key, diff)
	}
}

// TestTimeline holds that each change is kept with what was before it, and that
// a baseline is none.
func TestTimeline(t *testing.T) {
	b := newBench(t, atOnce(differ.Settings{}), listed)
	b.take(`{"items":[{"id":1,"v":1},{"id":2,"v":1}]}`)
	b.wantTimeline("a baseline", "1")
	b.take(`{"items":[{"id":1,"v":2},{"id":2,"v":1},{"id":3,"v":1}]}`)
	b.take(`{"items":[{"id":2,"v":1},{"id":3,"v":1}]}`)
	b.take(`{"items":[{"id":1,"v":3},{"id":2,"v":1},{"id":3,"v":1}]}`)
	b.wantTimeline("changes", "1",
		`1 updated {"id":1,"v":1}->{"id":1,"v":2}`, `2 deleted {"id":1,"v":2}->`, `3 created ->{"id":1,"v":3}`)
	b.wantTimeline("one that is new", "3", `1 created ->{"id":3,"v":1}`)
	b.wantTimeline("one that did not change", "2")

	other := listed
	other.Ignore = []string{"w"}
	b.configure(atOnce(differ.Settings{}), other)
	b.take(`{"items":[{"id":1,"v":4},{"id":2,"v":1},{"id":3,"v":1}]}`)
	b.wantTimeline("other settings, and so a new baseline", "1")
	b.take(`{"items":[{"id":1,"v":5},{"id":2,"v":1},{"id":3,"v":1}]}`)
	b.wantTimeline("and a change", "1", `4 updated {"id":1,"v":4}->{"id":1,"v":5}`)
}

func TestTimelineOfABaselineThatIsTold(t *testing.T) {
	b := newBench(t, differ.Settings{Changes: differ.ChangeSettings{Baseline: differ.Baseline{Emit: true}}}, listed)
	b.take(`{"items":[{"id":1}]}`)
	b.wantTimeline("told", "1", `1 created ->{"id":1}`)

	b = newBench(t, lastOf(1, ""), listed)
	b.take(`{"items":[{"id":1},{"id":2}]}`)
	b.wantTimeline("the newest", "1", `1 created ->{"id":1}`)
	b.wantTimeline("not the newest", "2")
}

// TestTimelineOfLostReplies holds that a change whose commit had no answer is
// kept once, whether it was applied or not.
func TestTimelineOfLostReplies(t *testing.T) {
	for name, fail := range map[string]func(*recorder, error){
		"applied":     func(r *recorder, err error) { r.after = err },
		"not applied": func(r *recorder, err error) { r.before = err },
	} {
		b := newBench(t, differ.Settings{}, listed)
		b.take(one(1))
		fail(b.store, errors.New("reply lost"))
		if err := b.differ.Take(t.Context(), b.answer(one(2))); err == nil {
			t.Fatal("taken in")
		}
		fail(b.store, nil)
		b.take(one(2))
		b.take(one(3))
		b.wantTimeline(name, "1", `1 updated {"id":1,"v":1}->{"id":1,"v":2}`, `2 updated {"id":1,"v":2}->{"id":1,"v":3}`)
	}
}

// TestTimelineIsWhatIsTold plays random answers, restarts between them, and
// holds that the timeline of each item says what its events said.
func TestTimelineIsWhatIsTold(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		b := newBench(t, atOnce(differ.Settings{}), listed)
		b.take(`{"items":[]}`)
		for range 30 {
			items := []json.RawMessage{}
			for id := range 4 {
				if random.IntN(3) > 0 {
					items = append(items, fmt.Appendf(nil, `{"id":%d,"v":%d}`, id, random.IntN(3)))
				}
			}
			list, err := json.Marshal(map[string]any{"items": items})
			if err != nil {
				t.Fatal(err)
			}
			if b.take(string(list)); random.IntN(5) == 0 {
				b.restart()
			}
		}
		told := map[string][]string{}
		for _, c := range b.store.commits {
			for _, e := range c.Events {
				told[e.Key] = append(told[e.Key], fmt.Sprintf("%d %s %s->%s", e.Revision, e.Change, e.Old, e.New))
			}
		}
		for key, want := range told {
			b.wantTimeline(fmt.Sprintf("seed %d", seed), key, want...)
		}
		if len(told) != 4 {
			t.Errorf("seed %d: events of %d items", seed, len(told))
		}
	}
}
