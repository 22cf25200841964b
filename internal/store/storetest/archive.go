package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// eventID is an id as differ.Event.ID says, the n-th of those made now.
func eventID(n int) string {
	ms := time.Now().UnixMilli()
	return fmt.Sprintf("evt_%08x-%04x-7000-8000-%012x", ms>>16, ms&0xffff, n)
}

// ids is what a page of events has, newest first.
func ids(t *testing.T, s Store, f emitter.Filter) []string {
	t.Helper()
	got := []string{}
	for p := (emitter.Page{Limit: 2}); ; {
		page, err := s.Events(t.Context(), f, p)
		if err != nil {
			t.Fatalf("events: %v", err)
		}
		if len(page.Events) > 2 || len(got) > 1_000 {
			t.Fatalf("a page of %d, after %d", len(page.Events), len(got))
		}
		for _, e := range page.Events {
			got = append(got, e.ID)
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			return got
		}
	}
}

// told is the deliveries that a filter takes, newest first, each as its
// event, endpoint and state.
func told(t *testing.T, s Store, f emitter.Filter) []string {
	t.Helper()
	got := []string{}
	for p := (emitter.Page{Limit: 3}); ; {
		page, err := s.Deliveries(t.Context(), f, p)
		if err != nil {
			t.Fatalf("deliveries: %v", err)
		}
		if len(page.Deliveries) > 3 || len(got) > 1_000 {
			t.Fatalf("a page of %d, after %d", len(page.Deliveries), len(got))
		}
		for _, d := range page.Deliveries {
			got = append(got, fmt.Sprint(d.Event.ID, " ", d.Endpoint, " ", d.State))
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			return got
		}
	}
}

