package differ_test

import (
	"testing"

	"github.com/deltahook/deltahook/differ"
)

func lastOf(n int, by string) differ.Settings {
	return differ.Settings{Changes: differ.ChangeSettings{ConfirmDeletes: 1,
		Baseline: differ.Baseline{BaselineLast: differ.BaselineLast{Last: n, By: by}}}}
}

func TestTheNewestOfABaselineAreTold(t *testing.T) {
	const answer = `{"items":[{"id":"e","at":"2026-11-23T10:00:00+02:00","n":9},{"id":"d","at":"2026-11-23T09:00:00Z","n":10},{"id":"c"},{"id":"b","at":"2026-11-22T00:00:00Z","n":-1}]}`
	for _, c := range []struct {
		n    int
		by   string
		want []string
	}{
		{2, "", []string{"s.created d@1", "s.created e@1"}},
		{2, "at", []string{"s.created e@1", "s.created d@1"}},
		{2, "n", []string{"s.created e@1", "s.created d@1"}},
		{9, "at", []string{"s.created c@1", "s.created b@1", "s.created e@1", "s.created d@1"}},
	} {
		b := newBench(t, lastOf(c.n, c.by), listed)
		b.expect(answer, c.want...)
		b.expect(answer)
		b.restart()
		b.expect(answer)
		if got := len(b.store.commits[0].Items); got != 4 {
			t.Errorf("%d items are remembered, want 4", got)
		}
		// What was only remembered counts its changes from 1.
		want := map[bool]string{true: "s.updated c@1", false: "s.updated c@2"}[c.n == 2]
		b.expect(`{"items":[{"id":"e","at":"2026-11-23T10:00:00+02:00","n":9},{"id":"d","at":"2026-11-23T09:00:00Z","n":10},{"id":"c","x":1},{"id":"b","at":"2026-11-22T00:00:00Z","n":-1}]}`, want)
	}
}

// TestNewShapeTellsNoNewest: the items are the same, only what is looked at is
// not.
func TestNewShapeTellsNoNewest(t *testing.T) {
	b := newBench(t, lastOf(5, ""), listed)
	b.expect(`{"items":[{"id":1},{"id":2}]}`, "s.created 2@1", "s.created 1@1")
	r := listed
	r.Ignore = []string{"x"}
	b.configure(lastOf(5, ""), r)
	b.expect(`{"items":[{"id":1},{"id":2},{"id":3}]}`)
}
