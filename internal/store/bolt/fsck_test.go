package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/emitter"
)

func examine(t *testing.T, path string) *Findings {
	t.Helper()
	f, err := Examine(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// said is all that was found, as text.
func (f *Findings) said() string {
	var b strings.Builder
	for _, fault := range f.Faults {
		fmt.Fprintf(&b, "%s: %s\n", fault.Kind, fault.Text)
	}
	return b.String()
}

// harmed is a populated file that something was done to.
func harmed(t *testing.T, do func(file []byte) []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	populate(t, path)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, do(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExamineWhole(t *testing.T) {
	path := harmed(t, func(file []byte) []byte { return file })
	var done, of int64
	f, err := Examine(t.Context(), path, func(d, o int64) { done, of = d, o })
	if err != nil || f.Damaged() {
		t.Fatalf("a whole file: %v, %s", err, f.said())
	}
	if f.Records["deliveries"] == 0 || f.Records["items"] == 0 || done > of {
		t.Errorf("records %v, told %d of %d", f.Records, done, of)
	}
	if _, err := Repair(t.Context(), filepath.Join(t.TempDir(), "none.db"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("repair of none: %v", err)
	}
}

// TestTorn has a file torn in each way there is, and wants it named when it is
// opened to run, when it is examined, and a repair that says what it cost, or
// that it can't be.
func TestTorn(t *testing.T) {
	const page = 4096
	pageOf := func(file []byte, kind uint16) int {
		for at := 2 * page; at+page <= len(file); at += page {
			if binary.NativeEndian.Uint16(file[at+8:]) == kind && binary.NativeEndian.Uint64(file[at:]) == uint64(at/page) && binary.NativeEndian.Uint16(file[at+10:]) > 0 {
				return at
			}
		}
		t.Fatalf("no page of kind %d", kind)
		return 0
	}
	for name, play := range map[string]struct {
		do       func(file []byte) []byte
		kind     FaultKind
		opens    string // "": it does, as nothing is missing that it needs
		says     string
		hopeless bool
	}{
		"the end is cut off": {
			do:   func(file []byte) []byte { return file[:len(file)-page] },
			kind: FaultFile, opens: "bytes of", says: "the file is damaged: it has",
		},
		"both heads": {
			do:   func(file []byte) []byte { clear(file[:2*page]); return file },
			kind: FaultFile, opens: "damaged, or not a deltahook store", says: "neither of the file's two heads is whole", hopeless: true,
		},
		"a page of zeros": {
			do: func(file []byte) []byte {
				at := pageOf(file, leafFlag)
				clear(file[at : at+page])
				return file
			},
			kind: FaultPage, opens: "is damaged: it says that it is page 0", says: "is damaged: it says that it is page 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := harmed(t, func(file []byte) []byte { return file })
			s, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			fill(t, s) // so that nothing stands in the root's page
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			trim(t, path)
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file = play.do(file)
			for at := 2 * page; name == "a page of zeros" && at+page <= len(file); at += page {
				// Pages that nobody refers to don't count: all leaves of it.
				if binary.NativeEndian.Uint16(file[at+8:]) == leafFlag && at > len(file)/2 {
					clear(file[at : at+page])
				}
			}
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(path, Options{}); err == nil {
				_ = s.Close()
				t.Error("it opens")
			} else if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), play.opens) {
				t.Errorf("opened: %v, want %q", err, play.opens)
			}
			f := examine(t, path)
			if f.Counts[play.kind] == 0 || !strings.Contains(f.said(), play.says) {
				t.Errorf("examined: %v\n%s, want %s: %q", f.Counts, f.said(), play.kind, play.says)
			}
			r, err := Repair(t.Context(), path, nil)
			if play.hopeless {
				if err == nil || !strings.Contains(err.Error(), "restore a backup") {
					t.Errorf("repaired: %v", err)
				}
				if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, file) {
					t.Errorf("it was changed, %v", err)
				}
				return
			}
			if err != nil || len(r.Lost) == 0 {
				t.Fatalf("repaired: %+v, %v", r, err)
			}
			if kept, err := os.ReadFile(r.Kept); err != nil || !bytes.Equal(kept, file) {
				t.Errorf("the damaged file is not as it was: %v", err)
			}
			if f := examine(t, path); f.Damaged() {
				t.Errorf("after the repair:\n%s", f.said())
			}
		})
	}
}

// fill writes so much that no bucket's records stand in the root's page.
func fill(t *testing.T, s *Store) {
	t.Helper()
	for _, source := range []string{"a", "b", "c", "d"} {
		for v := range uint64(60) {
			if err := s.Commit(t.Context(), killCommit(source, v)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestOneHead damages one of the two heads: the file opens, as it was one
// transaction before or at the last one, and examining it says so.
func TestOneHead(t *testing.T) {
	for i := range 2 {
		path := harmed(t, func(file []byte) []byte {
			file[i*4096+40] ^= 1
			return file
		})
		f := examine(t, path)
		if f.Counts[FaultFile] != 1 || !strings.Contains(f.said(), "one of the file's two heads") {
			t.Errorf("head %d: %s", i, f.said())
		}
		if _, err := Repair(t.Context(), path, nil); err != nil {
			t.Error(err)
		}
		if f := examine(t, path); f.Damaged() {
			t.Errorf("head %d, repaired: %s", i, f.said())
		}
	}
}

// TestRepairIndexes spoils all that is derived: nothing is lost.
func TestRepairIndexes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	populate(t, path)
	want := content(t, path)
	tamper(t, path, func(btx *bbolt.Tx) error {
		for _, b := range []bucket{bucketLanes, bucketDue, bucketDead, bucketLetters, bucketBySource, bucketByEndpoint} {
			if err := btx.DeleteBucket([]byte(b)); err != nil {
				return err
			}
			if _, err := btx.CreateBucket([]byte(b)); err != nil {
				return err
			}
		}
		return nil
	})
	f := examine(t, path)
	if f.Counts[FaultIndex] == 0 || f.Counts[FaultRecord]+f.Counts[FaultPage] > 0 {
		t.Errorf("examined: %v\n%s", f.Counts, f.said())
	}
	r, err := Repair(t.Context(), path, nil)
	if err != nil || len(r.Lost) > 0 {
		t.Fatalf("repaired: %+v, %v", r, err)
	}
	if got := content(t, path); !slices.Equal(got, want) {
		t.Errorf("not as it was:\n%s", strings.Join(got, "\n"))
	}
}

// TestRepairRecords damages each record of a file in turn. What is left is
// whole, and what was lost is named.
func TestRepairRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	populate(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type one struct {
		b    bucket
		k, v []byte
	}
	var all []one
	s, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	err = s.each(t.Context(), func(_ *tx, b bucket, k, v []byte) error {
		all = append(all, one{b, bytes.Clone(k), bytes.Clone(v)})
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		bad := bytes.Clone(r.v)
		bad[rand.IntN(len(bad))] ^= 1 << rand.IntN(8)
		if err := os.WriteFile(path, bytes.ReplaceAll(whole, r.v, bad), 0o600); err != nil {
			t.Fatal(err)
		}
		name := describe(r.b, r.k)
		f := examine(t, path)
		if !f.Damaged() || !strings.Contains(f.said(), name) {
			t.Errorf("%s was damaged, found %s", name, f.said())
		}
		got, err := Repair(t.Context(), path, nil)
		if err != nil {
			t.Errorf("%s was damaged: %v", name, err)
			continue
		}
		schemaRecord := r.b == bucketMeta && string(r.k) == schemaKey
		if !schemaRecord && !strings.Contains(strings.Join(got.Lost, "\n"), name) {
			t.Errorf("%s was damaged, and left out was %q", name, got.Lost)
		}
		if f := examine(t, path); f.Damaged() {
			t.Errorf("%s was damaged; after the repair:\n%s", name, f.said())
		}
		if err := os.Remove(got.Kept); err != nil {
			t.Error(err)
		}
	}
}

// TestRepairedDelivery goes on with what is left of a delivery: one whose record
// is gone is made anew from its lane, and one whose payload is gone is a dead
// letter that is never sent.
func TestRepairedDelivery(t *testing.T) {
	s := twoEach(t)
	path := s.db.Path()
	spoil(t, s, bucketDeliveries, numberKey(1))
	spoil(t, s, bucketBodies, bodyKey("b-00000000", 0))
	spoil(t, s, bucketEndpoints, []byte("hook"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Repair(t.Context(), path, nil)
	if err != nil || r.Revived != 1 {
		t.Fatalf("repaired: %+v, %v", r, err)
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if due, batch := numbers(t, s, 10); !slices.Equal(due, []uint64{1, 3, 5}) || batch.Damaged > 0 {
		t.Errorf("due %v, %d damaged", due, batch.Damaged)
	}
	if d, err := s.Delivery(t.Context(), 2); err != nil || d.State != emitter.Dead {
		t.Errorf("the one without a payload is %+v, %v", d, err)
	}
	if e, err := s.Endpoint(t.Context(), "hook"); err != nil || e.Waiting != 5 || e.Dead != 1 {
		t.Errorf("the endpoint counts %+v, %v", e, err)
	}
	if err := s.Commit(t.Context(), benchCommit("a", 2)); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Delivery(t.Context(), 7); err != nil || d.Event.Source != "a" {
		t.Errorf("the next one is %+v, %v", d, err)
	}
}

// TestRepairNoise repairs files with noise in them: each is whole then, or was
// left as it was.
func TestRepairNoise(t *testing.T) {
	whole, err := os.ReadFile(harmed(t, func(file []byte) []byte { return file }))
	if err != nil {
		t.Fatal(err)
	}
	tries, mended := 60, 0
	if testing.Short() {
		tries = 12
	}
	for i := range uint64(tries) {
		r := rand.New(rand.NewPCG(i, 1))
		file := bytes.Clone(whole)
		for range 1 + i%50 {
			file[8192+r.IntN(len(file)-8192)] = byte(r.IntN(256))
		}
		if i%3 == 0 {
			file = file[:8192+r.IntN(len(file)-8192)]
		}
		path := filepath.Join(t.TempDir(), "test.db")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Repair(t.Context(), path, nil); err != nil {
			t.Logf("file %d: %v", i, err)
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, file) {
				t.Errorf("file %d was changed, %v", i, err)
			}
			continue
		}
		mended++
		if f := examine(t, path); f.Damaged() {
			t.Errorf("file %d, repaired: %s", i, f.said())
		}
	}
	if mended < tries/2 {
		t.Errorf("only %d of %d were repaired", mended, tries)
	}
}

// TestRepairRefused leaves the file alone.
func TestRepairRefused(t *testing.T) {
	path := grown(t)
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Repair(t.Context(), path, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("repair of a store in use: %v", err)
	}
	if _, err := Examine(t.Context(), path, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("examine a store in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Repair(ended, path, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("when it is told to end: %v", err)
	}
	if names := folder(t, path); !slices.Equal(names, []string{"test.db"}) {
		t.Errorf("the folder has %q", names)
	}
	tamper(t, path, func(btx *bbolt.Tx) error {
		key := []byte(schemaKey)
		return btx.Bucket([]byte(bucketMeta)).Put(key, newRecord(1).uint(schema+1).seal(bucketMeta, key))
	})
	for name, do := range map[string]func() error{
		"repair":  func() error { _, err := Repair(t.Context(), path, nil); return err },
		"examine": func() error { _, err := Examine(t.Context(), path, nil); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("schema version %d", schema+1)) {
			t.Errorf("%s a newer one: %v", name, err)
		}
	}
}
