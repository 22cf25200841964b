package bolt

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// TestSweepLeft forgets a source when it has been gone for long enough, counted
// from when that was first noted, and not one that came back.
func TestSweepLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		put := func(source, watch string, items int) {
			t.Helper()
			c := &differ.Commit{Source: source, Watch: watch, Notes: []differ.Note{{Name: "n", Data: []byte("x")}}}
			for i := range items {
				c.Items = append(c.Items, differ.Item{Key: fmt.Sprint(i), Hash: differ.Hash{1}, Content: []byte(`1`), Seen: time.Now()})
			}
			if err := s.Commit(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
		left := func(configured ...string) {
			t.Helper()
			there := map[string]bool{}
			for _, name := range configured {
				there[name] = true
			}
			if _, err := s.Left(t.Context(), func(source string) bool { return there[source] }); err != nil {
				t.Fatal(err)
			}
		}
		put("stays", "", 1)
		put("big", "", 2_500)
		var wg sync.WaitGroup
		for i := range 1_500 { // more than a step takes
			wg.Go(func() { put("watched", fmt.Sprint(i), 1) })
		}
		wg.Wait()
		put("back", "", 1)
		put("late", "", 1)
		if err := s.Rename(t.Context(), "big", "large"); err != nil {
			t.Fatal(err)
		}
		left("stays", "late")
		time.Sleep(time.Hour)
		left("stays", "back")
		keep := Retention{Events: time.Hour}
		sweep(t, s, keep, 0)
		time.Sleep(time.Minute)
		sweep(t, s, keep, 2_502+1_500*3)
		names := map[string]int{}
		for state, err := range s.Load(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			names[state.Unit()] = len(state.Items)
		}
		if len(names) != 3 || names["stays"] != 1 || names["back"] != 1 || names["late"] != 1 {
			t.Errorf("left are %v", names)
		}
		put("watched", "7", 0) // it begins anew
		time.Sleep(time.Hour)
		sweep(t, s, keep, 3)
		if n := count(t, s)[bucketMeta]; n != 1+2 {
			t.Errorf("%d records in meta, want the schema and two names", n)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if state, _, err := s.Snapshot(t.Context(), poller.Unit("watched", "7")); err != nil || state.Version != 1 {
			t.Errorf("what began anew is at %d, %v", state.Version, err)
		}
	})
}