// testLists commits a few events, and looks at them in every way.
func testLists(t *testing.T, s Store) {
	c := changes(0, event("e1", "a", 1, "hook", "chat"), event("e2", "b", 1, "hook"), event("e3", "a", 2), event("e4", "a", 3, "hook"))
	c.Events[1].Type = "shop.new"
	commit(t, s, c)
	watched := &differ.Commit{Source: "parcels", Watch: "42", Events: []differ.Event{event("e5", "a", 1, "chat")}}
	commit(t, s, watched)
	d := pending(t, s, "hook", later(), 10).Due
	settle(t, s, dead(d[0]), delivered(d[1])) // e1, e2

	for _, c := range []struct {
		name string
		f    emitter.Filter
		want []string
	}{
		{"all", emitter.Filter{}, []string{"e5", "e4", "e3", "e2", "e1"}},
		{"by id", emitter.Filter{Event: "e3"}, []string{"e3"}},
		{"by an id that is not there", emitter.Filter{Event: "e33"}, nil},
		{"by type", emitter.Filter{Type: "shop.new"}, []string{"e2"}},
		{"by source", emitter.Filter{Source: "shop"}, []string{"e4", "e3", "e2", "e1"}},
		{"by watch key", emitter.Filter{Watch: "42"}, []string{"e5"}},
		{"by key", emitter.Filter{Key: "a", Source: "shop"}, []string{"e4", "e3", "e1"}},
		{"by endpoint", emitter.Filter{Endpoint: "chat"}, []string{"e5", "e1"}},
		{"by state", emitter.Filter{State: emitter.Dead}, []string{"e1"}},
		{"of another endpoint's state", emitter.Filter{State: emitter.Dead, Endpoint: "chat"}, nil},
	} {
		equal(t, "events "+c.name, ids(t, s, c.f), c.want)
	}
	for _, c := range []struct {
		name string
		f    emitter.Filter
		want []string
	}{
		{"all", emitter.Filter{}, []string{"e5 chat waiting", "e4 hook waiting", "e2 hook delivered", "e1 chat waiting", "e1 hook dead"}},
		{"of an event", emitter.Filter{Event: "e1"}, []string{"e1 chat waiting", "e1 hook dead"}},
		{"of an event that is not there", emitter.Filter{Event: "e"}, nil},
		{"that are dead", emitter.Filter{State: emitter.Dead}, []string{"e1 hook dead"}},
		{"that wait at chat", emitter.Filter{State: emitter.Waiting, Endpoint: "chat"}, []string{"e5 chat waiting", "e1 chat waiting"}},
		{"of a source", emitter.Filter{Source: "parcels"}, []string{"e5 chat waiting"}},
		{"of a type", emitter.Filter{Type: "shop.new"}, []string{"e2 hook delivered"}},
		{"of a time to come", emitter.Filter{Since: later()}, nil},
	} {
		equal(t, "deliveries "+c.name, told(t, s, c.f), c.want)
	}

	e, err := s.Event(t.Context(), "e1")
	if err != nil {
		t.Fatal(err)
	}
	if e.Source != "shop" || e.Key != "a" || e.Type != "shop.updated" || e.Change != differ.Updated || e.Revision != 1 ||
		!e.Time.Equal(at(1)) || e.Created.IsZero() {
		t.Errorf("e1 is %+v", e)
	}
	if len(e.Deliveries) != 2 || e.Deliveries[0].Endpoint != "hook" || string(e.Deliveries[1].Payload) != "body of e1" {
		t.Errorf("e1 has %+v", e.Deliveries)
	}
	one, err := s.Delivery(t.Context(), d[0].Number)
	if err != nil {
		t.Fatal(err)
	}
	if one.Event.ID != "e1" || string(one.Payload) != "body of e1" || one.Attempts != 1 || one.State != emitter.Dead ||
		one.Settled.IsZero() || !one.Queued.Equal(e.Created) {
		t.Errorf("the dead one is %+v of %+v", one, one.Event)
	}
	for name, err := range map[string]error{
		"event":    second(s.Event(t.Context(), "e")),
		"delivery": second(s.Delivery(t.Context(), 1<<40)),
		"attempts": second(s.Attempts(t.Context(), 1<<40, emitter.Page{})),
	} {
		if !errors.Is(err, emitter.ErrUnknown) {
			t.Errorf("%s that is not there: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// testDeaths holds that the bounds of time of dead letters are those of their
// deaths, in lists and replays, and of all else those of the queue.
func testDeaths(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "b", 1, "hook"), event("e3", "c", 1, "hook"), event("e4", "d", 1, "hook")))
	tick()
	commit(t, s, &differ.Commit{Source: "parcels", Events: []differ.Event{event("e5", "a", 1, "hook")}})
	var died []time.Time // of e5, e2, e1, in this order; e3 arrives, e4 waits
	waits := map[string]emitter.Delivery{}
	for _, d := range pending(t, s, "hook", later(), 10).Due {
		waits[d.Event] = d
	}
	settle(t, s, delivered(waits["e3"]))
	for _, id := range []string{"e5", "e2", "e1"} {
		tick()
		settle(t, s, dead(waits[id]))
		d, err := s.Delivery(t.Context(), waits[id].Number)
		if err != nil {
			t.Fatal(err)
		}
		died = append(died, d.Settled)
	}
	letters := emitter.Filter{State: emitter.Dead}
	for _, c := range []struct {
		name         string
		since, until time.Time
		want         []string
	}{
		{"since the first", died[0], time.Time{}, []string{"e1", "e2", "e5"}},
		{"since the second", died[1], time.Time{}, []string{"e1", "e2"}},
		{"since after all", died[2].Add(1), time.Time{}, nil},
		{"before the first", time.Time{}, died[0], nil},
		{"before the last", time.Time{}, died[2], []string{"e2", "e5"}},
		{"between", died[1], died[2], []string{"e2"}},
	} {
		f := letters
		f.Since, f.Until = c.since, c.until
		for _, endpoint := range []string{"", "hook"} {
			for _, source := range []string{"", "shop", "parcels"} {
				f.Endpoint, f.Source = endpoint, source
				want := []string{}
				for _, id := range c.want {
					if source == "" || (source == "parcels") == (id == "e5") {
						want = append(want, id+" hook dead")
					}
				}
				name := fmt.Sprintf("%s, of %q to %q", c.name, source, endpoint)
				equal(t, name, told(t, s, f), want)
				equal(t, "replay "+name, replay(t, s, emitter.Replay{Filter: f, Dry: true}), emitter.Replayed{Replayed: len(want)})
			}
		}
	}
	one := letters
	one.Event, one.Since = "e2", died[1].Add(1)
	equal(t, "of one event", told(t, s, one), []string{})
	equal(t, "that arrived since the first death", told(t, s, emitter.Filter{State: emitter.Delivered, Since: died[0]}), []string{})
	equal(t, "replay of any that was committed since", replay(t, s, emitter.Replay{Filter: emitter.Filter{Since: died[0]}, Dry: true}), emitter.Replayed{})
	equal(t, "all that wait or are dead", replay(t, s, emitter.Replay{Filter: letters, Dry: true}), emitter.Replayed{Replayed: 3, Waiting: 1})

	last := letters
	last.Since = died[1]
	equal(t, "replayed", replay(t, s, emitter.Replay{Filter: last}), emitter.Replayed{Replayed: 2})
	equal(t, "left", told(t, s, letters), []string{"e5 hook dead"})
	equal(t, "the same again", replay(t, s, emitter.Replay{Filter: last}), emitter.Replayed{})
}

// tick returns when the clock has moved on.
func tick() {
	for now := time.Now(); !time.Now().After(now); {
		runtime.Gosched()
	}
}

// testListsOwn lists an event of Deltahook's own with those of the source that
// it is about.
func testListsOwn(t *testing.T, s Store) {
	e := event("own", "", 0, "hook")
	e.Type, e.Change = differ.TypeSourceFailing, ""
	commit(t, s, &differ.Commit{Source: "sources/shop", Events: []differ.Event{e}})
	about := e
	about.ID = "other"
	commit(t, s, &differ.Commit{Source: "endpoints/shop", Events: []differ.Event{about}})
	f := emitter.Filter{Source: "shop"}
	events, err := s.Events(t.Context(), f, emitter.Page{})
	if err != nil || len(events.Events) != 1 || events.Events[0].ID != "own" || events.Events[0].Source != "shop" {
		t.Errorf("%+v, %v", events, err)
	}
	deliveries, err := s.Deliveries(t.Context(), f, emitter.Page{})
	if err != nil || len(deliveries.Deliveries) != 1 || deliveries.Deliveries[0].Event.Source != "shop" {
		t.Errorf("%+v, %v", deliveries, err)
	}
	for _, d := range pending(t, s, "hook", later(), 10).Due {
		if want := map[string]string{"own": "shop", "other": "endpoints/shop"}[d.Event]; d.Source != want {
			t.Errorf("%s is of %s, want %s", d.Event, d.Source, want)
		}
		settle(t, s, delivered(d))
	}
	if done, err := s.Replay(t.Context(), emitter.Replay{Filter: f}); done.Replayed != 1 || err != nil {
		t.Errorf("replayed %+v, %v", done, err)
	}
}

// testAttempts lists what was tried.
func testAttempts(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "b", 1, "hook")))
	number := first0(t, s, "hook").Number
	for i := range 5 {
		o := retry(first0(t, s, "hook"), time.Time{})
		o.Attempt = emitter.Attempt{
			At: at(i), Took: 1500 * time.Millisecond, Status: 500 + i, Error: emitter.ErrorTimeout, Reason: "why", Response: []byte("no"),
		}
		settle(t, s, o)
	}
	var got []emitter.AttemptRecord
	for p := (emitter.Page{Limit: 2}); ; {
		page, err := s.Attempts(t.Context(), number, p)
		if err != nil || len(page.Attempts) > 2 {
			t.Fatalf("%d attempts, %v", len(page.Attempts), err)
		}
		got = append(got, page.Attempts...)
		if p.Cursor = page.Next; p.Cursor == "" {
			break
		}
		if _, err := s.Attempts(t.Context(), number+1, p); !errors.Is(err, emitter.ErrBadCursor) {
			t.Errorf("the cursor of another delivery: %v", err)
		}
	}
	if len(got) != 5 {
		t.Fatalf("%d attempts", len(got))
	}
	equal(t, "the last", got[0], emitter.AttemptRecord{
		Attempt: 5, At: at(4), Took: 1.5, Status: 504, Error: emitter.ErrorTimeout, Reason: "why", Response: "no",
	})
	equal(t, "the first", got[4].Attempt, 1)
}

