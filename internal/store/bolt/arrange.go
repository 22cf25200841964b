package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// Arrange has the deliveries of an endpoint stand in the lanes of an order. See
// emitter.Queue. Where they do already it reads one record.
func (s *Store) Arrange(ctx context.Context, endpoint string, to emitter.Order) error {
	want, err := storedOrder(to)
	if err == nil {
		err = s.arrange(ctx, endpoint, want)
	}
	if err != nil {
		return fmt.Errorf("arrange endpoint %s: %w", endpoint, err)
	}
	return nil
}

func (s *Store) arrange(ctx context.Context, endpoint string, want order) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var e storedEndpoint
	err := s.view(func(t *tx) (err error) {
		e, err = t.readEndpoint(endpoint)
		return err
	})
	if err != nil || e.Order == want && !e.Arranging {
		return err
	}
	err = s.change(ctx, endpoint, func(_ *tx, e *storedEndpoint) error {
		e.Order, e.Arranging = want, true
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.walk(ctx, bucketLanes, duePrefix(endpoint), func(t *tx, number uint64, d *storedDelivery, e *storedEvent) (bool, error) {
		return false, t.move(number, d, e, want)
	})
	if err != nil {
		return err
	}
	return s.change(ctx, endpoint, func(_ *tx, e *storedEndpoint) error {
		e.Arranging = false
		return nil
	})
}

// change changes the record of an endpoint.
func (s *Store) change(ctx context.Context, name string, do func(t *tx, e *storedEndpoint) error) error {
	if name == "" || tooLong(name) {
		return fmt.Errorf("endpoint %q: bad name", clip(name))
	}
	return s.do(ctx, &request{
		check: func(t *tx) error {
			_, err := t.endpoint(name)
			return err
		},
		apply: func(t *tx) error {
			e, err := t.endpoint(name)
			if err != nil {
				return err
			}
			return do(t, e)
		},
		size: 512,
	})
}

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

// walkStep is how many entries a step of a walk looks at in its transaction.
const walkStep = 1_000

// walk calls do for each delivery that an entry of an index names, and counts
// those of which it is true. It works in small steps between which others
// write. A delivery that is damaged is passed over. do may change the index:
// what it adds ahead is met as well.
func (s *Store) walk(ctx context.Context, index bucket, prefix []byte, do func(*tx, uint64, *storedDelivery, *storedEvent) (bool, error)) (n int, err error) {
	for from := bytes.Clone(prefix); from != nil; {
		var next []byte
		var did int
		err := s.do(ctx, &request{
			check: func(*tx) error { return nil },
			apply: func(t *tx) (err error) {
				did, next, err = t.walk(index, prefix, from, do)
				return err
			},
			size: walkStep * 200,
		})
		if err != nil {
			return n, err
		}
		n, from = n+did, next
	}
	return n, nil
}

func (t *tx) walk(index bucket, prefix, from []byte, do func(*tx, uint64, *storedDelivery, *storedEvent) (bool, error)) (n int, next []byte, err error) {
	var numbers []uint64
	c := t.cursor(index)
	k, _ := c.Seek(from)
	for ; bytes.HasPrefix(k, prefix) && len(numbers) < walkStep; k, _ = c.Next() {
		number, _ := lastNumber(k)
		numbers = append(numbers, number)
	}
	if bytes.HasPrefix(k, prefix) {
		next = bytes.Clone(k)
	}
	for _, number := range numbers {
		d, e, err := t.waiting(number)
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		did, err := do(t, number, &d, &e)
		if err != nil {
			return 0, nil, err
		}
		if did {
			n++
		}
	}
	return n, next, nil
}

// move puts a delivery into the lane that it has in another order, at its
// place there.
func (t *tx) move(number uint64, d *storedDelivery, e *storedEvent, to order) error {
	if d.state != stateWaiting || d.order == to {
		return nil
	}
	first, err := t.undue(number, d, e)
	if err != nil {
		return err
	}
	old := d.lane(e, number)
	if err := t.drop(bucketLanes, laneKey(old, number)); err != nil {
		return err
	}
	if first {
		if err := t.forward(d.endpoint, old); err != nil {
			return err
		}
	}
	d.order = to
	if err := t.putDelivery(number, d); err != nil {
		return err
	}
	return t.line(number, d, e)
}

// line puts a delivery into its lane, in front of those with higher numbers.
func (t *tx) line(number uint64, d *storedDelivery, e *storedEvent) error {
	lane := d.lane(e, number)
	head, found, err := t.laneHead(lane)
	if err != nil {
		return err
	}
	if err := t.mark(bucketLanes, laneKey(lane, number)); err != nil {
		return err
	}
	if found && head < number {
		return nil
	}
	if found {
		d, e, err := t.waiting(head)
		if err == nil {
			_, err = t.undue(head, &d, &e)
		}
		if err != nil {
			return err
		}
	}
	return t.mark(bucketDue, d.dueKey(e, number))
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

// Drop makes dead letters of what waits at an endpoint. See emitter.Queue.
func (s *Store) Drop(ctx context.Context, endpoint string, drop emitter.Drop) (int, error) {
	takes := func(number uint64, d *storedDelivery, e *storedEvent) bool {
		return d.state == stateWaiting && (drop.Before.IsZero() || e.created.Before(drop.Before)) &&
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
			return true, t.discard(number, d, e, drop.Reason)
		})
	}
	if err != nil {
		return n, fmt.Errorf("drop at endpoint %s: %w", endpoint, err)
	}
	return n, nil
}

// discard makes a dead letter of a delivery that waits. Why stands in the
// record of an attempt, as with any other.
func (t *tx) discard(number uint64, d *storedDelivery, e *storedEvent, why string) error {
	first, err := t.undue(number, d, e)
	if err != nil {
		return err
	}
	d.attempts++
	key := attemptKey(number, d.attempts)
	if err := t.put(bucketAttempts, key, attemptRecord(key, &emitter.Attempt{At: t.now, Error: emitter.ErrorDropped, Reason: why})); err != nil {
		return err
	}
	d.state = stateDead
	return t.finish(number, d, e, first)
}

// count counts, as walk does, without writing.
func (s *Store) count(ctx context.Context, index bucket, prefix []byte, takes func(uint64, *storedDelivery, *storedEvent) bool) (n int, err error) {
	for from := bytes.Clone(prefix); from != nil; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		err := s.view(func(t *tx) error {
			did, next, err := t.walk(index, prefix, from, func(_ *tx, number uint64, d *storedDelivery, e *storedEvent) (bool, error) {
				return takes(number, d, e), nil
			})
			n, from = n+did, next
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// sortFresh brings due of an older schema to this one: what was never tried
// stands there by its source.
func sortFresh(t *tx) error {
	var old [][]byte
	c := t.cursor(bucketDue)
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if _, rest, ok := cutPart(k); ok && len(rest) == 16 && readTime(rest).IsZero() {
			old = append(old, bytes.Clone(k))
		}
	}
	for _, k := range old {
		number, _ := lastNumber(k)
		d, e, err := t.waiting(number)
		switch {
		case errors.Is(err, ErrDamaged):
			continue // it is met as of no source
		case err == nil:
			err = t.drop(bucketDue, k)
		}
		if err == nil {
			err = t.mark(bucketDue, d.dueKey(&e, number))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
