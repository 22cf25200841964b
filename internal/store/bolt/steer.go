package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// SetHealth stores how an endpoint fares. See emitter.Queue.
func (s *Store) SetHealth(ctx context.Context, endpoint string, h emitter.Health) error {
	err := s.change(ctx, endpoint, func(_ *tx, e *storedEndpoint) error {
		e.put(&h)
		return nil
	})
	if err != nil {
		return fmt.Errorf("health of endpoint %s: %w", endpoint, err)
	}
	return nil
}

// Hasten makes due at once what waits at an endpoint for a time. See
// emitter.Queue. It has the sources take turns: the first of each is due before
// the second of any, by a microsecond.
func (s *Store) Hasten(ctx context.Context, endpoint string) error {
	now := time.Now().UTC()
	turns := map[string]time.Duration{}
	prefix := duePrefix(endpoint)
	// What it has made due stands before what is still to come.
	for from := againKey(endpoint, now.Add(hastenSpan)); from != nil; {
		var next []byte
		err := s.do(ctx, &request{
			check: func(*tx) error { return nil },
			apply: func(t *tx) (err error) {
				_, next, err = t.walk(bucketDue, prefix, from, func(t *tx, number uint64, d *storedDelivery, e *storedEvent) (bool, error) {
					turns[e.source()] += time.Microsecond
					return true, t.delay(number, d, e, now.Add(min(turns[e.source()], hastenSpan-1)))
				})
				return err
			},
			size: walkStep * 200,
		})
		if err != nil {
			return fmt.Errorf("hasten at endpoint %s: %w", endpoint, err)
		}
		from = next
	}
	return nil
}

// hastenSpan is by how much what is hastened may be due later than at once.
const hastenSpan = time.Second

// delay has the first delivery of a lane, that was tried, wait until a time.
func (t *tx) delay(number uint64, d *storedDelivery, e *storedEvent, until time.Time) error {
	first, err := t.undue(number, d, e)
	if err != nil || !first {
		return err
	}
	d.due = until
	if err := t.putDelivery(number, d); err != nil {
		return err
	}
	return t.mark(bucketDue, d.dueKey(e, number))
}

// Drop ends what waits at an endpoint. See emitter.Queue.
func (s *Store) Drop(ctx context.Context, endpoint string, drop emitter.Drop) (int, error) {
	takes := func(number uint64, d *storedDelivery, e *storedEvent) bool {
		return d.state == stateWaiting && (drop.Before.IsZero() || d.since(e).Before(drop.Before)) &&
			(drop.Skip == nil || !drop.Skip(number))
	}
	var n int
	var err error
	if drop.Dry {
		n, err = s.count(ctx, bucketLanes, duePrefix(endpoint), takes)
	} else {
		n, err = s.walk(ctx, bucketLanes, duePrefix(endpoint), func(t *tx, number uint64, d *storedDelivery, e *storedEvent) (bool, error) {
			if !takes(number, d, e) {
				return false, nil
			}
			return true, t.discard(number, d, e, &drop)
		})
	}
	if err != nil {
		return n, fmt.Errorf("drop at endpoint %s: %w", endpoint, err)
	}
	return n, nil
}

// discard ends a delivery that waits. Why stands in the record of an attempt,
// as with any other.
func (t *tx) discard(number uint64, d *storedDelivery, e *storedEvent, drop *emitter.Drop) error {
	first, err := t.undue(number, d, e)
	if err != nil {
		return err
	}
	end, why := drop.End(t.now)
	d.attempts++
	if err := t.spend(number, d, e); err != nil {
		return err
	}
	key := attemptKey(number, d.attempts)
	if err := t.put(bucketAttempts, key, attemptRecord(key, &why)); err != nil {
		return err
	}
	if d.state, err = storedState(end); err != nil {
		return err
	}
	d.ended = true
	return t.finish(number, d, e, first)
}
