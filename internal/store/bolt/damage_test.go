package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/auth"
)

// populate makes a file that has a record of every kind.
func populate(t *testing.T, path string) {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := killCommit("shop", 0)
	c.Items = append(c.Items, differ.Item{Key: "gone/\x00", Revision: 4, Seen: now})
	c.Notes = []differ.Note{{Name: "hold", Data: []byte("of the unit")}, {Key: "a", Name: "rule/x", Data: []byte{0, 1}}}
	c.Events[0].Bodies = append(c.Events[0].Bodies, differ.Body{Endpoint: "three", Payload: []byte("3"), Coalesce: true})
	for v := range uint64(4) { // more of a lane, so that some wait behind
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		c = killCommit("shop", v+1)
	}
	batch, err := s.Pending(t.Context(), "one", now.Add(time.Hour), 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make([]emitter.Outcome, len(batch.Due))
	for i, d := range batch.Due {
		outcomes[i] = emitter.Outcome{
			Delivery: d,
			Attempt:  emitter.Attempt{At: now, Took: time.Second, Status: 500, Error: emitter.ErrorTimeout, Reason: "status 500", Response: []byte("oh")},
			Verdict:  emitter.Verdict{State: emitter.Dead, Reason: "gone"},
			Health:   &emitter.Health{Hold: now.Add(time.Hour), Pause: emitter.PauseGone, Reason: "gone"},
		}
	}
	if err := s.Commit(t.Context(), killCommit("old", 0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Rename(t.Context(), "old", "new"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Left(t.Context(), func(source string) bool { return source == "shop" }); err != nil {
		t.Fatal(err)
	}
	saved := s.SaveToken(t.Context(), "spotify", auth.Record{Origin: "o", Refresh: "a refresh token", Since: now})
	if err := errors.Join(saved, s.Settle(t.Context(), outcomes), s.Close()); err != nil {
		t.Fatal(err)
	}
	trim(t, path)
}

// trim cuts the pages off a file that were never used.
func trim(t *testing.T, path string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	used := len(bytes.TrimRight(file, "\x00"))
	if err := os.Truncate(path, int64((used+page-1)/page*page)); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedValue flips one bit of each record in turn, and wants the record
// named.
func TestDamagedValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	populate(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type found struct {
		name  string
		value []byte
	}
	records := map[bucket][]found{}
	s, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	err = s.view(func(tx *tx) error {
		for _, b := range buckets() {
			c := tx.cursor(b)
			for k, v := c.First(); k != nil; k, v = c.Next() {
				records[b] = append(records[b], found{describe(b, k), bytes.Clone(v)})
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	for _, b := range buckets() {
		if len(records[b]) == 0 {
			t.Errorf("no record of %s was tried", b)
		}
		for _, r := range records[b] {
			bad := bytes.Clone(r.value)
			bad[rand.IntN(len(bad))] ^= 1 << rand.IntN(8)
			file := bytes.ReplaceAll(whole, r.value, bad) // older pages have copies
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			err := openAndCheck(t, path)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), r.name) {
				t.Errorf("%s was damaged, and the error is %v", r.name, err)
			}
		}
	}
}

func openAndCheck(t *testing.T, path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	return errors.Join(s.Check(t.Context()), s.Close())
}

// TestDamagedContent reads a damaged item in each way there is, and wants that
// the others of its source can still be read and written.
func TestDamagedContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	populate(t, path)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := killCommit("shop", 3).Items[0].Content
	if err := os.WriteFile(path, bytes.ReplaceAll(file, old, bytes.ToUpper(old)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const name = `items record of source "shop" key "a" is damaged`
	_, itemsErr := s.Items(t.Context(), "shop", []string{"b", "a"})
	_, _, snapshotErr := s.Snapshot(t.Context(), "shop")
	var loadErr error
	for _, err := range s.Load(t.Context()) {
		loadErr = err
	}
	for i, err := range []error{itemsErr, snapshotErr, loadErr} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("read %d gave %v", i, err)
		}
	}
	if items, err := s.Items(t.Context(), "shop", []string{"b"}); err != nil || len(items) != 1 {
		t.Errorf("the other item: %d, %v", len(items), err)
	}
	if err := s.Commit(t.Context(), killCommit("other", 0)); err != nil {
		t.Errorf("another source: %v", err)
	}
}

// TestMovedRecord puts a whole record under another key and into another
// bucket, where its checksum must not hold.
func TestMovedRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	populate(t, path)
	tamper(t, path, func(btx *bbolt.Tx) error {
		items := btx.Bucket([]byte(bucketItems))
		return items.Put(itemKey("shop", "b"), bytes.Clone(items.Get(itemKey("shop", "a"))))
	})
	const want = `items record of source "shop" key "b" is damaged`
	if err := openAndCheck(t, path); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// FuzzPage reads a page that holds anything.
func FuzzPage(f *testing.F) {
	file, err := os.ReadFile(fixture)
	if err != nil {
		f.Fatal(err)
	}
	const size = 4096
	for at := 0; at < len(file); at += size {
		f.Add(file[at : at+size])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePage(data[:min(size, len(data))], len(data))
		if err != nil {
			return
		}
		p.file = bytes.NewReader(data)
		w := pages{file: &chunks{of: p.file}, size: size}
		elements, err := p.elements(nil, keyRange{})
		if err != nil {
			return
		}
		for i, e := range elements {
			if i > 0 && bytes.Compare(elements[i-1].key, e.key) >= 0 {
				t.Errorf("key %d is out of order", i)
			}
			if _, err := p.read(e.at, e.length); p.flags == leafFlag && err != nil {
				t.Errorf("value %d: %v", i, err)
			}
			_ = w.bucket(p, e)
		}
	})
}

// FuzzRecord reads records that hold anything behind a checksum that is right.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("\x03abc\x04shop\x00\x01a"))
	f.Fuzz(func(t *testing.T, body []byte) {
		key := []byte("key")
		seal := func(b bucket) []byte { return newRecord(len(body)).raw(body).seal(b, key) }
		for b, read := range map[bucket]func([]byte) error{
			bucketItems:      func(v []byte) error { _, err := readItem(key, v); return err },
			bucketRevisions:  func(v []byte) error { _, err := readRevision(key, v); return err },
			bucketMeta:       func(v []byte) error { _, err := readLeft(key, v); return err },
			bucketEvents:     func(v []byte) error { _, err := readEvent(key, v); return err },
			bucketDeliveries: func(v []byte) error { _, err := readDelivery(key, v); return err },
			bucketAttempts:   func(v []byte) error { _, err := readAttempt(key, v); return err },
			bucketSources:    func(v []byte) error { return unsealJSON(bucketSources, key, v, &storedSource{}) },
		} {
			if err := read(seal(b)); err != nil && !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: %v", b, err)
			}
		}
		for _, b := range buckets() {
			_ = describe(b, body)
		}
	})
}

// TestDamagedPages writes noise into files, cuts them short, and wants an
// error, or a store that works; never a panic, nor a walk without end.
func TestDamagedPages(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "test.db")
	populate(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tries := 400
	if testing.Short() {
		tries = 50
	}
	refused := 0
	for i := range uint64(tries) {
		r := rand.New(rand.NewPCG(i, 0))
		file := bytes.Clone(whole)
		switch i % 4 {
		case 0: // somewhere
			file[r.IntN(len(file))] ^= byte(1 + r.IntN(255))
		case 1: // in a page's header and the places of its records
			file[r.IntN(len(file)/4096)*4096+r.IntN(64)] ^= byte(1 + r.IntN(255))
		case 2: // a lot
			for range 200 {
				file[r.IntN(len(file))] = byte(r.IntN(256))
			}
		case 3: // the end is gone
			file = file[:r.IntN(len(file))]
		}
		try := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(try, file, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(try, Options{})
		if err != nil {
			refused++
			continue
		}
		for _, err := range s.Load(t.Context()) {
			if err != nil {
				break
			}
		}
		commitErr := s.Commit(t.Context(), killCommit("shop", 4))
		checkErr := s.Check(t.Context())
		if err := s.Close(); err != nil {
			t.Errorf("file %d: close: %v", i, err)
		}
		// A damaged head of the file makes bbolt go back one transaction.
		if checkErr != nil {
			refused++
		} else if commitErr != nil && !errors.Is(commitErr, differ.ErrConflict) {
			t.Errorf("file %d: whole, but commit gave %v", i, commitErr)
		}
	}
	if refused < tries/4 {
		t.Errorf("only %d of %d damaged files were refused", refused, tries)
	}
	t.Logf("%d of %d damaged files were refused", refused, tries)
}

// TestManyPagesOfBuckets opens a file whose buckets don't fit into one page:
// small ones stand in the root's pages themselves.
func TestManyPagesOfBuckets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Update(func(btx *bbolt.Tx) error {
		for i, b := range buckets() {
			for k := range 1 + 200*(i%2) { // half of them have pages of their own
				if err := btx.Bucket([]byte(b)).Put(fmt.Appendf(nil, "z%d", k), make([]byte, 600)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
