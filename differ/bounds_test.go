package differ_test

import (
	"testing"
)

// Items of a feed that go before they are confirmed wait for ever, but not
// without bound: the oldest of too many are given up.
func TestWhatWaitsToBeConfirmedIsBounded(t *testing.T) {
	r := deltas()
	s := confirming(2)
	s.Changes.MaxEvents = 100_000
	b := newBench(t, s, r)
	page := func(from, to int) string {
		items := map[int]int{}
		for i := from; i < to; i++ {
			items[i] = 1
		}
		return listOf(items)
	}
	b.take(`{"items":[]}`)
	b.take(page(0, 6_000))
	b.take(page(6_000, 12_000))
	b.take(page(12_000, 13_000))
	if got := b.take(page(0, 1)); got != nil {
		t.Errorf("one that was given up is told: %v", got)
	}
	b.expect(page(5_000, 5_001), "s.created 5000@1")
}
