package bolt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// halfForgotten is a store in which the source shop and its watch key w had 250
// items each, and forgetting them was ended after some steps of 100 records each.
func halfForgotten(t *testing.T, path string, steps int) *Store {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.step = 100
	for _, watch := range []string{"", "w"} {
		putMany(t, s, &differ.Commit{Source: "shop", Watch: watch, Notes: []differ.Note{{Name: "n", Data: []byte("x")}}}, 250)
		putMany(t, s, &differ.Commit{Source: "shop", Watch: watch, Version: 1, Events: []differ.Event{{
			ID: "evt_" + watch, Type: "shop.updated", Source: "shop", Watch: watch, Key: "1", Change: differ.Updated, Revision: 1, Old: []byte(`0`),
			Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte(`1`), Coalesce: true}},
		}}}, 2)
	}
	putMany(t, s, &differ.Commit{Source: "beside"}, 1)
	for range steps {
		for _, unit := range []string{"shop", poller.Unit("shop", "w")} {
			if _, _, err := s.forgetStep(t.Context(), []string{unit}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// putMany commits n items with all that c has besides, each with a note.
func putMany(t *testing.T, s *Store, c *differ.Commit, n int) {
	t.Helper()
	for i := range n {
		key := fmt.Sprint(i)
		c.Items = append(c.Items, differ.Item{Key: key, Hash: differ.Hash{1}, Revision: 1, Content: []byte(`1`), Seen: time.Unix(1, 0)})
		c.Before = append(c.Before, differ.Before{Item: i, Change: differ.Created})
		c.Notes = append(c.Notes, differ.Note{Key: key, Name: "n", Data: []byte("x")})
	}
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// absent holds that nothing of a unit is shown, though there are records of it.
func absent(t *testing.T, s *Store, unit string) {
	t.Helper()
	for state, err := range s.Load(t.Context()) {
		if err != nil || state.Unit() == unit {
			t.Errorf("%q is there with %d items, %v", unit, len(state.Items), err)
		}
	}
	source, _ := poller.CutUnit(unit)
	units, err := s.Units(t.Context(), source)
	for _, u := range units {
		if u == unit || err != nil {
			t.Errorf("%q is among the units, %v", unit, err)
		}
	}
	items, err := s.Items(t.Context(), unit, []string{"1", "249"})
	page, errPage := s.ListItems(t.Context(), unit, differ.ItemFilter{})
	revisions, errRevisions := s.Revisions(t.Context(), unit, "249", 0, 0)
	untried, errUntried := s.Untried(t.Context(), unit, []differ.Place{{Key: "1", Endpoint: "hook", Type: "shop.updated"}})
	if err := errors.Join(err, errPage, errRevisions, errUntried); err != nil || len(items)+len(page.Items)+len(revisions)+len(untried) > 0 {
		t.Errorf("of %q there are %d, %d, %d and %d, %v", unit, len(items), len(page.Items), len(revisions), len(untried), err)
	}
	if _, err := s.Item(t.Context(), unit, "249"); !errors.Is(err, differ.ErrNoItem) {
		t.Errorf("an item of %q: %v", unit, err)
	}
}

// TestForgetInSteps forgets a source and its watch key step by step, each
// followed by an end of the process: what is left of it is shown to nobody, and
// others are written meanwhile.
func TestForgetInSteps(t *testing.T) {
	path := t.TempDir() + "/test.db"
	all := []string{"shop", poller.Unit("shop", "w")}
	s := halfForgotten(t, path, 0)
	total := 0
	for b, n := range count(t, s) {
		if b == bucketItems || b == bucketNotes {
			total += n
		}
	}
	for done, steps := 0, 0; done < len(all); steps++ {
		n, _, err := s.forgetStep(t.Context(), all[done:])
		if done += n; err != nil || steps > 15 {
			t.Fatal(steps, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(path, Options{}); err != nil {
			t.Fatal(err)
		}
		s.step = 100
		absent(t, s, "shop")
		if done > 0 {
			absent(t, s, all[1])
		}
		left := count(t, s)
		if now := left[bucketItems] + left[bucketNotes]; total-now > 110 || now < 2 {
			t.Errorf("step %d removed %d records", steps, total-now)
		} else {
			total = now
		}
		putMany(t, s, &differ.Commit{Source: "beside", Version: uint64(steps + 1)}, 1)
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	defer s.Close()
	if left := count(t, s); left[bucketItems] != 1 || left[bucketNotes] != 1 || left[bucketSources] != 1 || left[bucketUpdates] != 0 || left[bucketMeta] != 1 {
		t.Errorf("left are %v", left)
	}
	if batch, err := s.Pending(t.Context(), "hook", time.Now(), 10, nil); err != nil || len(batch.Due) != 2 {
		t.Errorf("%d deliveries wait, %v", len(batch.Due), err)
	}
}

// TestHalfForgottenComesBack has a source that was half forgotten come back:
// nothing of it is there.
func TestHalfForgottenComesBack(t *testing.T) {
	for name, come := range map[string]func(*testing.T, *Store) (unit string, version uint64, items int){
		"commit": func(t *testing.T, s *Store) (string, uint64, int) {
			putMany(t, s, &differ.Commit{Source: "shop"}, 2)
			return "shop", 1, 2
		},
		"keep": func(t *testing.T, s *Store) (string, uint64, int) {
			if err := s.Keep(t.Context(), map[string]differ.Kept{"beside": {}, "shop": {}}); err != nil {
				t.Error(err)
			}
			return "shop", 0, 0
		},
		"another of its name": func(t *testing.T, s *Store) (string, uint64, int) {
			if err := s.Rename(t.Context(), "beside", "shop"); err != nil {
				t.Error(err)
			}
			return "shop", 1, 1
		},
		"under the name of that": func(t *testing.T, s *Store) (string, uint64, int) {
			if err := s.Rename(t.Context(), "beside", "shop"); err != nil {
				t.Error(err)
			}
			putMany(t, s, &differ.Commit{Source: "beside"}, 3)
			return "beside", 1, 3
		},
		"too late": func(t *testing.T, s *Store) (string, uint64, int) {
			err := s.Commit(t.Context(), &differ.Commit{Source: "shop", Version: 2, Items: []differ.Item{{Key: "0", Hash: differ.Hash{2}, Content: []byte(`2`)}}})
			if !errors.Is(err, differ.ErrConflict) {
				t.Errorf("a commit from before: %v", err)
			}
			return "shop", 0, 0
		},
		"not at all": func(t *testing.T, s *Store) (string, uint64, int) {
			if _, err := s.Sweep(t.Context(), Retention{}); err != nil {
				t.Error(err)
			}
			if left := count(t, s); left[bucketMeta] != 1 || left[bucketItems] != 1 {
				t.Errorf("after the sweep there are %v", left)
			}
			return "shop", 0, 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			for steps := 1; steps < 6; steps++ {
				s := halfForgotten(t, t.TempDir()+"/test.db", steps)
				unit, version, items := come(t, s)
				state, all, err := s.Snapshot(t.Context(), unit)
				if err != nil || state.Version != version || len(state.Items) != items || len(all) != items || len(state.Notes) != items {
					t.Errorf("after %d steps it came back at %d with %d items, %d notes, %v", steps, state.Version, len(state.Items), len(state.Notes), err)
				}
				if revisions, err := s.Revisions(t.Context(), unit, "0", 0, 0); err != nil || len(revisions) != min(1, items) {
					t.Errorf("%d revisions, %v", len(revisions), err)
				}
				if err := errors.Join(s.Check(t.Context()), s.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestForgetLeavesWhatComes holds that the end of forgetting a unit takes nothing
// of what stands under its name by then: what another writer put there, who
// waited for the same end, or what got the name.
func TestForgetLeavesWhatComes(t *testing.T) {
	there := func(t *testing.T, s *Store, unit string, items int) {
		t.Helper()
		if state, _, err := s.Snapshot(t.Context(), unit); err != nil || len(state.Items) != items {
			t.Errorf("%s has %d items, %v, want %d", unit, len(state.Items), err, items)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	t.Run("of another writer", func(t *testing.T) {
		s := halfForgotten(t, t.TempDir()+"/test.db", 1)
		defer s.Close()
		late := func() error { // as Keep, which was refused, when a commit had not begun
			err := s.do(t.Context(), &request{check: func(t *tx) error { return t.still("shop", "shop") }, apply: func(*tx) error { return nil }})
			if err != nil {
				putMany(t, s, &differ.Commit{Source: "shop"}, 3)
			}
			return err
		}
		if err := s.afterForgetting(t.Context(), late); err != nil {
			t.Error(err)
		}
		there(t, s, "shop", 3)
	})
	t.Run("of another name", func(t *testing.T) {
		s := halfForgotten(t, t.TempDir()+"/test.db", 0)
		defer s.Close()
		var once sync.Once
		err := s.Forget(&between{Context: t.Context(), do: func() {
			if units, _ := s.Units(t.Context(), "shop"); len(units) == 0 {
				once.Do(func() {
					if err := s.Rename(t.Context(), "beside", "shop"); err != nil {
						t.Error(err)
					}
				})
			}
		}}, poller.Unit("shop", "w"), "shop")
		if err != nil {
			t.Error(err)
		}
		there(t, s, "shop", 1)
		there(t, s, "beside", 0)
	})
}

// between is a context of which a store asks between its steps.
type between struct {
	context.Context
	do func()
}

func (b *between) Err() error {
	b.do()
	return b.Context.Err()
}
