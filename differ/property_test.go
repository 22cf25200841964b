package differ_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/canon"
)

// world is a set of items as an API might hold them: by id, a value.
type world map[string]int

// answer writes the world down with noise that must not count: the order of
// items and of fields, the spelling of numbers, a field that is ignored.
func (w world) answer(t *rapid.T) string {
	ids := rapid.Permutation(slices.Sorted(maps.Keys(w))).Draw(t, "order")
	var items []string
	for _, id := range ids {
		fields := rapid.Permutation([]string{
			`"id":"` + id + `"`,
			fmt.Sprintf(rapid.SampledFrom([]string{`"v":%d`, `"v":%d.0`, `"v": %d.000e0`}).Draw(t, "spelling"), w[id]),
			fmt.Sprintf(`"seen":%d`, rapid.IntRange(0, 1).Draw(t, "noise")),
		}).Draw(t, "fields")
		items = append(items, "{"+strings.Join(fields, ",")+"}")
	}
	return fmt.Sprintf(`{"request":%d,"items":[%s]}`, rapid.IntRange(0, 3).Draw(t, "request"), strings.Join(items, ","))
}

// faulty spoils an answer.
func faulty(t *rapid.T, answer string) string {
	return rapid.SampledFrom([]string{
		`{}`, `{"items":null}`, `{"items":{}}`, `{"error":"quota"}`,
		strings.Replace(answer, `"items":[`, `"items":[{"v":1},`, 1),
		`{"items":[{"id":"a","v":7},{"id":"b","v":9},{"id":"a","v":8}]}`,
	}).Draw(t, "fault")
}

// TestExactlyTheTrueChanges plays random worlds, noise, repetitions, faults,
// restarts and lost commits, and holds the events against the truth: applied
// to the first world, in order, they give the last one, and an item's
// revisions have no gap.
func TestExactlyTheTrueChanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := listed
		r.Ignore = []string{"seen"}
		b := newBench(t, atOnce(differ.Settings{}), r)
		truth := world{}
		replay := world{}
		revisions := map[string]uint64{}
		steps := rapid.IntRange(1, 12).Draw(rt, "steps")
		for step := range steps {
			for _, id := range []string{"a", "b", "c", "d"} {
				switch rapid.IntRange(0, 4).Draw(rt, "fate of "+id) {
				case 0:
					delete(truth, id)
				case 1:
					truth[id] = rapid.IntRange(0, 3).Draw(rt, "value")
				}
			}
			body := truth.answer(rt)
			switch rapid.IntRange(0, 5).Draw(rt, "trouble") {
			case 0:
				b.refused(faulty(rt, body))
			case 1:
				b.restart()
			case 2:
				b.store.after = fmt.Errorf("reply lost")
				_ = b.differ.Take(t.Context(), b.answer(body))
				b.store.after = nil
			}
			if err := b.differ.Take(t.Context(), b.answer(body)); err != nil {
				rt.Fatal(err)
			}
			if step == 0 {
				maps.Copy(replay, truth) // the silent baseline
			}
		}
		ids := map[string]bool{}
		for _, c := range b.store.commits {
			for _, e := range c.Events {
				if ids[e.ID] {
					rt.Fatalf("event %s is there twice", e.ID)
				}
				ids[e.ID] = true
				if e.Revision != revisions[e.Key]+1 {
					rt.Fatalf("%s of %s has revision %d after %d", e.Change, e.Key, e.Revision, revisions[e.Key])
				}
				revisions[e.Key] = e.Revision
				apply(rt, replay, e)
			}
		}
		if diff := cmp.Diff(truth, replay); diff != "" {
			rt.Fatalf("the events do not lead to the truth (-want +got):\n%s", diff)
		}
	})
}

// apply does to w what an event tells, and refuses what cannot be.
func apply(t *rapid.T, w world, e differ.Event) {
	_, had := w[e.Key]
	if had == (e.Change == differ.Created) {
		t.Fatalf("%s of %s, which is there: %v", e.Change, e.Key, had)
	}
	if e.Change == differ.Deleted {
		delete(w, e.Key)
		return
	}
	var now struct{ V json.Number }
	if err := json.Unmarshal(e.New, &now); err != nil {
		t.Fatal(err)
	}
	var v int
	if _, err := fmt.Sscan(string(canon.Number(nil, []byte(now.V))), &v); err != nil {
		t.Fatal(err)
	}
	if had && w[e.Key] == v {
		t.Fatalf("%s of %s to the value it had", e.Change, e.Key)
	}
	w[e.Key] = v
}
