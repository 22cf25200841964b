package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// testListsRare has a few deliveries to an endpoint, of a source, and behind them
// more to another one than an engine may look at in a call. One call gives them.
func testListsRare(t *testing.T, s Store) {
	quiet := &differ.Commit{Source: "quiet", Events: []differ.Event{
		event("e1", "a", 1, "rare"), event("e2", "b", 1, "rare", "hook"), event("e3", "c", 1, "rare"),
	}}
	quiet.Events[2].Type = "quiet.lost"
	commit(t, s, quiet)
	for _, d := range pending(t, s, "rare", later(), 10).Due {
		switch d.Event {
		case "e1":
			settle(t, s, delivered(d))
		case "e3":
			settle(t, s, dead(d))
		}
	}
	settle(t, s, delivered(first(t, s, "hook")))
	const many, step = 11_000, 5_500
	for v := range many / step {
		c := &differ.Commit{Source: "shop", Version: uint64(v)}
		for i := range step {
			e := event(fmt.Sprintf("f%06d", v*step+i), "k", 1, "hook")
			e.Bodies[0].Dead = "nothing can be made of it"
			c.Events = append(c.Events, e)
		}
		commit(t, s, c)
	}
	equal(t, "replayed", replay(t, s, emitter.Replay{Filter: emitter.Filter{Event: "e1"}}), emitter.Replayed{Replayed: 1})

	for _, c := range []struct {
		name string
		f    emitter.Filter
		want string
	}{
		{"to the endpoint", emitter.Filter{Endpoint: "rare"}, "e1 waiting, e3 dead, e2 waiting, e1 delivered"},
		{"that wait there", emitter.Filter{Endpoint: "rare", State: emitter.Waiting}, "e1 waiting, e2 waiting"},
		{"that wait", emitter.Filter{State: emitter.Waiting}, "e1 waiting, e2 waiting"},
		{"that are dead there", emitter.Filter{Endpoint: "rare", State: emitter.Dead}, "e3 dead"},
		{"of the source", emitter.Filter{Source: "quiet"}, "e1 waiting, e3 dead, e2 delivered, e2 waiting, e1 delivered"},
		{"of the source that are dead", emitter.Filter{Source: "quiet", State: emitter.Dead}, "e3 dead"},
		{"of an item of it", emitter.Filter{Source: "quiet", Key: "b"}, "e2 delivered, e2 waiting"},
		{"of a type of it", emitter.Filter{Source: "quiet", Type: "quiet.lost"}, "e3 dead"},
		{"of the source to the other endpoint", emitter.Filter{Source: "quiet", Endpoint: "hook"}, "e2 delivered"},
		{"of the other source", emitter.Filter{Source: "shop", Endpoint: "rare"}, ""},
		{"to none", emitter.Filter{Endpoint: "rar"}, ""},
	} {
		page, err := s.Deliveries(t.Context(), c.f, emitter.Page{})
		var got []string
		for _, d := range page.Deliveries {
			got = append(got, fmt.Sprint(d.Event.ID, " ", d.State))
		}
		if strings.Join(got, ", ") != c.want || page.Next != "" || err != nil {
			t.Errorf("deliveries %s: %q, next %q, %v; want %q", c.name, got, page.Next, err, c.want)
		}
	}
	for _, c := range []struct {
		name string
		f    emitter.Filter
		want string
	}{
		{"to the endpoint", emitter.Filter{Endpoint: "rare"}, "e3 e2 e1"},
		{"that wait", emitter.Filter{State: emitter.Waiting}, "e2 e1"},
		{"that are dead there", emitter.Filter{Endpoint: "rare", State: emitter.Dead}, "e3"},
		{"of the source", emitter.Filter{Source: "quiet"}, "e3 e2 e1"},
		{"of the source that are dead", emitter.Filter{Source: "quiet", Endpoint: "rare", State: emitter.Dead}, "e3"},
		{"of the source to the other endpoint", emitter.Filter{Source: "quiet", Endpoint: "hook"}, "e2"},
		{"to none", emitter.Filter{Endpoint: "rar"}, ""},
	} {
		page, err := s.Events(t.Context(), c.f, emitter.Page{})
		var got []string
		for _, e := range page.Events {
			got = append(got, e.ID)
		}
		if strings.Join(got, " ") != c.want || page.Next != "" || err != nil {
			t.Errorf("events %s: %q, next %q, %v; want %q", c.name, got, page.Next, err, c.want)
		}
	}
	for _, c := range []struct {
		f    emitter.Filter
		want emitter.Replayed
	}{
		{emitter.Filter{Endpoint: "rare"}, emitter.Replayed{Replayed: 1, Waiting: 2}},
		{emitter.Filter{Endpoint: "rare", State: emitter.Dead}, emitter.Replayed{Replayed: 1, Waiting: 2}},
		{emitter.Filter{Source: "quiet"}, emitter.Replayed{Replayed: 2, Waiting: 2}},
	} {
		step, err := s.Replay(t.Context(), emitter.Replay{Filter: c.f, Dry: true})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprintf("a step of a replay of %+v", c.f), step, c.want)
	}
	tick()
	now := time.Now()
	settle(t, s, dead(first0(t, s, "rare"))) // e2
	lately, err := s.Replay(t.Context(), emitter.Replay{Filter: emitter.Filter{State: emitter.Dead, Since: now}, Dry: true})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "a step of a replay of what died lately", lately, emitter.Replayed{Replayed: 1})
}
