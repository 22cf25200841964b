package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/poller"
)

func testConcurrent(t *testing.T, s Store) {
	const sources, commits = 16, 20
	var wg sync.WaitGroup
	for i := range sources {
		name := fmt.Sprintf("s%02d", i)
		wg.Go(func() {
			for v := range uint64(commits) {
				e := event(fmt.Sprintf("%s-%d", name, v), "a", v+1, "hook", name)
				c := differ.Commit{Source: name, Version: v, Items: []differ.Item{item("a", v+1, "1")}, Events: []differ.Event{e}}
				if err := s.Commit(t.Context(), &c); err != nil {
					t.Errorf("%s at version %d: %v", name, v, err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			for state, err := range s.Load(t.Context()) {
				if err != nil || state.Items["a"].Revision != state.Version {
					t.Errorf("%s: revision %d at version %d, %v", state.Source, state.Items["a"].Revision, state.Version, err)
				}
			}
		}
	})
	settled := make(chan int)
	go func() {
		// The events of the own endpoint are delivered while more come.
		n := 0
		for n < commits {
			batch, err := s.Pending(t.Context(), "s00", later(), 10, nil)
			for _, d := range batch.Due {
				if n++; d.Revision != uint64(n) {
					t.Errorf("revision %d comes as number %d", d.Revision, n)
				}
				err = errors.Join(err, s.Settle(t.Context(), []emitter.Outcome{delivered(d)}))
			}
			if err != nil {
				t.Error(err)
				break
			}
		}
		settled <- n
	}()
	wg.Wait()
	<-settled
	if n := len(due(t, s, "hook")); n != sources {
		t.Errorf("%d due, want the first of %d lanes", n, sources)
	}
	if n := endpoint(t, s, "hook").Waiting; n != sources*commits {
		t.Errorf("%d wait, want %d", n, sources*commits)
	}
}

func testRace(t *testing.T, s Store) {
	const n = 8
	var wg sync.WaitGroup
	won := make(chan int, n)
	for i := range n {
		wg.Go(func() {
			err := s.Commit(t.Context(), changes(0, event(fmt.Sprint("e", i), "a", 1, "hook")))
			switch {
			case err == nil:
				won <- i
			case !errors.Is(err, differ.ErrConflict):
				t.Errorf("commit %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	close(won)
	if len(won) != 1 {
		t.Fatalf("%d commits on one version succeeded, want 1", len(won))
	}
	equal(t, "due", due(t, s, "hook"), []string{fmt.Sprint("e", <-won)})
}

// testUnknownOutcome cancels commits in the middle and then does what a differ
// does: load, and commit again only what is not there.
func testUnknownOutcome(t *testing.T, s Store) {
	const n = 200
	for i := range n {
		name := fmt.Sprintf("s%03d", i)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for range i {
				runtime.Gosched() // a little later each time
			}
			cancel()
		}()
		err := tell(ctx, s, name, 0)
		cancel()
		for try := 1; err != nil; try++ {
			if try > 10 {
				t.Fatalf("%s: %v", name, err)
			}
			if state := load(t, s, name)[name]; state.Items["a"].Revision == 1 {
				break
			}
			err = tell(t.Context(), s, name, try)
		}
	}
	// A commit that was given up may land late; one after it waits for it.
	commit(t, s, &differ.Commit{Source: "last"})
	batch := pending(t, s, "hook", later(), 2*n)
	told := map[string]int{}
	for _, d := range batch.Due {
		told[d.Source]++
	}
	for i := range n {
		name := fmt.Sprintf("s%03d", i)
		if told[name] != 1 || load(t, s, name)[name].Version != 1 {
			t.Errorf("%s: %d events, version %d", name, told[name], load(t, s, name)[name].Version)
		}
	}
	if e := endpoint(t, s, "hook"); e.Waiting != n {
		t.Errorf("%d wait, want %d", e.Waiting, n)
	}
}

// tell commits the first change of an item under a new id.
func tell(ctx context.Context, s Store, source string, try int) error {
	return s.Commit(ctx, &differ.Commit{
		Source: source, Items: []differ.Item{item("a", 1, `1`)},
		Events: []differ.Event{event(fmt.Sprintf("%s-%d", source, try), "a", 1, "hook")},
	})
}

func testReopen(t *testing.T, s Store) {
	r, ok := s.(Reopener)
	if !ok {
		t.Skip("the engine does not outlive its process")
	}
	hold := time.Now().Add(time.Hour).UTC()
	c := changes(0, event("e1", "a", 1, "hook", "other"), event("e2", "a", 2, "hook"), event("e3", "b", 1, "hook"))
	c.Since, c.Bookmarks, c.Items = at(0), bookmarks(3), []differ.Item{item("a", 2, `{"n": 1.10}`), gone("b", 1)}
	c.Notes = []differ.Note{note("a", "rule/x", "\x00"), note("", "hold", "")}
	commit(t, s, c)
	if err := s.Keep(t.Context(), kept(map[string]poller.Bookmarks{"quiet": bookmarks(4)})); err != nil {
		t.Fatal(err)
	}
	keepNotes(t, s, "shop", note("b", "sample/n", "1"), no("", "hold"))
	all := pending(t, s, "hook", later(), 10).Due
	died := dead(all[1])
	died.Health = &emitter.Health{
		Hold: hold, Pause: emitter.PauseOutage, Since: at(1), Reason: "gone",
		Failed: 7, FailedSince: at(2), Failing: true, Hasten: true,
	}
	settle(t, s, outcome(all[0], emitter.Verdict{State: emitter.Waiting, Due: hold}), died)
	if err := s.Arrange(t.Context(), "other", emitter.OrderNone); err != nil {
		t.Fatal(err)
	}
	look := func(s Store) (all []any) {
		all = append(all, load(t, s), items(t, s, "shop", "a", "b"))
		for _, name := range []string{"hook", "other"} {
			all = append(all, endpoint(t, s, name), pending(t, s, name, hold.Add(time.Hour), 10))
		}
		return all
	}
	want := look(s)
	for i, crash := range []bool{true, false, true} {
		next := r.Reopen(t, crash)
		equal(t, fmt.Sprintf("after restart %d", i), look(next), want)
		if r, ok = next.(Reopener); !ok {
			t.Fatal("a reopened store is no Reopener")
		}
	}
	// It goes on from where it was: with numbers that are not used again.
	last := pending(t, r, "hook", hold, 1).Due[0].Number
	commit(t, r, changes(1, event("e4", "z", 1, "third")))
	if d := first(t, r, "third"); d.Number <= last {
		t.Errorf("number %d after %d", d.Number, last)
	}
}

func testFence(t *testing.T, s Store) {
	f, ok := s.(Fencer)
	if !ok {
		t.Skip("the engine is one process's own")
	}
	commit(t, s, changes(0, event("e1", "a", 1, "hook")))
	f.Fence(t, "shop")
	if err := s.Commit(t.Context(), changes(1, event("e2", "a", 2, "hook"))); !errors.Is(err, differ.ErrFenced) {
		t.Errorf("commit gave %v, want ErrFenced", err)
	}
	if err := s.Keep(t.Context(), kept(map[string]poller.Bookmarks{"shop": bookmarks(1)})); !errors.Is(err, differ.ErrFenced) {
		t.Errorf("keep gave %v, want ErrFenced", err)
	}
	equal(t, "due", due(t, s, "hook"), []string{"e1"})
}
