package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// Compare does the same random things to two engines and compares all that
// they answer. It must run in a synctest bubble, so that both see the same
// time. Each opener gives an empty store and what ends it.
func Compare(t *testing.T, engine, model func(t *testing.T) (Store, func())) {
	// A bubble's T must not be asked for its deadline.
	rapid.Check(struct{ rapid.TB }{t}, func(r *rapid.T) {
		a, endA := engine(t)
		defer endA()
		b, endB := model(t)
		defer endB()
		p := &pair{t: t, a: a, b: b, versions: map[string]uint64{}}
		p.run(r)
		p.compare(r)
	})
}

// pair is two engines under the same commands.
type pair struct {
	t        *testing.T
	a, b     Store
	versions map[string]uint64 // what the caller believes
	events   int
	given    []emitter.Delivery // that Pending gave, settled or not
}

func (p *pair) run(r *rapid.T) {
	r.Repeat(map[string]func(*rapid.T){
		"compare": p.compare,
		"commit":  p.commit,
		"keep":    p.keep,
		"forget":  p.forget,
		"pending": p.pending,
		"settle":  p.settle,
		"wait": func(r *rapid.T) {
			time.Sleep(time.Duration(rapid.IntRange(1, 120).Draw(r, "seconds")) * time.Second)
		},
	})
}

var (
	someSource   = rapid.SampledFrom([]string{"s", "ss", "t"})
	someKey      = rapid.SampledFrom([]string{"", "a", "b", "a\x00b"})
	someEndpoint = rapid.SampledFrom([]string{"x", "y", "xx"})
)

func (p *pair) commit(r *rapid.T) {
	source := someSource.Draw(r, "source")
	c := &differ.Commit{
		Source: source, Version: p.versions[source], Reset: rapid.IntRange(0, 9).Draw(r, "reset") == 0,
		Shape: rapid.StringN(0, 3, 3).Draw(r, "shape"), Since: at(rapid.IntRange(0, 9).Draw(r, "since")),
		Bookmarks: bookmarks(rapid.IntRange(0, 9).Draw(r, "bookmarks")),
	}
	if rapid.IntRange(0, 9).Draw(r, "stale") == 0 {
		c.Version += uint64(rapid.IntRange(0, 1).Draw(r, "by"))*2 - 1
	}
	for _, key := range rapid.SliceOfNDistinct(someKey, 0, 3, rapid.ID[string]).Draw(r, "items") {
		revision := rapid.Uint64Range(0, 5).Draw(r, "revision")
		if rapid.Bool().Draw(r, "gone") {
			c.Items = append(c.Items, gone(key, revision))
		} else {
			c.Items = append(c.Items, item(key, revision, rapid.StringN(1, 20, 40).Draw(r, "content")))
		}
	}
	c.Notes = p.notes(r)
	for _, key := range rapid.SliceOfN(someKey, 0, 3).Draw(r, "events") {
		p.events++
		to := rapid.SliceOfNDistinct(someEndpoint, 0, 3, rapid.ID[string]).Draw(r, "to")
		c.Events = append(c.Events, event(fmt.Sprintf("e%05d", p.events), key, 1, to...))
	}
	p.same(r, "commit", p.a.Commit(p.t.Context(), c), p.b.Commit(p.t.Context(), c))
	p.versions[source] = load(p.t, p.b, source)[source].Version
}

func (p *pair) keep(r *rapid.T) {
	kept := map[string]differ.Kept{}
	for _, source := range rapid.SliceOfN(someSource, 0, 2).Draw(r, "sources") {
		kept[source] = differ.Kept{Bookmarks: bookmarks(rapid.IntRange(0, 9).Draw(r, "bookmarks")), Notes: p.notes(r)}
	}
	p.same(r, "keep", p.a.Keep(p.t.Context(), kept), p.b.Keep(p.t.Context(), kept))
}

