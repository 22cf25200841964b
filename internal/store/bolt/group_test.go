package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
)

func openTemp(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "test.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// stall has the committer wait in a transaction until release is called.
func stall(t *testing.T, s *Store) (release func()) {
	t.Helper()
	reached, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.do(context.Background(), &request{
			check: func(*tx) error { close(reached); <-free; return nil },
			apply: func(*tx) error { return nil },
		})
	}()
	<-reached
	return func() {
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestGroupShares(t *testing.T) {
	s := openTemp(t)
	release := stall(t, s)
	before := txid(t, s)
	const n = 100
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := s.Commit(t.Context(), &differ.Commit{Source: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	for len(s.queue) < n {
		runtime.Gosched()
	}
	release()
	wg.Wait()
	// One transaction for what stalled, one for all that waited.
	if used := txid(t, s) - before; used != 2 {
		t.Errorf("%d transactions, want 2", used)
	}
}

// txid is the number of the last write transaction.
func txid(t *testing.T, s *Store) (id int) {
	t.Helper()
	if err := s.view(func(tx *tx) error { id = tx.btx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

// TestGroupBounds holds that the queue ends somewhere, and that who waits
// before it can go away.
func TestGroupBounds(t *testing.T) {
	s := openTemp(t)
	release := stall(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	const n = maxWaiting + 10
	errs := make(chan error, n)
	for i := range n {
		wg.Go(func() { errs <- s.Commit(ctx, &differ.Commit{Source: fmt.Sprint(i)}) })
	}
	for len(s.queue) < maxWaiting {
		runtime.Gosched()
	}
	cancel()
	wg.Wait() // although the committer stalls
	close(errs)
	for err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want cancelled", err)
		}
	}
	release()
	if err := s.Commit(t.Context(), &differ.Commit{Source: "after"}); err != nil {
		t.Error(err)
	}
}

// TestGroupFailure has one request of a batch that can't be applied, by an
// error and by a panic. The others are.
func TestGroupFailure(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no") },
		"panic": func() error { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t)
			release := stall(t, s)
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					if err := s.Commit(t.Context(), &differ.Commit{Source: fmt.Sprint(i)}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Go(func() {
				err := s.do(t.Context(), &request{
					check: func(*tx) error { return nil },
					apply: func(tx *tx) error { return errors.Join(tx.putSource("half", storedSource{}), fail()) },
				})
				if err == nil {
					t.Error("the request that fails succeeded")
				}
			})
			for len(s.queue) < 11 {
				runtime.Gosched()
			}
			release()
			wg.Wait()
			n := 0
			for state, err := range s.Load(t.Context()) {
				if err != nil || state.Source == "half" || state.Version != 1 {
					t.Errorf("state %+v, %v", state, err)
				}
				n++
			}
			if n != 10 {
				t.Errorf("%d sources, want 10", n)
			}
		})
	}
}

// TestBeat holds that the committer answers without a transaction, and that
// who asks one that stands still can go away.
func TestBeat(t *testing.T) {
	s := openTemp(t)
	before := txid(t, s)
	if err := s.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := txid(t, s); after != before {
		t.Errorf("transaction %d follows %d though nothing was written", after, before)
	}
	release := stall(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Beat(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the committer stands still: %v", err)
	}
	release()
	if err := s.Beat(t.Context()); err != nil {
		t.Errorf("when it goes on: %v", err)
	}
}
