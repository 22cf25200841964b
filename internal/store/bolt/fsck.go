package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"go.etcd.io/bbolt"
)

// FaultKind is what is wrong with a file, by what can be done about it.
type FaultKind string

// Kinds of faults.
const (
	// FaultFile: the file is none, or cut, or one of its two heads is gone.
	FaultFile FaultKind = "file"
	// FaultPage: a page cannot be read, and what stands below it neither.
	FaultPage FaultKind = "page"
	// FaultRecord: a record is damaged, or needs one that is not there.
	FaultRecord FaultKind = "record"
	// FaultIndex: what is derived from records contradicts them; Repair
	// makes it anew from those, and nothing is lost.
	FaultIndex FaultKind = "index"
)

// maxFaults is how many faults are told in words; all are counted.
const maxFaults = 1_000

// Fault is one thing that is wrong with a file.
type Fault struct {
	Kind FaultKind `json:"kind"`
	Text string    `json:"text"` // which page or record, and what of it
}

// Findings is what there is to say of a file.
type Findings struct {
	Size    int64             `json:"size"`    // of the file, in bytes
	Records map[string]int    `json:"records"` // that could be read, by bucket
	Faults  []Fault           `json:"faults"`  // the first 1,000, each once
	Counts  map[FaultKind]int `json:"counts"`  // of all of them

	told map[string]bool
}

// Damaged says whether there is any fault.
func (f *Findings) Damaged() bool { return len(f.Counts) > 0 }

// add notes a fault, once.
func (f *Findings) add(kind FaultKind, err error) {
	text := err.Error()
	if f.told[text] {
		return
	}
	f.Counts[kind]++
	if len(f.Faults) < maxFaults {
		f.told[text] = true
		f.Faults = append(f.Faults, Fault{kind, text})
	}
}

func newFindings() *Findings {
	return &Findings{Records: map[string]int{}, Faults: []Fault{}, Counts: map[FaultKind]int{}, told: map[string]bool{}}
}

// Examine reads all of a file that nobody writes, and says what is wrong with
// it. An error is one of reading: ErrInUse, or a file of a newer schema or of
// another program. Damage is none. progress, if any, is told how many records
// of how many are read.
func Examine(ctx context.Context, path string, progress func(done, of int64)) (*Findings, error) {
	f := newFindings()
	s := &Store{log: slog.New(slog.DiscardHandler), hands: newHands()}
	err := s.examine(ctx, path, f, progress)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return f, nil
}

