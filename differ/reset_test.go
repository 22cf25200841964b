package differ_test

import (
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// over is an answer that resets the source.
func (b *bench) over() *poller.Answer {
	return &poller.Answer{Source: "s", Status: 410, Reset: true, Received: time.Now(), Bookmarks: poller.Bookmarks{Next: b.received}}
}

func TestResetForgetsAndTheNextAnswerIsSilent(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		for _, baseline := range []string{"silent", "emit"} {
			b := newBench(t, differ.Settings{Changes: differ.ChangeSettings{Baseline: differ.Baseline{Emit: baseline == "emit"}, ConfirmDeletes: 1}}, listed)
			b.take(`{"items":[{"id":1},{"id":2}]}`)
			b.expect(`{"items":[{"id":1,"n":1},{"id":2}]}`, map[string]string{"silent": "s.updated 1@1", "emit": "s.updated 1@2"}[baseline])
			b.told(b.over())
			if restarted {
				if marks := b.restart()["s"]; marks != (poller.Bookmarks{Next: b.received}) {
					t.Errorf("bookmarks after a reset: %+v", marks)
				}
			}
			b.expect(`{"items":[{"id":1,"n":2},{"id":3}]}`)
			b.expect(`{"items":[{"id":1,"n":3},{"id":3}]}`, map[string]string{"silent": "s.updated 1@2", "emit": "s.updated 1@3"}[baseline])
			b.expect(`{"items":[{"id":1,"n":3}]}`, "s.deleted 3@1")
		}
	}
}

func TestResetIsWrittenOnce(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.told(b.over()) // nothing is remembered
	if len(b.store.commits) != 0 {
		t.Error("a reset of nothing was committed")
	}
	b.expect(`{"items":[{"id":1}]}`)
	for range 3 {
		b.told(b.over())
	}
	if len(b.store.commits) != 2 {
		t.Errorf("%d commits, want those of the baseline and of one reset", len(b.store.commits))
	}
	// An answer that cannot be read leaves the reset standing.
	b.refused(`{"items":[{}]}`)
	b.expect(`{"items":[{"id":2}]}`)
	b.expect(`{"items":[{"id":2},{"id":3}]}`, "s.created 3@1")
}

func TestPreviewOfAReset(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.expect(`{"items":[{"id":1}]}`)
	p, err := b.differ.Preview(t.Context(), b.over())
	if err != nil || !p.Reset || p.Baseline || len(p.Changes) != 0 {
		t.Errorf("got %+v, %v", p, err)
	}
	b.expect(`{"items":[{"id":1},{"id":2}]}`, "s.created 2@1") // it did nothing
}
