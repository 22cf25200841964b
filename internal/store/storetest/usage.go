package storetest

import (
	"testing"

	"github.com/deltahook/deltahook/internal/budget"
)

func usage(t *testing.T, s Store) map[string]budget.Usage {
	t.Helper()
	used, err := s.Usage(t.Context())
	if err != nil {
		t.Fatalf("usage: %v", err)
	}
	return used
}

func spend(t *testing.T, s Store, used map[string]budget.Usage) {
	t.Helper()
	if err := s.Spend(t.Context(), used); err != nil {
		t.Fatalf("spend: %v", err)
	}
}

func testUsage(t *testing.T, s Store) {
	equal(t, "usage of an empty store", usage(t, s), map[string]budget.Usage{})
	a, b := budget.Usage{Day: at(0), Used: 7}, budget.Usage{Rest: at(60)}
	spend(t, s, map[string]budget.Usage{"fedex": a, "a/b ü": b})
	spend(t, s, nil)
	got := usage(t, s)
	equal(t, "usage", got, map[string]budget.Usage{"fedex": a, "a/b ü": b})
	delete(got, "fedex")

	// What isn't named stays, and sources are another matter.
	a.Used = 8
	spend(t, s, map[string]budget.Usage{"fedex": a})
	equal(t, "usage after a second", usage(t, s), map[string]budget.Usage{"fedex": a, "a/b ü": b})
	if states := load(t, s); len(states) != 0 {
		t.Errorf("limits made sources of themselves: %+v", states)
	}
	if err := s.Spend(t.Context(), map[string]budget.Usage{"": a, "fedex": b}); err == nil {
		t.Error("a limit without a name was stored")
	}
	equal(t, "usage after one that was refused", usage(t, s)["fedex"], a)

	if r, ok := s.(Reopener); ok {
		equal(t, "usage after a crash", usage(t, r.Reopen(t, true)), map[string]budget.Usage{"fedex": a, "a/b ü": b})
	}
}
