package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

func testEmpty(t *testing.T, s Store) {
	equal(t, "states", load(t, s), map[string]differ.State{})
	equal(t, "state of one", load(t, s, "shop"), map[string]differ.State{})
	equal(t, "items", items(t, s, "shop", "a"), []differ.Item{})
	if b := pending(t, s, "hook", later(), 10); len(b.Due) != 0 || !b.Next.IsZero() {
		t.Errorf("pending gave %+v", b)
	}
	if e := endpoint(t, s, "hook"); !e.Hold.IsZero() || e.Waiting != 0 {
		t.Errorf("endpoint is %+v", e)
	}
	settle(t, s)
}

func testRoundTrip(t *testing.T, s Store) {
	a, b := item("a", 1, `{"n":1}`), item("b", 0, `{"n":2}`)
	commit(t, s, &differ.Commit{
		Source: "shop", Shape: "v1", Since: at(1), Bookmarks: bookmarks(1), Items: []differ.Item{a, b},
	})
	equal(t, "state", load(t, s)["shop"], differ.State{
		Source: "shop", Version: 1, Shape: "v1", Since: at(1), Bookmarks: bookmarks(1),
		Items: map[string]differ.Mark{"a": {Hash: a.Hash, Revision: 1, Seen: a.Seen}, "b": {Hash: b.Hash, Seen: b.Seen}},
	})
	equal(t, "items", items(t, s, "shop", "b", "nowhere", "a"), []differ.Item{b, a})

	a2, bGone := item("a", 2, `{"n":3}`), gone("b", 1)
	commit(t, s, &differ.Commit{
		Source: "shop", Version: 1, Shape: "v2", Since: at(2), Bookmarks: bookmarks(2),
		Items: []differ.Item{a2, bGone}, Events: []differ.Event{event("e1", "a", 2, "hook")},
	})
	equal(t, "second state", load(t, s)["shop"], differ.State{
		Source: "shop", Version: 2, Shape: "v2", Since: at(2), Bookmarks: bookmarks(2),
		Items: map[string]differ.Mark{"a": {Hash: a2.Hash, Revision: 2, Seen: a2.Seen}, "b": {Revision: 1, Seen: bGone.Seen}},
	})
	got := items(t, s, "shop", "a", "b")
	equal(t, "second items", got, []differ.Item{a2, bGone})
	if got[1].Content != nil {
		t.Error("the item that is gone has content")
	}
	d := first(t, s, "hook")
	if d.Event != "e1" || d.Type != "shop.updated" || d.Source != "shop" || d.Key != "a" || d.Revision != 2 ||
		string(d.Body) != "body of e1" || d.Attempts != 0 || d.Endpoint != "hook" || d.Number == 0 {
		t.Errorf("delivery is %+v", d)
	}
	if d.Created.IsZero() || !d.Due.IsZero() {
		t.Errorf("delivery was created at %s and is due at %s", d.Created, d.Due)
	}

	// What a commit doesn't name stays.
	commit(t, s, &differ.Commit{Source: "shop", Version: 2, Shape: "v2", Since: at(2)})
	if state := load(t, s)["shop"]; state.Version != 3 || len(state.Items) != 2 || state.Bookmarks != (poller.Bookmarks{}) {
		t.Errorf("third state is %+v", state)
	}
}

func testConflict(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook")))
	before := load(t, s)
	for _, version := range []uint64{0, 2, 100} {
		c := changes(version, event(fmt.Sprint("no", version), "b", 1, "hook"))
		c.Items = []differ.Item{item("b", 1, `1`)}
		c.Bookmarks = bookmarks(9)
		if err := s.Commit(t.Context(), c); !errors.Is(err, differ.ErrConflict) {
			t.Errorf("commit on version %d gave %v, want ErrConflict", version, err)
		}
	}
	equal(t, "states", load(t, s), before)
	equal(t, "due", due(t, s, "hook"), []string{"e1"})
	if e := endpoint(t, s, "hook"); e.Waiting != 1 {
		t.Errorf("%d wait, want 1", e.Waiting)
	}
}