// first0 is the first delivery that is due at an endpoint.
func first0(t *testing.T, s Store, endpoint string) emitter.Delivery {
	t.Helper()
	return pending(t, s, endpoint, later(), 1).Due[0]
}

// testCursors gives lists what is no cursor of theirs.
func testCursors(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook", "chat"), event("e2", "b", 1, "hook")))
	settle(t, s, dead(first0(t, s, "hook")))
	settle(t, s, dead(first0(t, s, "hook")))
	cursors := []string{"x", "e", strings.Repeat("A", 50_000), "ZQ", "%", "bgA"}
	one := emitter.Page{Limit: 1}
	events, err := s.Events(t.Context(), emitter.Filter{}, one)
	if err != nil {
		t.Fatal(err)
	}
	lists := map[string]func(cursor string) error{
		"deliveries": func(cursor string) error {
			return second(s.Deliveries(t.Context(), emitter.Filter{}, emitter.Page{Cursor: cursor}))
		},
		"dead letters": func(cursor string) error {
			return second(s.Deliveries(t.Context(), emitter.Filter{State: emitter.Dead}, emitter.Page{Cursor: cursor}))
		},
		"attempts": func(cursor string) error {
			return second(s.Attempts(t.Context(), 1, emitter.Page{Cursor: cursor}))
		},
		"replay": func(cursor string) error {
			return second(s.Replay(t.Context(), emitter.Replay{Cursor: cursor, Dry: true}))
		},
	}
	for name, list := range lists {
		for _, cursor := range append(cursors, events.Next) {
			if err := list(cursor); !errors.Is(err, emitter.ErrBadCursor) {
				t.Errorf("%s at cursor %.20q: %v", name, cursor, err)
			}
		}
	}
}

