package bolt

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// fat fills a store with about so many bytes, of several sources.
func fat(t *testing.T, s *Store, size int) {
	t.Helper()
	const each = 64 << 10
	for i := 0; i*each*100 < size; i++ {
		c := &differ.Commit{Source: fmt.Sprintf("fat%06d", i)}
		for k := range min(100, size/each+1) {
			c.Items = append(c.Items, differ.Item{Key: strconv.Itoa(k), Hash: differ.Hash{1}, Revision: 1, Content: slices.Concat([]byte{'"'}, bytes.Repeat([]byte{'a' + byte(i%26)}, each), []byte{'"'})})
		}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// commits writes to sources of its own until it is told to end, and says how
// long each commit took. The first is made when it returns.
func commits(ctx context.Context, t *testing.T, s *Store, name string) func() []time.Duration {
	t.Helper()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		times []time.Duration
		once  sync.Once
		begun = make(chan struct{})
	)
	for i := range 8 {
		wg.Go(func() {
			defer once.Do(func() { close(begun) })
			for v := uint64(0); ctx.Err() == nil; v++ {
				began := time.Now()
				if err := s.Commit(context.Background(), killCommit(fmt.Sprint(name, i), v)); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				times = append(times, time.Since(began))
				mu.Unlock()
				once.Do(func() { close(begun) })
			}
		})
	}
	<-begun
	return func() []time.Duration {
		wg.Wait()
		slices.Sort(times)
		return times
	}
}

// TestBackupUnderLoad takes copies while others write, reads them slowly, and
// wants each to be one moment of the store, whole. It says what it cost.
// DELTAHOOK_TEST_BACKUP=1073741824 has a store of so many bytes.
func TestBackupUnderLoad(t *testing.T) {
	size, err := strconv.Atoi(cmp.Or(os.Getenv("DELTAHOOK_TEST_BACKUP"), "3000000"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fat(t, s, size)
	quiet, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	report(t, "alone", commits(quiet, t, s, "alone")())

	load, stop := context.WithCancel(t.Context())
	times := commits(load, t, s, "beside")
	began := time.Now()
	c, err := s.Copy(t.Context())
	took := time.Since(began)
	stop()
	report(t, "beside a copy", times())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a copy of %d MiB took %s", c.Size>>20, took)
	if _, err := s.Copy(t.Context()); !errors.Is(err, ErrCopying) {
		t.Errorf("a second copy: %v", err)
	}
	if names := folder(t, path); !slices.Equal(names, []string{"test.db"}) {
		t.Errorf("the folder has %q", names)
	}
	restored := filepath.Join(t.TempDir(), "restored.db")
	sum := sha256.New()
	file, err := os.OpenFile(restored, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.MultiWriter(file, sum), c)
	if err := errors.Join(err, file.Close(), c.Close()); err != nil || n != c.Size || !bytes.Equal(sum.Sum(nil), c.Sum[:]) {
		t.Fatalf("read %d of %d bytes: %v", n, c.Size, err)
	}
	verifyBackup(t, restored)
	if c, err = s.Copy(t.Context()); err != nil {
		t.Fatalf("the next one: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// verifyBackup holds that a file is whole and of one moment, and that it goes on.
func verifyBackup(t *testing.T, path string) {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	busy := 0
	for state, err := range s.Load(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if len(state.Items) != 2 {
			continue
		}
		busy++
		items, err := s.Items(t.Context(), state.Source, []string{"a", "b"})
		if err != nil || len(items) != 2 || items[0].Revision != state.Version || items[1].Revision != state.Version {
			t.Errorf("%s at version %d has items %+v, %v", state.Source, state.Version, items, err)
		}
		if err := s.Commit(t.Context(), killCommit(state.Source, state.Version)); err != nil {
			t.Errorf("%s does not go on: %v", state.Source, err)
		}
	}
	if busy == 0 {
		t.Error("nothing was written beside the backup")
	}
}

func report(t *testing.T, what string, times []time.Duration) {
	t.Helper()
	if len(times) == 0 {
		t.Fatalf("%s: no commit", what)
	}
	at := func(p float64) time.Duration { return times[int(p*float64(len(times)-1))].Round(10 * time.Microsecond) }
	t.Logf("%s: %d commits, p50 %s, p99 %s, max %s", what, len(times), at(.5), at(.99), at(1))
}

func TestBackupEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	populate(t, path)
	s, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Backup(ctx, io.Discard, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("when it is told to end: %v", err)
	}
	if _, err := s.Copy(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a copy that is told to end: %v", err)
	}
	full := errors.New("full")
	if err := s.Backup(t.Context(), failing{full}, nil); !errors.Is(err, full) {
		t.Errorf("what can't be written: %v", err)
	}
	var last, of int64
	var out bytes.Buffer
	if err := s.Backup(t.Context(), &out, func(done, all int64) { last, of = done, all }); err != nil || last != of || last != int64(out.Len()) {
		t.Errorf("%d bytes, told %d of %d: %v", out.Len(), last, of, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), io.Discard, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("of a closed store: %v", err)
	}
	if _, err := s.Copy(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a copy of a closed store: %v", err)
	}
	if names := folder(t, path); !slices.Equal(names, []string{"test.db"}) {
		t.Errorf("the folder has %q", names)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
