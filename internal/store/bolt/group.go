package bolt

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// The bounds of a batch and of the queue before it.
const (
	maxBatch      = 1024
	maxBatchBytes = 16 << 20
	maxWaiting    = 1024
)

// request is something to write.
type request struct {
	// check sees the state that apply would change, and changes nothing.
	// Its error is the request's answer and concerns no other.
	check func(*tx) error
	// apply writes. Its error undoes the whole transaction.
	apply func(*tx) error
	// size is about how many bytes apply writes.
	size int
	// answer has room for the one answer, so that the committer never
	// waits for somebody who went away.
	answer chan error
}

// do has a request written and waits for the answer. Where ctx ends first, the
// request may still be written.
func (s *Store) do(ctx context.Context, r *request) error {
	r.answer = make(chan error, 1)
	if err := s.enqueue(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) enqueue(ctx context.Context, r *request) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.refusing != nil {
		return s.refusing
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.queue <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is the committer: the one goroutine that writes. It ends when the
// queue is closed and empty.
func (s *Store) write() {
	defer close(s.closed)
	for first := range s.queue {
		s.commit(s.gather(first))
	}
}

// gather takes what waits, as far as the bounds allow.
func (s *Store) gather(first *request) []*request {
	// Those whom the last batch answered may come again at once: let them
	// run before the fsync, or they wait for the next one.
	runtime.Gosched()
	batch, size := []*request{first}, first.size
	for len(batch) < maxBatch && size < maxBatchBytes {
		select {
		case r, ok := <-s.queue:
			if !ok {
				return batch
			}
			batch, size = append(batch, r), size+r.size
		default:
			return batch
		}
	}
	return batch
}

// errNothing says of a batch that there is nothing of it to write.
var errNothing = errors.New("nothing to write")

// Beat has the committer answer, and gives nil when it did. Nothing is written
// for it. An error is ctx's: the committer stands still, or is far behind.
func (s *Store) Beat(ctx context.Context) error {
	err := s.do(ctx, &request{
		check: func(*tx) error { return errNothing },
		apply: func(*tx) error { return nil },
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// commit applies a batch in one transaction and answers all of it. Where one
// request can't be applied, each is tried alone, so that a damaged record
// stops only who needs it.
func (s *Store) commit(batch []*request) {
	answers := make([]error, len(batch))
	began, changed := time.Now(), false
	superseded := map[string]int{}
	applied, err := s.update(func(t *tx) error {
		t.superseded = superseded
		for i, r := range batch {
			if answers[i] = r.check(t); answers[i] != nil {
				continue
			}
			if err := r.apply(t); err != nil {
				return err
			}
			changed = true
		}
		if !changed {
			return errNothing
		}
		return t.flush()
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	if applied {
		s.failing.Store(err != nil)
		s.metrics.committed(time.Since(began), superseded, err)
	}
	if err != nil && !applied && len(batch) > 1 {
		for _, r := range batch {
			s.commit([]*request{r})
		}
		return
	}
	for i, r := range batch {
		if answers[i] == nil {
			answers[i] = err
		}
		r.answer <- answers[i]
	}
}
