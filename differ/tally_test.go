package differ_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
)

func TestTally(t *testing.T) {
	b := newBench(t, differ.Settings{Changes: differ.ChangeSettings{ConfirmDeletes: 1}}, differ.ResponseSettings{Items: "@this", ID: differ.Paths{"id"}})
	var told []string
	b.options.Told = func(source string, changes, events int) {
		told = append(told, fmt.Sprint(source, " ", changes, " ", events))
	}
	b.restart()
	if got := b.differ.Tally("s"); got != (differ.Tally{}) {
		t.Errorf("before the first answer: %+v", got)
	}
	b.take(`[{"id":1},{"id":2}]`)
	first := b.received
	b.take(`[{"id":1},{"id":2,"n":1},{"id":3}]`)
	b.take(`[{"id":1},{"id":2,"n":1},{"id":3}]`)
	want := differ.Tally{Items: 3, Since: first}
	if diff := cmp.Diff(want, b.differ.Tally("s")); diff != "" {
		t.Errorf("after three answers: %s", diff)
	}
	if !slices.Equal(told, []string{"s 2 2"}) { // the baseline is silent, the third answer the same
		t.Errorf("told %q", told)
	}
	b.restart()
	if diff := cmp.Diff(map[string]differ.Tally{"s": want}, b.differ.Tallies(), cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
}
