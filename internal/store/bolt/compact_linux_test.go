package bolt

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"

	"github.com/deltahook/deltahook/differ"
)

// TestOpenDuringCompact has somebody wait for the lock of a file that is
// another one when it gets it.
func TestOpenDuringCompact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := grown(t)
		fresh := grown(t)
		old, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		opened := make(chan *Store)
		go func() {
			s, err := Open(path, Options{})
			if err != nil {
				t.Error(err)
			}
			opened <- s
		}()
		synctest.Wait() // it has the old file open, and waits for its lock
		if err := errors.Join(os.Rename(fresh, path), old.Close()); err != nil {
			t.Fatal(err)
		}
		s := <-opened
		if s == nil {
			t.FailNow()
		}
		if err := s.Keep(t.Context(), map[string]differ.Kept{"mark": {}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = Open(path, Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		found := false
		for state, err := range s.Load(t.Context(), "mark") {
			found = err == nil && state.Source == "mark"
		}
		if !found {
			t.Error("what was written went to the file that is gone")
		}
	})
}
