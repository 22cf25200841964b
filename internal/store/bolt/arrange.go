package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

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
	hand := s.hands.of(endpoint)
	hand.mu.Lock()
	err := s.view(func(t *tx) (err error) {
		hand.begun = max(hand.begun, t.bucket(bucketDeliveries).Sequence())
		e, err = t.readEndpoint(endpoint)
		return err
	})
	hand.mu.Unlock()
	if err != nil || e.Order == want && !e.Arranging {
		return err
	}
	err = s.change(ctx, endpoint, func(t *tx, e *storedEndpoint) error {
		e.Order, e.Arranging, e.Arranged = want, true, t.bucket(bucketDeliveries).Sequence()
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
