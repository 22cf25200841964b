package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

const (
	// compactStep is about how many bytes are written in one transaction.
	compactStep = 8 << 20
	// compactSuffix is of the new file, until it takes the old one's place.
	compactSuffix = ".compact"
)

// ErrNoSpace says that there is no room beside a file for a new one.
var ErrNoSpace = errors.New("not enough space")

// resolved is the file that a path leads to.
func resolved(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fs.ErrNotExist // less the system's name of the call
	}
	return target, err
}

// Compact writes the file at path anew, without the space that is free in it,
// and gives its sizes. A file that another process holds gives ErrInUse.
//
// The new file is made beside the old one, compared with it record by record,
// made durable, given the mode and the owner of the old one, and put in its
// place. Whatever goes wrong before that leaves the old one as it was; a new
// one that was not finished is made anew by the next Compact. ctx ends it
// between transactions.
func Compact(ctx context.Context, path string, log *slog.Logger) (before, after int64, err error) {
	fail := func(err error) (int64, int64, error) {
		return 0, 0, fmt.Errorf("compact store %s: %w", path, err)
	}
	// Whoever reaches it by a link still does so afterwards.
	target, err := resolved(path)
	if err != nil {
		return fail(err)
	}
	s, err := Open(target, Options{Logger: log})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	info, err := os.Stat(target)
	if err != nil {
		return fail(err)
	}
	if err := s.room(target); err != nil {
		return fail(err)
	}
	beside := target + compactSuffix
	if err := s.copyTo(ctx, beside, info); err != nil {
		return fail(errors.Join(err, ignoreMissing(os.Remove(beside))))
	}
	// The old file's lock is held until it is gone: who waits for it finds
	// that it is another's place then, see mount.
	if err := os.Rename(beside, target); err != nil {
		return fail(errors.Join(err, ignoreMissing(os.Remove(beside))))
	}
	if err := syncFolder(filepath.Dir(target)); err != nil {
		return fail(err)
	}
	fresh, err := os.Stat(target)
	if err != nil {
		return fail(err)
	}
	return info.Size(), fresh.Size(), nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// room is an error where what the file holds does not fit beside it.
func (s *Store) room(path string) error {
	used, err := s.used()
	if err != nil {
		return err
	}
	return roomFor(path, used+used/16)
}

// roomFor is an error where so many bytes, and what the store grows by
// meanwhile, do not fit beside a file.
func roomFor(path string, size int64) error {
	need := size + 2*growth
	free, known, err := freeSpace(filepath.Dir(path))
	if err != nil || !known {
		return err
	}
	if free < need {
		return fmt.Errorf("%w in %s: %d MiB are free, and the new file needs up to %d", ErrNoSpace, filepath.Dir(path), free>>20, need>>20+1)
	}
	return nil
}

// used is how many bytes of the file hold records.
func (s *Store) used() (n int64, err error) {
	err = s.view(func(t *tx) error {
		for _, b := range buckets() {
			pages := t.bucket(b).Stats()
			n += int64(pages.BranchAlloc) + int64(pages.LeafAlloc)
		}
		return nil
	})
	return n, err
}

// copyTo writes all records into a new file and makes it durable.
func (s *Store) copyTo(ctx context.Context, path string, as os.FileInfo) (err error) {
	if err := ignoreMissing(os.Remove(path)); err != nil { // what a killed one left
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: true})
	if err != nil {
		return err
	}
	err = s.guard(func() error {
		return s.db.View(func(btx *bbolt.Tx) error {
			for _, b := range buckets() {
				if err := copyBucket(ctx, db, btx, []byte(b)); err != nil {
					return err
				}
			}
			return compareFiles(ctx, db, btx)
		})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return finish(path, as)
}

// copyBucket copies the records of a bucket, and the last number it gave out.
func copyBucket(ctx context.Context, to *bbolt.DB, from *bbolt.Tx, name []byte) error {
	old := from.Bucket(name)
	c := old.Cursor()
	k, v := c.First()
	for first := true; first || k != nil; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := to.Update(func(btx *bbolt.Tx) error {
			b, err := btx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			if err := b.SetSequence(old.Sequence()); err != nil {
				return err
			}
			b.FillPercent = 0.9
			for size := 0; k != nil && size < compactStep; k, v = c.Next() {
				if err := b.Put(k, v); err != nil {
					return err
				}
				size += len(k) + len(v)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compareFiles holds that both have the same records, and the buckets that this
// version knows and no others.
func compareFiles(ctx context.Context, fresh *bbolt.DB, old *bbolt.Tx) error {
	known := map[string]bool{}
	for _, b := range buckets() {
		known[string(b)] = true
	}
	return fresh.View(func(btx *bbolt.Tx) error {
		return old.ForEach(func(name []byte, a *bbolt.Bucket) error {
			b := btx.Bucket(name)
			if !known[string(name)] || b == nil || a.Sequence() != b.Sequence() {
				return fmt.Errorf("bucket %s is another in the new file", name)
			}
			ca, cb := a.Cursor(), b.Cursor()
			ka, va := ca.First()
			kb, vb := cb.First()
			for n := 0; ka != nil || kb != nil; n++ {
				if !bytes.Equal(ka, kb) || !bytes.Equal(va, vb) || (ka == nil) != (kb == nil) {
					return fmt.Errorf("bucket %s has other records in the new file", name)
				}
				if n%10_000 == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				ka, va = ca.Next()
				kb, vb = cb.Next()
			}
			return nil
		})
	})
}
