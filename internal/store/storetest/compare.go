package storetest

import (
	"encoding/json"
	"errors"
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
		"rename":  p.rename,
		"left":    p.left,
		"pending": p.pending,
		"settle":  p.settle,
		"arrange": p.arrange,
		"hasten":  p.hasten,
		"drop":    p.drop,
		"replay":  p.replay,
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
			c.Items = append(c.Items, item(key, revision, rapid.OneOf(rapid.SampledFrom([]string{"x", "y"}), rapid.StringN(1, 20, 40)).Draw(r, "content")))
		}
		if revision > 0 && rapid.Bool().Draw(r, "change") {
			c.Before = append(c.Before, p.before(r, len(c.Items)-1, c.Items[len(c.Items)-1].Content == nil))
		}
	}
	c.Notes = p.notes(r)
	for _, key := range rapid.SliceOfN(someKey, 0, 3).Draw(r, "events") {
		p.events++
		to := rapid.SliceOfNDistinct(someEndpoint, 0, 3, rapid.ID[string]).Draw(r, "to")
		e := event(eventID(p.events), key, 1, to...)
		for i := range e.Bodies {
			if rapid.IntRange(0, 9).Draw(r, "dead") == 0 {
				e.Bodies[i].Dead = "dead"
			}
			if rapid.Bool().Draw(r, "coalesce") {
				p.coalesce(r, source, &e, &e.Bodies[i])
			}
		}
		c.Events = append(c.Events, e)
	}
	p.same(r, "commit", p.a.Commit(p.t.Context(), c), p.b.Commit(p.t.Context(), c))
	p.versions[source] = load(p.t, p.b, source)[source].Version
}

// coalesce has a body take the place of what waits there, or of anything.
func (p *pair) coalesce(r *rapid.T, source string, e *differ.Event, b *differ.Body) {
	e.Old = []byte(eventID(p.events))
	at := differ.Place{Key: e.Key, Type: e.Type, Endpoint: b.Endpoint}
	was, err := p.a.Untried(p.t.Context(), source, []differ.Place{at})
	if err != nil {
		r.Fatal(err)
	}
	same, err := p.b.Untried(p.t.Context(), source, []differ.Place{at})
	if diff := cmp.Diff(same, was, cmpopts.EquateEmpty()); diff != "" || err != nil {
		r.Fatalf("what waits (-model +engine):\n%s, %v", diff, err)
	}
	b.Coalesce = true
	first, waits := was[at]
	if !waits {
		first.Delivery = rapid.Uint64Range(0, 9).Draw(r, "place of")
	}
	if rapid.IntRange(0, 4).Draw(r, "merged") > 0 {
		b.Merged = &differ.Merged{Delivery: first.Delivery, Payload: append([]byte("merged: "), first.Old...)}
	}
}

// before says that an item changed.
func (p *pair) before(r *rapid.T, i int, gone bool) differ.Before {
	b := differ.Before{Item: i, Change: differ.Deleted}
	if !gone {
		b.Change = rapid.SampledFrom([]differ.Change{differ.Created, differ.Updated}).Draw(r, "kind")
	}
	if b.Change != differ.Created {
		b.Hash = hashOf(rapid.SampledFrom([]string{"x", "y"}).Draw(r, "was"))
		b.Old = json.RawMessage(rapid.StringN(0, 9, 9).Draw(r, "old"))
	}
	return b
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

func (p *pair) rename(r *rapid.T) {
	from, to := someSource.Draw(r, "from"), someSource.Draw(r, "to")
	a, b := p.a.Rename(p.t.Context(), from, to), p.b.Rename(p.t.Context(), from, to)
	if p.same(r, "rename", a, b); errors.Is(a, differ.ErrTaken) != errors.Is(b, differ.ErrTaken) {
		r.Fatalf("rename: the engine says %v, the model %v", a, b)
	}
	for _, source := range []string{from, to} {
		p.versions[source] = load(p.t, p.b, source)[source].Version
	}
}

func (p *pair) left(r *rapid.T) {
	there := rapid.SliceOfN(someSource, 0, 3).Draw(r, "there")
	configured := func(source string) bool { return slices.Contains(there, source) }
	a, errA := p.a.Left(p.t.Context(), configured)
	b, errB := p.b.Left(p.t.Context(), configured)
	p.same(r, "left", errA, errB)
	if diff := cmp.Diff(b, a, cmpopts.EquateEmpty()); diff != "" {
		r.Fatalf("left (-model +engine):\n%s", diff)
	}
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
		v := emitter.Verdict{State: rapid.SampledFrom([]emitter.State{emitter.Waiting, emitter.Delivered, emitter.Dead, emitter.Expired}).Draw(r, "state")}
		if v.State == emitter.Waiting {
			v.Due = time.Now().Add(time.Duration(rapid.IntRange(-10, 300).Draw(r, "due")) * time.Second)
		}
		o := outcome(d, v)
		if rapid.IntRange(0, 3).Draw(r, "fares") == 0 {
			o.Health = p.health(r)
		}
		outcomes = append(outcomes, o)
	}
	p.same(r, "settle", p.a.Settle(p.t.Context(), outcomes), p.b.Settle(p.t.Context(), outcomes))
}

