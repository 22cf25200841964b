package bolt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// count gives the number of records of each bucket that isn't empty.
func count(t *testing.T, s *Store) map[bucket]int {
	t.Helper()
	n := map[bucket]int{}
	err := s.view(func(tx *tx) error {
		for _, b := range buckets() {
			if keys := tx.bucket(b).Stats().KeyN; keys > 0 {
				n[b] = keys
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func tell(t *testing.T, s *Store, version uint64, keys ...string) {
	t.Helper()
	c := &differ.Commit{Source: "shop", Version: version}
	for _, key := range keys {
		c.Events = append(c.Events, differ.Event{
			ID: fmt.Sprintf("e%d%s", version, key), Key: key,
			Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte("x")}, {Endpoint: "other", Payload: []byte("y")}},
		})
	}
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// settleAll settles what is due at an endpoint, by the item's key.
func settleAll(t *testing.T, s *Store, endpoint string, states map[string]emitter.State) {
	t.Helper()
	batch, err := s.Pending(t.Context(), endpoint, time.Now(), 10_000, nil)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []emitter.Outcome
	for _, d := range batch.Due {
		if state, wanted := states[d.Key]; wanted {
			outcomes = append(outcomes, emitter.Outcome{
				Delivery: d, Attempt: emitter.Attempt{At: time.Now(), Response: []byte("ok")},
				Verdict: emitter.Verdict{State: state, Due: time.Now()},
			})
		}
	}
	if err := s.Settle(t.Context(), outcomes); err != nil {
		t.Fatal(err)
	}
}

func sweep(t *testing.T, s *Store, keep Retention, want int) {
	t.Helper()
	n, err := s.Sweep(t.Context(), keep)
	if err != nil {
		t.Fatal(err)
	}
	if n != want {
		t.Errorf("swept %d records, want %d", n, want)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		keep := Retention{Events: 7 * 24 * time.Hour, Attempts: 3 * 24 * time.Hour, Dead: 30 * 24 * time.Hour}
		tell(t, s, 0, "waits", "dies", "arrives")
		settleAll(t, s, "other", map[string]emitter.State{"waits": emitter.Delivered, "dies": emitter.Delivered, "arrives": emitter.Delivered})
		settleAll(t, s, "hook", map[string]emitter.State{"waits": emitter.Waiting, "dies": emitter.Dead, "arrives": emitter.Delivered})
		full := map[bucket]int{
			bucketMeta: 1, bucketSources: 1, bucketEndpoints: 2, bucketEvents: 3, bucketBySource: 3, bucketBodies: 6,
			bucketDeliveries: 6, bucketAttempts: 6, bucketLanes: 1, bucketDue: 1, bucketDead: 1,
			bucketByEndpoint: 6, bucketLetters: 1,
		}
		same := func(what string) {
			t.Helper()
			full[bucketByEndpoint] = full[bucketDeliveries]
			if diff := cmp.Diff(full, count(t, s)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		same("at first")
		sweep(t, s, keep, 0)
		sweep(t, s, Retention{}, 0)
		same("nothing is old")

		time.Sleep(4 * 24 * time.Hour)
		tell(t, s, 1, "young")
		settleAll(t, s, "other", map[string]emitter.State{"young": emitter.Delivered})
		sweep(t, s, keep, 6)
		full[bucketEvents], full[bucketBySource], full[bucketBodies], full[bucketDeliveries] = 4, 4, 8, 8
		full[bucketAttempts], full[bucketLanes], full[bucketDue] = 1, 2, 2
		same("attempts are old")

		time.Sleep(4 * 24 * time.Hour)
		sweep(t, s, keep, 1+1+2+2) // the young attempt; event, bodies and deliveries of what arrived
		full[bucketEvents], full[bucketBySource], full[bucketBodies], full[bucketDeliveries], full[bucketAttempts] = 3, 3, 6, 6, 0
		delete(full, bucketAttempts)
		same("events are old")

		time.Sleep(30 * 24 * time.Hour)
		// The dead letter, then the event that nothing needs any more.
		sweep(t, s, keep, 1+1+2+1)
		full[bucketEvents], full[bucketBySource], full[bucketBodies], full[bucketDeliveries] = 2, 2, 4, 3
		delete(full, bucketDead)
		delete(full, bucketLetters)
		full[bucketDeliveries] = 4
		same("dead letters are old")
		if e, err := s.Endpoint(t.Context(), "hook"); err != nil || e.Dead != 0 || e.Waiting != 2 {
			t.Errorf("endpoint is %+v, %v", e, err)
		}

		// What waits is still told, however old it is.
		batch, err := s.Pending(t.Context(), "hook", time.Now(), 10, nil)
		if err != nil || len(batch.Due) != 2 || !slices.ContainsFunc(batch.Due, func(d emitter.Delivery) bool {
			return d.Event == "e0waits" && d.Attempts == 1
		}) {
			t.Errorf("pending gave %+v, %v", batch, err)
		}
	})
}

func TestSweepGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		put := func(version uint64, items ...differ.Item) {
			t.Helper()
			if err := s.Commit(t.Context(), &differ.Commit{Source: "shop", Version: version, Items: items}); err != nil {
				t.Fatal(err)
			}
		}
		there := func(key string) differ.Item {
			return differ.Item{Key: key, Hash: differ.Hash{1}, Content: []byte("1"), Revision: 2, Seen: time.Now()}
		}
		gone := func(key string) differ.Item { return differ.Item{Key: key, Revision: 3, Seen: time.Now()} }
		put(0, there("stays"), gone("old"), gone("back"), gone("again"))
		var noted []differ.Note
		for _, key := range []string{"", "stays", "old", "older", "back", "again"} {
			noted = append(noted, differ.Note{Key: key, Name: "rule/x", Data: []byte(key)}, differ.Note{Key: key, Name: "rule/y", Data: []byte(key)})
		}
		if err := s.Keep(t.Context(), map[string]differ.Kept{"shop": {Notes: noted}}); err != nil {
			t.Fatal(err)
		}
		notes := func(want ...string) {
			t.Helper()
			for state, err := range s.Load(t.Context(), "shop") {
				var got []string
				for _, n := range state.Notes {
					got = append(got, n.Key)
				}
				if got = slices.Compact(got); err != nil || !slices.Equal(got, want) {
					t.Errorf("notes are of %q, %v, want %q", got, err, want)
				}
			}
		}
		time.Sleep(time.Hour)
		put(1, there("back"), gone("again"))
		time.Sleep(time.Hour)
		sweep(t, s, Retention{Events: 90 * time.Minute}, 3)
		for state, err := range s.Load(t.Context(), "shop") {
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(state.Items)); !slices.Equal(got, []string{"again", "back", "stays"}) {
				t.Errorf("items are %q", got)
			}
		}
		// What was noted of the one that was forgotten is, and of no other.
		notes("", "again", "back", "older", "stays")
		sweep(t, s, Retention{Events: 30 * time.Minute}, 1)
		notes("", "back", "older", "stays")
		if n := count(t, s); n[bucketItems] != 2 || n[bucketGone] != 0 {
			t.Errorf("records are %v", n)
		}
	})
}

// TestSweepMany has more than one step of everything.
func TestSweepMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		const n = 2_500
		var keys []string
		states := map[string]emitter.State{}
		for i := range n {
			key := fmt.Sprintf("%05d", i)
			keys, states[key] = append(keys, key), emitter.Delivered
			if i%3 == 0 {
				states[key] = emitter.Dead
			}
		}
		tell(t, s, 0, keys...)
		settleAll(t, s, "hook", states)
		settleAll(t, s, "other", states)
		time.Sleep(time.Hour)
		keep := Retention{Events: time.Minute, Attempts: time.Minute, Dead: time.Minute}
		n0 := count(t, s)
		sweep(t, s, keep, n0[bucketEvents]+n0[bucketBodies]+n0[bucketDeliveries]+n0[bucketAttempts])
		want := map[bucket]int{bucketMeta: 1, bucketSources: 1, bucketEndpoints: 2}
		if diff := cmp.Diff(want, count(t, s)); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
	})
}

