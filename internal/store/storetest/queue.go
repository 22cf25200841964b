package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

func testAgain(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook")))
	want := first(t, s, "hook")
	equal(t, "asked again", first(t, s, "hook"), want)

	now := time.Now().Truncate(0)
	settle(t, s, retry(want, now.Add(-time.Second)))
	got := first(t, s, "hook")
	if got.Attempts != 1 || !got.Due.Equal(now.Add(-time.Second)) {
		t.Errorf("after a failed attempt: %d attempts, due %s", got.Attempts, got.Due)
	}
	if !got.Time.Equal(at(1)) {
		t.Errorf("the change was seen at %s, want %s", got.Time, at(1))
	}
	rest := got
	rest.Attempts, rest.Due = want.Attempts, want.Due
	equal(t, "the rest of it", rest, want)

	settle(t, s, delivered(got))
	equal(t, "after its delivery", due(t, s, "hook"), []string{})
	if e := endpoint(t, s, "hook"); e.Waiting != 0 || e.Dead != 0 {
		t.Errorf("endpoint is %+v", e)
	}
}

func testLane(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("f1", "b", 1, "hook")))
	commit(t, s, changes(1, event("e2", "a", 2, "hook")))
	commit(t, s, changes(2, event("e3", "a", 3, "hook")))
	equal(t, "at first", due(t, s, "hook"), []string{"e1", "f1"})

	d := pending(t, s, "hook", later(), 1).Due[0]
	settle(t, s, retry(d, later().Add(time.Hour)))
	equal(t, "while the first waits for a retry", due(t, s, "hook"), []string{"f1"})
	d.Attempts++
	settle(t, s, delivered(d))
	equal(t, "then", due(t, s, "hook"), []string{"f1", "e2"})

	all := pending(t, s, "hook", later(), 10).Due
	settle(t, s, delivered(all[0]), delivered(all[1]))
	equal(t, "at last", due(t, s, "hook"), []string{"e3"})
	if d := first(t, s, "hook"); d.Attempts != 0 || d.Revision != 3 {
		t.Errorf("the third is %+v", d)
	}
	settle(t, s, delivered(first(t, s, "hook")))
	commit(t, s, changes(3, event("e4", "a", 4, "hook")))
	equal(t, "in an empty lane", due(t, s, "hook"), []string{"e4"})
}

func testDead(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "a", 2, "hook"), event("e3", "a", 3, "hook")))
	d := first(t, s, "hook")
	settle(t, s, dead(d))
	equal(t, "behind a dead letter", due(t, s, "hook"), []string{"e2"})
	settle(t, s, delivered(d), retry(d, time.Now()))
	equal(t, "after outcomes for the dead", due(t, s, "hook"), []string{"e2"})
	if e := endpoint(t, s, "hook"); e.Waiting != 2 || e.Dead != 1 {
		t.Errorf("endpoint is %+v, want 2 waiting, 1 dead", e)
	}
}

// testDeadAtOnce commits events of which one endpoint can be told nothing.
func testDeadAtOnce(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e0", "a", 1, "hook")))
	poor := event("e1", "a", 2, "hook", "chat")
	poor.Bodies[1].Dead = "nothing can be made of it"
	worse := event("e2", "a", 3, "hook", "chat")
	worse.Bodies[0].Dead = "nor of this"
	commit(t, s, changes(1, poor, worse, event("e3", "a", 4, "hook", "chat")))
	equal(t, "due at chat", due(t, s, "chat"), []string{"e2"})
	var got []string
	for range 3 {
		d := first(t, s, "hook")
		got = append(got, d.Event)
		settle(t, s, delivered(d))
	}
	equal(t, "told to hook", got, []string{"e0", "e1", "e3"})
	equal(t, "hook", endpoint(t, s, "hook"), emitter.EndpointState{Dead: 1})
	equal(t, "chat", endpoint(t, s, "chat"), emitter.EndpointState{Waiting: 2, Dead: 1})
}

func testOrder(t *testing.T, s Store) {
	var want []string
	c := changes(0)
	for i := range 20 {
		id := fmt.Sprintf("e%02d", 20-i) // against the order of the ids
		c.Events, want = append(c.Events, event(id, "a", uint64(i), "hook")), append(want, id)
	}
	commit(t, s, c)
	var got []string
	var last uint64
	for range want {
		d := first(t, s, "hook")
		if d.Number <= last {
			t.Errorf("number %d follows %d", d.Number, last)
		}
		last, got = d.Number, append(got, d.Event)
		settle(t, s, delivered(d))
	}
	equal(t, "order", got, want)
}

