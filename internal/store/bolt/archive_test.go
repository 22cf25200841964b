package bolt

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// dieAll makes dead letters of what is due at an endpoint.
func dieAll(t *testing.T, s *Store, endpoint string, keys ...string) {
	t.Helper()
	states := map[string]emitter.State{}
	for _, key := range keys {
		states[key] = emitter.Dead
	}
	settleAll(t, s, endpoint, states)
}

func replay(t *testing.T, s *Store, r emitter.Replay, want int) {
	t.Helper()
	done, err := s.Replay(t.Context(), r)
	if err != nil || done.Replayed != want {
		t.Fatalf("replayed %+v, %v, want %d", done, err, want)
	}
}

// TestSweepReplayed follows a dead letter that is replayed shortly before it
// goes: it starts anew, and its event and body are kept for it.
func TestSweepReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		const day = 24 * time.Hour
		keep := Retention{Events: 7 * day, Attempts: 7 * day, Dead: 30 * day}
		tell(t, s, 0, "a")
		settleAll(t, s, "other", map[string]emitter.State{"a": emitter.Delivered})
		dieAll(t, s, "hook", "a")
		time.Sleep(29 * day)
		sweep(t, s, keep, 2) // the attempts
		replay(t, s, emitter.Replay{Delivery: 1}, 1)
		time.Sleep(5 * day)
		sweep(t, s, keep, 0)
		dieAll(t, s, "hook", "a")
		time.Sleep(29 * day)
		sweep(t, s, keep, 1) // the attempt of the replay
		if e, err := s.Event(t.Context(), "e0a"); err != nil || len(e.Deliveries) != 2 || e.Deliveries[0].State != emitter.Dead || string(e.Deliveries[0].Payload) != "x" {
			t.Errorf("the event is %+v, %v", e, err)
		}
		replay(t, s, emitter.Replay{Delivery: 1}, 1)
		settleAll(t, s, "hook", map[string]emitter.State{"a": emitter.Delivered})
		time.Sleep(6 * day)
		sweep(t, s, keep, 0) // it arrived six days ago
		time.Sleep(2 * day)
		// An attempt; the event, its bodies, and the deliveries: one to
		// other, the first to hook, and its two replays.
		sweep(t, s, keep, 1+1+2+4)
		want := map[bucket]int{bucketMeta: 1, bucketSources: 1, bucketEndpoints: 2}
		if diff := cmp.Diff(want, count(t, s)); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
	})
}

// TestSweepDeadChain lets a dead letter expire that was replayed, while its
// event is still needed by another endpoint.
func TestSweepDeadChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		tell(t, s, 0, "a")
		dieAll(t, s, "hook", "a")
		replay(t, s, emitter.Replay{Delivery: 1}, 1)
		dieAll(t, s, "hook", "a")
		time.Sleep(2 * time.Hour)
		sweep(t, s, Retention{Events: time.Hour, Dead: time.Hour}, 4)
		e, err := s.Event(t.Context(), "e0a")
		if err != nil || len(e.Deliveries) != 1 || e.Deliveries[0].Endpoint != "other" {
			t.Errorf("the event is %+v, %v", e, err)
		}
		if state, err := s.Endpoint(t.Context(), "hook"); err != nil || state.Health != (emitter.Health{}) || state.Waiting != 0 || state.Dead != 0 {
			t.Errorf("hook is %+v, %v", state, err)
		}
		replay(t, s, emitter.Replay{Filter: emitter.Filter{Event: "e0a", Endpoint: "hook"}}, 0)
	})
}

