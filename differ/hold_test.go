package differ_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// first lists items 1 to n.
func first(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"id":%d}`, i+1)
	}
	return `{"items":[` + strings.Join(items, ",") + `]}`
}

// deleted are the events of a run of items being deleted.
func deleted(from, to, revision int) (out []string) {
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf("s.deleted %d@%d", i, revision))
	}
	slices.Sort(out)
	return out
}

func guarded(t *testing.T) *bench {
	b := &bench{options: differ.Options{Alerts: []string{"ops"}}}
	fresh := newBench(t, differ.Settings{}, listed)
	fresh.options = b.options
	fresh.configure(atOnce(differ.Settings{}), listed)
	return fresh
}

func (b *bench) decide(state differ.HoldState) {
	b.t.Helper()
	if err := b.differ.Decide(b.t.Context(), "s", "", state); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) holds(want ...differ.HoldState) {
	b.t.Helper()
	var got []differ.HoldState
	for _, h := range b.differ.Holds() {
		got = append(got, h.State)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("holds (-want +got):\n%s", diff)
	}
}

// TestHalfAnAnswerIsHeld: it is told once, changes nothing, and is over with
// the next answer that is whole.
func TestHalfAnAnswerIsHeld(t *testing.T) {
	b := guarded(t)
	b.expect(first(20))
	b.expect(first(2), "changes.held @0")
	e := b.store.commits[1].Events[0]
	var data map[string]any
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"source": "s", "reason": "max_deletes", "listed": 2., "known": 20., "created": 0., "updated": 0., "deleted": 18., "events": 18.,
		"keys": []any{"10", "11", "12", "13", "14", "15", "16", "17", "18", "19"},
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Errorf("the alert (-want +got):\n%s", diff)
	}
	if len(e.Bodies) != 1 || e.Bodies[0].Endpoint != "ops" || len(b.store.commits[1].Items) != 0 {
		t.Errorf("committed %+v", b.store.commits[1])
	}
	b.expect(first(2)) // told once
	b.run(t)()
	b.restart()
	b.holds(differ.Held)
	b.expect(first(3))
	b.expect(first(20))
	b.holds()
	b.expect(`{"items":[]}`, "changes.held @0") // another one
	b.expect(first(20)[:len(first(20))-2]+`,{"id":21}]}`, "s.created 21@1")
	b.run(t)()
	b.restart()
	b.holds()
}

func TestWhatIsReleasedIsTold(t *testing.T) {
	for _, restart := range []bool{false, true} {
		b := guarded(t)
		b.expect(first(20))
		b.expect(first(2), "changes.held @0")
		b.decide(differ.Released)
		if restart {
			b.restart()
		}
		b.holds(differ.Released)
		b.expect(first(2), deleted(3, 20, 1)...)
		b.holds()
		b.expect(first(3), "s.created 3@2")
	}
}

// TestMoreThanWasReleasedIsHeldAnew: who released the deletion of a half did
// not mean that of all.
func TestMoreThanWasReleasedIsHeldAnew(t *testing.T) {
	b := guarded(t)
	b.expect(first(100))
	b.expect(first(40), "changes.held @0")
	b.decide(differ.Released)
	b.expect(first(33), "changes.held @0") // 67 are more than 60 and a tenth
	b.holds(differ.Held)
	b.decide(differ.Released)
	b.expect(first(30), deleted(31, 100, 1)...)
}

func TestSilentReleaseTellsNothing(t *testing.T) {
	b := guarded(t)
	b.expect(first(20))
	b.expect(first(21), "s.created 21@1")
	b.expect(first(2), "changes.held @0")
	b.decide(differ.ReleasedSilently)
	b.expect(first(2))
	b.holds()
	// The revisions have no gap: nothing was told.
	b.expect(`{"items":[{"id":1},{"id":2},{"id":3},{"id":21}]}`, "s.created 3@1", "s.created 21@2")
}

// TestWhatIsDiscardedIsPassedOver for as long as it goes on.
func TestWhatIsDiscardedIsPassedOver(t *testing.T) {
	b := guarded(t)
	b.expect(first(20))
	b.expect(first(2), "changes.held @0")
	b.decide(differ.Discarded)
	b.expect(first(2))
	b.restart()
	b.expect(first(2))
	b.holds(differ.Discarded)
	b.expect(first(19), "s.deleted 20@1")
	b.holds()
	b.expect(first(2), "changes.held @0")
}

func TestHoldsOfTheirSettings(t *testing.T) {
	number := func(n int) differ.Share { return differ.Share{Count: n, Set: true} }
	share := func(of float64) differ.Share { return differ.Share{Of: of, Set: true} }
	for _, c := range []struct {
		name          string
		changes       differ.ChangeSettings
		before, after int
		held          bool
	}{
		{"half", differ.ChangeSettings{}, 20, 10, false},
		{"more than half", differ.ChangeSettings{}, 20, 9, true},
		{"few items", differ.ChangeSettings{}, 9, 0, false},
		{"ten items", differ.ChangeSettings{}, 10, 4, true},
		{"a number", differ.ChangeSettings{MaxDeletes: number(3)}, 5, 1, true},
		{"within a number", differ.ChangeSettings{MaxDeletes: number(3)}, 5, 2, false},
		{"none", differ.ChangeSettings{MaxDeletes: number(0)}, 5, 4, true},
		{"all", differ.ChangeSettings{MaxDeletes: share(1)}, 20, 0, false},
		{"a share", differ.ChangeSettings{MaxDeletes: share(.1)}, 20, 17, true},
		{"events", differ.ChangeSettings{MaxEvents: 3}, 1, 5, true},
		{"within events", differ.ChangeSettings{MaxEvents: 3}, 1, 4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.changes.ConfirmDeletes = 1
			b := newBench(t, differ.Settings{Changes: c.changes}, listed)
			b.expect(first(c.before))
			b.take(first(c.after))
			if got := len(b.differ.Holds()) == 1; got != c.held {
				t.Errorf("held: %v, want %v", got, c.held)
			}
		})
	}
}

func TestAnEmittedBaselineIsNotHeld(t *testing.T) {
	b := newBench(t, differ.Settings{Changes: differ.ChangeSettings{Baseline: differ.Baseline{Emit: true}, MaxEvents: 2}}, listed)
	b.expect(first(3), "s.created 1@1", "s.created 2@1", "s.created 3@1")
}

func TestAnswersInARowRelease(t *testing.T) {
	s := atOnce(differ.Settings{})
	s.Changes.ReleaseAfter = 3
	b := newBench(t, s, listed)
	b.expect(first(20))
	b.expect(first(2))
	b.expect(first(2))
	b.run(t)()
	b.restart()
	b.expect(first(3)) // another one: counted anew
	b.expect(first(3))
	b.expect(first(3), deleted(4, 20, 1)...)
}

// TestAHoldKeepsWhatIsAskedFor: neither a validator nor a cursor may skip what
// was held.
func TestAHoldKeepsWhatIsAskedFor(t *testing.T) {
	b := guarded(t)
	a := b.answer(first(20))
	a.Bookmarks = poller.Bookmarks{Cursor: `{"c":1}`, ETag: "one"}
	b.told(a)
	a = b.answer(first(2))
	a.Bookmarks = poller.Bookmarks{Cursor: `{"c":2}`, ETag: "two"}
	b.told(a, "changes.held @0")
	if a.Bookmarks.Cursor != `{"c":1}` || a.Bookmarks.ETag != "" {
		t.Errorf("the poller goes on from %+v", a.Bookmarks)
	}
	marks := b.restart()
	if marks["s"].Cursor != `{"c":1}` || marks["s"].ETag != "" {
		t.Errorf("stored is %+v", marks["s"])
	}
}

// TestHoldsCountAbsences: deletions that wait for their confirmation go on
// waiting, and items that come back in a held answer are back.
func TestHoldsCountAbsences(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed) // two answers confirm
	b.expect(first(20))
	b.expect(first(4))
	b.expect(first(4))
	b.holds(differ.Held)
	b.expect(first(20))
	b.holds()
	b.expect(first(4))
	b.holds()
	b.expect(first(4))
	b.holds(differ.Held)
}

// TestRestartDoesNotEndAHold: the absences are counted anew then, and until
// they are enough the answer looks like one that passes.
func TestRestartDoesNotEndAHold(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.options.Alerts = []string{"ops"}
	b.restart()
	b.expect(first(20))
	b.expect(first(4))
	b.expect(first(4), "changes.held @0")
	b.run(t)()
	b.restart()
	for range 3 {
		b.expect(first(4))
		b.holds(differ.Held)
	}
	b.decide(differ.Released)
	b.restart()
	b.expect(first(4))
	b.holds(differ.Released)
	b.expect(first(4), deleted(5, 20, 1)...)
}

func TestAHoldThatCannotBeCommitted(t *testing.T) {
	b := guarded(t)
	b.expect(first(20))
	lost := errors.New("the reply was lost")
	b.store.after = lost
	if err := b.differ.Take(t.Context(), b.answer(first(2))); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	b.store.after = nil
	b.expect(first(2), "changes.held @0") // that of the commit whose reply was lost; none now
	b.holds(differ.Held)
}

func TestDecideWithoutAHold(t *testing.T) {
	b := guarded(t)
	b.expect(first(20))
	if err := b.differ.Decide(t.Context(), "s", "", differ.Released); !errors.Is(err, differ.ErrNoHold) {
		t.Errorf("got %v", err)
	}
}

func TestANewShapeEndsAHold(t *testing.T) {
	b := guarded(t)
	b.expect(first(20))
	b.expect(first(2), "changes.held @0")
	r := listed
	r.Ignore = []string{"x"}
	b.configure(atOnce(differ.Settings{}), r)
	b.expect(first(2))
	b.holds()
	b.expect(first(3), "s.created 3@1")
}

func TestAPreviewShowsTheHold(t *testing.T) {
	b := guarded(t)
	b.expect(first(20))
	p, err := b.differ.Preview(t.Context(), b.answer(first(2)))
	if err != nil {
		t.Fatal(err)
	}
	if p.Hold == nil || p.Hold.Deleted != 18 || len(p.Events) != 18 {
		t.Errorf("hold %+v, %d events", p.Hold, len(p.Events))
	}
	b.holds()
}

// A person may decide while the poller keeps bookmarks.
func TestDecideBesideTheBookmarksOfAPoll(t *testing.T) {
	b := guarded(t)
	b.take(first(20))
	b.take(first(1))
	const polls = 2000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range polls {
			b.differ.Keep("s", poller.Bookmarks{Failures: i + 1})
		}
	}()
	for range 200 {
		b.decide(differ.Discarded)
	}
	<-done
	b.run(t)()
	if marks := b.restart()["s"]; marks.Failures != polls {
		t.Errorf("the bookmarks that were kept last are lost: %+v", marks)
	}
}

// An answer in which an item cannot be told does not say what is gone, and so
// leaves a hold of deletions, and what was decided about it, as it is.
func TestABlindAnswerLeavesAHold(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.options.Alerts = []string{"ops"}
	r := listed
	r.ItemOK = "item.error == nil"
	b.configure(atOnce(differ.Settings{}), r)
	b.take(first(20))
	b.expect(first(2), "changes.held @0")
	b.decide(differ.Discarded)
	b.expect(`{"items":[{"id":1},{"error":"?"}]}`)
	b.holds(differ.Discarded)
	b.expect(first(2))
	b.expect(first(20))
	b.holds()
}
