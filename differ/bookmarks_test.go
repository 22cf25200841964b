package differ_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// run lets the differ flush in the background until the test's end.
func (b *bench) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := b.differ.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return func() { cancel(); <-done }
}

func TestMovedBookmarksReachTheStoreInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, differ.Settings{}, listed)
		b.expect(`{"items":[]}`)
		stop := b.run(t)
		a := b.answer(`{"items":[]}`)
		a.Bookmarks = poller.Bookmarks{Request: "r", ETag: "two"}
		if err := b.differ.Take(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		b.differ.Keep("other", poller.Bookmarks{Failures: 1}) // never taken in
		if b.store.kept.Load() != 0 {
			t.Error("an unchanged answer waited for the disk")
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if b.store.kept.Load() != 2 {
			t.Errorf("%d bookmarks written, want 2", b.store.kept.Load())
		}
		stop()
		if marks := b.restart(); marks["s"].ETag != "two" {
			t.Errorf("the store has ETag %q", marks["s"].ETag)
		}
	})
}

func TestTheNextRunAloneIsNotWorthAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, differ.Settings{}, listed)
		stop := b.run(t)
		next := time.Now()
		take := func(step time.Duration) {
			next = next.Add(step)
			a := b.answer(`{"items":[]}`)
			a.Bookmarks.Next = next
			if err := b.differ.Take(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Second)
			synctest.Wait()
		}
		take(0)
		for range 9 {
			take(time.Minute)
		}
		if b.store.kept.Load() != 0 {
			t.Errorf("%d writes for polls that changed nothing", b.store.kept.Load())
		}
		take(time.Hour)
		if b.store.kept.Load() != 1 {
			t.Errorf("%d writes after the next run moved by an hour, want 1", b.store.kept.Load())
		}
		stop()
	})
}

func TestBookmarksAreWrittenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, differ.Settings{}, listed)
		b.expect(`{"items":[]}`)
		stop := b.run(t)
		b.differ.Keep("s", poller.Bookmarks{Failures: 3})
		stop()
		if marks := b.restart(); marks["s"].Failures != 3 {
			t.Errorf("%d failures stored, want 3", marks["s"].Failures)
		}
	})
}

// slowKeep is a store whose Keep waits.
type slowKeep struct {
	differ.Store
	entered, leave chan struct{}
}

func (s *slowKeep) Keep(ctx context.Context, marks map[string]differ.Kept) error {
	s.entered <- struct{}{}
	<-s.leave
	return s.Store.Keep(ctx, marks)
}

// A flush that is slow must not put older bookmarks in the place of those that
// a commit has written meanwhile: their ETag would stand for another body.
func TestAFlushDoesNotOvertakeACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, differ.Settings{}, listed)
		slow := &slowKeep{Store: b.store.Store, entered: make(chan struct{}), leave: make(chan struct{})}
		b.store.Store = slow
		take := func(body, etag string) {
			a := b.answer(body)
			a.Bookmarks = poller.Bookmarks{Request: "r", ETag: etag}
			if err := b.differ.Take(t.Context(), a); err != nil {
				t.Error(err)
			}
		}
		take(`{"items":[{"id":1,"v":1}]}`, "one")
		take(`{"items":[{"id":1,"v":1}],"t":1}`, "one-b")
		stop := b.run(t)
		<-slow.entered
		done := make(chan struct{})
		go func() {
			defer close(done)
			take(`{"items":[{"id":1,"v":2}]}`, "two")
		}()
		synctest.Wait()
		close(slow.leave)
		<-done
		stop()
		if marks := b.restart(); marks["s"].ETag != "two" {
			t.Errorf("the store has ETag %q, and the content of two", marks["s"].ETag)
		}
	})
}
