package storetest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// testCoalesceTurns has all items change for each event that is sent. None is
// kept waiting by those that changed again, in no order of the endpoint, and
// what one is told stays in order.
func testCoalesceTurns(t *testing.T, s Store) {
	const items = 5
	for _, types := range [][]string{{"shop.updated"}, {"shop.updated", "shop.other"}} {
		for _, order := range []emitter.Order{emitter.OrderItem, emitter.OrderEndpoint, emitter.OrderNone} {
			arrange(t, s, order)
			places := items * len(types)
			within := places
			if order == emitter.OrderEndpoint || len(types) > 1 {
				within *= 2 // what stood behind what was in hand, and once more
			}
			waited := map[differ.Place]int{} // events since it was told
			revisions := map[differ.Place]uint64{}
			for round := 1; round <= 4*places; round++ {
				allChange(t, s, items, types)
				batch := pending(t, s, "hook", later(), 1)
				if len(batch.Due) != 1 {
					t.Fatalf("%d are due", len(batch.Due))
				}
				d := batch.Due[0]
				allChange(t, s, items, types) // what is in hand stays
				settle(t, s, delivered(d))
				at := differ.Place{Key: d.Key, Type: d.Type}
				if d.Revision <= revisions[at] {
					t.Errorf("%s: %v came at revision %d after %d", order, at, d.Revision, revisions[at])
				}
				for i := range items {
					for _, typ := range types {
						waited[differ.Place{Key: fmt.Sprint("i", i), Type: typ}]++
					}
				}
				revisions[at], waited[at] = d.Revision, 0
				for at, events := range waited {
					if events > within {
						t.Fatalf("%s, event %d: none of the last %d is of %v", order, round, events, at)
					}
				}
			}
			if waiting := endpoint(t, s, "hook").Waiting; waiting > 3*places {
				t.Errorf("%s: %d wait", order, waiting)
			}
			bodies(t, s)
		}
	}
}

// allChange commits an update of each item under each type, which takes the
// place of one that waits.
func allChange(t *testing.T, s Store, items int, types []string) {
	t.Helper()
	version := load(t, s, "shop")["shop"].Version
	c := changes(version)
	for i := range items {
		for _, typ := range types {
			e := event(fmt.Sprintf("t%d-%d-%s", version, i, typ), fmt.Sprint("i", i), version+1, "hook")
			e.Type, e.Old, e.New = typ, json.RawMessage(`0`), json.RawMessage(`1`)
			e.Bodies[0].Coalesce = true
			p := differ.Place{Key: e.Key, Type: typ, Endpoint: "hook"}
			all, err := s.Untried(t.Context(), "shop", []differ.Place{p})
			if err != nil {
				t.Fatal(err)
			}
			if u, waits := all[p]; waits {
				e.Bodies[0].Merged = &differ.Merged{Delivery: u.Delivery, Payload: []byte("merged")}
			}
			c.Events = append(c.Events, e)
		}
	}
	commit(t, s, c)
}
