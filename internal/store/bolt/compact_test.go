package bolt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// grown is a file that was large once, and what is in it.
func grown(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var keys []string
	for i := range 3_000 {
		keys = append(keys, fmt.Sprintf("%05d", i))
	}
	tell(t, s, 0, keys...)
	states := map[string]emitter.State{}
	for _, key := range keys[:2_900] {
		states[key] = emitter.Delivered
	}
	settleAll(t, s, "hook", states)
	settleAll(t, s, "other", states)
	time.Sleep(time.Millisecond)
	if _, err := s.Sweep(t.Context(), Retention{Events: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	return path
}

// content is all records of a file, and the last number of a delivery.
func content(t *testing.T, path string) (all []string) {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	err = s.view(func(tx *tx) error {
		for _, b := range buckets() {
			all = append(all, fmt.Sprint(b, " ", tx.bucket(b).Sequence()))
			c := tx.cursor(b)
			for k, v := c.First(); k != nil; k, v = c.Next() {
				all = append(all, fmt.Sprintf("%s %x %x", b, k, sha256.Sum256(v)))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCompact(t *testing.T) {
	path := grown(t)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	want := content(t, path)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+compactSuffix, []byte("what a killed one left"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, after, err := Compact(t.Context(), link, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d KiB became %d KiB", before>>10, after>>10)
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if after*4 > before || info.Size() != after || info.Mode() != 0o640 {
		t.Errorf("%d bytes became %d, the file has %d and mode %s", before, after, info.Size(), info.Mode())
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link is %v, %v", info, err)
	}
	if got := content(t, path); !slices.Equal(got, want) {
		t.Errorf("the records (-want +got):\n%s", cmp.Diff(want, got))
	}
	if names := folder(t, path); !slices.Equal(names, []string{"test.db"}) {
		t.Errorf("the folder has %q", names)
	}
	// It goes on as it would have.
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Commit(t.Context(), &differ.Commit{Source: "shop", Version: 1, Events: []differ.Event{{ID: "f", Bodies: []differ.Body{{Endpoint: "hook"}}}}}); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Delivery(t.Context(), 6_001); err != nil || d.Event.ID != "f" {
		t.Errorf("the next delivery is %+v, %v", d, err)
	}
}

func folder(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestCompactRefused leaves the old file as it is.
func TestCompactRefused(t *testing.T) {
	path := grown(t)
	want := content(t, path)
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Compact(t.Context(), path, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("of a store in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Compact(ended, path, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("when it is told to end: %v", err)
	}
	if _, _, err := Compact(t.Context(), filepath.Join(t.TempDir(), "none.db"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of none: %v", err)
	}
	if got := content(t, path); !slices.Equal(got, want) {
		t.Errorf("the old file was changed (-want +got):\n%s", cmp.Diff(want, got))
	}
	if names := folder(t, path); !slices.Equal(names, []string{"test.db"}) {
		t.Errorf("the folder has %q", names)
	}
}
