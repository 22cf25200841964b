package differ_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// deltas are answers that list what changed, and mark what is gone.
func deltas() differ.ResponseSettings {
	r := listed
	r.Absent, r.DeletedWhen = "kept", `item.gone ?? false`
	return r
}

func TestKeptItemsStay(t *testing.T) {
	b := newBench(t, atOnce(differ.Settings{}), deltas())
	b.expect(`{"items":[{"id":1,"v":1},{"id":2,"v":1}]}`)
	b.expect(`{"items":[]}`)
	b.expect(`{"items":[{"id":3,"v":1}]}`, "s.created 3@1")
	b.restart()
	b.expect(`{"items":[{"id":1,"v":1}]}`) // it comes back as it was
	b.expect(`{"items":[{"id":2,"v":2}]}`, "s.updated 2@1")
	empty := b.answer("")
	empty.Pages = nil
	b.told(empty)
	b.expect(`{"items":[{"id":1,"v":1},{"id":2,"v":2},{"id":3,"v":1}]}`)
}

func TestItemsThatSayTheyAreDeleted(t *testing.T) {
	for _, absent := range []string{"kept", "deleted"} {
		r := deltas()
		r.Absent = absent
		r.Pick = ordered.Map[string]{{Key: "v", Value: "v"}}
		b := newBench(t, differ.Settings{}, r)
		b.expect(`{"items":[{"id":1,"v":1},{"id":2,"v":1},{"id":9,"gone":true}]}`)
		b.expect(`{"items":[{"id":1,"gone":true},{"id":2,"v":1},{"id":7,"gone":true}]}`, "s.deleted 1@1")
		if e := b.store.commits[1].Events[0]; string(e.Old) != `{"v":1}` || e.New != nil {
			t.Errorf("deleted: old %s, new %s", e.Old, e.New)
		}
		b.expect(`{"items":[{"id":1,"gone":true},{"id":2,"v":1}]}`) // told before
		b.restart()
		b.expect(`{"items":[{"id":2,"v":1},{"id":1,"gone":true}]}`)
		b.expect(`{"items":[{"id":2,"v":1},{"id":1,"v":1}]}`, "s.created 1@2")
	}
}

func TestDeletedWhenIsJudged(t *testing.T) {
	r := deltas()
	r.DeletedWhen, r.ItemOK = `item.gone`, `item.bad == nil`
	b := newBench(t, atOnce(differ.Settings{}), r)
	b.expect(`{"items":[{"id":1,"gone":false}]}`)
	if f := b.refused(`{"items":[{"id":1}]}`); f.Class != poller.ClassItems || !strings.Contains(f.Error(), "deleted_when") {
		t.Errorf("got %v", f)
	}
	b.refused(`{"items":[{"gone":true}]}`)                              // without an id
	b.refused(`{"items":[{"id":1,"gone":true},{"id":1,"gone":false}]}`) // twice
	b.expect(`{"items":[{"id":1,"bad":1}]}`)                            // unknown, so nobody asks
	b.expect(`{"items":[{"id":1,"gone":true}]}`, "s.deleted 1@1")
}

