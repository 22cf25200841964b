package differ_test

import (
	"errors"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// A price that jumped for one answer and came back: what it came back to is
// sampled, and not the jump once more.
func TestASampleAfterAChangeThatWasNotConfirmed(t *testing.T) {
	s := confirming(2)
	s.Changes.History = history("p", time.Hour)
	h := newHistorian(t, s, listed, "p 3m")
	at := h.received
	next := func(body string) map[string]map[string]differ.Window {
		at = at.Add(time.Minute)
		return h.at(at, body)
	}
	next(`{"items":[{"id":1,"p":1}]}`)
	next(`{"items":[{"id":1,"p":1}],"n":1}`)
	next(`{"items":[{"id":1,"p":9}]}`)
	next(`{"items":[{"id":1,"p":1}],"n":2}`) // spelled as it was
	next(`{"items":[{"id":1,"p":2}]}`)
	got := next(`{"items":[{"id":1,"p":2}],"n":3}`)["1"]["p 3m"]
	equal(t, "the window", got, window(1, 2, 1, 2, 5.0/3, 3))
}

// A change that waits to be confirmed by a 304 is sampled though its commit was
// refused before.
func TestWhatIsConfirmedAfterARefusedCommitIsSampled(t *testing.T) {
	s := confirming(2)
	s.Changes.History = history("p", time.Hour)
	h := newHistorian(t, s, listed, "p 30m")
	at := h.received
	h.at(at.Add(1*time.Minute), `{"items":[{"id":1,"p":1}]}`)
	h.at(at.Add(2*time.Minute), `{"items":[{"id":1,"p":7},{"id":2,"p":5}]}`)
	h.windows = map[string]map[string]differ.Window{}
	a := &poller.Answer{Source: "s", Status: 304, Unmodified: true, Received: at.Add(3 * time.Minute)}
	h.store.before = errors.New("refused")
	if err := h.differ.Take(t.Context(), a); err == nil {
		t.Fatal("the store refused, and the answer was taken in")
	}
	h.store.before = nil
	h.told(a, "s.updated 1@1", "s.created 2@1")
	equal(t, "the last of 1", h.windows["1"]["p 30m"].Last, any(7.0))
	equal(t, "the last of 2", h.windows["2"]["p 30m"].Last, any(5.0))
}

// No note is there twice in a commit.
func TestNotesOfACommitAreThereOnce(t *testing.T) {
	s := atOnce(differ.Settings{})
	s.Changes.MaxDeletes = differ.Share{Of: 1, Set: true}
	s.Changes.History = history("p", time.Hour, "q", time.Hour)
	b := newBench(t, s, listed)
	b.take(`{"items":[{"id":1,"p":1,"q":1},{"id":2,"p":1,"q":1}]}`)
	b.run(t)()
	s.Changes.History = history("p", 2*time.Hour)
	b.configure(s, listed)
	b.take(`{"items":[{"id":1,"p":1,"q":1}]}`)
	for _, c := range b.store.commits {
		seen := map[[2]string]bool{}
		for _, n := range c.Notes {
			at := [2]string{n.Key, n.Name}
			if seen[at] {
				t.Errorf("the note %s of %s is there twice", n.Name, n.Key)
			}
			seen[at] = true
		}
	}
}
