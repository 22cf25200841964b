package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// fill commits n events of a source to hook, each of an item of its own.
func fill(t *testing.T, s Store, source string, version uint64, n int) {
	t.Helper()
	c := &differ.Commit{Source: source, Version: version}
	for i := range n {
		c.Events = append(c.Events, event(fmt.Sprintf("%s%d-%d", source, version, i), fmt.Sprint(i), 1, "hook"))
	}
	commit(t, s, c)
}

// take asks for n, one by one or at once, and delivers them.
func take(t *testing.T, s Store, n, at int) (sources []string) {
	t.Helper()
	for range n / at {
		batch := pending(t, s, "hook", later(), at)
		if len(batch.Due) != at {
			t.Fatalf("%d are due, want %d", len(batch.Due), at)
		}
		for _, d := range batch.Due {
			sources = append(sources, d.Source)
			settle(t, s, delivered(d))
		}
	}
	return sources
}

// testTurns has two sources tell little while a third has told much before.
func testTurns(t *testing.T, s Store) {
	fill(t, s, "much", 0, 200)
	fill(t, s, "b", 0, 3)
	fill(t, s, "a", 0, 3)
	for i, at := range []int{1, 4} {
		got := take(t, s, 12, at)
		count := map[string]int{}
		for _, source := range got[:9] {
			count[source]++
		}
		equal(t, "of the first nine, each", count, map[string]int{"much": 3, "a": 3, "b": 3})
		equal(t, "then", got[9:], []string{"much", "much", "much"})
		fill(t, s, "a", uint64(i+1), 3)
		fill(t, s, "b", uint64(i+1), 3)
	}
	// One that tells nothing new keeps nobody waiting, whatever its name.
	fill(t, s, "z", 0, 1)
	if got := take(t, s, 4, 1); !slices.Contains(got, "z") {
		t.Errorf("of four: %v", got)
	}
}

// testTurnsOfRetries has much that was never tried beside what is due again, and
// the other way round.
func testTurnsOfRetries(t *testing.T, s Store) {
	fill(t, s, "a", 0, 8)
	old := pending(t, s, "hook", later(), 8).Due
	for _, d := range old {
		settle(t, s, retry(d, time.Now()))
	}
	fill(t, s, "a", 1, 8)
	fill(t, s, "b", 0, 8)
	tried := func(n, at int) (again int) {
		for range n / at {
			for _, d := range pending(t, s, "hook", later(), at).Due {
				if d.Attempts > 0 {
					again++
				}
				d.Attempts = 1 // as its record has it, at most
				settle(t, s, delivered(d))
			}
		}
		return again
	}
	for _, at := range []int{1, 4} {
		if n := tried(8, at); n != 4 {
			t.Errorf("%d at a time: of eight %d were due again, want 4", at, n)
		}
	}
	if n := tried(8, 1); n != 0 {
		t.Errorf("%d were due again, of none", n)
	}
}

func testOldest(t *testing.T, s Store) {
	oldest := func(skip func(uint64) bool) (string, emitter.Delivery) {
		t.Helper()
		d, found, err := s.Oldest(t.Context(), "hook", skip)
		if err != nil || found != (d.Event != "") {
			t.Fatalf("%+v, %t, %v", d, found, err)
		}
		return d.Event, d
	}
	name, _ := oldest(nil)
	equal(t, "of none", name, "")
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "a", 2, "hook"), event("e3", "b", 1, "hook", "other"), event("e4", "c", 1, "hook")))
	all := pending(t, s, "hook", later(), 10).Due
	settle(t, s, retry(all[0], later().Add(time.Hour)), retry(all[1], later().Add(time.Minute)))
	name, d := oldest(nil)
	equal(t, "that waits for an hour", name, "e1")
	equal(t, "it", string(d.Body), "body of e1")
	name, _ = oldest(func(number uint64) bool { return number == d.Number })
	equal(t, "but that", name, "e3")
	d.Attempts = 1
	settle(t, s, delivered(d))
	name, _ = oldest(nil)
	equal(t, "then what stood behind it", name, "e2")
}

func testOrderEndpoint(t *testing.T, s Store) {
	arrange(t, s, emitter.OrderEndpoint)
	commit(t, s, changes(0, event("e1", "a", 1, "hook", "other"), event("e2", "b", 1, "hook", "other")))
	commit(t, s, &differ.Commit{Source: "cellar", Events: []differ.Event{event("c1", "a", 1, "hook")}})
	equal(t, "another endpoint's", due(t, s, "other"), []string{"e1", "e2"})
	d := first(t, s, "hook")
	settle(t, s, retry(d, later().Add(time.Hour)))
	equal(t, "while the first waits", due(t, s, "hook"), []string{})
	d.Attempts++
	settle(t, s, retry(d, time.Now()))
	var got []string
	for range 3 {
		d := first(t, s, "hook")
		got = append(got, d.Event)
		settle(t, s, dead(d))
	}
	equal(t, "one after the other", got, []string{"e1", "e2", "c1"})
	equal(t, "hook", endpoint(t, s, "hook"), emitter.EndpointState{Dead: 3})
}

