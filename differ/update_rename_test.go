package differ_test

import (
	"testing"

	"github.com/deltahook/deltahook/differ"
)

// What is remembered of a source goes on under its new name, watch keys and
// all; nothing is left under the old one.
func TestUpdateRenames(t *testing.T) {
	r := newReloaded(t, "old")
	r.expect("old", "a=1 b=1")
	r.expect("old", "a=2 b=1", "old old.updated a@1 shop")
	r.sources = map[string]*differ.Source{"new": r.source("new", differ.Settings{}, "shop")}
	marks := r.update(differ.Setup{Renamed: map[string]string{"new": "old", "never": "nobody"}})
	if marks["new"].ETag != `"a=2 b=1"` {
		t.Errorf("bookmarks %+v, want those of the old name", marks)
	}
	r.expect("new", "a=3 b=1", "new new.updated a@2 shop")
	r.update(differ.Setup{Renamed: map[string]string{"new": "old"}}) // it stays in the file
	r.expect("new", "a=3 b=2", "new new.updated b@1 shop")
	if left, err := r.store.Units(t.Context(), "old"); len(left) > 0 || err != nil {
		t.Errorf("left of the old name: %v, %v", left, err)
	}
	// A new source of the old name is its own, and the other keeps what it has.
	r.sources["old"] = r.source("old", differ.Settings{}, "shop")
	r.update(differ.Setup{Renamed: map[string]string{"new": "old"}})
	r.expect("old", "a=1")
	delete(r.sources, "old")
	r.update(differ.Setup{Renamed: map[string]string{"new": "old"}})
	r.expect("new", "a=5 b=2", "new new.updated a@3 shop")
	delete(r.sources, "new")
	r.update(differ.Setup{})
	r.sources["new"] = r.source("new", differ.Settings{}, "shop")
	r.update(differ.Setup{Renamed: map[string]string{"new": "old"}}) // both have something: each keeps it
	r.expect("new", "a=6 b=2", "new new.updated a@4 shop")
}

// An answer that is one item keeps its key where its source gets another name,
// and keeps it after a restart: it is the same item.
func TestUpdateRenamesWholeAnswers(t *testing.T) {
	r := newReloaded(t)
	whole := func(name string) *differ.Source {
		src, err := differ.NewSource(name, differ.Settings{Changes: differ.ChangeSettings{ConfirmDeletes: 1}}, differ.ResponseSettings{}, []string{"shop"})
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	rename := func(from, to string) {
		r.sources = map[string]*differ.Source{to: whole(to)}
		r.update(differ.Setup{Renamed: map[string]string{to: from}})
	}
	rename("", "a")
	r.expect("a", "x=1")
	r.expect("a", "x=2", "a a.updated a@1 shop")
	rename("a", "b")
	r.expect("b", "x=3", "b b.updated a@2 shop")
	rename("b", "c")
	r.expect("c", "x=3")
	r.expect("c", "x=4", "c c.updated a@3 shop")
	rename("c", "c")
	r.expect("c", "x=5", "c c.updated a@4 shop")
}