// TestScansAreBounded asks for what is not there among many.
func TestScansAreBounded(t *testing.T) {
	s := openTemp(t)
	const n = 2*maxLooked + 500
	c := &differ.Commit{Source: "shop"}
	for i := range n {
		c.Events = append(c.Events, differ.Event{ID: fmt.Sprintf("e%06d", i), Key: "k", Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte("x"), Dead: "dead"}}})
		if len(c.Events) == 5_000 || i == n-1 {
			if err := s.Commit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			c.Version, c.Events = c.Version+1, nil
		}
	}
	nothing := emitter.Filter{Type: "nothing"}
	dead := emitter.Filter{Type: "nothing", State: emitter.Dead}
	ofSource := emitter.Filter{Source: "shop", Type: "nothing"}
	for name, list := range map[string]func(cursor string) (found int, next string, err error){
		"events": func(cursor string) (int, string, error) {
			page, err := s.Events(t.Context(), nothing, emitter.Page{Cursor: cursor})
			return len(page.Events), page.Next, err
		},
		"events of a source": func(cursor string) (int, string, error) {
			page, err := s.Events(t.Context(), ofSource, emitter.Page{Cursor: cursor})
			return len(page.Events), page.Next, err
		},
		"deliveries": func(cursor string) (int, string, error) {
			page, err := s.Deliveries(t.Context(), nothing, emitter.Page{Cursor: cursor})
			return len(page.Deliveries), page.Next, err
		},
		"dead letters": func(cursor string) (int, string, error) {
			page, err := s.Deliveries(t.Context(), dead, emitter.Page{Cursor: cursor})
			return len(page.Deliveries), page.Next, err
		},
		"replay": func(cursor string) (int, string, error) {
			done, err := s.Replay(t.Context(), emitter.Replay{Filter: dead, Cursor: cursor})
			return done.Replayed, done.Next, err
		},
	} {
		began, pages, cursor := time.Now(), 0, ""
		for {
			found, next, err := list(cursor)
			if pages++; err != nil || found != 0 || pages > 10 {
				t.Fatalf("%s: page %d has %d, %v", name, pages, found, err)
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		if pages != 3 {
			t.Errorf("%s: %d pages, want 3", name, pages)
		}
		t.Logf("%s: %s a page", name, time.Since(began)/time.Duration(pages))
	}
}

// TestEventsOfASourceAreFound asks for what was told long ago: of a source of
// which nothing was since, and of an item among those of another one.
func TestEventsOfASourceAreFound(t *testing.T) {
	s := openTemp(t)
	tellKey := func(source string, version uint64, ids ...string) {
		t.Helper()
		c := &differ.Commit{Source: source, Version: version}
		for _, id := range ids {
			c.Events = append(c.Events, differ.Event{ID: id, Key: id, Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte("x")}}})
		}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	tellKey("still", 0, "a", "b")
	tellKey("shop", 0, "rare")
	var many []string
	for i := range maxLooked + 1 {
		many = append(many, fmt.Sprintf("s%06d", i))
	}
	tellKey("shop", 1, many...)
	tellKey("shoq", 0, "z")
	for want, f := range map[string]emitter.Filter{
		"b a":  {Source: "still"},
		"a":    {Source: "still", Key: "a"},
		"rare": {Source: "shop", Key: "rare"},
		"z":    {Source: "shoq"},
		"":     {Source: "sho"},
	} {
		var got []string
		for cursor := ""; ; {
			page, err := s.Events(t.Context(), f, emitter.Page{Limit: 1, Cursor: cursor})
			if err != nil || page.Damaged > 0 {
				t.Fatal(page.Rest, err)
			}
			if len(page.Events) == 0 {
				if page.Next != "" {
					t.Errorf("%+v: a page without any has a next one", f)
				}
				break
			}
			if got = append(got, page.Events[0].ID); page.Next == "" {
				break
			}
			cursor = page.Next
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
}

// TestSkimmedIsBounded asks for an item among more events of its source than
// one call skims.
func TestSkimmedIsBounded(t *testing.T) {
	s := openTemp(t)
	tell(t, s, 0, "a")
	err := s.db.Update(func(btx *bbolt.Tx) error {
		t := newTx(btx)
		for i := range maxSkimmed {
			if err := t.tell(fmt.Sprintf("f%06d", i), &storedEvent{unit: "shop", key: "another", first: 3}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f := emitter.Filter{Source: "shop", Key: "a"}
	page, err := s.Events(t.Context(), f, emitter.Page{})
	if err != nil || len(page.Events) != 0 || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = s.Events(t.Context(), f, emitter.Page{Cursor: page.Next})
	if err != nil || len(page.Events) != 1 || page.Next != "" || page.Damaged > 0 {
		t.Fatalf("%+v, %v", page, err)
	}
}

// TestScanEndsAtSince asks for what an idle endpoint got lately: what is older
// is not looked through, though none of it is the endpoint's.
func TestScanEndsAtSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		c := &differ.Commit{Source: "shop"}
		for i := range maxLooked + 1 {
			c.Events = append(c.Events, differ.Event{ID: fmt.Sprintf("e%06d", i), Key: "k", Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte("x")}}})
		}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		lately := emitter.Filter{Endpoint: "idle", Since: time.Now().Add(-time.Minute)}
		if page, err := s.Deliveries(t.Context(), lately, emitter.Page{}); err != nil || page.Next != "" || len(page.Deliveries) != 0 {
			t.Errorf("%d deliveries, more: %t, %v", len(page.Deliveries), page.Next != "", err)
		}
	})
}

// TestDamagedAreListed holds that one damaged record hides no other.
func TestDamagedAreListed(t *testing.T) {
	s := openTemp(t)
	tell(t, s, 0, "a", "b", "c")
	dieAll(t, s, "hook", "a", "b", "c")
	dieAll(t, s, "other", "a", "b", "c")
	err := s.db.Update(func(btx *bbolt.Tx) error {
		return btx.Bucket([]byte(bucketEvents)).Put([]byte("e0b"), []byte("no event at all"))
	})
	if err != nil {
		t.Fatal(err)
	}
	events, err := s.Events(t.Context(), emitter.Filter{}, emitter.Page{})
	if err != nil || len(events.Events) != 2 || events.Damaged != 1 || events.Damage == "" {
		t.Errorf("events: %+v, %v", events, err)
	}
	for _, f := range []emitter.Filter{{}, {State: emitter.Dead}} {
		deliveries, err := s.Deliveries(t.Context(), f, emitter.Page{})
		if err != nil || len(deliveries.Deliveries) != 4 || deliveries.Damaged != 2 {
			t.Errorf("deliveries: %+v, %v", deliveries, err)
		}
	}
	done, err := s.Replay(t.Context(), emitter.Replay{})
	if err != nil || done.Replayed != 4 || done.Damaged != 1 {
		t.Errorf("replay: %+v, %v", done, err)
	}
	if _, err := s.Event(t.Context(), "e0b"); !errors.Is(err, ErrDamaged) {
		t.Errorf("the damaged one: %v", err)
	}
}

// TestDamagedEntriesAreListed damages an entry of each index that lists go by: it
// is told of, and hides no other.
func TestDamagedEntriesAreListed(t *testing.T) {
	s := openTemp(t)
	tell(t, s, 0, "a", "b", "c")
	dieAll(t, s, "hook", "a", "b", "c")
	of := func(number uint64) storedDelivery {
		var d storedDelivery
		if err := s.view(func(t *tx) (err error) { d, _, err = t.delivery(number); return err }); err != nil {
			t.Fatal(err)
		}
		return d
	}
	spoil(t, s, bucketBySource, sourceKey(sourcePrefix("shop"), 3, numbersSome, "e0b"))
	spoil(t, s, bucketByEndpoint, endpointKey("hook", 3))
	spoil(t, s, bucketLetters, letterKey("hook", of(3).settled, 3))
	for _, f := range []emitter.Filter{
		{Endpoint: "hook"}, {Endpoint: "hook", State: emitter.Dead}, {Endpoint: "hook", Source: "shop"}, {Endpoint: "hook", State: emitter.Dead, Source: "shop"},
	} {
		page, err := s.Deliveries(t.Context(), f, emitter.Page{})
		if err != nil || len(page.Deliveries) != 2 || page.Damaged == 0 || page.Damage == "" || page.Next != "" {
			t.Errorf("deliveries by %+v: %d, %+v, %v", f, len(page.Deliveries), page.Rest, err)
		}
	}
	for _, f := range []emitter.Filter{{Endpoint: "hook"}, {Source: "shop"}, {Endpoint: "hook", Source: "shop"}} {
		page, err := s.Events(t.Context(), f, emitter.Page{})
		if err != nil || len(page.Events) != 2 || page.Damaged == 0 {
			t.Errorf("events by %+v: %d, %+v, %v", f, len(page.Events), page.Rest, err)
		}
		done, err := s.Replay(t.Context(), emitter.Replay{Filter: f, Dry: true})
		if err != nil || done.Replayed != 2 || done.Damaged != 1 {
			t.Errorf("a replay by %+v: %+v, %v", f, done, err)
		}
	}
}

// FuzzCursor goes on in lists where a stranger says. Whatever comes of it, it
// comes to an end.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "x", "ZQ", "ZWUw", "bgAAAAAAAAAB", "ZAAAAAAAAAAAAAAAAAAAAAE", "YQAAAAAAAAABAAAAAQ", "cgAAAAA", "cgAAAABlMGI", "cv____9lMGI", "cwAAAAAAAAADAWUwYg", "ZgAAAAAAAAAE", "bwAAAAAAAAAB", "b___________"} {
		f.Add(seed)
	}
	s, err := Open(f.TempDir()+"/fuzz.db", Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	c := &differ.Commit{Source: "shop"}
	for _, key := range []string{"a", "b", "c"} {
		c.Events = append(c.Events, differ.Event{ID: "e0" + key, Key: key, Bodies: []differ.Body{{Endpoint: "hook", Dead: "dead"}, {Endpoint: "other"}}})
	}
	if err := s.Commit(f.Context(), c); err != nil {
		f.Fatal(err)
	}
	both := emitter.Filter{Source: "shop", Endpoint: "hook"}
	f.Fuzz(func(t *testing.T, cursor string) {
		for name, next := range map[string]func(cursor string) (string, error){
			"events": func(cursor string) (string, error) {
				page, err := s.Events(t.Context(), emitter.Filter{}, emitter.Page{Cursor: cursor, Limit: 1})
				return page.Next, err
			},
			"deliveries": func(cursor string) (string, error) {
				page, err := s.Deliveries(t.Context(), emitter.Filter{}, emitter.Page{Cursor: cursor, Limit: 1})
				return page.Next, err
			},
			"of an event": func(cursor string) (string, error) {
				page, err := s.Deliveries(t.Context(), emitter.Filter{Event: "e0b"}, emitter.Page{Cursor: cursor, Limit: 1})
				return page.Next, err
			},
			"dead letters": func(cursor string) (string, error) {
				page, err := s.Deliveries(t.Context(), emitter.Filter{State: emitter.Dead}, emitter.Page{Cursor: cursor, Limit: 1})
				return page.Next, err
			},
			"dead letters at an endpoint": func(cursor string) (string, error) {
				page, err := s.Deliveries(t.Context(), emitter.Filter{State: emitter.Dead, Endpoint: "hook", Source: "shop"}, emitter.Page{Cursor: cursor, Limit: 1})
				return page.Next, err
			},
			"deliveries of a source to an endpoint": func(cursor string) (string, error) {
				page, err := s.Deliveries(t.Context(), both, emitter.Page{Cursor: cursor, Limit: 1})
				return page.Next, err
			},
			"events of a source": func(cursor string) (string, error) {
				page, err := s.Events(t.Context(), emitter.Filter{Source: "shop"}, emitter.Page{Cursor: cursor, Limit: 1})
				return page.Next, err
			},
			"events of a source to an endpoint": func(cursor string) (string, error) {
				page, err := s.Events(t.Context(), both, emitter.Page{Cursor: cursor, Limit: 1})
				return page.Next, err
			},
			"replay of a source to an endpoint": func(cursor string) (string, error) {
				done, err := s.Replay(t.Context(), emitter.Replay{Filter: both, Cursor: cursor, Dry: true, Most: 1})
				return done.Next, err
			},
			"attempts": func(cursor string) (string, error) {
				page, err := s.Attempts(t.Context(), 1, emitter.Page{Cursor: cursor, Limit: 1})
				return page.Next, err
			},
			"replay": func(cursor string) (string, error) {
				done, err := s.Replay(t.Context(), emitter.Replay{Cursor: cursor, Dry: true, Most: 1})
				return done.Next, err
			},
		} {
			at := cursor
			for range 20 {
				if at, err = next(at); err != nil && !errors.Is(err, emitter.ErrBadCursor) {
					t.Errorf("%s at %q: %v", name, cursor, err)
				}
				if at == "" {
					break
				}
			}
			if at != "" {
				t.Errorf("%s does not end, at %q", name, at)
			}
		}
	})
}

