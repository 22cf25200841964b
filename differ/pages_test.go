package differ_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// pages is an answer of several pages, or of none.
func (b *bench) pages(bodies ...string) *poller.Answer {
	a := b.answer("")
	a.Pages = nil
	for _, body := range bodies {
		a.Pages = append(a.Pages, []byte(body))
	}
	return a
}

// told takes an answer and compares the events that it made.
func (b *bench) told(a *poller.Answer, want ...string) {
	b.t.Helper()
	if err := b.differ.Take(b.t.Context(), a); err != nil {
		b.t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.events()); diff != "" {
		b.t.Errorf("events of %q (-want +got):\n%s", a.Pages, diff)
	}
}

func TestPagesAreOneList(t *testing.T) {
	b := newBench(t, differ.Settings{Changes: differ.ChangeSettings{ConfirmDeletes: 1}}, listed)
	b.told(b.pages(`{"items":[{"id":1}]}`, `{"items":[]}`, `{"items":[{"id":2},{"id":3}]}`))
	b.told(b.pages(`{"items":[{"id":3},{"id":1}]}`, `{"items":[{"id":2}]}`)) // the same, cut elsewhere
	b.told(b.pages(`{"items":[{"id":1},{"id":2}]}`, `{"items":[{"id":4}]}`), "s.created 4@1", "s.deleted 3@1")
	commits := len(b.store.commits)
	b.told(b.pages(`{"items":[{"id":1},{"id":2}]}`, `{"items":[{"id":4}]}`))
	if len(b.store.commits) != commits {
		t.Error("the same pages again made a commit")
	}
	b.told(b.pages(`{"items":[{"id":1},{"id":2}]}`, `{"items":[{"id":4,"n":1}]}`), "s.updated 4@2")
}

func TestAPageThatCannotBeReadChangesNothing(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.told(b.pages(`{"items":[{"id":1}]}`, `{"items":[{"id":2}]}`))
	commits := len(b.store.commits)
	for text, a := range map[string]*poller.Answer{
		`items: page 2: items: the id "1" is there twice`: b.pages(`{"items":[{"id":1}]}`, `{"items":[{"id":9},{"id":1}]}`),
		"items: page 2: items: nothing is at items":       b.pages(`{"items":[{"id":1,"n":2}]}`, `{}`),
		"items: page 1: items: number 1 has no id at id":  b.pages(`{"items":[{}]}`, `{"items":[{"id":1}]}`),
		"items: page 2: items: number 3 has no id at id":  b.pages(`{"items":[{"id":1},{"id":2}]}`, `{"items":[{}]}`),
	} {
		err := b.differ.Take(t.Context(), a)
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
	if len(b.store.commits) != commits {
		t.Error("something was committed")
	}
	b.told(b.pages(`{"items":[{"id":1}]}`, `{"items":[{"id":2}]}`))
}

// An answer without pages has no items: the whole document is gone then, too.
func TestAnEmptyAnswer(t *testing.T) {
	for name, read := range map[string]differ.ResponseSettings{"s": {}, "1": listed} {
		b := newBench(t, differ.Settings{}, read)
		b.told(b.pages())
		b.told(b.pages())
		b.told(b.pages(`{"items":[{"id":1}]}`), "s.created "+name+"@1")
		b.told(b.pages())
		b.told(b.pages(`{"items":[{"id":1}]}`))
		b.told(b.pages())
		b.told(b.pages(), "s.deleted "+name+"@2")
		b.told(b.pages())
		b.told(b.pages(`{"items":[{"id":1}]}`), "s.created "+name+"@3")
	}
}
