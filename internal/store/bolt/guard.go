package bolt

import (
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
	return closedError(err)
}

// closedError is ErrClosed for what bbolt says then.
func closedError(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// update runs f in a write transaction. applied says that f succeeded: an
// error with it is one of the disk, and leaves open what the file holds.
func (s *Store) update(f func(*tx) error) (applied bool, err error) {
	held := map[string]*hand{}
	defer func() {
		for _, h := range held {
			h.mu.Unlock()
		}
	}()
	err = s.guard(func() error {
		return s.db.Update(func(btx *bbolt.Tx) error {
			t := newTx(btx)
			t.hands, t.held, t.step = &s.hands, held, s.step
			err := f(t)
			applied = err == nil
			return err
		})
	})
	return applied, err
}
