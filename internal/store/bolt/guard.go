package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// guard runs f and makes an error of its panic. bbolt panics on a damaged
// page, or follows it out of the file, which is a fault that ends the process
// unless the goroutine asks for a panic.
func (s *Store) guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("store panicked", "err", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("a page of the store is %w: %v", ErrDamaged, p)
		}
	}()
	return f()
}

// view runs f in a read transaction.
func (s *Store) view(f func(*tx) error) error {
	err := s.guard(func() error {
		return s.db.View(func(btx *bbolt.Tx) error { return f(newTx(btx)) })
	})
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// update runs f in a write transaction. applied says that f succeeded: an
// error with it is one of the disk, and leaves open what the file holds.
func (s *Store) update(f func(*tx) error) (applied bool, err error) {
	err = s.guard(func() error {
		return s.db.Update(func(btx *bbolt.Tx) error {
			err := f(newTx(btx))
			applied = err == nil
			return err
		})
	})
	return applied, err
}

// walkPages reads every page that holds keys, and the keys' order, by which a
// walk through a damaged file ends.
func (s *Store) walkPages() error {
	return s.db.View(func(btx *bbolt.Tx) error {
		return btx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			var last []byte
			c := b.Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() {
				if last != nil && bytes.Compare(last, k) >= 0 {
					return fmt.Errorf("the order of bucket %q is %w", clip(string(name)), ErrDamaged)
				}
				last = k
			}
			return nil
		})
	})
}