func testOrderNone(t *testing.T, s Store) {
	arrange(t, s, emitter.OrderNone)
	commit(t, s, changes(0, event("e1", "a", 1, "hook", "other"), event("e2", "a", 2, "hook", "other")))
	equal(t, "another endpoint's", due(t, s, "other"), []string{"e1"})
	all := pending(t, s, "hook", later(), 10).Due
	if len(all) != 2 {
		t.Fatalf("%d are due", len(all))
	}
	settle(t, s, delivered(all[1]))
	equal(t, "the first, after the second", due(t, s, "hook"), []string{"e1"})
	settle(t, s, delivered(all[0]))
	equal(t, "hook", endpoint(t, s, "hook"), emitter.EndpointState{})
}

func arrange(t *testing.T, s Store, order emitter.Order) {
	t.Helper()
	if err := s.Arrange(t.Context(), "hook", order); err != nil {
		t.Fatal(err)
	}
}

// testArrange changes the order while deliveries wait, one of them for an hour.
func testArrange(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "b", 1, "hook")))
	d := pending(t, s, "hook", later(), 1).Due[0]
	late := later().Add(time.Hour)
	settle(t, s, retry(d, late))
	commit(t, s, changes(1, event("e3", "a", 2, "hook", "other"), event("e4", "c", 1, "hook")))
	for _, step := range []struct {
		order emitter.Order
		due   []string
		later []string
	}{
		{emitter.OrderItem, []string{"e2", "e4"}, []string{"e1", "e2", "e4"}},
		{emitter.OrderEndpoint, nil, []string{"e1"}},
		{emitter.OrderNone, []string{"e2", "e3", "e4"}, []string{"e1", "e2", "e3", "e4"}},
		{emitter.OrderEndpoint, nil, []string{"e1"}},
		{emitter.OrderItem, []string{"e2", "e4"}, []string{"e1", "e2", "e4"}},
		{emitter.OrderNone, []string{"e2", "e3", "e4"}, []string{"e1", "e2", "e3", "e4"}},
		{emitter.OrderItem, []string{"e2", "e4"}, []string{"e1", "e2", "e4"}},
	} {
		arrange(t, s, step.order)
		equal(t, fmt.Sprintf("due in order %s", step.order), due(t, s, "hook"), step.due)
		var got []string
		for _, d := range pending(t, s, "hook", late, 10).Due {
			got = append(got, d.Event)
		}
		slices.Sort(got)
		equal(t, fmt.Sprintf("in an hour, in order %s", step.order), got, step.later)
		equal(t, "waiting", endpoint(t, s, "hook").Waiting, 4)
	}
	equal(t, "another endpoint's", due(t, s, "other"), []string{"e3"})
	if err := s.Arrange(t.Context(), "hook", "odd"); err == nil {
		t.Error("an order that isn't one was taken")
	}
}

func testHasten(t *testing.T, s Store) {
	fill(t, s, "much", 0, 20)
	fill(t, s, "b", 0, 2)
	commit(t, s, changes(0, event("o", "a", 1, "other"), event("n1", "n", 1, "hook"), event("n2", "n", 2, "hook")))
	late := later().Add(10 * time.Hour)
	for i, d := range pending(t, s, "hook", later(), 100).Due {
		if d.Source != "shop" {
			settle(t, s, retry(d, late.Add(time.Duration(i)*time.Second)))
		}
	}
	other := first(t, s, "other")
	settle(t, s, retry(other, late))
	equal(t, "before", due(t, s, "hook"), []string{"n1"})
	if err := s.Hasten(t.Context(), "hook"); err != nil {
		t.Fatal(err)
	}
	all := pending(t, s, "hook", later(), 100).Due
	if len(all) != 23 {
		t.Errorf("%d are due, want all 23", len(all))
	}
	ahead := 0
	for _, d := range all[:6] {
		if d.Source == "b" {
			ahead++
		}
		if d.Attempts > 0 && d.Due.After(later()) {
			t.Errorf("%s is due at %s", d.Event, d.Due)
		}
	}
	if ahead != 2 {
		t.Errorf("of six that are due, %d are of the source that has two", ahead)
	}
	equal(t, "another endpoint's", due(t, s, "other"), []string{})
	if err := s.Hasten(t.Context(), "nobody"); err != nil {
		t.Error(err)
	}
}

