package storetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

func rename(t *testing.T, s Store, from, to string) {
	t.Helper()
	if err := s.Rename(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
}

// testRename holds that all of a source stands under its new name, and that the
// old one is free then: also for the way back.
func testRename(t *testing.T, s Store) {
	a, b := item("a", 3, `{"n":1}`), gone("b", 2)
	notes := []differ.Note{{Name: "hold", Data: []byte("h")}, {Key: "a", Name: "n", Data: []byte("x")}}
	for _, watch := range []string{"", "w"} {
		commit(t, s, &differ.Commit{
			Source: "old", Watch: watch, Shape: "v1", Since: at(1), Bookmarks: bookmarks(1), Items: []differ.Item{a, b}, Notes: notes,
		})
	}
	commit(t, s, &differ.Commit{Source: "older", Items: []differ.Item{item("z", 1, `9`)}})
	want := differ.State{
		Source: "new", Version: 1, Shape: "v1", Since: at(1), Bookmarks: bookmarks(1), Notes: notes,
		Items: map[string]differ.Mark{"a": {Hash: a.Hash, Revision: 3, Seen: a.Seen}, "b": {Revision: 2, Seen: b.Seen}},
	}
	check := func(name string) {
		t.Helper()
		all := map[string]differ.State{}
		for state, err := range s.Load(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all[state.Unit()] = state
		}
		want.Source, want.Watch = name, ""
		watch := want
		watch.Watch = "w"
		equal(t, "the source", all[name], want)
		equal(t, "the source, loaded alone", load(t, s, name)[name], want)
		equal(t, "its watch key", all[poller.Unit(name, "w")], watch)
		equal(t, "its items", items(t, s, name, "a", "b"), []differ.Item{a, b})
		equal(t, "the items of its watch key", items(t, s, poller.Unit(name, "w"), "a"), []differ.Item{a})
		if len(all) != 3 || len(all["older"].Items) != 1 {
			t.Errorf("there are %d states; another source has %d items", len(all), len(all["older"].Items))
		}
	}
	rename(t, s, "old", "new")
	check("new")
	rename(t, s, "old", "new") // as after one whose outcome is unknown
	check("new")
	rename(t, s, "new", "newer")
	rename(t, s, "newer", "old")
	check("old")

	// A source that takes a name that was left is its own.
	rename(t, s, "old", "new")
	commit(t, s, &differ.Commit{Source: "old", Shape: "v2", Items: []differ.Item{item("a", 0, `2`)}})
	commit(t, s, &differ.Commit{Source: "new", Version: 1, Shape: "v1", Reset: true, Items: []differ.Item{item("c", 0, `3`)}})
	if got := load(t, s, "old")["old"]; got.Shape != "v2" || len(got.Items) != 1 {
		t.Errorf("the new source of the old name is %+v", got)
	}
	equal(t, "its item", items(t, s, "old", "a", "c"), []differ.Item{item("a", 0, `2`)})
	if err := s.Forget(t.Context(), "new", poller.Unit("new", "w")); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s); len(got) != 2 || got["old"].Version != 1 {
		t.Errorf("after forget there are %+v", got)
	}
}

// testRenameWaiting holds that an item's events do not overtake each other
// because its source got another name, and that what was told keeps its name.
func testRenameWaiting(t *testing.T, s Store) {
	source := func(name string, version uint64, e differ.Event) {
		t.Helper()
		commit(t, s, &differ.Commit{Source: name, Version: version, Items: []differ.Item{item(e.Key, e.Revision, `1`)}, Events: []differ.Event{e}})
	}
	source("old", 0, event("e1", "k", 1, "hook"))
	rename(t, s, "old", "new")
	source("new", 1, event("e2", "k", 2, "hook"))
	source("new", 2, event("e3", "other", 1, "hook"))
	source("old", 0, event("e4", "k", 1, "hook")) // another source
	for i, want := range [][]string{{"e1", "e3", "e4"}, {"e2"}, {}} {
		batch := pending(t, s, "hook", later(), 10)
		names, got := map[string]string{"e1": "old", "e2": "new", "e3": "new", "e4": "old"}, map[string]bool{}
		for _, d := range batch.Due {
			got[d.Event] = true
			if d.Source != names[d.Event] {
				t.Errorf("%s is of source %s, want %s", d.Event, d.Source, names[d.Event])
			}
			settle(t, s, delivered(d))
		}
		if len(got) != len(want) {
			t.Errorf("step %d gave %v, want %v", i, got, want)
		}
		for _, id := range want {
			if !got[id] {
				t.Errorf("step %d gave %v, want %v", i, got, want)
			}
		}
	}
}

func testRenameRefused(t *testing.T, s Store) {
	rename(t, s, "nothing", "new") // nothing is remembered
	commit(t, s, &differ.Commit{Source: "a", Items: []differ.Item{item("k", 1, `1`)}})
	if err := s.Keep(t.Context(), map[string]differ.Kept{poller.Unit("b", "w"): {Bookmarks: bookmarks(1)}}); err != nil {
		t.Fatal(err)
	}
	before := load(t, s, "a", poller.Unit("b", "w"))
	if err := s.Rename(t.Context(), "a", "b"); !errors.Is(err, differ.ErrTaken) {
		t.Errorf("rename to a name that is taken gave %v", err)
	}
	if err := s.Rename(t.Context(), "a", ""); err == nil {
		t.Error("rename to nothing succeeded")
	}
	rename(t, s, "a", "a")
	equal(t, "states", load(t, s, "a", poller.Unit("b", "w")), before)
}

func testLeft(t *testing.T, s Store) {
	left := func(configured ...string) []string {
		t.Helper()
		names, err := s.Left(t.Context(), func(source string) bool {
			return slices.Contains(configured, source)
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	equal(t, "left of nothing", left("never"), []string{})
	for _, source := range []string{"b", "a", "c", "a\x01", "ab"} {
		for _, watch := range []string{"", "1", "2"} {
			commit(t, s, &differ.Commit{Source: source, Watch: watch})
		}
	}
	equal(t, "all", left(), []string{"a", "a\x01", "ab", "b", "c"})
	equal(t, "some", left("c", "ab", "never"), []string{"a", "a\x01", "b"})
	rename(t, s, "b", "d")
	equal(t, "after a new name", left("c", "ab", "b"), []string{"a", "a\x01", "d"})
	if err := s.Forget(t.Context(), "a", poller.Unit("a", "1")); err != nil {
		t.Fatal(err)
	}
	equal(t, "while a watch key is there", left("d"), []string{"a", "a\x01", "ab", "c"})
	if err := s.Forget(t.Context(), poller.Unit("a", "2")); err != nil {
		t.Fatal(err)
	}
	equal(t, "when nothing is", left("d"), []string{"a\x01", "ab", "c"})
}