func testRefused(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook")))
	before := load(t, s)
	for name, events := range map[string][]differ.Event{
		"an id that is there": {event("e2", "b", 1, "hook"), event("e1", "b", 2, "hook")},
		"an endpoint twice":   {event("e2", "b", 1, "hook"), event("e3", "b", 1, "hook", "hook")},
		"no id":               {event("e2", "b", 1, "hook"), event("", "b", 2, "hook")},
		"an endpoint unnamed": {event("e2", "b", 1, "hook"), event("e3", "b", 2, "")},
	} {
		c := changes(1, events...)
		c.Items = []differ.Item{item("b", 2, `1`)}
		if err := s.Commit(t.Context(), c); err == nil {
			t.Errorf("%s: committed", name)
		}
	}
	if err := s.Commit(t.Context(), &differ.Commit{}); err == nil {
		t.Error("a commit without source: committed")
	}
	equal(t, "states", load(t, s), before)
	equal(t, "due", due(t, s, "hook"), []string{"e1"})
}

func testReset(t *testing.T, s Store) {
	commit(t, s, &differ.Commit{Source: "shop", Items: []differ.Item{item("a", 5, `1`), item("b", 1, `2`), gone("c", 3)}})
	commit(t, s, &differ.Commit{Source: "shop2", Items: []differ.Item{item("a", 1, `1`)}})
	b, d := item("b", 2, `3`), item("d", 0, `4`)
	commit(t, s, &differ.Commit{Source: "shop", Version: 1, Reset: true, Items: []differ.Item{b, d}})
	equal(t, "marks", load(t, s)["shop"].Items, map[string]differ.Mark{
		"b": {Hash: b.Hash, Revision: 2, Seen: b.Seen}, "d": {Hash: d.Hash, Seen: d.Seen},
	})
	equal(t, "items", items(t, s, "shop", "a", "b", "c"), []differ.Item{b})
	if n := len(load(t, s)["shop2"].Items); n != 1 {
		t.Errorf("another source has %d items, want 1", n)
	}
}

// kept is bookmarks without notes.
func kept(marks map[string]poller.Bookmarks) map[string]differ.Kept {
	if marks == nil {
		return nil
	}
	all := map[string]differ.Kept{}
	for name, b := range marks {
		all[name] = differ.Kept{Bookmarks: b}
	}
	return all
}

func testKeep(t *testing.T, s Store) {
	commit(t, s, &differ.Commit{Source: "shop", Shape: "v1", Since: at(1), Items: []differ.Item{item("a", 1, `1`)}})
	before := load(t, s)["shop"]
	marks := map[string]poller.Bookmarks{"shop": bookmarks(7), "new": bookmarks(8)}
	if err := s.Keep(t.Context(), kept(marks)); err != nil {
		t.Fatal(err)
	}
	before.Bookmarks = bookmarks(7)
	equal(t, "states", load(t, s), map[string]differ.State{"shop": before, "new": {Source: "new", Bookmarks: bookmarks(8)}})

	commit(t, s, &differ.Commit{Source: "new", Bookmarks: bookmarks(9)})
	if state := load(t, s, "new")["new"]; state.Version != 1 {
		t.Errorf("version is %d, want 1", state.Version)
	}
	if err := s.Keep(t.Context(), nil); err != nil {
		t.Errorf("keep of nothing: %v", err)
	}
}

