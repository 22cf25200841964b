package differ_test

import (
	"testing"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

func confirming(n int) differ.Settings {
	return differ.Settings{Changes: differ.ChangeSettings{Confirm: n, ConfirmDeletes: 1}}
}

func TestAChangeMustBeSeenInEnoughAnswers(t *testing.T) {
	b := newBench(t, confirming(3), listed)
	b.expect(`{"items":[{"id":1,"v":1}]}`) // the baseline needs no confirmation
	b.expect(`{"items":[{"id":1,"v":2},{"id":2}]}`)
	b.expect(`{"items":[{"id":1,"v":3},{"id":2}]}`) // it differs still, whatever it is
	b.expect(`{"items":[{"id":1,"v":4},{"id":2}]}`, "s.updated 1@1", "s.created 2@1")
	if e := b.store.commits[1].Events[0]; string(e.Old) != `{"id":1,"v":1}` || string(e.New) != `{"id":1,"v":4}` {
		t.Errorf("told from %s to %s", e.Old, e.New)
	}
	b.expect(`{"items":[{"id":1,"v":5}]}`, "s.deleted 2@2") // deletions have a count of their own
	b.expect(`{"items":[{"id":1,"v":4}]}`)                  // back: the count begins anew
	b.expect(`{"items":[{"id":1,"v":5}]}`)
	b.expect(`{"items":[{"id":1,"v":5}]}`) // the very same answer counts as well
	b.expect(`{"items":[{"id":1,"v":5}]}`, "s.updated 1@2")
}

// TestUnmodifiedConfirms: an answer of 304 shows what the last one did.
func TestUnmodifiedConfirms(t *testing.T) {
	b := newBench(t, confirming(2), listed)
	b.expect(`{"items":[{"id":1,"v":1}]}`)
	b.expect(`{"items":[{"id":1,"v":2}]}`)
	again := b.answer("")
	again.Pages, again.Unmodified = nil, true
	b.told(again, "s.updated 1@1")
}

// TestRestartConfirmsAnew: a count is lost with the process, and so must the
// validator be that would hide the change.
func TestRestartConfirmsAnew(t *testing.T) {
	b := newBench(t, confirming(2), listed)
	b.expect(`{"items":[{"id":1,"v":1}]}`)
	a := b.answer(`{"items":[{"id":1,"v":2}]}`)
	a.Bookmarks = poller.Bookmarks{ETag: "two"}
	b.told(a)
	b.run(t)()
	if marks := b.restart(); marks["s"].ETag != "" {
		t.Fatalf("the validator %q is stored", marks["s"].ETag)
	}
	b.expect(`{"items":[{"id":1,"v":2}]}`)
	b.expect(`{"items":[{"id":1,"v":2}]}`, "s.updated 1@1")
}

func TestWhatSaysNothingLeavesTheCount(t *testing.T) {
	r := listed
	r.ItemOK = "item.bad == nil"
	b := newBench(t, confirming(2), r)
	b.expect(`{"items":[{"id":1,"v":1}]}`)
	b.expect(`{"items":[{"id":1,"v":2}]}`)
	b.expect(`{"items":[{"id":1,"bad":true}]}`)
	b.expect(`{"items":[{"id":1,"v":2}]}`, "s.updated 1@1")

	b = newBench(t, confirming(2), deltas())
	b.expect(`{"items":[{"id":1,"v":1}]}`)
	b.expect(`{"items":[{"id":1,"v":2},{"id":2}]}`)
	b.expect(`{"items":[]}`)
	b.expect(`{"items":[{"id":1,"v":2},{"id":2}]}`, "s.updated 1@1", "s.created 2@1")
}

func TestPreviewShowsWhatIsNotConfirmed(t *testing.T) {
	b := newBench(t, confirming(2), listed)
	b.expect(`{"items":[{"id":1,"v":1}]}`)
	for range 3 { // a preview counts as no answer
		p, err := b.differ.Preview(t.Context(), b.answer(`{"items":[{"id":1,"v":2}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Changes) != 0 || len(p.Others) != 1 || p.Others[0].Guard != differ.GuardConfirm {
			t.Fatalf("preview is %+v", p)
		}
	}
}

// TestACursorWaitsForConfirmation: a change that only the memory knows must be
// told again by the API.
func TestACursorWaitsForConfirmation(t *testing.T) {
	b := newBench(t, confirming(2), deltas())
	delta := func(body, cursor string) *poller.Answer {
		a := b.answer(body)
		a.Bookmarks.Cursor = cursor
		return a
	}
	b.told(delta(`{"items":[{"id":1,"v":1}]}`, "one"))
	a := delta(`{"items":[{"id":1,"v":2}]}`, "two")
	b.told(a)
	if a.Bookmarks.Cursor != "one" {
		t.Errorf("the poller goes on from %q", a.Bookmarks.Cursor)
	}
	b.run(t)()
	if marks := b.restart(); marks["s"].Cursor != "one" {
		t.Errorf("%q is stored", marks["s"].Cursor)
	}
	b.told(delta(`{"items":[{"id":1,"v":2}]}`, "two"))
	last := delta(`{"items":[{"id":1,"v":2}]}`, "two")
	b.told(last, "s.updated 1@1")
	if marks := b.restart(); marks["s"].Cursor != "two" || last.Bookmarks.Cursor != "two" {
		t.Errorf("%q is stored, and the poller goes on from %q", marks["s"].Cursor, last.Bookmarks.Cursor)
	}
}

// TestTheSameAnswerConfirmsWhatItLists and nothing else.
func TestTheSameAnswerConfirmsWhatItLists(t *testing.T) {
	b := newBench(t, confirming(2), deltas())
	b.expect(`{"items":[{"id":1,"v":1}]}`)
	b.expect(`{"items":[{"id":1,"v":2},{"id":2}]}`)
	for range 3 {
		b.expect(`{"items":[]}`)
	}
	b.expect(`{"items":[{"id":1,"v":2},{"id":2}]}`, "s.updated 1@1", "s.created 2@1")
}
