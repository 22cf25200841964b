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
// Number and Attempts count, and Endpoint where there is a Health.
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
		if h := outcomes[i].Health; h != nil {
			if name := outcomes[i].Delivery.Endpoint; name == "" || tooLong(name) {
				return fmt.Errorf("settle delivery %d: endpoint %q: bad name", outcomes[i].Delivery.Number, clip(name))
			}
			copied := *h
			outcomes[i].Health = &copied
		}
		outcomes[i].Attempt.Response = bytes.Clone(outcomes[i].Attempt.Response)
		size += 1024 + len(outcomes[i].Attempt.Response)
	}
	// Else a damaged endpoint would undo what others write with it.
	check := func(t *tx) error {
		for i := range outcomes {
			name := outcomes[i].Delivery.Endpoint
			if name == "" || i > 0 && name == outcomes[i-1].Delivery.Endpoint {
				continue
			}
			if _, err := t.readEndpoint(name); err != nil {
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
	case emitter.Expired:
		return stateExpired, nil
	}
	return 0, fmt.Errorf("unknown state %q", s)
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
	if o.Health != nil {
		endpoint, err := t.endpoint(o.Delivery.Endpoint)
		if err != nil {
			return err
		}
		endpoint.put(o.Health)
	}
	number := o.Delivery.Number
	d, e, found, err := t.judged(o)
	if err != nil || !found {
		return err
	}
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	if o.Verdict.State != emitter.Expired && o.Attempt.At.After(endpoint.Last) {
		endpoint.Last = o.Attempt.At
	}
	d.attempts++
	if err := t.spend(number, &d, &e); err != nil {
		return err
	}
	key := attemptKey(number, d.attempts)
	if err := t.put(bucketAttempts, key, attemptRecord(key, &o.Attempt)); err != nil {
		return err
	}
	first, err := t.undue(number, &d, &e)
	if err != nil {
		return err
	}
	if o.Verdict.State != emitter.Waiting {
		if d.state, err = storedState(o.Verdict.State); err != nil {
			return err
		}
		return t.finish(number, &d, &e, first)
	}
	d.due = o.Verdict.Due
	if err := t.putDelivery(number, &d); err != nil || !first {
		return err
	}
	return t.mark(bucketDue, d.dueKey(&e, number))
}

// undue takes a delivery out of due, and says whether it stood there. Only the
// first of a lane does. An outcome can come for a later one only by mistake; it
// must not let anything overtake.
func (t *tx) undue(number uint64, d *storedDelivery, e *storedEvent) (first bool, err error) {
	return t.pull(bucketDue, d.dueKey(e, number))
}

// finish takes a delivery that waits no more out of its lane and lets the next
// one forward.
func (t *tx) finish(number uint64, d *storedDelivery, e *storedEvent, first bool) error {
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	endpoint.Waiting--
	d.settled = t.now
	if err := t.putDelivery(number, d); err != nil {
		return err
	}
	if d.state == stateDead {
		endpoint.Dead++
		if err := t.bury(number, d); err != nil {
			return err
		}
	}
	lane := d.lane(e, number)
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
	var e storedEvent
	if err == nil {
		d, e, err = t.waiting(number)
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	if err == nil && d.attempts == 0 && !d.due.IsZero() {
		d.due = time.Time{} // a file of before has the time of the commit there
		if err := t.putDelivery(number, &d); err != nil {
			return err
		}
	}
	return t.mark(bucketDue, dueKey(endpoint, e.source(), d.due, d.place, number))
}

// waiting reads a delivery that an index names, and its event. What could be
// read of a damaged one comes with the error.
func (t *tx) waiting(number uint64) (d storedDelivery, e storedEvent, err error) {
	d, found, err := t.delivery(number)
	if err == nil && !found {
		err = missing(bucketDeliveries, numberKey(number))
	}
	if err == nil {
		e, err = t.event(d.event)
	}
	return d, e, err
}
