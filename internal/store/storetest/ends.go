package storetest

import (
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// testEnds has deliveries end without an attempt: that is shown as their end, and
// counts for none.
func testEnds(t *testing.T, s Store) {
	unmade := event("unmade", "a", 1, "hook")
	unmade.Bodies[0].Dead = "it cannot be made"
	commit(t, s, changes(0, unmade, event("tried", "b", 1, "hook"), event("untried", "c", 1, "hook")))
	for _, d := range pending(t, s, "hook", later(), 10).Due {
		if d.Event == "tried" {
			settle(t, s, retry(d, time.Now()))
		}
	}
	drop := func(d emitter.Drop) {
		t.Helper()
		if _, err := s.Drop(t.Context(), "hook", d); err != nil {
			t.Fatal(err)
		}
	}
	drop(emitter.Drop{Reason: "of no use"})
	commit(t, s, changes(1, event("aged", "d", 1, "hook"), event("refused", "e", 1, "hook")))
	for _, d := range pending(t, s, "hook", later(), 10).Due {
		if d.Event == "refused" {
			settle(t, s, dead(d))
		}
	}
	drop(emitter.Drop{Expired: true, Reason: "too old"})
	for id, want := range map[string]struct {
		attempts, records int
		end               emitter.ErrorClass
	}{
		"unmade":  {0, 1, emitter.ErrorPayload},
		"tried":   {1, 2, emitter.ErrorDropped},
		"untried": {0, 1, emitter.ErrorDropped},
		"aged":    {0, 1, emitter.ErrorExpired},
		"refused": {1, 1, ""},
	} {
		told, err := s.Event(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		d := told.Deliveries[0]
		tried, err := s.Attempts(t.Context(), d.Number, emitter.Page{})
		if err != nil || len(tried.Attempts) != want.records || d.Attempts != want.attempts || !d.Recorded() {
			t.Fatalf("%s: %d attempts, and of them %+v, %v", id, d.Attempts, tried.Attempts, err)
		}
		for i, a := range tried.Attempts {
			if end := i == 0 && want.end != ""; a.End != end || end && a.Error != want.end {
				t.Errorf("%s: record %d is %+v", id, i, a)
			}
		}
	}
}
