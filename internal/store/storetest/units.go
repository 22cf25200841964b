package storetest

import (
	"testing"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// testUnits holds that the units of a source are known, and no other's: also of
// one that got its name later, and whose name is the beginning of another.
func testUnits(t *testing.T, s Store) {
	for _, source := range []string{"shop", "shop2", "sho"} {
		for _, watch := range []string{"", "b", "a", "é"} {
			commit(t, s, &differ.Commit{Source: source, Watch: watch, Items: []differ.Item{item("k", 1, `1`)}})
		}
	}
	check := func(source string, want ...string) {
		t.Helper()
		units, err := s.Units(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the units of "+source, append([]string{}, units...), append([]string{}, want...))
	}
	of := func(source string) []string {
		return []string{source, poller.Unit(source, "a"), poller.Unit(source, "b"), poller.Unit(source, "é")}
	}
	check("shop", of("shop")...)
	check("sh")
	rename(t, s, "shop", "store")
	check("store", of("store")...)
	check("shop")
	if err := s.Forget(t.Context(), "store"); err != nil {
		t.Fatal(err)
	}
	check("store", of("store")[1:]...)
}