func (s *Store) examine(ctx context.Context, path string, f *Findings, progress func(done, of int64)) (err error) {
	fresh, err := s.look(path, true)
	if err != nil {
		return err
	}
	if fresh {
		return fs.ErrNotExist
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f.Size = info.Size()
	if err := s.mount(path, true); err != nil {
		if errors.Is(err, ErrDamaged) {
			f.add(FaultFile, err)
			return nil
		}
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	if err := s.examineHeads(path, f); err != nil {
		return err
	}
	sound := true
	if err := s.guard(func() error {
		return s.walkPages(path, func(err error) {
			f.add(kindOfPage(err), err)
			sound = false
		})
	}); err != nil || !sound {
		return err // bbolt can't be trusted to read on
	}
	err = s.guard(func() error {
		return s.db.View(func(btx *bbolt.Tx) error {
			_, err := readSchema(btx)
			return err
		})
	})
	if errors.Is(err, ErrDamaged) {
		f.add(FaultRecord, err)
		return nil
	}
	if err != nil {
		return err
	}
	return s.examineRecords(ctx, f, progress)
}

func kindOfPage(err error) FaultKind {
	if errors.Is(err, errCut) {
		return FaultFile
	}
	return FaultPage
}

func (s *Store) examineHeads(path string, f *Findings) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, whole, err := readHeads(file); err == nil && whole < 2 {
		f.add(FaultFile, fmt.Errorf("one of the file's two heads is %w: what was committed last may be missing", ErrDamaged))
	}
	return nil
}

// examineRecords reads each record, what it refers to and what refers to it.
func (s *Store) examineRecords(ctx context.Context, f *Findings, progress func(done, of int64)) error {
	total := 0
	err := s.view(func(t *tx) error {
		for _, b := range buckets() {
			if t.has(b) {
				total += t.bucket(b).Stats().KeyN
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	done := 0
	tally := tallies{}
	err = s.each(ctx, func(t *tx, b bucket, k, v []byte) error {
		if done++; progress != nil && done%checkStep == 0 {
			progress(int64(done), int64(total))
		}
		err := t.checkOne(b, k, v)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
		if err != nil {
			f.add(kindOf(b, err), err)
			return nil
		}
		f.Records[string(b)]++
		return tally.take(b, k, v)
	})
	if err != nil {
		return err
	}
	return s.view(func(t *tx) error { return tally.compare(t, f) })
}

// kindOf is the kind of a fault that a record of a bucket has.
func kindOf(b bucket, err error) FaultKind {
	derived := []bucket{bucketLanes, bucketDue, bucketDead, bucketUpdates, bucketGone, bucketLetters, bucketBySource, bucketByEndpoint}
	counted := []bucket{bucketDeliveries, bucketEndpoints, bucketEvents}
	if slices.Contains(derived, b) || slices.Contains(counted, b) && errors.Is(err, errContradiction) {
		return FaultIndex
	}
	return FaultRecord
}

// tallies count deliveries, by endpoint.
type tallies map[string]*tally

type tally struct{ waiting, dead int }

func (c tallies) take(b bucket, k, v []byte) error {
	if b != bucketDeliveries {
		return nil
	}
	d, err := readDelivery(k, v)
	if err != nil {
		return err
	}
	if c[d.endpoint] == nil {
		c[d.endpoint] = &tally{}
	}
	switch {
	case d.state == stateWaiting:
		c[d.endpoint].waiting++
	case d.letter():
		c[d.endpoint].dead++
	}
	return nil
}

// compare holds the counts of endpoints against what was counted.
func (c tallies) compare(t *tx, f *Findings) error {
	for name, n := range c {
		e, err := t.readEndpoint(name)
		if errors.Is(err, ErrDamaged) {
			continue // told
		}
		if err != nil {
			return err
		}
		if e.Waiting != n.waiting || e.Dead != n.dead {
			f.add(FaultIndex, misplaced(bucketEndpoints, []byte(name),
				fmt.Sprintf("counts %d deliveries that wait and %d dead letters where there are %d and %d", e.Waiting, e.Dead, n.waiting, n.dead)))
		}
	}
	return nil
}

// each calls do for every record, in transactions of some. Others may write
// meanwhile.
func (s *Store) each(ctx context.Context, do func(t *tx, b bucket, k, v []byte) error) error {
	for _, b := range buckets() {
		for from := []byte{}; from != nil; {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := s.view(func(t *tx) (err error) {
				from, err = t.some(b, from, func(k, v []byte) error { return do(t, b, k, v) })
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// some calls do for some records and gives the key to go on at.
func (t *tx) some(b bucket, from []byte, do func(k, v []byte) error) (next []byte, err error) {
	if !t.has(b) {
		return nil, nil
	}
	c := t.cursor(b)
	n := 0
	for k, v := c.Seek(from); k != nil; k, v = c.Next() {
		if n++; n > checkStep {
			return bytes.Clone(k), nil
		}
		if err := do(k, v); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Check reads every record, verifies its checksum and what it refers to, and
// gives the first damage. Others may write meanwhile.
func (s *Store) Check(ctx context.Context) error {
	err := s.each(ctx, (*tx).checkOne)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return nil
}

func (t *tx) checkOne(b bucket, k, v []byte) error {
	if _, err := unseal(b, k, v); err != nil {
		return err
	}
	return t.checkRecord(b, k, v)
}
