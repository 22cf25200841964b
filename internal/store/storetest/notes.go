package storetest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

func note(key, name, data string) differ.Note {
	return differ.Note{Key: key, Name: name, Data: []byte(data)}
}

// no removes a note.
func no(key, name string) differ.Note { return differ.Note{Key: key, Name: name} }

func keepNotes(t *testing.T, s Store, unit string, notes ...differ.Note) {
	t.Helper()
	if err := s.Keep(t.Context(), map[string]differ.Kept{unit: {Bookmarks: bookmarks(1), Notes: notes}}); err != nil {
		t.Fatal(err)
	}
}

func notes(t *testing.T, s Store, unit string) []differ.Note {
	t.Helper()
	for state, err := range s.Load(t.Context(), unit) {
		if err != nil {
			t.Fatal(err)
		}
		return state.Notes
	}
	return nil
}

func testNotes(t *testing.T, s Store) {
	commit(t, s, &differ.Commit{Source: "shop", Items: []differ.Item{item("a", 1, `1`)}, Notes: []differ.Note{
		note("b", "rule/x", "of no item"), note("a", "rule/y", "1"), note("", "hold", ""), note("a", "rule/x", "\x00\xff"),
	}})
	// Sorted by key and name, and what is empty is there.
	equal(t, "notes", notes(t, s, "shop"), []differ.Note{
		note("", "hold", ""), note("a", "rule/x", "\x00\xff"), note("a", "rule/y", "1"), note("b", "rule/x", "of no item"),
	})
	if n := notes(t, s, "shop")[0]; n.Data == nil {
		t.Error("empty data is nil")
	}
	commit(t, s, &differ.Commit{Source: "shop", Version: 1, Notes: []differ.Note{
		no("", "hold"), note("a", "rule/x", "2"), no("a", "never"), note("c", "rule/x", "3"),
	}})
	want := []differ.Note{note("a", "rule/x", "2"), note("a", "rule/y", "1"), note("b", "rule/x", "of no item"), note("c", "rule/x", "3")}
	equal(t, "after a second commit", notes(t, s, "shop"), want)
	commit(t, s, &differ.Commit{Source: "shop", Version: 2})
	equal(t, "after a commit without notes", notes(t, s, "shop"), want)

	keepNotes(t, s, "shop", no("a", "rule/x"), note("a", "rule/y", "4"), no("z", "never"))
	keepNotes(t, s, "new", note("", "quiet", "5"))
	want = append([]differ.Note{note("a", "rule/y", "4")}, want[2:]...)
	equal(t, "after keep", notes(t, s, "shop"), want)
	equal(t, "of a unit that has nothing else", load(t, s, "new")["new"], differ.State{
		Source: "new", Bookmarks: bookmarks(1), Notes: []differ.Note{note("", "quiet", "5")},
	})
	if state := load(t, s)["shop"]; state.Version != 3 || len(state.Items) != 1 {
		t.Errorf("keep made version %d with %d items", state.Version, len(state.Items))
	}

	// They are the caller's, on both sides.
	mine := note("a", "rule/y", "6")
	keepNotes(t, s, "shop", mine)
	mine.Data[0] = 'X'
	given := notes(t, s, "shop")
	given[0].Data[0] = 'X'
	equal(t, "what the store has", string(notes(t, s, "shop")[0].Data), "6")
}

// testNoteNames has units, keys and names that join to the same text.
func testNoteNames(t *testing.T, s Store) {
	units := []string{"a", "ab", poller.Unit("a", "b"), poller.Unit("ab", "a")}
	texts := []string{"", "a", "b", "ab", "a\x00b", "\x00", "a/b", "\x01a", strings.Repeat("k", 200), strings.Repeat("long/", 4<<10/5)}
	of := func(unit string) (all []differ.Note) {
		for _, key := range texts {
			for _, name := range texts[1:] {
				all = append(all, note(key, name, unit+"|"+key+"|"+name))
			}
		}
		return all
	}
	for _, unit := range units {
		keepNotes(t, s, unit, of(unit)...)
	}
	for _, unit := range units {
		want := of(unit)
		slices.SortFunc(want, differ.CompareNotes)
		equal(t, "notes of "+unit, notes(t, s, unit), want)
	}
	keepNotes(t, s, "a", no("a", "ab"), no("", "a"))
	if n, all := len(notes(t, s, "a")), len(of("a")); n != all-2 {
		t.Errorf("%d notes are left of %d, want all but two", n, all)
	}
	for _, unit := range units[1:] {
		if n, all := len(notes(t, s, unit)), len(of(unit)); n != all {
			t.Errorf("%s has %d notes, want %d", unit, n, all)
		}
	}
}

func testNotesRefused(t *testing.T, s Store) {
	full := differ.Note{Key: "a", Name: "full", Data: bytes.Repeat([]byte("x"), differ.MaxNote)}
	commit(t, s, &differ.Commit{Source: "shop", Notes: []differ.Note{full}})
	equal(t, "a note of the greatest size", notes(t, s, "shop"), []differ.Note{full})
	before := load(t, s)
	good := note("a", "rule/x", "1")
	tooBig := full
	tooBig.Data = append(slices.Clone(full.Data), 'x')
	for what, bad := range map[string]differ.Note{"no name": note("a", "", "1"), "too much data": tooBig} {
		if s.Commit(t.Context(), &differ.Commit{Source: "shop", Version: 1, Notes: []differ.Note{good, bad}}) == nil {
			t.Errorf("%s: committed", what)
		}
		if s.Keep(t.Context(), map[string]differ.Kept{"new": {}, "shop": {Notes: []differ.Note{good, bad}}}) == nil {
			t.Errorf("%s: kept", what)
		}
	}
	stale := &differ.Commit{Source: "shop", Version: 9, Notes: []differ.Note{good, no("a", "full")}}
	if err := s.Commit(t.Context(), stale); !errors.Is(err, differ.ErrConflict) {
		t.Errorf("a commit on another version gave %v", err)
	}
	equal(t, "states", load(t, s), before)
}

func testNotesLeft(t *testing.T, s Store) {
	all := []differ.Note{note("", "hold", "1"), note("a", "rule/x", "2"), note("b", "rule/x", "3")}
	for _, watch := range []string{"", "k", "kk"} {
		commit(t, s, &differ.Commit{Source: "shop", Watch: watch, Items: []differ.Item{item("a", 1, `1`), item("b", 1, `1`)}, Notes: all})
	}
	commit(t, s, &differ.Commit{Source: "shop", Version: 1, Reset: true, Items: []differ.Item{gone("b", 2)}})
	equal(t, "after a reset", notes(t, s, "shop"), all)
	if err := s.Forget(t.Context(), poller.Unit("shop", "k")); err != nil {
		t.Fatal(err)
	}
	equal(t, "of a key that was forgotten", notes(t, s, poller.Unit("shop", "k")), []differ.Note(nil))
	equal(t, "of another", notes(t, s, poller.Unit("shop", "kk")), all)
	keepNotes(t, s, poller.Unit("shop", "k"), note("b", "rule/x", "4"))
	equal(t, "of one that came back", notes(t, s, poller.Unit("shop", "k")), []differ.Note{note("b", "rule/x", "4")})
}
