package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/internal/store/storetest"
)

// file is a store that can be opened again.
type file struct {
	*bolt.Store
	path string
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "test.db") }

func open(t *testing.T, path string) file {
	t.Helper()
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, s) })
	return file{s, path}
}

// finish checks every record that a test leaves, and closes.
func finish(t *testing.T, s *bolt.Store) {
	t.Helper()
	if err := s.Check(context.Background()); err != nil && !errors.Is(err, bolt.ErrClosed) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Reopen opens the file again or, after a crash, a copy of it as it stands.
func (f file) Reopen(t *testing.T, crash bool) storetest.Store {
	if crash {
		return open(t, copyFile(t, f.path))
	}
	finish(t, f.Store)
	return open(t, f.path)
}

func copyFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := newPath(t)
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return open(t, newPath(t)) })
}

func TestSameAsMem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storetest.Compare(t,
			func(t *testing.T) (storetest.Store, func()) {
				s, err := bolt.Open(newPath(t), bolt.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return s, func() { finish(t, s) }
			},
			func(*testing.T) (storetest.Store, func()) { return mem.New(), func() {} })
	})
}

// TestSameAsMemWhileForgetting is TestSameAsMem where forgetting always ends
// after its first record, as by a kill: nobody may notice.
func TestSameAsMemWhileForgetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storetest.Compare(t,
			func(t *testing.T) (storetest.Store, func()) {
				s, err := bolt.Open(newPath(t), bolt.Options{})
				if err != nil {
					t.Fatal(err)
				}
				s.ForgetBy(1)
				return forgetful{s}, func() { finish(t, s) }
			},
			func(*testing.T) (storetest.Store, func()) { return mem.New(), func() {} })
	})
}

// forgetful is a store that is killed when it has begun to forget.
type forgetful struct{ *bolt.Store }

func (s forgetful) Forget(ctx context.Context, units ...string) error {
	_, err := s.ForgetStep(ctx, units...)
	return err
}

func TestOpenNewFile(t *testing.T) {
	path := newPath(t)
	open(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a new file has mode %v, %v", info.Mode(), err)
	}
}

func TestOpenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		open(t, path)
		for _, readOnly := range []bool{false, true} {
			began := time.Now()
			_, err := bolt.Open(path, bolt.Options{ReadOnly: readOnly})
			if !errors.Is(err, bolt.ErrInUse) || !strings.Contains(err.Error(), path) {
				t.Errorf("a second opener, readOnly %t, got %v", readOnly, err)
			}
			if took := time.Since(began); took < time.Second || took > 2*time.Second {
				t.Errorf("a second opener waited %s", took)
			}
		}
	})
}

func TestOpenRefused(t *testing.T) {
	write := func(content string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	foreign := func(t *testing.T, path string) {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("diun"))
			return err
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		make func(*testing.T, string)
		want string
	}{
		{"text", write(strings.Repeat("not a store\n", 2000)), "not a deltahook store"},
		{"short", write("x"), "not a deltahook store"},
		{"foreign", foreign, "another program"},
		{"newer", bolt.MakeNewer, "newer deltahook"},
		{"bucket missing", bolt.MakeBucketMissing, "bucket due is missing"},
		{"folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newPath(t)
			c.make(t, path)
			for _, readOnly := range []bool{true, false} {
				s, err := bolt.Open(path, bolt.Options{ReadOnly: readOnly})
				if err == nil {
					s.Close()
				}
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("readOnly %t: got %v, want %q", readOnly, err, c.want)
				}
			}
		})
	}
}

// TestOpenUnfinished opens what a process leaves that dies while it makes the
// file.
func TestOpenUnfinished(t *testing.T) {
	empty := newPath(t)
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	noBuckets := newPath(t)
	db, err := bbolt.Open(noBuckets, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, noBuckets} {
		if err := open(t, path).Commit(t.Context(), &differ.Commit{Source: "shop"}); err != nil {
			t.Error(err)
		}
	}
}

