package bolt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// older makes a file one of schema 5, whose index of events has one entry.
func older(t testing.TB, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(btx *bbolt.Tx) error {
		for _, b := range []bucket{bucketBySource, bucketByEndpoint, bucketLetters} {
			if err := btx.DeleteBucket([]byte(b)); err != nil {
				return err
			}
		}
		told, err := btx.CreateBucket([]byte(bucketTold))
		if err != nil {
			return err
		}
		key := append(appendPart(nil, "shop"), "e0a"...)
		if err := told.Put(key, newRecord(8).raw(make([]byte, 8)).seal(bucketTold, key)); err != nil {
			return err
		}
		key = []byte(schemaKey)
		return btx.Bucket([]byte(bucketMeta)).Put(key, newRecord(1).uint(5).seal(bucketMeta, key))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// manyKinds fills a store with what indexes know: several endpoints, sources, an
// event to nobody, dead letters, replays.
func manyKinds(t *testing.T, s *Store) {
	t.Helper()
	tell(t, s, 0, "a", "b", "c")
	dieAll(t, s, "hook", "a", "b")
	replay(t, s, emitter.Replay{Filter: emitter.Filter{Event: "e0a", Endpoint: "hook"}}, 1)
	err := s.Commit(t.Context(), &differ.Commit{Source: "parcels", Watch: "42", Events: []differ.Event{
		{ID: "f1", Key: "x"}, {ID: "f2", Key: "x", Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte("x")}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	dieAll(t, s, "other", "c")
}

// allLists is all that lists give, by some filters.
func allLists(t *testing.T, s *Store) (all []any) {
	t.Helper()
	for _, f := range []emitter.Filter{
		{}, {Source: "shop"}, {Source: "parcels"}, {Source: "parcels", Watch: "42", Key: "x"}, {Endpoint: "hook"}, {Endpoint: "other"},
		{Source: "shop", Endpoint: "hook"}, {State: emitter.Dead}, {State: emitter.Dead, Endpoint: "hook"}, {State: emitter.Waiting, Endpoint: "hook"},
	} {
		events, err := s.Events(t.Context(), f, emitter.Page{})
		deliveries, err2 := s.Deliveries(t.Context(), f, emitter.Page{})
		done, err3 := s.Replay(t.Context(), emitter.Replay{Filter: f, Dry: true})
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
		all = append(all, events, deliveries, done)
	}
	return all
}

// TestUpgradeGoesOn kills an upgrade after each of its steps, of one record. Half
// way the file can be read, examined and repaired; opened to write it comes to
// what a file has that was of this schema from the first.
func TestUpgradeGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	manyKinds(t, s)
	want, wantCount := allLists(t, s), count(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	older(t, path)
	steps := 0
	for more := true; more; steps++ {
		part := copyFixture(t, path)
		half := &Store{log: s.log, hands: newHands()}
		if err := half.mount(part, false); err != nil {
			t.Fatal(err)
		}
		if err := half.lay(part); err != nil {
			t.Fatal(err)
		}
		for range steps {
			err := half.db.Update(func(btx *bbolt.Tx) error { return newTx(btx).upgrade(1) })
			if err != nil {
				t.Fatal(err)
			}
		}
		err := half.view(func(t *tx) error { more = !t.indexed(); return nil })
		if err := errors.Join(err, half.db.Close()); err != nil {
			t.Fatal(err)
		}
		testHalfWay(t, part, want)
		repaired := copyFixture(t, part)
		if r, err := Repair(t.Context(), repaired, nil); err != nil || len(r.Lost) > 0 {
			t.Errorf("after %d steps, repaired: %+v, %v", steps, r, err)
		}
		for _, path := range []string{part, repaired} {
			s, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, allLists(t, s)); diff != "" {
				t.Errorf("after %d steps, lists (-want +got):\n%s", steps, diff)
			}
			if diff := cmp.Diff(wantCount, count(t, s)); diff != "" {
				t.Errorf("after %d steps, records (-want +got):\n%s", steps, diff)
			}
			told := true
			err = s.view(func(t *tx) error { told = t.has(bucketTold); return nil })
			if err := errors.Join(err, s.Check(t.Context()), s.Close()); err != nil || told {
				t.Errorf("after %d steps: %v, told is there: %t", steps, err, told)
			}
		}
	}
	if least := wantCount[bucketEvents] + wantCount[bucketDeliveries]; steps < least {
		t.Errorf("%d steps, want at least %d", steps, least)
	}
}

// TestUpgradeOfFixtures kills the upgrade of a file of each older schema after
// each of its steps. Repaired or not, its indexes are what its records say.
func TestUpgradeOfFixtures(t *testing.T) {
	for v := range schema - 1 {
		for steps := range 12 {
			path := copyFixture(t, fmt.Sprintf("testdata/v%d.db", v+1))
			halfUpgraded(t, path, steps, 1)
			if steps%2 == 0 {
				if r, err := Repair(t.Context(), path, nil); err != nil || len(r.Lost) > 0 {
					t.Errorf("schema %d, repaired after %d steps: %+v, %v", v+1, steps, r, err)
				}
			}
			h := &history{T: t, Rand: rand.New(rand.NewPCG(1, 1)), path: path}
			h.open()
			h.verify()
			if err := h.s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// halfUpgraded makes some steps of an upgrade, of so many records.
func halfUpgraded(t *testing.T, path string, steps, records int) {
	t.Helper()
	half := &Store{log: slog.New(slog.DiscardHandler), hands: newHands()}
	if err := half.mount(path, false); err != nil {
		t.Fatal(err)
	}
	half.db.NoSync = true
	err := half.lay(path)
	for range steps {
		err = errors.Join(err, half.db.Update(func(btx *bbolt.Tx) error {
			if t := newTx(btx); !t.indexed() {
				return t.upgrade(records)
			}
			return nil
		}))
	}
	if err := errors.Join(err, half.db.Close()); err != nil {
		t.Fatal(err)
	}
}

// testHalfWay reads a file that is half way here.
func testHalfWay(t *testing.T, path string, want []any) {
	t.Helper()
	s, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, allLists(t, s)); diff != "" {
		t.Errorf("read only (-want +got):\n%s", diff)
	}
	if err := errors.Join(s.Check(t.Context()), s.Close()); err != nil {
		t.Error(err)
	}
	if f := examine(t, path); f.Damaged() {
		t.Errorf("examined:\n%s", f.said())
	}
}

// childUpgrades names the file that a child process of TestUpgradeKilled upgrades.
const childUpgrades = "DELTAHOOK_TEST_STORE_UPGRADE"

// childSteps is how many steps such a child makes at most before it waits to be
// killed: less than an upgrade needs, so that the first one is, however late.
const childSteps = 20

// childUpgrade upgrades a file in small steps, and says when it has made one.
func childUpgrade(path string) error {
	s := &Store{log: slog.New(slog.DiscardHandler), hands: newHands()}
	if err := s.mount(path, false); err != nil {
		return err
	}
	err := s.lay(path)
	steps := 0
	for more := true; more && err == nil; steps++ {
		if steps == childSteps {
			_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends
			return errors.New("nobody has killed it")
		}
		err = s.db.Update(func(btx *bbolt.Tx) error {
			t := newTx(btx)
			if more = !t.indexed(); !more {
				return nil
			}
			return t.upgrade(100)
		})
		fmt.Println("a step")
	}
	return errors.Join(err, s.db.Close())
}

// TestUpgradeKilled kills a process that upgrades, again and again on the same
// file, until one comes to the end.
func TestUpgradeKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fillRare(t, s, 2_000)
	want := allLists(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	older(t, path)
	kills := 0
	for ended := false; !ended; {
		cmd := exec.Command(os.Args[0])
		cmd.Env, cmd.Stderr = append(os.Environ(), childUpgrades+"="+path), os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(out)
		for steps := 1 + rand.IntN(4); steps > 0 && err == nil; steps-- {
			_, err = r.ReadString('\n')
		}
		if err == nil {
			time.Sleep(time.Duration(rand.IntN(3_000)) * time.Microsecond)
			_ = cmd.Process.Kill()
		}
		_, _ = io.Copy(io.Discard, r)
		_ = in.Close()
		if ended = cmd.Wait() == nil; !ended {
			if kills++; kills > 100 {
				t.Fatal("it does not come to an end")
			}
		}
		if f := examine(t, path); f.Damaged() {
			t.Fatalf("after %d kills:\n%s", kills, f.said())
		}
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, allLists(t, s)); diff != "" {
		t.Errorf("after %d kills, lists (-want +got):\n%s", kills, diff)
	}
	if err := errors.Join(s.Check(t.Context()), s.Close()); err != nil || kills == 0 {
		t.Errorf("after %d kills: %v", kills, err)
	}
	t.Logf("%d kills", kills)
}

// TestUpgradeOfDamaged upgrades a file with damaged records: what they are of is
// found as before, and they are told of.
func TestUpgradeOfDamaged(t *testing.T) {
	s := openTemp(t)
	path := s.db.Path()
	manyKinds(t, s)
	spoil(t, s, bucketEvents, []byte("e0b"))
	spoil(t, s, bucketDeliveries, numberKey(5))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	older(t, path)
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for want, f := range map[int]emitter.Filter{4: {Endpoint: "hook"}, 2: {Source: "shop", Endpoint: "hook", State: emitter.Waiting}} {
		page, err := s.Deliveries(t.Context(), f, emitter.Page{})
		if err != nil || len(page.Deliveries)+page.Damaged != want {
			t.Errorf("%+v gave %d, %+v, %v, want %d", f, len(page.Deliveries), page.Rest, err, want)
		}
	}
	if err := s.Check(t.Context()); !errors.Is(err, ErrDamaged) {
		t.Errorf("check: %v", err)
	}
}

// TestLeaps holds that what two indexes have in common is found at the cost of
// the smaller one, with a filter by a number of items in between.
func TestLeaps(t *testing.T) {
	s := openTemp(t)
	c := &differ.Commit{Source: "shop"}
	for i := range 3 * maxLooked {
		to := "hook"
		if i%maxLooked == 7 {
			to = "rare"
		}
		c.Events = append(c.Events, differ.Event{ID: fmt.Sprintf("e%06d", i), Key: "k", Bodies: []differ.Body{{Endpoint: to, Payload: []byte("x")}}})
	}
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	err := s.view(func(tx *tx) error {
		for _, up := range []bool{false, true} {
			f := &emitter.Filter{Source: "shop", Endpoint: "rare"}
			m := meeting{of: tx.numbers(f, func(err error) { t.Error(err) }), up: up}
			n, met := uint64(1<<40), 0
			if up {
				n = 0
			}
			for {
				at, found, more := m.next(n)
				if !found {
					if more {
						t.Error("it gave up")
					}
					break
				}
				met++
				n, _ = m.beyond(at)
			}
			if met != 3 || m.skimmed > 20 {
				t.Errorf("up %t: met %d at the cost of %d", up, met, m.skimmed)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestUpgradeMany upgrades a file of DELTAHOOK_TEST_UPGRADE events, and says how
// long that took.
func TestUpgradeMany(t *testing.T) {
	n := 3_000
	if long := envNumber(t, "DELTAHOOK_TEST_UPGRADE"); long > 0 {
		n = long
	}
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fillRare(t, s, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	older(t, path)
	began := time.Now()
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d events and deliveries of 1,000 sources: upgraded in %s", n, time.Since(began))
	page, err := s.Deliveries(t.Context(), emitter.Filter{Endpoint: "rare"}, emitter.Page{})
	if err != nil || len(page.Deliveries) != 5 || page.Next != "" {
		t.Errorf("%d deliveries, %+v, %v", len(page.Deliveries), page.Rest, err)
	}
	if err := errors.Join(s.Check(t.Context()), s.Close()); err != nil {
		t.Error(err)
	}
}