func testEndpoints(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "one", "two"), event("e2", "a", 2, "one")))
	equal(t, "due at one", due(t, s, "one"), []string{"e1"})
	equal(t, "due at two", due(t, s, "two"), []string{"e1"})
	one, two := first(t, s, "one"), first(t, s, "two")
	if one.Number == two.Number || one.Event != two.Event {
		t.Errorf("deliveries %d and %d of events %s and %s", one.Number, two.Number, one.Event, two.Event)
	}
	settle(t, s, dead(two))
	equal(t, "then at one", due(t, s, "one"), []string{"e1"})
	equal(t, "then at two", due(t, s, "two"), []string{})
	if e := endpoint(t, s, "one"); e.Waiting != 2 || e.Dead != 0 {
		t.Errorf("one is %+v", e)
	}
	if e := endpoint(t, s, "two"); e.Waiting != 0 || e.Dead != 1 {
		t.Errorf("two is %+v", e)
	}
}

func testRetry(t *testing.T, s Store) {
	now := time.Now()
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "b", 1, "hook")))
	all := pending(t, s, "hook", later(), 10).Due
	soon, late := now.Add(time.Hour), now.Add(2*time.Hour)
	settle(t, s, retry(all[0], late), retry(all[1], soon))
	for _, c := range []struct {
		now  time.Time
		n    int
		due  []string
		next time.Time
	}{
		{now.Add(time.Minute), 10, nil, soon},
		{soon.Add(-1), 10, nil, soon},
		{soon, 10, []string{"e2"}, late},
		{late, 1, []string{"e2"}, time.Time{}},
		{late, 10, []string{"e2", "e1"}, time.Time{}},
	} {
		batch := pending(t, s, "hook", c.now, c.n)
		var got []string
		for _, d := range batch.Due {
			got = append(got, d.Event)
		}
		equal(t, fmt.Sprintf("due in %s", c.now.Sub(now)), got, c.due)
		if !batch.Next.Equal(c.next) {
			t.Errorf("in %s: next is in %s, want %s", c.now.Sub(now), batch.Next.Sub(now), c.next.Sub(now))
		}
	}
}

// testEarliest asks for what is due again, of one source.
func testEarliest(t *testing.T, s Store) {
	c := changes(0)
	for i := range 9 {
		c.Events = append(c.Events, event(fmt.Sprint("e", i), fmt.Sprint("k", i), 1, "hook"))
	}
	commit(t, s, c)
	now := later()
	for i, d := range pending(t, s, "hook", now, 100).Due {
		settle(t, s, retry(d, now.Add(-time.Duration(i*i%11)*time.Second))) // two and two share a time
	}
	last := time.Time{}
	all := pending(t, s, "hook", now, 100).Due
	for _, d := range all {
		if d.Due.Before(last) {
			t.Errorf("%s is due at %s, after one that is due at %s", d.Event, d.Due, last)
		}
		last = d.Due
	}
	equal(t, "the first few", pending(t, s, "hook", now, 4).Due, all[:4])
}

func testUnknownDelivery(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "b", 1, "hook")))
	all := pending(t, s, "hook", later(), 10).Due
	settle(t, s, delivered(all[0]))
	nobody := all[0]
	nobody.Number = 1 << 40
	paused := emitter.Verdict{State: emitter.Dead, Hold: later(), Pause: emitter.PauseGone, Reason: "late"}
	settle(t, s, outcome(nobody, paused), outcome(all[0], paused), retry(all[1], all[1].Due))
	equal(t, "due", due(t, s, "hook"), []string{"e2"})
	equal(t, "endpoint", endpoint(t, s, "hook"), emitter.EndpointState{Waiting: 1})
	if d := first(t, s, "hook"); d.Attempts != 1 {
		t.Errorf("the outcome beside the unknown ones was lost: %d attempts", d.Attempts)
	}

	if err := s.Settle(t.Context(), []emitter.Outcome{delivered(all[1]), outcome(all[1], emitter.Verdict{State: "odd"})}); err == nil {
		t.Error("a verdict without a state was settled")
	}
	equal(t, "due after what was refused", due(t, s, "hook"), []string{"e2"})
}

// testSettledAgain settles outcomes a second time, as a caller does to whom the
// first answer was lost.
func testSettledAgain(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "a", 2, "hook")))
	d := first(t, s, "hook")
	held := emitter.Verdict{State: emitter.Waiting, Due: time.Now(), Hold: later(), Reason: "busy"} // what follows of it is Health's
	settle(t, s, outcome(d, emitter.Verdict{State: emitter.Waiting, Due: time.Now()}))
	settle(t, s, outcome(d, held), outcome(d, held))
	settle(t, s, dead(d))
	again := first(t, s, "hook")
	if again.Event != "e1" || again.Attempts != 1 {
		t.Errorf("one attempt of e1, settled four times: %s with %d attempts", again.Event, again.Attempts)
	}
	equal(t, "endpoint", endpoint(t, s, "hook"), emitter.EndpointState{Waiting: 2})

	settle(t, s, delivered(again))
	settle(t, s, delivered(again))
	equal(t, "after its delivery", due(t, s, "hook"), []string{"e2"})
}

