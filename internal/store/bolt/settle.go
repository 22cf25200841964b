package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// Settle records outcomes. See emitter.Queue. Of an outcome's Delivery only
// Number and Attempts count.
//
// A hold is kept until it has passed, a longer one takes its place, and a
// pause is kept with it. A delivery ends a pause and forgets a hold that has
// passed; a wait that the receiver asked for and that still runs stays, for
// the delivery was under way before it.
func (s *Store) Settle(ctx context.Context, outcomes []emitter.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	// The caller may go away and work on with its slice.
	outcomes = slices.Clone(outcomes)
	size := 0
	for i := range outcomes {
		if _, err := storedState(outcomes[i].Verdict.State); err != nil {
			return fmt.Errorf("settle delivery %d: %w", outcomes[i].Delivery.Number, err)
		}
		outcomes[i].Attempt.Response = bytes.Clone(outcomes[i].Attempt.Response)
		size += 1024 + len(outcomes[i].Attempt.Response)
	}
	check := func(t *tx) error {
		for i := range outcomes {
			if err := t.checkOutcome(&outcomes[i]); err != nil {
				return err
			}
		}
		return nil
	}
	apply := func(t *tx) error {
		for i := range outcomes {
			if err := t.settle(&outcomes[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.do(ctx, &request{check: check, apply: apply, size: size}); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}

func storedState(s emitter.State) (state, error) {
	switch s {
	case emitter.Waiting:
		return stateWaiting, nil
	case emitter.Delivered:
		return stateDelivered, nil
	case emitter.Dead:
		return stateDead, nil
	}
	return 0, fmt.Errorf("unknown state %q", s)
}

// checkOutcome reads what settle will need.
func (t *tx) checkOutcome(o *emitter.Outcome) error {
	d, _, found, err := t.judged(o)
	if err != nil || !found {
		return err
	}
	_, err = t.endpoint(d.endpoint)
	return err
}

// judged reads the delivery that an outcome is of, and its event; found is
// false where the outcome is to be passed over.
func (t *tx) judged(o *emitter.Outcome) (d storedDelivery, e storedEvent, found bool, err error) {
	d, found, err = t.delivery(o.Delivery.Number)
	if err == nil && found {
		e, err = t.event(d.event)
	}
	if errors.Is(err, ErrDamaged) {
		return d, e, false, nil // Pending tells of it
	}
	return d, e, found && d.state == stateWaiting && o.Delivery.Attempts >= d.attempts, err
}

func (t *tx) settle(o *emitter.Outcome) error {
	number := o.Delivery.Number
	d, e, found, err := t.judged(o)
	if err != nil || !found {
		return err
	}
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	*endpoint = storedEndpoint(emitter.EndpointState(*endpoint).After(&o.Verdict, t.now))

	// Only the first of a lane stands in due. An outcome can come for a
	// later one only by mistake; it must not let anything overtake.
	due := dueKey(d.endpoint, d.due, number)
	first := t.get(bucketDue, due) != nil
	if first {
		if err := t.drop(bucketDue, due); err != nil {
			return err
		}
	}
	d.attempts++
	if d.state, err = storedState(o.Verdict.State); err != nil {
		return err
	}
	key := attemptKey(number, d.attempts)
	if err := t.put(bucketAttempts, key, attemptRecord(key, &o.Attempt)); err != nil {
		return err
	}
	if d.state != stateWaiting {
		endpoint.Waiting--
		if d.state == stateDead {
			endpoint.Dead++
		}
		return t.finish(number, &d, &e, first)
	}
	d.due = o.Verdict.Due
	if err := t.putDelivery(number, &d); err != nil || !first {
		return err
	}
	return t.mark(bucketDue, dueKey(d.endpoint, d.due, number))
}

// finish takes the delivery out of its lane and lets the next one forward.
func (t *tx) finish(number uint64, d *storedDelivery, e *storedEvent, first bool) error {
	d.settled = t.now
	if err := t.putDelivery(number, d); err != nil {
		return err
	}
	if d.state == stateDead {
		if err := t.mark(bucketDead, deadKey(d.settled, number)); err != nil {
			return err
		}
	}
	lane := lanePrefix(d.endpoint, e.unit, e.key)
	if err := t.drop(bucketLanes, laneKey(lane, number)); err != nil || !first {
		return err
	}
	return t.forward(d.endpoint, lane)
}

// forward makes the first delivery of a lane visible, where there is one. One
// that is damaged is made visible too: Pending tells of it, and the lane ends
// there.
func (t *tx) forward(endpoint string, lane []byte) error {
	number, found, err := t.laneHead(lane)
	if !found {
		return err
	}
	var d storedDelivery
	if err == nil {
		d, _, err = t.delivery(number)
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	if d.attempts == 0 && !d.due.IsZero() {
		d.due = time.Time{} // a file of before has the time of the commit there
		if err := t.putDelivery(number, &d); err != nil {
			return err
		}
	}
	return t.mark(bucketDue, dueKey(endpoint, d.due, number))
}
