package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// testWatch holds that each watch key of a source has a state of its own, which
// no other's commit touches, and that one that is forgotten starts anew.
func testWatch(t *testing.T, s Store) {
	for _, watch := range []string{"", "1", "2"} {
		c := &differ.Commit{
			Source: "shop", Watch: watch, Shape: "shape", Since: at(1),
			Bookmarks: poller.Bookmarks{ETag: watch, Enrolled: watch != "", First: at(2)},
			Items:     []differ.Item{item("k", 1, `"of `+watch+`"`), gone("g", 2)},
		}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Forget(t.Context(), poller.Unit("shop", "1"), poller.Unit("shop", "never")); err != nil {
		t.Fatal(err)
	}
	var left []string
	for state, err := range s.Load(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if state.Source != "shop" || state.Bookmarks.ETag != state.Watch || len(state.Items) != 2 || !state.Bookmarks.First.Equal(at(2)) {
			t.Errorf("state %+v", state)
		}
		items, err := s.Items(t.Context(), state.Unit(), []string{"k"})
		if err != nil || len(items) != 1 || string(items[0].Content) != `"of `+state.Watch+`"` {
			t.Errorf("items of %q = %+v, %v", state.Watch, items, err)
		}
		left = append(left, state.Watch)
	}
	if diff := cmp.Diff([]string{"", "2"}, left); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	again := &differ.Commit{Source: "shop", Watch: "1", Shape: "shape", Since: at(3)}
	if err := s.Commit(t.Context(), again); err != nil {
		t.Errorf("a forgotten key starts at version 0: %v", err)
	}
	if items, err := s.Items(t.Context(), again.Unit(), []string{"k", "g"}); err != nil || len(items) != 0 {
		t.Errorf("a forgotten key still has items %+v, %v", items, err)
	}
}