// TestSweepInSteps has another commit get in after every thousand records, of
// whatever they are.
func TestSweepInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		const n, step = 2_500, 1_000
		var keys []string
		var there, gone []differ.Item
		states := map[string]emitter.State{}
		for i := range n {
			key := fmt.Sprintf("%05d", i)
			keys, states[key] = append(keys, key), emitter.Delivered
			if i%2 == 0 {
				states[key] = emitter.Dead
			}
			there = append(there, differ.Item{Key: key, Hash: differ.Hash{1}, Content: []byte("1"), Revision: 1, Seen: time.Now()})
			gone = append(gone, differ.Item{Key: key, Revision: 2, Seen: time.Now()})
		}
		tell(t, s, 0, keys...)
		for version, items := range [][]differ.Item{there, gone} {
			if err := s.Commit(t.Context(), &differ.Commit{Source: "items", Version: uint64(version), Items: items}); err != nil {
				t.Fatal(err)
			}
		}
		settleAll(t, s, "hook", states)
		settleAll(t, s, "other", states)
		time.Sleep(time.Hour)

		steps, before := 0, count(t, s)
		commit := func() {
			if err := s.Commit(context.Background(), &differ.Commit{Source: "beside", Version: uint64(steps)}); err != nil {
				t.Errorf("a commit in between: %v", err)
			}
			now := count(t, s)
			for b, were := range before {
				if removed := were - now[b]; removed > step+2 { // all of the last event goes
					t.Errorf("step %d removes %d records of %s", steps, removed, b)
				}
			}
			before = now
			steps++
		}
		keep := Retention{Events: time.Minute, Attempts: time.Minute, Dead: time.Minute}
		if _, err := s.Sweep(&between{t.Context(), commit}, keep); err != nil {
			t.Fatal(err)
		}
		commit()
		want := map[bucket]int{bucketMeta: 1, bucketSources: 3, bucketEndpoints: 2}
		if diff := cmp.Diff(want, count(t, s)); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
	})
}