// TestOpenStub opens what a first start leaves on a full disk: some of what
// bbolt writes first.
func TestOpenStub(t *testing.T) {
	whole := newPath(t)
	db, err := bbolt.Open(whole, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	for _, length := range []int{1, 20, 60, page / 2, page, page + 40, 2 * page, 3 * page, 4*page - 1} {
		for _, content := range [][]byte{file[:length], make([]byte, length)} {
			path := newPath(t)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := bolt.Open(path, bolt.Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%d bytes, opened to read: %v", length, err)
			}
			s, err := bolt.Open(path, bolt.Options{})
			if err != nil {
				t.Errorf("%d bytes: %v", length, err)
				continue
			}
			if err := s.Commit(t.Context(), &differ.Commit{Source: "shop"}); err != nil {
				t.Error(err)
			}
			finish(t, s)
		}
	}
}

// TestOpenCutShort refuses the beginning of a store that was in use: it is not
// one to make anew.
func TestOpenCutShort(t *testing.T) {
	path := newPath(t)
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for v := range uint64(4) {
		if err := s.Commit(t.Context(), &differ.Commit{Source: "shop", Version: v}); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, s)
	length := int64(3 * os.Getpagesize())
	if err := os.Truncate(path, length); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Open(path, bolt.Options{}); err == nil {
		t.Error("it was opened")
	}
	if info, err := os.Stat(path); err != nil || info.Size() != length {
		t.Errorf("it was changed: %v, %v", info.Size(), err)
	}
}

func TestOpenWarnsOfOthers(t *testing.T) {
	path := newPath(t)
	finish(t, open(t, path).Store)
	for _, c := range []struct {
		mode fs.FileMode
		want bool
	}{{0o600, false}, {0o640, true}} {
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		s, err := bolt.Open(path, bolt.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		finish(t, s)
		if got := strings.Contains(log.String(), "others may read the store"); got != c.want {
			t.Errorf("mode %v: logged %q", c.mode, &log)
		}
	}
}

func TestReadOnly(t *testing.T) {
	path := newPath(t)
	if _, err := bolt.Open(path, bolt.Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that isn't there gave %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	w, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), &differ.Commit{Source: "shop", Shape: "v1"}); err != nil {
		t.Fatal(err)
	}
	finish(t, w)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	for range 2 { // two at once
		r, err := bolt.Open(path, bolt.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { finish(t, r) })
		for state, err := range r.Load(t.Context(), "shop") {
			if err != nil || state.Shape != "v1" {
				t.Errorf("read %+v, %v", state, err)
			}
		}
		_, sweepErr := r.Sweep(t.Context(), bolt.Retention{Events: time.Hour})
		for _, err := range []error{
			r.Commit(t.Context(), &differ.Commit{Source: "shop", Version: 1}),
			r.Keep(t.Context(), map[string]differ.Kept{"shop": {}}),
			sweepErr,
		} {
			if !errors.Is(err, bolt.ErrReadOnly) {
				t.Errorf("a write gave %v", err)
			}
		}
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("reading changed the file, %v", err)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, newPath(t))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, pendingErr := s.Pending(t.Context(), "hook", time.Now(), 1, nil)
	for _, err := range []error{s.Commit(t.Context(), &differ.Commit{Source: "shop"}), pendingErr} {
		if !errors.Is(err, bolt.ErrClosed) {
			t.Errorf("a closed store gave %v", err)
		}
	}
}

// TestOpenWhileItGrows opens a file after each of its first commits: small
// buckets lie within the page that names them, which becomes a tree meanwhile.
func TestOpenWhileItGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grows.db")
	for i := range 60 {
		s, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			t.Fatalf("after %d commits: %v", i, err)
		}
		source, key := fmt.Sprintf("source-%02d", i), strings.Repeat("k", i)
		if err := s.Commit(t.Context(), &differ.Commit{
			Source: source,
			Items:  []differ.Item{{Key: key, Hash: differ.Hash{1}, Revision: 1, Content: []byte(`{}`), Seen: time.Now()}},
			Notes:  []differ.Note{{Key: key, Name: "n", Data: []byte("1")}},
			Events: []differ.Event{{ID: fmt.Sprintf("e%02d", i), Source: source, Key: key, Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte("{}")}, {Endpoint: "dead", Dead: "so"}}}},
		}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Check(t.Context()), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that is too small for a store is as one of another kind.
func TestTooSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deltahook.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := bolt.Open(path, bolt.Options{})
	if !errors.Is(err, bolt.ErrDamaged) || !strings.Contains(err.Error(), "it has 5000 bytes") {
		t.Errorf("it opens with %v", err)
	}
}