// testClockBack reads and settles under a clock that is behind the one of the
// commit.
func testClockBack(t *testing.T, s Store) {
	commit(t, s, changes(0, event("e1", "a", 1, "hook"), event("e2", "a", 2, "hook"), event("f1", "b", 1, "hook")))
	past := time.Now().Add(-24 * time.Hour)
	names := func() (ids []string) {
		for _, d := range pending(t, s, "hook", past, 10).Due {
			ids = append(ids, d.Event)
		}
		return ids
	}
	equal(t, "never tried", names(), []string{"e1", "f1"})
	all := pending(t, s, "hook", past, 10).Due
	settle(t, s, delivered(all[0]))
	equal(t, "what follows", names(), []string{"e2", "f1"})
	settle(t, s, retry(all[1], past.Add(time.Hour)))
	equal(t, "beside a retry", names(), []string{"e2"})
	if next := pending(t, s, "hook", past, 10).Next; !next.Equal(past.Add(time.Hour)) {
		t.Errorf("next is at %s, want %s", next, past.Add(time.Hour))
	}
}

// testSkip asks for what the caller doesn't have in hand.
func testSkip(t *testing.T, s Store) {
	c := changes(0)
	for i := range 9 {
		c.Events = append(c.Events, event(fmt.Sprint("e", i), fmt.Sprint("k", i), 1, "hook"))
	}
	commit(t, s, c)
	all := pending(t, s, "hook", later(), 9).Due
	late := later().Add(time.Hour)
	settle(t, s, retry(all[8], late))
	odd := func(number uint64) bool { return (number-all[0].Number)%2 == 1 }
	for n, want := range map[int][]emitter.Delivery{2: {all[0], all[2]}, 9: {all[0], all[2], all[4], all[6]}} {
		batch, err := s.Pending(t.Context(), "hook", later(), n, odd)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprintf("%d of them", n), batch.Due, want)
		if n == 9 && !batch.Next.Equal(late) {
			t.Errorf("%d of them: next is at %s, want %s", n, batch.Next, late)
		}
	}
}

func testWhoWaits(t *testing.T, s Store) {
	count := func(want map[string]int) {
		t.Helper()
		got, err := s.Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "backlog", got, want)
	}
	count(nil)
	commit(t, s, changes(0, event("e1", "a", 1, "one", "two"), event("e2", "a", 2, "one")))
	count(map[string]int{"one": 2, "two": 1})
	settle(t, s, delivered(first(t, s, "one")), dead(first(t, s, "two")))
	count(map[string]int{"one": 1})
}

// testBacklog compares Pending on few and on very many waiting deliveries: by
// the best of several runs, and with a bound that only a scan exceeds.
func testBacklog(t *testing.T, s Store) {
	most := 1_000_000
	if testing.Short() || raceEnabled {
		most = 100_000
	}
	const few, batch = 100, 1_000
	best := func(endpoint string) time.Duration {
		least := time.Hour
		for range 30 {
			began := time.Now()
			got, err := s.Pending(t.Context(), endpoint, later(), 10, nil)
			least = min(least, time.Since(began))
			if err != nil || len(got.Due) != 10 {
				t.Fatalf("%d due, %v", len(got.Due), err)
			}
		}
		return least
	}
	fill := func(endpoint string, n int) {
		c := &differ.Commit{Source: endpoint}
		for i := range n {
			key := fmt.Sprint("k", i)
			if i%2 == 1 {
				key = "the same" // half of all wait in one lane
			}
			c.Events = append(c.Events, event(fmt.Sprintf("%s-%07d", endpoint, i), key, 1, endpoint))
			if len(c.Events) == batch || i == n-1 {
				commit(t, s, c)
				c.Version, c.Events = c.Version+1, c.Events[:0]
			}
		}
	}
	fill("few", few)
	fill("many", most)
	if n := endpoint(t, s, "many").Waiting; n != most {
		t.Fatalf("%d wait, want %d", n, most)
	}
	small, large := best("few"), best("many")
	t.Logf("pending of 10: %s where %d wait, %s where %d wait", small, few, large, most)
	if large > 20*small+time.Millisecond {
		t.Errorf("pending takes %s where %d wait, and %s where %d wait", large, most, small, few)
	}
	small, large = bestReplay(t, s, "few"), bestReplay(t, s, "many")
	t.Logf("replay of one: %s where %d wait, %s where %d wait", small, few, large, most)
	if large > 20*small+10*time.Millisecond {
		t.Errorf("a replay takes %s where %d wait, and %s where %d wait", large, most, small, few)
	}
}

// bestReplay is the shortest of several replays at an endpoint, one delivery
// each.
func bestReplay(t *testing.T, s Store, endpoint string) time.Duration {
	t.Helper()
	least := time.Hour
	for range 10 {
		d := first0(t, s, endpoint)
		settle(t, s, dead(d))
		began := time.Now()
		done, err := s.Replay(t.Context(), emitter.Replay{Delivery: d.Number})
		least = min(least, time.Since(began))
		if err != nil || done.Replayed != 1 {
			t.Fatalf("replayed %+v, %v", done, err)
		}
	}
	return least
}