// TestSweepDamaged damages one record of each kind: all else that is past its
// age is removed, and the error names the damaged one, each time.
func TestSweepDamaged(t *testing.T) {
	for b, key := range map[bucket][]byte{
		bucketItems:      itemKey("shop", "b"),
		bucketEvents:     []byte("e0b"),
		bucketDeliveries: numberKey(3),
		bucketAttempts:   attemptKey(3, 1),
	} {
		for _, state := range []emitter.State{emitter.Dead, emitter.Delivered} {
			t.Run(string(b)+", "+string(state), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := openTemp(t)
					tell(t, s, 0, "a", "b", "c") // deliveries 1 to 6, to each endpoint by turns
					all := map[string]emitter.State{"a": state, "b": state, "c": state}
					settleAll(t, s, "hook", all)
					settleAll(t, s, "other", all)
					c := &differ.Commit{Source: "shop", Version: 1}
					for _, k := range []string{"a", "b", "c"} {
						c.Items = append(c.Items, differ.Item{Key: k, Revision: 2, Seen: time.Now()})
					}
					if err := s.Commit(t.Context(), c); err != nil {
						t.Fatal(err)
					}
					spoil(t, s, b, key)
					time.Sleep(time.Hour)
					for range 2 {
						_, err := s.Sweep(t.Context(), Retention{Events: time.Minute, Attempts: time.Minute, Dead: time.Minute})
						if !errors.Is(err, ErrDamaged) && b != bucketAttempts { // goes with its delivery
							t.Errorf("sweep: %v", err)
						}
					}
					left := count(t, s)
					for b, want := range map[bucket]int{bucketItems: 1, bucketGone: 1, bucketEvents: 1, bucketDeliveries: 2, bucketAttempts: 2, bucketBodies: 2, bucketDead: 2} {
						if left[b] > want {
							t.Errorf("%d %s are left, want %d at most", left[b], b, want)
						}
					}
					if n := len(left); n < 4 && b != bucketAttempts || n > 3 && b == bucketAttempts { // meta, sources, endpoints
						t.Errorf("left %v", left)
					}
				})
			})
		}
	}
}
