package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// coalescing is an update of the item a from n-1 to n, told to hook, where it
// may take the place of one that waits.
func coalescing(t *testing.T, s Store, n int) differ.Event {
	t.Helper()
	e := event(fmt.Sprintf("c%d", n), "a", uint64(n), "hook")
	e.Old, e.New = json.RawMessage(fmt.Sprint(n-1)), json.RawMessage(fmt.Sprint(n))
	b := &e.Bodies[0]
	b.Coalesce, b.Payload = true, fmt.Appendf(nil, "%d to %d", n-1, n)
	if u, ok := untried(t, s, e.Type); ok {
		b.Merged = &differ.Merged{Delivery: u.Delivery, Payload: fmt.Appendf(nil, "%s to %d", u.Old, n)}
	}
	return e
}

// untried is the update of the item a that waits at hook.
func untried(t *testing.T, s Store, typ string) (differ.Untried, bool) {
	t.Helper()
	p := differ.Place{Key: "a", Type: typ, Endpoint: "hook"}
	all, err := s.Untried(t.Context(), "shop", []differ.Place{p, {Key: "b", Type: typ, Endpoint: "hook"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) > 1 {
		t.Fatalf("%d updates wait, one was told", len(all))
	}
	u, ok := all[p]
	return u, ok
}

// bodies is what is due at hook.
func bodies(t *testing.T, s Store) (all []string) {
	t.Helper()
	for len(all) < 100 {
		batch := pending(t, s, "hook", later(), 1)
		if len(batch.Due) == 0 {
			return all
		}
		all = append(all, string(batch.Due[0].Body))
		settle(t, s, delivered(batch.Due[0]))
	}
	return all
}

func testCoalesce(t *testing.T, s Store) {
	for _, order := range []emitter.Order{emitter.OrderItem, emitter.OrderEndpoint, emitter.OrderNone} {
		arrange(t, s, order)
		version := load(t, s, "shop")["shop"].Version
		at := int(version)
		for i := range 4 {
			commit(t, s, changes(version+uint64(i), coalescing(t, s, at+i+1)))
		}
		equal(t, "waiting", endpoint(t, s, "hook").Waiting, 1)
		id := fmt.Sprintf("c%d", at+4)
		d := first(t, s, "hook")
		equal(t, "event", d.Event, id)
		equal(t, "revision", d.Revision, uint64(at+4))
		equal(t, "of all four", bodies(t, s), []string{fmt.Sprintf("%d to %d", at, at+4)})
		if _, waits := untried(t, s, "shop.updated"); waits {
			t.Error("what was delivered may be superseded")
		}
		for i := 1; i < 4; i++ {
			record, err := s.Event(t.Context(), fmt.Sprintf("c%d", at+i))
			if err != nil {
				t.Fatal(err)
			}
			was, by := record.Deliveries[0], fmt.Sprintf("c%d", at+i+1)
			equal(t, "state", was.State, emitter.StateSuperseded)
			equal(t, "by", was.SupersededByEvent, by)
			equal(t, "attempts", was.Attempts, 0)
			if was.SupersededBy <= was.Number || was.Settled.IsZero() {
				t.Errorf("%+v", was)
			}
			next, err := s.Delivery(t.Context(), was.SupersededBy)
			if err != nil || next.Event.ID != by {
				t.Errorf("delivery %d is of %+v, %v", was.SupersededBy, next.Event, err)
			}
		}
	}
}

// testCoalesceInHand holds that what may have been sent is told by itself.
func testCoalesceInHand(t *testing.T, s Store) {
	commit(t, s, changes(0, coalescing(t, s, 1)))
	d := first(t, s, "hook")
	commit(t, s, changes(1, coalescing(t, s, 2)))
	commit(t, s, changes(2, coalescing(t, s, 3)))
	equal(t, "waiting", endpoint(t, s, "hook").Waiting, 2)
	// What the caller has in hand no more, and was not tried, waits again.
	settle(t, s, retry(d, time.Now()))
	commit(t, s, changes(3, coalescing(t, s, 4)))
	equal(t, "the tried one, and the others", bodies(t, s), []string{"0 to 1", "1 to 4"})

	commit(t, s, changes(4, coalescing(t, s, 5)))
	if _, found, err := s.Oldest(t.Context(), "hook", nil); !found || err != nil {
		t.Fatal(found, err)
	}
	commit(t, s, changes(5, coalescing(t, s, 6)))
	equal(t, "one that was given as the oldest", bodies(t, s), []string{"4 to 5", "5 to 6"})

	commit(t, s, changes(6, coalescing(t, s, 7)))
	d = first(t, s, "hook")
	inHand := func(number uint64) bool { return number == d.Number }
	if batch, err := s.Pending(t.Context(), "hook", later(), 9, inHand); len(batch.Due) > 0 || err != nil {
		t.Fatal(batch, err)
	}
	commit(t, s, changes(7, coalescing(t, s, 8)))
	settle(t, s, delivered(d))
	equal(t, "one that stayed in hand", bodies(t, s), []string{"7 to 8"})
}

// testCoalesceRestart holds that what stood first in its lane when an endpoint
// began to be sent to may have been sent before, and what stood behind was not.
func testCoalesceRestart(t *testing.T, s Store) {
	stale := coalescing(t, s, 1)
	commit(t, s, changes(0, stale))
	arrange(t, s, emitter.OrderItem)
	commit(t, s, changes(1, coalescing(t, s, 2)))
	arrange(t, s, emitter.OrderItem)
	commit(t, s, changes(2, coalescing(t, s, 3)))
	equal(t, "waiting", endpoint(t, s, "hook").Waiting, 2)
	arrange(t, s, emitter.OrderNone) // each is first in a lane of its own
	arrange(t, s, emitter.OrderItem)
	commit(t, s, changes(3, coalescing(t, s, 4)))
	equal(t, "all", bodies(t, s), []string{"0 to 1", "1 to 3", "3 to 4"})
	if r, ok := s.(Reopener); ok {
		commit(t, s, changes(4, coalescing(t, s, 5)))
		s = r.Reopen(t, true)
		commit(t, s, changes(5, coalescing(t, s, 6)))
		commit(t, s, changes(6, coalescing(t, s, 7)))
		equal(t, "after a crash", bodies(t, s), []string{"4 to 5", "5 to 7"})
	}
}

// testCoalesceNot holds where one update does not take the place of another.
func testCoalesceNot(t *testing.T, s Store) {
	version, n := uint64(0), 0
	tell := func(change func(*differ.Commit)) {
		t.Helper()
		n++
		c := changes(version, coalescing(t, s, n))
		if change != nil {
			change(c)
		}
		commit(t, s, c)
		version++
	}
	for _, tc := range []struct {
		what    string
		between func(*differ.Commit)
	}{
		{"deleted", func(c *differ.Commit) { c.Events, c.Items = nil, []differ.Item{gone("a", 9)} }},
		{"reset", func(c *differ.Commit) { c.Events, c.Reset = nil, true }},
		{"told without", func(c *differ.Commit) { c.Events[0].Bodies[0].Coalesce = false }},
		{"a dead letter", func(c *differ.Commit) { c.Events[0].Bodies[0].Dead = "why" }},
	} {
		tell(nil)
		tell(tc.between)
		if u, ok := untried(t, s, "shop.updated"); ok {
			t.Errorf("%s: %+v may be superseded", tc.what, u)
		}
		tell(nil)
		if got := bodies(t, s); len(got) < 2 || got[0] != fmt.Sprintf("%d to %d", n-3, n-2) || got[len(got)-1] != fmt.Sprintf("%d to %d", n-1, n) {
			t.Errorf("%s: %q", tc.what, got)
		}
	}
	tell(nil)
	tell(func(c *differ.Commit) { c.Events[0].Type, c.Events[0].Bodies[0].Merged.Delivery = "shop.other", 0 })
	equal(t, "of another type", len(bodies(t, s)), 2)
	tell(nil)
	if err := s.Forget(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	version = 0
	tell(nil)
	equal(t, "forgotten between", len(bodies(t, s)), 2)
	tell(nil)
	dropped, err := s.Drop(t.Context(), "hook", emitter.Drop{Reason: "no"})
	equal(t, "dropped", dropped, 1)
	equal(t, "error", err, nil)
	if u, ok := untried(t, s, "shop.updated"); ok {
		t.Errorf("%+v may be superseded", u)
	}
	tell(func(c *differ.Commit) {
		c.Events[0].Bodies[0].Merged = &differ.Merged{Delivery: 1, Payload: []byte("of another")}
	})
	equal(t, "of one that ended", bodies(t, s), []string{fmt.Sprintf("%d to %d", n-1, n)})
}

// testCoalesceReplay holds that a replay of many leaves what is superseded
// alone, and one of the very event does not.
func testCoalesceReplay(t *testing.T, s Store) {
	commit(t, s, changes(0, coalescing(t, s, 1)))
	commit(t, s, changes(1, coalescing(t, s, 2)))
	equal(t, "first", bodies(t, s), []string{"0 to 2"})
	replay := func(r emitter.Replay) emitter.Replayed {
		t.Helper()
		done, err := s.Replay(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		done.Deliveries, done.At = nil, nil
		return done
	}
	many := emitter.Replay{Filter: emitter.Filter{Source: "shop"}}
	equal(t, "many", replay(many), emitter.Replayed{Replayed: 1, Superseded: 1})
	equal(t, "again", bodies(t, s), []string{"0 to 2"})
	equal(t, "by its id", replay(emitter.Replay{Filter: emitter.Filter{Event: "c1"}}), emitter.Replayed{Replayed: 1})
	equal(t, "then", bodies(t, s), []string{"0 to 1"})
	list, err := s.Deliveries(t.Context(), emitter.Filter{State: emitter.StateSuperseded}, emitter.Page{})
	if err != nil || len(list.Deliveries) != 1 || list.Deliveries[0].Event.ID != "c1" {
		t.Errorf("%+v, %v", list, err)
	}
}