func TestPreviewOfDeletedItems(t *testing.T) {
	b := newBench(t, differ.Settings{}, deltas())
	b.expect(`{"items":[{"id":1}]}`)
	p, err := b.differ.Preview(t.Context(), b.answer(`{"items":[{"id":1,"gone":true},{"id":2}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Items) != 1 || p.Items[0].Key != "2" || len(p.Changes) != 2 || p.Changes[1].Change != differ.Deleted {
		t.Errorf("got %+v", p)
	}
}

// forgetful remembers kept items for eight hours.
func forgetful(t *testing.T) *bench {
	r := deltas()
	r.ForgetAfter = units.Duration(8 * time.Hour)
	return newBench(t, differ.Settings{}, r)
}

func (b *bench) later(d time.Duration) { b.received = b.received.Add(d) }

func TestKeptItemsAreForgotten(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		b := forgetful(t)
		b.expect(`{"items":[{"id":1,"v":1},{"id":2,"v":1}]}`)
		b.later(8 * time.Hour)
		b.expect(`{"items":[{"id":2,"v":1}]}`)
		if restarted {
			b.restart()
		}
		b.expect(`{"items":[{"id":1,"v":1}]}`) // up to an eighth longer
		b.later(5 * time.Hour)
		b.expect(`{"items":[{"id":3,"v":1}]}`, "s.created 3@1")
		b.later(5 * time.Hour)
		if restarted {
			b.restart()
		}
		b.expect(`{"items":[{"id":3,"v":2}]}`, "s.updated 3@2") // 1 and 2 go now
		b.expect(`{"items":[{"id":2,"v":1}]}`, "s.created 2@1")
		b.expect(`{"items":[{"id":1,"gone":true}]}`) // nothing is known of it
		b.expect(`{"items":[{"id":1,"v":9}]}`, "s.created 1@1")
	}
}

// What is listed all the time is never forgotten, however seldom it changes,
// and over restarts too.
func TestListedItemsAreNotForgotten(t *testing.T) {
	b := forgetful(t)
	b.expect(`{"items":[{"id":1,"v":1}]}`)
	writes := 0
	for i := range 48 {
		b.later(time.Hour)
		before := len(b.store.commits)
		b.take(fmt.Sprintf(`{"n":%d,"items":[{"id":1,"v":1}]}`, i/2)) // the same twice
		writes += len(b.store.commits) - before
		if i%5 == 0 {
			b.restart()
		}
	}
	b.later(7 * time.Hour)
	b.restart()
	b.expect(`{"items":[]}`)
	b.expect(`{"items":[{"id":1,"v":1}]}`)
	if writes > 48 {
		t.Errorf("%d writes for an item that never changed", writes)
	}
}

// An answer that is the same to the byte lists its items too.
func TestTheSameAnswerListsItsItems(t *testing.T) {
	b := forgetful(t)
	for range 48 {
		b.expect(`{"items":[{"id":1,"v":1}]}`)
		b.later(time.Hour)
	}
	b.expect(`{"items":[]}`)
	b.expect(`{"items":[{"id":1,"v":1}]}`)
}

func TestForgettingIsBoundedAndGoesOn(t *testing.T) {
	b := forgetful(t)
	var items strings.Builder
	for i := range 25_000 {
		fmt.Fprintf(&items, `,{"id":%d}`, i)
	}
	b.expect(`{"items":[` + items.String()[1:] + `]}`)
	b.later(10 * time.Hour)
	for i := range 3 {
		b.expect(fmt.Sprintf(`{"n":%d,"items":[]}`, i))
	}
	n := 0
	for _, c := range b.store.commits[1:] {
		if len(c.Items) > 10_000 || len(c.Events) > 0 {
			t.Errorf("a commit of %d items and %d events", len(c.Items), len(c.Events))
		}
		n += len(c.Items)
	}
	if n != 25_000 {
		t.Errorf("%d forgotten, want all", n)
	}
}

// A cursor is worth nothing once items are read in another way: what it would
// leave out is not remembered.
func TestCursorGoesWithTheShape(t *testing.T) {
	b := newBench(t, differ.Settings{}, deltas())
	a := b.answer(`{"items":[{"id":1,"v":1}]}`)
	a.Bookmarks = poller.Bookmarks{Cursor: `{"c":1}`}
	b.told(a)
	if marks := b.restart(); marks["s"].Cursor != `{"c":1}` {
		t.Errorf("the cursor is %q", marks["s"].Cursor)
	}
	r := deltas()
	r.Pick = ordered.Map[string]{{Key: "v", Value: "v"}}
	if marks := b.configure(differ.Settings{}, r); marks["s"].Cursor != "" {
		t.Errorf("the cursor is %q", marks["s"].Cursor)
	}
}

// server is an API that knows when each of its items changed last, and lists
// those that did since a cursor: what is deleted with a mark.
type server struct {
	clock int
	items map[string]version
}

type version struct {
	at, value int
	gone      bool
}

func (s *server) put(id string, value int) {
	s.clock++
	s.items[id] = version{s.clock, value, false}
}

func (s *server) drop(id string) {
	if v, ok := s.items[id]; ok && !v.gone {
		s.clock++
		s.items[id] = version{s.clock, 0, true}
	}
}

func (s *server) since(t *rapid.T, cursor int) string {
	var items []string
	for id, v := range s.items {
		switch {
		case v.at <= cursor:
		case v.gone:
			items = append(items, fmt.Sprintf(`{"id":%q,"gone":true}`, id))
		default:
			items = append(items, fmt.Sprintf(`{"id":%q,"v":%d}`, id, v.value))
		}
	}
	return fmt.Sprintf(`{"request":%d,"items":[%s]}`, rapid.IntRange(0, 9).Draw(t, "request"), strings.Join(items, ","))
}

// truth is what there is.
func (s *server) truth() world {
	w := world{}
	for id, v := range s.items {
		if !v.gone {
			w[id] = v.value
		}
	}
	return w
}

// TestDeltasLeadToTheTruth plays random streams of deltas, asked for with a
// random overlap, with failures, restarts that lose a cursor, and commits whose
// reply is lost: the events, applied to the baseline, give what there is.
func TestDeltasLeadToTheTruth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, differ.Settings{}, deltas())
		api := &server{items: map[string]version{}}
		replay := world{}
		overlap := rapid.IntRange(0, 6).Draw(rt, "overlap")
		marks := poller.Bookmarks{}
		poll := func() error {
			cursor := 0
			if marks.Cursor != "" {
				if _, err := fmt.Sscanf(marks.Cursor, `{"c":%d}`, &cursor); err != nil {
					rt.Fatal(err)
				}
				cursor = max(0, cursor-overlap)
			}
			a := b.answer(api.since(rt, cursor))
			a.Bookmarks = poller.Bookmarks{Cursor: fmt.Sprintf(`{"c":%d}`, api.clock)}
			err := b.differ.Take(t.Context(), a)
			if err == nil {
				marks = a.Bookmarks
			}
			return err
		}
		change := func() {
			for _, id := range []string{"a", "b", "c", "d"} {
				switch rapid.IntRange(0, 5).Draw(rt, "fate of "+id) {
				case 0:
					api.drop(id)
				case 1, 2:
					api.put(id, rapid.IntRange(0, 2).Draw(rt, "value"))
				}
			}
		}
		change()
		if err := poll(); err != nil {
			rt.Fatal(err)
		}
		maps.Copy(replay, api.truth()) // the silent baseline
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			change()
			switch rapid.IntRange(0, 4).Draw(rt, "trouble") {
			case 0:
				b.store.before = errors.New("the disk is full")
				_ = poll()
				b.store.before = nil
			case 1:
				b.store.after = errors.New("reply lost")
				_ = poll()
				b.store.after = nil
			case 2: // killed: what was not committed is lost, the cursor with it
				marks = b.restart()["s"]
			default:
				if err := poll(); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if err := poll(); err != nil {
			rt.Fatal(err)
		}
		for _, c := range b.store.commits {
			for _, e := range c.Events {
				apply(rt, replay, e)
			}
		}
		if diff := cmp.Diff(api.truth(), replay); diff != "" {
			rt.Fatalf("the events do not lead to the truth (-want +got):\n%s", diff)
		}
	})
}