func (p *pair) health(r *rapid.T) *emitter.Health {
	return &emitter.Health{
		Hold:  time.Now().Add(time.Duration(rapid.SampledFrom([]int{-10, 5, 100_000}).Draw(r, "hold")) * time.Second).Round(0).UTC(),
		Pause: rapid.SampledFrom([]emitter.Pause{"", emitter.PauseOutage, emitter.PauseManual}).Draw(r, "pause"),
		Since: at(1), Reason: rapid.StringN(0, 3, 3).Draw(r, "reason"),
		Failed: rapid.IntRange(0, 3).Draw(r, "failed"), FailedSince: at(2), Failing: rapid.Bool().Draw(r, "failing"),
	}
}

func (p *pair) arrange(r *rapid.T) {
	endpoint := someEndpoint.Draw(r, "endpoint")
	order := rapid.SampledFrom([]emitter.Order{emitter.OrderItem, emitter.OrderEndpoint, emitter.OrderNone, "odd"}).Draw(r, "order")
	p.same(r, "arrange", p.a.Arrange(p.t.Context(), endpoint, order), p.b.Arrange(p.t.Context(), endpoint, order))
}

func (p *pair) hasten(r *rapid.T) {
	endpoint := someEndpoint.Draw(r, "endpoint")
	p.same(r, "hasten", p.a.Hasten(p.t.Context(), endpoint), p.b.Hasten(p.t.Context(), endpoint))
}

func (p *pair) drop(r *rapid.T) {
	endpoint := someEndpoint.Draw(r, "endpoint")
	d := emitter.Drop{Reason: "of no use", Dry: rapid.Bool().Draw(r, "dry"), Expired: rapid.Bool().Draw(r, "expired")}
	if rapid.Bool().Draw(r, "some") {
		d.Before = time.Now().Add(-time.Duration(rapid.IntRange(0, 120).Draw(r, "age")) * time.Second)
		d.Skip = func(number uint64) bool { return number%3 == 0 }
	}
	a, errA := p.a.Drop(p.t.Context(), endpoint, d)
	b, errB := p.b.Drop(p.t.Context(), endpoint, d)
	p.same(r, "drop", errA, errB)
	if a != b {
		r.Fatalf("drop: the engine dropped %d, the model %d", a, b)
	}
}

// filter is one by everything there is.
func (p *pair) filter(r *rapid.T) emitter.Filter {
	maybe := func(what string, g *rapid.Generator[string]) string {
		if rapid.IntRange(0, 2).Draw(r, "by "+what) > 0 {
			return ""
		}
		return g.Draw(r, what)
	}
	f := emitter.Filter{Source: maybe("source", someSource), Key: maybe("key", someKey), Endpoint: maybe("endpoint", someEndpoint)}
	f.State = emitter.State(maybe("state", rapid.SampledFrom([]string{"waiting", "delivered", "dead", "expired", "replayed", "superseded"})))
	if rapid.IntRange(0, 2).Draw(r, "times") == 0 {
		f.Since = time.Now().Add(-time.Duration(rapid.IntRange(0, 600).Draw(r, "since")) * time.Second)
		f.Until = f.Since.Add(time.Duration(rapid.IntRange(0, 600).Draw(r, "for")) * time.Second)
	}
	return f
}

