package bolt

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// TestManyItems lists, renames and forgets a source of many items each of which
// has changed once, and says how long that took.
// DELTAHOOK_TEST_ITEMS=1000000 has so many.
func TestManyItems(t *testing.T) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("DELTAHOOK_TEST_ITEMS"), "5000"))
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/test.db"
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for round := range 2 {
		commitMany(t, s, n, round)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d items, each changed %d times: %d MiB", n, round, info.Size()>>20)
	}
	key := func(i int) string { return fmt.Sprintf("k%07d", i*(n/200)) }
	often(t, "a page of 50", func(i int) (int, error) {
		page, err := s.ListItems(t.Context(), "shop", differ.ItemFilter{After: key(i - 1)})
		return len(page.Items), err
	}, min(50, n/200))
	often(t, "a search that finds nothing", func(i int) (int, error) {
		page, err := s.ListItems(t.Context(), "shop", differ.ItemFilter{Contains: "nothing", After: key(i - 1)})
		return len(page.Items), err
	}, 0)
	often(t, "a timeline", func(i int) (int, error) {
		list, err := s.Revisions(t.Context(), "shop", key(i), 0, 0)
		return len(list), err
	}, 1)
	removes := func(keep Retention, want int) {
		t.Helper()
		began := time.Now()
		removed, err := s.Sweep(t.Context(), keep)
		if t.Logf("a sweep that removes %d: %s", removed, time.Since(began)); err != nil || removed != want {
			t.Errorf("the sweep removed %d, want %d: %v", removed, want, err)
		}
	}
	removes(Retention{Events: time.Hour}, 0)
	began := time.Now()
	err = s.Rename(t.Context(), "shop", "store")
	if t.Logf("another name: %s", time.Since(began)); err != nil {
		t.Error(err)
	}
	if _, err := s.Left(t.Context(), func(source string) bool { return source == "beside" }); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Millisecond)
	longest := beside(t, s, func() { removes(Retention{Events: time.Nanosecond}, 2*n+1) })
	t.Logf("the longest commit beside it: %s", longest)
}

// commitMany commits a round of changes of n items; the first are the baseline.
func commitMany(t *testing.T, s *Store, n, round int) {
	t.Helper()
	const step = 20_000
	content := func(i, round int) []byte {
		return fmt.Appendf(nil, `{"id":%d,"name":"parcel number %d","state":"in transit","v":%d,"padding":"%0100d"}`, i, i, round, i)
	}
	version := uint64(round * ((n + step - 1) / step))
	for i := 0; i < n; i += step {
		c := &differ.Commit{Source: "shop", Version: version}
		for j := i; j < min(i+step, n); j++ {
			if round > 0 {
				b := differ.Before{Item: len(c.Items), Change: differ.Updated, Hash: differ.Hash{1}, Old: content(j, round-1)}
				c.Before = append(c.Before, b)
			}
			c.Items = append(c.Items, differ.Item{
				Key: fmt.Sprintf("k%07d", j), Hash: differ.Hash{1}, Revision: uint64(round), Content: content(j, round), Seen: time.Now(),
			})
		}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		version++
	}
}

// often says how long something takes, which gives at least so many.
func often(t *testing.T, what string, do func(i int) (int, error), least int) {
	t.Helper()
	var took []time.Duration
	for i := range 200 {
		began := time.Now()
		n, err := do(i)
		if took = append(took, time.Since(began)); err != nil || n < least {
			t.Fatalf("%s gave %d, want at least %d: %v", what, n, least, err)
		}
	}
	slices.Sort(took)
	t.Logf("%s: median %s, p99 %s", what, took[100], took[198])
}

// beside gives how long the longest of the commits took that were made while
// something was done.
func beside(t *testing.T, s *Store, do func()) (longest time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan time.Duration)
	go func() {
		var longest time.Duration
		for v := uint64(0); ctx.Err() == nil; v++ {
			began := time.Now()
			if err := s.Commit(context.Background(), &differ.Commit{Source: "beside", Version: v}); err != nil {
				t.Error(err)
			}
			longest = max(longest, time.Since(began))
		}
		ended <- longest
	}()
	do()
	cancel()
	return <-ended
}