// TestChurn tells, delivers and sweeps for weeks, and holds that the file comes
// to a size that it keeps. DELTAHOOK_TEST_CHURN=200000 has so many events.
func TestChurn(t *testing.T) {
	each, events := 200, 20_000
	if testing.Short() {
		each, events = 100, 8_000
	}
	if long := os.Getenv("DELTAHOOK_TEST_CHURN"); long != "" {
		var err error
		if events, err = strconv.Atoi(long); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		keep := Retention{Events: 7 * 24 * time.Hour, Attempts: 7 * 24 * time.Hour, Dead: 7 * 24 * time.Hour}
		rounds := events / each
		var half, most int64
		for round := range rounds {
			// Each item changes every few rounds; one in fifty is a dead letter.
			c := &differ.Commit{Source: "shop", Version: uint64(round)}
			for i := range each {
				key := fmt.Sprintf("k%05d", (round*each+i*7)%5_000)
				payload := fmt.Appendf(nil, "%0*d", 300+(i*37)%900, round)
				c.Items = append(c.Items, differ.Item{Key: key, Hash: differ.Hash{1}, Revision: uint64(round), Content: payload[:200], Seen: time.Now()})
				c.Events = append(c.Events, differ.Event{
					ID:   fmt.Sprintf("evt_%08x-%04x-7000-8000-%012x", time.Now().UnixMilli()>>16, time.Now().UnixMilli()&0xffff, i),
					Type: "shop.updated", Key: key, Revision: uint64(round), Bodies: []differ.Body{{Endpoint: "hook", Payload: payload}},
				})
			}
			if err := s.Commit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			var outcomes []emitter.Outcome
			batch, err := s.Pending(t.Context(), "hook", time.Now(), each, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, d := range batch.Due {
				v := emitter.Verdict{State: emitter.Delivered}
				if i%50 == 0 {
					v.State = emitter.Dead
				}
				outcomes = append(outcomes, emitter.Outcome{Delivery: d, Attempt: emitter.Attempt{At: time.Now(), Status: 200, Response: []byte("ok")}, Verdict: v})
			}
			if err := s.Settle(t.Context(), outcomes); err != nil {
				t.Fatal(err)
			}
			// 28 days in all, of which a week is kept.
			time.Sleep(28 * 24 * time.Hour / time.Duration(rounds))
			if _, err := s.Sweep(t.Context(), keep); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(s.db.Path())
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case round < rounds/2:
				half = info.Size()
			default:
				most = max(most, info.Size())
			}
			if round%(rounds/8) == rounds/8-1 {
				t.Logf("after %d events, day %d: %d KiB", (round+1)*each, 28*(round+1)/rounds, info.Size()>>10)
			}
		}
		if float64(most) > 1.1*float64(half)+2*growth {
			t.Errorf("the file has %d KiB after half of it and %d KiB later: it grows on", half>>10, most>>10)
		}
		n := count(t, s)
		if kept := events / 4; n[bucketEvents] > kept+2*each || n[bucketEvents] < kept-2*each {
			t.Errorf("%d events are kept, want about %d", n[bucketEvents], kept)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
