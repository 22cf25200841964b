package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// listItems gives all pages of a list.
func listItems(t *testing.T, s Store, unit string, f differ.ItemFilter) (all []differ.Item) {
	t.Helper()
	for {
		page, err := s.ListItems(t.Context(), unit, f)
		if err != nil {
			t.Fatalf("list items: %v", err)
		}
		if page.Damaged != 0 {
			t.Fatalf("%d records are damaged", page.Damaged)
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		if page.Next <= f.After {
			t.Fatalf("after %q comes %q", f.After, page.Next)
		}
		f.After = page.Next
	}
}

func listKeys(t *testing.T, s Store, unit string, f differ.ItemFilter) []string {
	t.Helper()
	keys := []string{}
	for _, it := range listItems(t, s, unit, f) {
		keys = append(keys, it.Key)
	}
	return keys
}

func revisions(t *testing.T, s Store, unit, key string) []differ.Revision {
	t.Helper()
	return revisionsBefore(t, s, unit, key, 0, 0)
}

func revisionsBefore(t *testing.T, s Store, unit, key string, before uint64, n int) []differ.Revision {
	t.Helper()
	list, err := s.Revisions(t.Context(), unit, key, before, n)
	if err != nil {
		t.Fatalf("revisions of %q: %v", key, err)
	}
	return list
}

func testListItems(t *testing.T, s Store) {
	unit := poller.Unit("shop", "w")
	c := &differ.Commit{Source: "shop", Watch: "w"}
	var want []string
	for i := range 1_300 {
		key := fmt.Sprintf("k%04d", i)
		if i%3 == 0 {
			c.Items = append(c.Items, gone(key, 1))
			continue
		}
		want = append(want, key)
		c.Items = append(c.Items, item(key, 1, fmt.Sprint(i)))
	}
	commit(t, s, c)
	commit(t, s, &differ.Commit{Source: "shop", Items: []differ.Item{item("k0001", 1, `"of no watch key"`)}})
	commit(t, s, &differ.Commit{Source: "shop", Watch: "w2", Items: []differ.Item{item("k0001", 1, `"of another"`)}})

	first, err := s.ListItems(t.Context(), unit, differ.ItemFilter{})
	if err != nil || len(first.Items) != 50 || first.Next < want[49] || first.Next >= want[50] {
		t.Errorf("the first page has %d items and goes on at %q, %v", len(first.Items), first.Next, err)
	}
	equal(t, "an item", first.Items[0], c.Items[1])
	most, err := s.ListItems(t.Context(), unit, differ.ItemFilter{Limit: 5_000})
	if err != nil || len(most.Items) != 500 {
		t.Errorf("the largest page has %d items, %v", len(most.Items), err)
	}
	equal(t, "all", listKeys(t, s, unit, differ.ItemFilter{Limit: 7}), want)
	with := func(prefix string) []string {
		return slices.DeleteFunc(slices.Clone(want), func(key string) bool { return !strings.HasPrefix(key, prefix) })
	}
	equal(t, "those of a prefix", listKeys(t, s, unit, differ.ItemFilter{Prefix: "k01", Limit: 3}), with("k01"))
	equal(t, "those of a prefix, after a key before it", listKeys(t, s, unit, differ.ItemFilter{Prefix: "k01", After: "a"}), with("k01"))
	equal(t, "those of a prefix, after a key behind it", listKeys(t, s, unit, differ.ItemFilter{Prefix: "k01", After: "k1"}), []string{})
	equal(t, "those of a prefix that none has", listKeys(t, s, unit, differ.ItemFilter{Prefix: "x"}), []string{})
	equal(t, "those of no source", listKeys(t, s, "nowhere", differ.ItemFilter{}), []string{})
	equal(t, "those of the source without a watch key", listKeys(t, s, "shop", differ.ItemFilter{}), []string{"k0001"})
	last, err := s.ListItems(t.Context(), unit, differ.ItemFilter{After: want[len(want)-51]})
	if err != nil || len(last.Items) != 50 || last.Next != "" {
		t.Errorf("a last page that is full has %d items and goes on at %q, %v", len(last.Items), last.Next, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ListItems(ctx, unit, differ.ItemFilter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled list gave %v", err)
	}
}

func testFindItems(t *testing.T, s Store) {
	c := &differ.Commit{Source: "shop", Items: []differ.Item{
		item("", 1, `{"name":"empty key"}`), item("Parcel/1", 1, `{"name":"Müller"}`), item("parcel/2", 1, `{"name":"x"}`), item("z", 1, `{"name":"a parcel"}`),
	}}
	for i := range 25_000 { // more than an engine looks at in a call
		c.Items = append(c.Items, item(fmt.Sprintf("k%05d", i), 1, `{"name":"`+strings.Repeat("-", 500)+`"}`))
	}
	commit(t, s, c)
	for contains, want := range map[string][]string{
		"PARCEL": {"Parcel/1", "parcel/2", "z"}, "mÜLLER": {"Parcel/1"}, "empty": {""}, "nothing has it": {}, "k00017": {"k00017"},
	} {
		equal(t, "those with "+contains, listKeys(t, s, "shop", differ.ItemFilter{Contains: contains, Limit: 1}), want)
	}
	equal(t, "with a prefix", listKeys(t, s, "shop", differ.ItemFilter{Prefix: "p", Contains: "cel"}), []string{"parcel/2"})
}

func testItem(t *testing.T, s Store) {
	a, b := item("a", 3, `{"n": 1}`), gone("b", 2)
	commit(t, s, &differ.Commit{Source: "shop", Watch: "w", Items: []differ.Item{a, b}})
	unit := poller.Unit("shop", "w")
	for _, want := range []differ.Item{a, b} {
		got, err := s.Item(t.Context(), unit, want.Key)
		equal(t, "item "+want.Key, got, want)
		if err != nil {
			t.Error(err)
		}
	}
	for _, of := range [][2]string{{unit, "c"}, {"shop", "a"}, {"nowhere", "a"}, {unit, ""}} {
		if _, err := s.Item(t.Context(), of[0], of[1]); !errors.Is(err, differ.ErrNoItem) {
			t.Errorf("item %q of %q gave %v, want ErrNoItem", of[1], of[0], err)
		}
	}
}

// history commits what becomes of one item, step by step.
type history struct {
	t       *testing.T
	s       Store
	source  string
	watch   string
	version uint64
	now     differ.Item
}

// becomes commits the next revision of the item; "" deletes it.
func (h *history) becomes(content string) {
	h.t.Helper()
	next, b := item("k", h.now.Revision+1, content), differ.Before{Change: differ.Updated, Hash: h.now.Hash, Old: h.now.Content}
	switch {
	case content == "":
		next, b.Change = gone("k", next.Revision), differ.Deleted
	case h.now.Content == nil:
		b.Change = differ.Created
	}
	h.commit(&differ.Commit{Items: []differ.Item{item("other", 0, `1`), next}, Before: []differ.Before{b}})
	h.now = next
}

func (h *history) commit(c *differ.Commit) {
	h.t.Helper()
	c.Source, c.Watch, c.Version = h.source, h.watch, h.version
	for i := range c.Before { // the item is the last one
		c.Before[i].Item = len(c.Items) - 1
	}
	commit(h.t, h.s, c)
	h.version++
}

func (h *history) revisions() []differ.Revision {
	h.t.Helper()
	return revisions(h.t, h.s, poller.Unit(h.source, h.watch), "k")
}

// change is a revision as it is to be listed; "" is nil.
func change(revision int, kind differ.Change, before, after string) differ.Revision {
	r := differ.Revision{Revision: uint64(revision), Change: kind, Seen: at(revision)}
	if before != "" {
		r.Old = json.RawMessage(before)
	}
	if after != "" {
		r.New = json.RawMessage(after)
	}
	return r
}

func testRevisions(t *testing.T, s Store) {
	h := &history{t: t, s: s, source: "shop", watch: "w"}
	for _, content := range []string{`{"n": 1}`, `{"n": 2}`, "", `{"n": 3}`} {
		h.becomes(content)
	}
	other := &history{t: t, s: s, source: "shop"}
	other.becomes(`"of no watch key"`)
	want := []differ.Revision{
		change(4, differ.Created, "", `{"n": 3}`),
		change(3, differ.Deleted, `{"n": 2}`, ""),
		change(2, differ.Updated, `{"n": 1}`, `{"n": 2}`),
		change(1, differ.Created, "", `{"n": 1}`),
	}
	got := h.revisions()
	equal(t, "revisions", got, want)
	if got[1].New != nil || got[0].Old != nil {
		t.Error("what is not there is not nil")
	}
	clear(got[0].New)
	clear(got[1].Old)
	equal(t, "revisions, read again", h.revisions(), want)
	unit := poller.Unit("shop", "w")
	equal(t, "two", revisionsBefore(t, s, unit, "k", 0, 2), want[:2])
	equal(t, "two before", revisionsBefore(t, s, unit, "k", 3, 2), want[2:])
	equal(t, "before one that is still to come", revisionsBefore(t, s, unit, "k", 99, 1), want[:1])
	equal(t, "before the first", revisionsBefore(t, s, unit, "k", 1, 9), []differ.Revision{})
	equal(t, "of an item that did not change", revisions(t, s, unit, "other"), []differ.Revision{})
	equal(t, "of no item", revisions(t, s, unit, "nothing"), []differ.Revision{})
	equal(t, "of no source", revisions(t, s, "nowhere", "k"), []differ.Revision{})
	equal(t, "of another unit", other.revisions(), []differ.Revision{change(1, differ.Created, "", `"of no watch key"`)})

	// It is forgotten without a change, and comes back.
	h.commit(&differ.Commit{Items: []differ.Item{gone("k", 4)}})
	want[0].New, want[0].Omitted = nil, true
	equal(t, "forgotten", h.revisions(), want)
	h.now = gone("k", 4)
	h.becomes(`{"n": 5}`)
	equal(t, "back", h.revisions(), append([]differ.Revision{change(5, differ.Created, "", `{"n": 5}`)}, want...))

	// It becomes another one without a change.
	h.now = item("k", 5, `{"n": 6}`)
	h.commit(&differ.Commit{Items: []differ.Item{h.now}})
	silent := change(5, differ.Created, "", "")
	silent.Omitted = true
	equal(t, "another one", h.revisions()[0], silent)
	h.becomes(`{"n": 7}`)
	equal(t, "and then a change", h.revisions()[:2], []differ.Revision{change(6, differ.Updated, `{"n": 6}`, `{"n": 7}`), silent})
	want = append([]differ.Revision{silent}, want...)

	rename(t, s, "shop", "store")
	equal(t, "under another name", revisions(t, s, poller.Unit("store", "w"), "k")[1:], want)
}

func testRevisionsMany(t *testing.T, s Store) {
	h := &history{t: t, s: s, source: "shop"}
	var want []differ.Revision
	for i := 1; i <= differ.MaxRevisions+30; i++ {
		now := fmt.Sprint(i)
		if i == 1 {
			want = append(want, change(i, differ.Created, "", now))
		} else {
			want = append(want, change(i, differ.Updated, fmt.Sprint(i-1), now))
		}
		h.becomes(now)
	}
	slices.Reverse(want)
	equal(t, "revisions", h.revisions(), want[:differ.MaxRevisions])
	equal(t, "more than there can be", revisionsBefore(t, s, "shop", "k", 0, 5_000), want[:differ.MaxRevisions])
	equal(t, "the last page", revisionsBefore(t, s, "shop", "k", 35, 10), want[differ.MaxRevisions-4:differ.MaxRevisions])
}

func testRevisionsLarge(t *testing.T, s Store) {
	fits := `"` + strings.Repeat("x", differ.MaxKept-2) + `"`
	h := &history{t: t, s: s, source: "shop"}
	for _, content := range []string{`1`, fits + " ", fits, fits + " "} {
		h.becomes(content)
	}
	want := []differ.Revision{
		change(4, differ.Updated, fits, ""), change(3, differ.Updated, "", fits),
		change(2, differ.Updated, `1`, ""), change(1, differ.Created, "", `1`),
	}
	for i := range 3 {
		want[i].Omitted = true
	}
	equal(t, "revisions", h.revisions(), want)
	h.commit(&differ.Commit{Items: []differ.Item{item("k", 5, `5`)}, Before: []differ.Before{{Change: differ.Updated, Hash: h.now.Hash}}})
	first := change(5, differ.Updated, "", `5`)
	first.Omitted = true
	equal(t, "one of which nobody knows what was before", h.revisions()[0], first)
}

// testRevisionsReset holds that a new baseline is no revision, and that what was
// told of before it is not mixed with what is told then.
func testRevisionsReset(t *testing.T, s Store) {
	h := &history{t: t, s: s, source: "shop"}
	h.becomes(`1`)
	h.becomes(`2`)
	h.now = item("k", 2, `"of another shape"`)
	h.commit(&differ.Commit{Reset: true, Items: []differ.Item{h.now}})
	equal(t, "after a baseline", h.revisions(), []differ.Revision{})
	h.becomes(`3`)
	equal(t, "and a change", h.revisions(), []differ.Revision{change(3, differ.Updated, `"of another shape"`, `3`)})
	h.now = differ.Item{}
	h.commit(&differ.Commit{Reset: true})
	h.becomes(`1`)
	h.becomes(`"two"`)
	equal(t, "after a baseline without it", h.revisions(), []differ.Revision{
		change(2, differ.Updated, `1`, `"two"`), change(1, differ.Created, "", `1`),
	})
}

func testRevisionsForgotten(t *testing.T, s Store) {
	h := &history{t: t, s: s, source: "shop", watch: "w"}
	h.becomes(`1`)
	h.becomes(`2`)
	if err := s.Forget(t.Context(), poller.Unit("shop", "w")); err != nil {
		t.Fatal(err)
	}
	equal(t, "forgotten", h.revisions(), []differ.Revision{})
	h.now, h.version = differ.Item{}, 0
	h.becomes(`"a"`)
	equal(t, "begun anew", h.revisions(), []differ.Revision{change(1, differ.Created, "", `"a"`)})
	h.becomes(`"b"`)
	h.becomes(`"c"`)
	if got := h.revisions(); len(got) != 3 || string(got[1].Old) != `"a"` {
		t.Errorf("revisions are %+v", got)
	}
}

// testRevisionsUnknown commits again what was committed, as one does who had no
// answer.
func testRevisionsUnknown(t *testing.T, s Store) {
	h := &history{t: t, s: s, source: "shop"}
	h.becomes(`1`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &differ.Commit{
		Source: "shop", Version: 1, Items: []differ.Item{item("k", 2, `2`)},
		Before: []differ.Before{{Change: differ.Updated, Hash: hashOf(`1`), Old: json.RawMessage(`1`)}},
	}
	_ = s.Commit(ctx, c)
	if load(t, s, "shop")["shop"].Version == 1 {
		commit(t, s, c)
	}
	if err := s.Commit(t.Context(), c); !errors.Is(err, differ.ErrConflict) {
		t.Errorf("the commit, once more, gave %v", err)
	}
	equal(t, "revisions", h.revisions(), []differ.Revision{change(2, differ.Updated, `1`, `2`), change(1, differ.Created, "", `1`)})
}

func testRevisionsRefused(t *testing.T, s Store) {
	at := func(i int, kind differ.Change) []differ.Before { return []differ.Before{{Item: i, Change: kind}} }
	for name, before := range map[string][]differ.Before{
		"no item": at(3, differ.Created), "an item before the first": at(-1, differ.Created), "a baseline": at(2, differ.Created),
		"gone and created": at(1, differ.Created), "there and deleted": at(0, differ.Deleted), "due": at(0, differ.Due), "nothing": at(0, ""),
		"twice": append(at(0, differ.Updated), at(0, differ.Updated)...),
	} {
		err := s.Commit(t.Context(), &differ.Commit{
			Source: "shop", Items: []differ.Item{item("a", 1, `1`), gone("b", 1), item("c", 0, `1`)}, Before: before,
		})
		if err == nil {
			t.Errorf("%s: committed", name)
		}
	}
	equal(t, "states", load(t, s), map[string]differ.State{})
}
