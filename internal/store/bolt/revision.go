package bolt

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// changeKind is differ.Change as a number.
type changeKind uint64

const (
	changeCreated changeKind = 1
	changeUpdated changeKind = 2
	changeDeleted changeKind = 3
)

func storedChange(c differ.Change) changeKind {
	switch c {
	case differ.Created:
		return changeCreated
	case differ.Deleted:
		return changeDeleted
	}
	return changeUpdated
}

func (c changeKind) shown() differ.Change {
	switch c {
	case changeCreated:
		return differ.Created
	case changeDeleted:
		return differ.Deleted
	}
	return differ.Updated
}

// storedRevision is a record of revisions.
type storedRevision struct {
	change  changeKind
	seen    time.Time
	was, is differ.Hash // of the content before the change, and after it
	omitted bool        // the content before is not there, though there was one
	old     []byte      // in the file
	life    uint64      // of its source
}

// preparedRevision is a change, encoded before its turn, but for the life of
// its source.
type preparedRevision struct {
	timeline []byte
	revision uint64
	body     record
}

func (p *prepared) addRevisions(c *differ.Commit) {
	for _, b := range c.Before {
		it, old := &c.Items[b.Item], b.Old
		omitted := len(old) > differ.MaxKept || len(old) == 0 && b.Change != differ.Created
		if omitted {
			old = nil
		}
		r := preparedRevision{
			timeline: timelinePrefix(p.stem, it.Key), revision: it.Revision,
			body: newRecord(len(old) + 64).uint(uint64(storedChange(b.Change))).time(it.Seen).
				raw(b.Hash[:]).raw(it.Hash[:]).flag(omitted).bytes(old),
		}
		p.changes = append(p.changes, r)
		p.size += len(r.timeline) + len(r.body)
	}
}

func readRevision(key, value []byte) (storedRevision, error) {
	f, err := unseal(bucketRevisions, key, value)
	if err != nil {
		return storedRevision{}, err
	}
	var r storedRevision
	r.change, r.seen = changeKind(f.uint()), f.time()
	copy(r.was[:], f.raw(uint64(len(r.was))))
	copy(r.is[:], f.raw(uint64(len(r.is))))
	r.omitted, r.old, r.life = f.flag(), f.bytes(), f.uint()
	if _, _, _, ok := cutRevisionKey(key); !ok {
		return storedRevision{}, damaged(bucketRevisions, key)
	}
	return r, f.end(bucketRevisions, key)
}

// putRevisions stores changes, and removes of each item the one that is then
// one too many: an item has no more than MaxRevisions, without a look at them.
func (t *tx) putRevisions(changes []preparedRevision, life uint64) error {
	for _, r := range changes {
		key := revisionKey(r.timeline, r.revision)
		body := slices.Clip(r.body).uint(life) // a copy, for it may be tried twice
		if err := t.put(bucketRevisions, key, body.seal(bucketRevisions, key)); err != nil {
			return err
		}
		if r.revision <= differ.MaxRevisions {
			continue
		}
		if err := t.drop(bucketRevisions, revisionKey(r.timeline, r.revision-differ.MaxRevisions)); err != nil {
			return err
		}
	}
	return nil
}

// dropTimeline removes the revisions of an item, whose key in items is given.
func (t *tx) dropTimeline(item []byte) error {
	stem, key, ok := cutItemKey(item)
	if !ok {
		return damaged(bucketItems, item)
	}
	return t.dropAll(bucketRevisions, timelinePrefix(stem, key))
}

// sweepRevisions removes the revisions that were seen before cutoff, and those
// of sources that began anew or were forgotten. It looks for them in read
// transactions, for which nobody waits, and writes only where it found some.
// One that is damaged is left to Check.
func (s *Store) sweepRevisions(ctx context.Context, cutoff time.Time) (n int, err error) {
	for from := []byte{}; from != nil; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		var keys [][]byte
		err := s.view(func(t *tx) (err error) {
			keys, from, err = t.staleRevisions(from, cutoff)
			return err
		})
		if err != nil {
			return n, err
		}
		if len(keys) == 0 {
			continue
		}
		removed := 0
		err = s.do(ctx, &request{
			check: func(*tx) error { return nil },
			apply: func(t *tx) (err error) {
				removed, err = t.dropStale(keys, cutoff)
				return err
			},
			size: 100 * len(keys),
		})
		if n += removed; err != nil {
			return n, err
		}
	}
	return n, nil
}

// staleRevisions gives the keys of those among the next sweepStep revisions
// that are to go, and the key to go on at.
func (t *tx) staleRevisions(from []byte, cutoff time.Time) (keys [][]byte, next []byte, err error) {
	lives := t.lives()
	return new(sweeper).collect(t, bucketRevisions, from, func(k, v []byte) (take, stop bool, err error) {
		r, err := readRevision(k, v)
		return err == nil && (r.seen.Before(cutoff) || r.life != lives(k)), false, nil
	})
}

// dropStale removes those of some revisions that are still to go.
func (t *tx) dropStale(keys [][]byte, cutoff time.Time) (n int, err error) {
	lives := t.lives()
	for _, k := range keys {
		r, err := readRevision(k, t.get(bucketRevisions, k))
		if err != nil || !r.seen.Before(cutoff) && r.life == lives(k) {
			continue
		}
		if err := t.drop(bucketRevisions, k); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// lives gives the life of the source of a revision, by the revision's key; 0:
// there is none that can be read. It remembers the last.
func (t *tx) lives() func(k []byte) uint64 {
	var last []byte
	var life uint64
	return func(k []byte) uint64 {
		if last != nil && bytes.HasPrefix(k, last) {
			return life
		}
		stem, _, ok := cutUnit(k)
		if !ok {
			return 0
		}
		src, _, err := t.source(stem)
		if last, life = itemPrefix(stem), src.Life; err != nil {
			life = 0
		}
		return life
	}
}