// notes puts and removes a few.
func (p *pair) notes(r *rapid.T) (notes []differ.Note) {
	for _, key := range rapid.SliceOfNDistinct(someKey, 0, 3, rapid.ID[string]).Draw(r, "notes") {
		n := differ.Note{Key: key, Name: rapid.SampledFrom([]string{"n", "nn", "\x00"}).Draw(r, "name")}
		if rapid.IntRange(0, 2).Draw(r, "put") > 0 {
			n.Data = append([]byte{}, rapid.StringN(0, 3, 3).Draw(r, "data")...)
		}
		notes = append(notes, n)
	}
	return notes
}

func (p *pair) forget(r *rapid.T) {
	source := someSource.Draw(r, "source")
	p.same(r, "forget", p.a.Forget(p.t.Context(), source), p.b.Forget(p.t.Context(), source))
	delete(p.versions, source)
}

func (p *pair) pending(r *rapid.T) {
	endpoint, n := someEndpoint.Draw(r, "endpoint"), rapid.IntRange(0, 4).Draw(r, "n")
	now := time.Now().Add(time.Duration(rapid.IntRange(-60, 600).Draw(r, "seconds")) * time.Second)
	skip := func(number uint64) bool { return number%3 == 0 }
	if rapid.Bool().Draw(r, "all") {
		skip = nil
	}
	ask := func(s Store) emitter.Batch {
		batch, err := s.Pending(p.t.Context(), endpoint, now, n, skip)
		if err != nil {
			r.Fatal(err)
		}
		return batch
	}
	a, b := ask(p.a), ask(p.b)
	if diff := cmp.Diff(b, a, cmpopts.EquateEmpty()); diff != "" {
		r.Fatalf("pending at %s (-model +engine):\n%s", endpoint, diff)
	}
	p.given = append(p.given, a.Due...)
}

func (p *pair) settle(r *rapid.T) {
	if len(p.given) == 0 {
		r.Skip("nothing was given")
	}
	var outcomes []emitter.Outcome
	for range rapid.IntRange(1, 3).Draw(r, "outcomes") {
		d := rapid.SampledFrom(p.given).Draw(r, "delivery")
		v := emitter.Verdict{State: rapid.SampledFrom([]emitter.State{emitter.Waiting, emitter.Delivered, emitter.Dead}).Draw(r, "state")}
		if v.State == emitter.Waiting {
			v.Due = time.Now().Add(time.Duration(rapid.IntRange(-10, 300).Draw(r, "due")) * time.Second)
		}
		if rapid.IntRange(0, 3).Draw(r, "holds") == 0 {
			v.Hold = time.Now().Add(time.Duration(rapid.SampledFrom([]int{-10, 5, 60, 300, 100_000}).Draw(r, "hold")) * time.Second)
			v.Paused, v.Reason = rapid.Bool().Draw(r, "paused"), rapid.StringN(0, 3, 3).Draw(r, "reason")
		}
		outcomes = append(outcomes, outcome(d, v))
	}
	p.same(r, "settle", p.a.Settle(p.t.Context(), outcomes), p.b.Settle(p.t.Context(), outcomes))
}

// same holds that both engines took something, or neither for the same reason.
func (p *pair) same(r *rapid.T, what string, a, b error) {
	if (a == nil) != (b == nil) || errors.Is(a, differ.ErrConflict) != errors.Is(b, differ.ErrConflict) {
		r.Fatalf("%s: the engine says %v, the model %v", what, a, b)
	}
}

// compare reads everything from both.
func (p *pair) compare(r *rapid.T) {
	look := func(s Store) []any {
		states := load(p.t, s)
		all := []any{states}
		for _, source := range slices.Sorted(maps.Keys(states)) {
			all = append(all, items(p.t, s, source, "", "a", "b", "a\x00b"))
		}
		for _, name := range []string{"x", "y", "xx"} {
			all = append(all, endpoint(p.t, s, name), pending(p.t, s, name, time.Now(), 100))
		}
		return all
	}
	if diff := cmp.Diff(look(p.b), look(p.a), cmpopts.EquateEmpty()); diff != "" {
		r.Fatalf("the engines differ (-model +engine):\n%s", diff)
	}
}