// replay runs a replay to its end, in steps of two.
func replay(t *testing.T, s Store, r emitter.Replay) (all emitter.Replayed) {
	t.Helper()
	r.Most = 2
	for range 1_000 {
		step, err := s.Replay(t.Context(), r)
		if err != nil {
			t.Fatalf("replay: %v", err)
		}
		if len(step.Deliveries) > 2 {
			t.Fatalf("a step put %d back", len(step.Deliveries))
		}
		all.Add(step)
		if r.Cursor = step.Next; r.Cursor == "" {
			return all
		}
	}
	t.Fatal("a replay does not end")
	return all
}

// testReplay holds that what is put back keeps its id and body, starts anew, and
// waits behind what waits already.
func testReplay(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook", "chat"), event("e2", "a", 2, "hook"), event("e3", "a", 3, "hook")))
	settle(t, s, retry(first(t, s, "hook"), time.Time{}))
	was := first(t, s, "hook")
	settle(t, s, dead(was))
	equal(t, "before", due(t, s, "hook"), []string{"e2"})
	equal(t, "a dry run", replay(t, s, emitter.Replay{Filter: emitter.Filter{Event: "e1"}, Dry: true}), emitter.Replayed{Replayed: 1, Waiting: 1})
	equal(t, "dead, until it is replayed", told(t, s, emitter.Filter{State: emitter.Dead}), []string{"e1 hook dead"})

	step, err := s.Replay(t.Context(), emitter.Replay{Filter: emitter.Filter{Event: "e1"}})
	if err != nil {
		t.Fatal(err)
	}
	if step.Replayed != 1 || step.Waiting != 1 || len(step.Deliveries) != 1 || !slices.Equal(step.At, []string{"hook"}) || step.Next != "" {
		t.Errorf("replayed %+v", step)
	}
	equal(t, "hook", endpoint(t, s, "hook"), emitter.EndpointState{Waiting: 3})
	equal(t, "it has its place in the lane", due(t, s, "hook"), []string{"e2"})
	equal(t, "again, while it waits", replay(t, s, emitter.Replay{Delivery: was.Number}), emitter.Replayed{Waiting: 1})
	equal(t, "its history", told(t, s, emitter.Filter{Event: "e1"}), []string{"e1 hook waiting", "e1 chat waiting", "e1 hook replayed"})
	equal(t, "no dead letter", told(t, s, emitter.Filter{State: emitter.Dead}), []string{})

	settle(t, s, delivered(first(t, s, "hook")))
	settle(t, s, delivered(first(t, s, "hook")))
	again := first(t, s, "hook")
	if again.Number != step.Deliveries[0] || again.Event != "e1" || again.Revision != 1 || !bytes.Equal(again.Body, was.Body) ||
		again.Attempts != 0 || !again.Due.IsZero() || again.Created.Before(was.Created) || !again.Time.Equal(was.Time) {
		t.Errorf("it came back as %+v, and was %+v", again, was)
	}
	settle(t, s, delivered(was)) // late: of the one that is over
	equal(t, "after an outcome of the old one", due(t, s, "hook"), []string{"e1"})
	settle(t, s, delivered(again))
	equal(t, "in the end", endpoint(t, s, "hook"), emitter.EndpointState{})
	for _, c := range []struct {
		number     uint64
		of, by     uint64
		attempts   int
		state      emitter.State
		properties string
	}{
		{was.Number, 0, again.Number, 2, emitter.StateReplayed, "the old one"},
		{again.Number, was.Number, 0, 1, emitter.Delivered, "the new one"},
	} {
		d, err := s.Delivery(t.Context(), c.number)
		if err != nil || d.ReplayOf != c.of || d.ReplayedBy != c.by || d.Attempts != c.attempts || d.State != c.state {
			t.Errorf("%s is %+v, %v", c.properties, d, err)
		}
	}
	// What was delivered can be told again too.
	equal(t, "one that arrived", replay(t, s, emitter.Replay{Delivery: was.Number}), emitter.Replayed{Replayed: 1})
	if d := first(t, s, "hook"); d.Event != "e1" || d.Number <= again.Number {
		t.Errorf("the second replay is %+v", d)
	}
	for _, r := range []emitter.Replay{{Delivery: 1 << 40}, {Filter: emitter.Filter{Event: "e"}}} {
		if _, err := s.Replay(t.Context(), r); !errors.Is(err, emitter.ErrUnknown) {
			t.Errorf("replay of what is not there: %v", err)
		}
	}
}