func testLoad(t *testing.T, s Store) {
	const n = 2_500 // more than an engine reads at once
	marks := map[string]poller.Bookmarks{}
	var want []string
	for i := range n {
		name := fmt.Sprintf("s%04d", i)
		marks[name], want = bookmarks(i), append(want, name)
	}
	if err := s.Keep(t.Context(), kept(marks)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for state, err := range s.Load(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if state.Bookmarks.Failures != marks[state.Source].Failures {
			t.Errorf("%s has the bookmarks of another", state.Source)
		}
		got = append(got, state.Source)
	}
	slices.Sort(got)
	equal(t, "sources", got, want)
	if states := load(t, s, "s0007", "nowhere", "s2001"); len(states) != 2 || states["s0007"].Source == "" || states["s2001"].Source == "" {
		t.Errorf("load of some gave %d", len(states))
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range s.Load(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled load gave %v", err)
		}
	}
}

// testLoadBetween commits from within a load, which must neither block nor mix
// two versions of a source.
func testLoadBetween(t *testing.T, s Store) {
	const n = 50
	put := func(version, i int) {
		content := fmt.Sprint(version)
		commit(t, s, &differ.Commit{
			Source: fmt.Sprintf("s%02d", i), Version: uint64(version), Shape: content,
			Items: []differ.Item{item("a", uint64(version+1), content), item("b", uint64(version+1), content)},
		})
	}
	for i := range n {
		put(0, i)
	}
	seen := 0
	for state, err := range s.Load(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for key, mark := range state.Items {
			if mark.Revision != state.Version || mark.Hash != hashOf(state.Shape) {
				t.Errorf("%s at version %d has item %s at revision %d", state.Source, state.Version, key, mark.Revision)
			}
		}
		if seen == 0 {
			for i := range n {
				put(1, i)
			}
		}
		seen++
	}
	if seen != n {
		t.Errorf("load gave %d sources, want %d", seen, n)
	}
	for state, err := range s.Load(t.Context()) {
		if err != nil || state.Version != 2 {
			t.Errorf("then %s has version %d, err %v", state.Source, state.Version, err)
		}
		break // the rest must not hold anything
	}
	commit(t, s, &differ.Commit{Source: "after"})
}

func testSnapshot(t *testing.T, s Store) {
	snap, ok := s.(interface {
		Snapshot(context.Context, string) (differ.State, []differ.Item, error)
	})
	if !ok {
		t.Skip("the engine has no Snapshot")
	}
	a, b := item("a", 1, `{"n": 1}`), item("b", 2, `[1.10]`)
	commit(t, s, &differ.Commit{Source: "shop", Shape: "v1", Bookmarks: bookmarks(1), Items: []differ.Item{b, gone("c", 2), a}})
	commit(t, s, &differ.Commit{Source: "shop2", Items: []differ.Item{item("z", 1, `1`)}})
	state, got, err := snap.Snapshot(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "state", state, load(t, s)["shop"])
	equal(t, "items", got, []differ.Item{a, b})
	state, got, err = snap.Snapshot(t.Context(), "nowhere")
	equal(t, "state of a source that isn't there", state, differ.State{Source: "nowhere"})
	if len(got) != 0 || err != nil {
		t.Errorf("snapshot of a source that isn't there: %d items, %v", len(got), err)
	}
}

func testBytes(t *testing.T, s Store) {
	big := `{"text":"` + strings.Repeat("größer 🚚 \\u0000 ", 300<<10/20) + `"}`
	contents := []string{
		` { "a" :	1.10 ,` + "\r\n" + `"b": 1e5, "c": 9007199254740993 } ` + "\n",
		`"<>&\u2028"`, "\"\u2028\u2029\"", `1.10`, `-0`, `null`, `{"a":1,"a":2}`, big,
	}
	c := &differ.Commit{Source: "shop"}
	for i, content := range contents {
		key := fmt.Sprintf("k%d", i)
		c.Items = append(c.Items, item(key, 1, content))
		e := event("e"+key, key, 1)
		e.Bodies = []differ.Body{
			{Endpoint: "one", Payload: []byte(content)},
			{Endpoint: "two", Payload: []byte(content)},
			{Endpoint: "three", Payload: []byte("\x00 other " + content)},
		}
		c.Events = append(c.Events, e)
	}
	commit(t, s, c)
	for i, content := range contents {
		got := items(t, s, "shop", fmt.Sprintf("k%d", i))
		if len(got) != 1 || string(got[0].Content) != content {
			t.Errorf("content %d is not what was committed", i)
		}
	}
	for name, prefix := range map[string]string{"one": "", "two": "", "three": "\x00 other "} {
		batch := pending(t, s, name, later(), 100)
		if len(batch.Due) != len(contents) {
			t.Fatalf("%d due at %s, want %d", len(batch.Due), name, len(contents))
		}
		for i, d := range batch.Due {
			if string(d.Body) != prefix+contents[i] {
				t.Errorf("payload %d at %s is not what was committed", i, name)
			}
		}
	}
}

func testKeys(t *testing.T, s Store) {
	keys := []string{
		"", "\x00", "\x00\x00", "a", "a\x00", "a\x00b", "a/b", "a//b", "/", "../a", "ä", "🚚", "\xff\xfe", " ",
		strings.Repeat("k", 127), strings.Repeat("k", 128), strings.Repeat("long/", 4<<10/5),
	}
	c := &differ.Commit{Source: "shop"}
	want := map[string]differ.Mark{}
	for i, key := range keys {
		it := item(key, uint64(i), fmt.Sprint(i))
		c.Items = append(c.Items, it)
		c.Events = append(c.Events, event(fmt.Sprintf("e%02d", i), key, uint64(i), "hook"))
		want[key] = differ.Mark{Hash: it.Hash, Revision: it.Revision, Seen: it.Seen}
	}
	commit(t, s, c)
	equal(t, "marks", load(t, s)["shop"].Items, want)
	equal(t, "items", items(t, s, "shop", keys...), c.Items)
	batch := pending(t, s, "hook", later(), 100)
	if len(batch.Due) != len(keys) {
		t.Fatalf("%d due, want one of each of the %d items", len(batch.Due), len(keys))
	}
	for i, d := range batch.Due {
		if d.Key != keys[i] {
			t.Errorf("delivery %d is of key %q, want %q", i, d.Key, keys[i])
		}
	}
}

// testNames has sources, endpoints and keys that are each other's prefixes or
// that join to the same text.
func testNames(t *testing.T, s Store) {
	names := []string{"a", "ab", "a\x01", "a\x01b", "\x01a", "aa", "b"}
	n := 0
	for _, source := range names {
		c := &differ.Commit{Source: source}
		for _, key := range names {
			c.Items = append(c.Items, item(key, uint64(len(source)), fmt.Sprintf("%q", source+"|"+key)))
			c.Events = append(c.Events, event(fmt.Sprintf("e%03d", n), key, 1, names...))
			n++
		}
		commit(t, s, c)
	}
	commit(t, s, &differ.Commit{Source: "a", Version: 1, Reset: true})
	for source, state := range load(t, s) {
		want := len(names)
		if source == "a" {
			want = 0
		}
		if len(state.Items) != want {
			t.Errorf("source %q has %d items, want %d", source, len(state.Items), want)
		}
		for key, mark := range state.Items {
			if mark.Hash != hashOf(fmt.Sprintf("%q", source+"|"+key)) {
				t.Errorf("source %q key %q has the content of another", source, key)
			}
		}
	}
	for _, endpoint := range names {
		if got := due(t, s, endpoint); len(got) != n {
			t.Errorf("%d due at %q, want %d", len(got), endpoint, n)
		}
	}
}

func testOwnership(t *testing.T, s Store) {
	c := changes(0, event("e1", "a", 1, "hook"))
	c.Items = []differ.Item{item("a", 1, `{"n":1}`)}
	commit(t, s, c)
	c.Items[0].Content[2], c.Events[0].Bodies[0].Payload[0] = 'X', 'X'
	for range 2 {
		state, it, d := load(t, s)["shop"], items(t, s, "shop", "a")[0], first(t, s, "hook")
		if len(state.Items) != 1 || string(it.Content) != `{"n":1}` || string(d.Body) != "body of e1" {
			t.Fatalf("the store was changed from outside: %d items, %s, %s", len(state.Items), it.Content, d.Body)
		}
		clear(state.Items)
		clear(it.Content)
		clear(d.Body)
	}
}