func testDrop(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook", "other"), event("e2", "a", 2, "hook"), event("e3", "b", 1, "hook")))
	drop := func(d emitter.Drop) int {
		t.Helper()
		n, err := s.Drop(t.Context(), "hook", d)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	time.Sleep(2 * time.Millisecond)
	cut := time.Now()
	time.Sleep(2 * time.Millisecond)
	commit(t, s, changes(1, event("e4", "a", 3, "hook"), event("e5", "c", 1, "hook")))
	held := pending(t, s, "hook", later(), 1).Due[0]
	equal(t, "dry", drop(emitter.Drop{Dry: true}), 5)
	equal(t, "dry, of before", drop(emitter.Drop{Dry: true, Before: cut}), 3)
	equal(t, "after it", endpoint(t, s, "hook"), emitter.EndpointState{Waiting: 5})
	skip := func(number uint64) bool { return number == held.Number }
	equal(t, "of before", drop(emitter.Drop{Before: cut, Skip: skip, Reason: "of no use"}), 2)
	equal(t, "then", due(t, s, "hook"), []string{"e1", "e5"})
	equal(t, "hook", endpoint(t, s, "hook"), emitter.EndpointState{Waiting: 3, Dead: 2})
	settle(t, s, delivered(held))
	equal(t, "behind it", due(t, s, "hook"), []string{"e4", "e5"})
	equal(t, "all", drop(emitter.Drop{Reason: "of no use"}), 2)
	equal(t, "at last", due(t, s, "hook"), []string{})
	equal(t, "hook", endpoint(t, s, "hook"), emitter.EndpointState{Dead: 4})
	equal(t, "of none", drop(emitter.Drop{}), 0)
	commit(t, s, changes(2, event("e6", "a", 4, "hook"), event("e7", "a", 5, "hook")))
	equal(t, "of age", drop(emitter.Drop{Expired: true, Reason: "too old"}), 2)
	equal(t, "hook", endpoint(t, s, "hook"), emitter.EndpointState{Dead: 4})
	equal(t, "another endpoint's", due(t, s, "other"), []string{"e1"})
}

// testHealth stores how an endpoint fares, with outcomes and without.
func testHealth(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "b", 1, "hook")))
	all := pending(t, s, "hook", later(), 10).Due
	h := emitter.Health{
		Hold: at(3), Pause: emitter.PauseDisabled, Since: at(4), Reason: "asked to",
		Failed: 3, FailedSince: at(1), Failing: true, Hasten: true,
	}
	with := func(o emitter.Outcome, h emitter.Health) emitter.Outcome {
		o.Health = &h
		return o
	}
	settle(t, s, with(retry(all[0], time.Now()), h), retry(all[1], time.Now()))
	equal(t, "settled", endpoint(t, s, "hook"), emitter.EndpointState{Health: h, Waiting: 2})
	settle(t, s, delivered(all[0]))
	equal(t, "settled without", endpoint(t, s, "hook").Health, h)
	// It counts also where the outcome does not, and the last of several does.
	nobody := all[1]
	nobody.Number = 1 << 40
	settle(t, s, with(delivered(nobody), h), with(dead(nobody), emitter.Health{Failed: 4}))
	equal(t, "of a delivery that is not there", endpoint(t, s, "hook").Health, emitter.Health{Failed: 4})
	e, err := s.Endpoint(t.Context(), "hook")
	if err != nil || !e.Last.Equal(at(0)) {
		t.Errorf("it was tried last at %s, %v", e.Last, err)
	}
	if err := s.SetHealth(t.Context(), "hook", h); err != nil {
		t.Fatal(err)
	}
	equal(t, "by itself", endpoint(t, s, "hook").Health, h)
	if err := s.SetHealth(t.Context(), "new", emitter.Health{Pause: emitter.PauseManual}); err != nil {
		t.Fatal(err)
	}
	equal(t, "of a new endpoint", endpoint(t, s, "new").Health, emitter.Health{Pause: emitter.PauseManual})
	equal(t, "of another endpoint", endpoint(t, s, "other"), emitter.EndpointState{})
}

func testExpired(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "a", 2, "hook")))
	d := first(t, s, "hook")
	settle(t, s, outcome(d, emitter.Verdict{State: emitter.Expired, Reason: "too old"}))
	equal(t, "behind it", due(t, s, "hook"), []string{"e2"})
	settle(t, s, retry(d, time.Now()), dead(d))
	equal(t, "endpoint", endpoint(t, s, "hook"), emitter.EndpointState{Waiting: 1})
}