// testReplayMany replays by a filter, in steps, in the order of events.
func testReplayMany(t *testing.T, s Store) {
	var c *differ.Commit
	for i, source := range []string{"shop", "parcels"} {
		c = &differ.Commit{Source: source}
		for j := range 10 {
			e := event(fmt.Sprint("e", 10*i+j), "k", uint64(j), "hook", "chat")
			if j == 9 {
				e.Bodies[0].Dead = "nothing can be made of it"
			}
			c.Events = append(c.Events, e)
		}
		commit(t, s, c)
	}
	for _, name := range []string{"hook", "chat"} {
		for batch := pending(t, s, name, later(), 10).Due; len(batch) > 0; batch = pending(t, s, name, later(), 10).Due {
			for _, d := range batch {
				if o := dead(d); name == "hook" && d.Revision == 3 {
					settle(t, s, delivered(d))
				} else {
					settle(t, s, o)
				}
			}
		}
	}
	shop := emitter.Filter{Source: "shop", Endpoint: "hook", State: emitter.Dead}
	equal(t, "a dry run", replay(t, s, emitter.Replay{Filter: shop, Dry: true}), emitter.Replayed{Replayed: 8, Unsendable: 1})
	equal(t, "nothing settled so early", replay(t, s, emitter.Replay{Filter: shop, Settled: at(0)}), emitter.Replayed{})
	equal(t, "no endpoint of the name", replay(t, s, emitter.Replay{Filter: shop, Endpoints: []string{"other"}}),
		emitter.Replayed{Unconfigured: 8, Unsendable: 1})

	step, err := s.Replay(t.Context(), emitter.Replay{Filter: shop, Most: 3})
	if err != nil || step.Replayed != 3 {
		t.Fatalf("a step: %+v, %v", step, err)
	}
	// It ends here. The same again puts back the rest, and no more.
	equal(t, "the same again", replay(t, s, emitter.Replay{Filter: shop}), emitter.Replayed{Replayed: 5, Waiting: 3, Unsendable: 1})
	equal(t, "once more", replay(t, s, emitter.Replay{Filter: shop}), emitter.Replayed{Waiting: 8, Unsendable: 1})
	equal(t, "hook", endpoint(t, s, "hook"), emitter.EndpointState{Waiting: 8, Dead: 10})
	var got []string
	for range 8 {
		d := first(t, s, "hook")
		got = append(got, d.Event)
		settle(t, s, delivered(d))
	}
	equal(t, "in order", got, []string{"e0", "e1", "e2", "e4", "e5", "e6", "e7", "e8"})
	equal(t, "any state", replay(t, s, emitter.Replay{Filter: emitter.Filter{Key: "k", Endpoint: "hook"}, Dry: true}),
		emitter.Replayed{Replayed: 18, Unsendable: 2})
}