func (p *pair) replay(r *rapid.T) {
	what := emitter.Replay{Filter: p.filter(r), Most: rapid.IntRange(1, 3).Draw(r, "most"), Dry: rapid.IntRange(0, 3).Draw(r, "dry") == 0}
	switch rapid.IntRange(0, 9).Draw(r, "one") {
	case 0:
		what.Delivery = rapid.Uint64Range(1, 20).Draw(r, "number")
	case 1:
		what.Settled = time.Now().Add(-time.Minute)
	case 2:
		what.Endpoints = []string{"x"}
	}
	run := func(s Store) (steps []emitter.Replayed, err error) {
		for {
			step, err := s.Replay(p.t.Context(), what)
			if err != nil {
				return steps, err
			}
			what.Cursor = step.Next
			if step.Next = ""; !what.Dry {
				steps = append(steps, step)
			} else if len(steps) == 0 {
				steps = []emitter.Replayed{step}
			} else {
				steps[0].Add(step)
			}
			if what.Cursor == "" {
				return steps, nil
			}
		}
	}
	a, errA := run(p.a)
	b, errB := run(p.b)
	p.same(r, "replay", errA, errB)
	total := func(steps []emitter.Replayed) (all emitter.Replayed) {
		for _, s := range steps {
			all.Add(s)
			all.Deliveries = append(all.Deliveries, s.Deliveries...)
		}
		return all
	}
	if diff := cmp.Diff(total(b), total(a), cmpopts.EquateEmpty()); diff != "" {
		r.Fatalf("replayed (-model +engine):\n%s", diff)
	}
}

// lists is all that an engine tells of what was told, page by page.
func (p *pair) lists(r *rapid.T, s Store, f emitter.Filter) (all []any) {
	page := emitter.Page{Limit: 2}
	for {
		events, err := s.Events(p.t.Context(), f, page)
		if err != nil {
			r.Fatal(err)
		}
		for _, e := range events.Events {
			all = append(all, e)
		}
		if page.Cursor = events.Next; page.Cursor == "" {
			break
		}
	}
	for {
		deliveries, err := s.Deliveries(p.t.Context(), f, page)
		if err != nil {
			r.Fatal(err)
		}
		for _, d := range deliveries.Deliveries {
			all = append(all, d)
			attempts, err := s.Attempts(p.t.Context(), d.Number, emitter.Page{})
			if err != nil {
				r.Fatal(err)
			}
			all = append(all, attempts)
		}
		if page.Cursor = deliveries.Next; page.Cursor == "" {
			return all
		}
	}
}

// same holds that both engines took something, or neither for the same reason.
func (p *pair) same(r *rapid.T, what string, a, b error) {
	if (a == nil) != (b == nil) || errors.Is(a, differ.ErrConflict) != errors.Is(b, differ.ErrConflict) {
		r.Fatalf("%s: the engine says %v, the model %v", what, a, b)
	}
}

// compare reads everything from both.
func (p *pair) compare(r *rapid.T) {
	f := p.filter(r)
	look := func(s Store) []any {
		states := load(p.t, s)
		all := []any{states}
		for _, source := range []string{"s", "ss", "t"} { // also those that are not there
			all = append(all, items(p.t, s, source, "", "a", "b", "a\x00b"), listItems(p.t, s, source, differ.ItemFilter{Limit: 1}))
			for _, key := range []string{"", "a", "b", "a\x00b"} {
				all = append(all, revisions(p.t, s, source, key), revisionsBefore(p.t, s, source, key, 3, 1))
			}
		}
		for _, name := range []string{"x", "y", "xx"} {
			oldest, found, err := s.Oldest(p.t.Context(), name, nil)
			all = append(all, endpoint(p.t, s, name), pending(p.t, s, name, time.Now(), 100), oldest, found, err)
		}
		return append(all, p.lists(r, s, f)...)
	}
	if diff := cmp.Diff(look(p.b), look(p.a), cmpopts.EquateEmpty()); diff != "" {
		r.Fatalf("the engines differ (-model +engine):\n%s", diff)
	}
}