// testReplayOften replays one delivery more often than is remembered.
func testReplayOften(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook")))
	number := first(t, s, "hook").Number
	for range emitter.MaxReplays + 5 {
		settle(t, s, dead(first(t, s, "hook")))
		equal(t, "replayed", replay(t, s, emitter.Replay{Delivery: number}), emitter.Replayed{Replayed: 1})
	}
	if n := len(told(t, s, emitter.Filter{Event: "e1"})); n != emitter.MaxReplays+1 {
		t.Errorf("%d deliveries are remembered, want %d", n, emitter.MaxReplays+1)
	}
	if d, err := s.Delivery(t.Context(), number); err != nil || d.ReplayedBy == 0 {
		t.Errorf("the first is %+v, %v", d, err)
	}
	equal(t, "hook", endpoint(t, s, "hook"), emitter.EndpointState{Waiting: 1})
}

// testReplayReopen ends a process in the middle of a replay.
func testReplayReopen(t *testing.T, s Store) {
	r, ok := s.(Reopener)
	if !ok {
		t.Skip("nothing outlives the process")
	}
	for _, crash := range []bool{false, true} {
		c := changes(load(t, s, "shop")["shop"].Version)
		for i := range 6 {
			c.Events = append(c.Events, event(fmt.Sprint("e", crash, i), fmt.Sprint("k", i), 1, "hook"))
		}
		commit(t, s, c)
		for _, d := range pending(t, s, "hook", later(), 10).Due {
			settle(t, s, dead(d))
		}
		if step, err := s.Replay(t.Context(), emitter.Replay{Filter: emitter.Filter{State: emitter.Dead}, Most: 2}); err != nil || step.Replayed != 2 {
			t.Fatalf("replayed %+v, %v", step, err)
		}
		want, waiting := told(t, s, emitter.Filter{}), due(t, s, "hook")
		r = r.Reopen(t, crash).(Reopener)
		s = r
		equal(t, "after it ended", told(t, s, emitter.Filter{}), want)
		equal(t, "what is due", due(t, s, "hook"), waiting)
		equal(t, "gone on", replay(t, s, emitter.Replay{Filter: emitter.Filter{State: emitter.Dead}}), emitter.Replayed{Replayed: 4, Waiting: 2})
		for _, d := range pending(t, s, "hook", later(), 10).Due {
			settle(t, s, delivered(d))
		}
		equal(t, "in the end", endpoint(t, s, "hook"), emitter.EndpointState{})
	}
}
