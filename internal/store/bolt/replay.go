package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// Replay puts some deliveries back. See emitter.Archive. It looks for them in a
// read transaction, and writes what it found in a small one, each if it is
// still so.
func (s *Store) Replay(ctx context.Context, r emitter.Replay) (done emitter.Replayed, err error) {
	found, err := s.findReplays(ctx, &r)
	if err != nil {
		return emitter.Replayed{}, fmt.Errorf("replay: %w", err)
	}
	done = found.counted
	if r.Dry || len(found.numbers) == 0 {
		return done, nil
	}
	var healthy []uint64
	var made emitter.Replayed
	check := func(t *tx) error {
		healthy, made = nil, emitter.Replayed{} // it may be tried twice
		for _, number := range found.numbers {
			switch err := t.checkReplay(number); {
			case errors.Is(err, ErrDamaged):
				made.PassOver(err)
			case err != nil:
				return err
			default:
				healthy = append(healthy, number)
			}
		}
		return nil
	}
	apply := func(t *tx) error {
		for _, number := range healthy {
			if err := t.replay(number, &made); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.do(ctx, &request{check: check, apply: apply, size: 600 * len(found.numbers)}); err != nil {
		return emitter.Replayed{}, fmt.Errorf("replay: %w", err)
	}
	next := done.Next
	done.Replayed = 0
	done.Add(made)
	done.Next, done.Deliveries, done.At = next, made.Deliveries, made.At
	return done, nil
}

// last follows a delivery to what it was replayed as last.
func (t *tx) last(number uint64) (uint64, storedDelivery, bool, error) {
	for {
		d, found, err := t.delivery(number)
		if err != nil || !found || d.after == 0 {
			return number, d, found, err
		}
		if d.after <= number {
			return number, d, true, damaged(bucketDeliveries, numberKey(number))
		}
		number = d.after
	}
}

// replayable says whether a delivery can be put back: it is settled, and none
// took its place.
func (d *storedDelivery) replayable() bool {
	return d.state != stateWaiting && d.after == 0 && !d.unmade
}

// checkReplay reads what replay will need.
func (t *tx) checkReplay(number uint64) error {
	d, found, err := t.delivery(number)
	if err != nil || !found {
		return err
	}
	e, err := t.event(d.event)
	if err != nil {
		return err
	}
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	_, _, err = t.laneHead(laneOf(endpoint.Order, d.endpoint, e.stem, e.key, number))
	return err
}

// replay puts a delivery back as a new one, unless it waits or was replayed
// meanwhile.
func (t *tx) replay(number uint64, done *emitter.Replayed) error {
	d, found, err := t.delivery(number)
	if err != nil || !found {
		return err
	}
	if !d.replayable() {
		done.Waiting++
		return nil
	}
	e, err := t.event(d.event)
	if err != nil {
		return err
	}
	next, err := t.bucket(bucketDeliveries).NextSequence()
	if err != nil {
		return err
	}
	if d.letter() {
		if err := t.unbury(number, &d); err != nil {
			return err
		}
	}
	origin := cmp.Or(d.origin, number)
	d.after = next
	if err := t.putDelivery(number, &d); err != nil {
		return err
	}
	again := storedDelivery{event: d.event, endpoint: d.endpoint, body: d.body, state: stateWaiting, origin: origin, queued: t.now}
	if err := t.enqueue(next, &again, &e); err != nil {
		return err
	}
	done.Replayed++
	done.Deliveries = append(done.Deliveries, next)
	if !slices.Contains(done.At, d.endpoint) {
		done.At = append(done.At, d.endpoint)
	}
	return t.trimChain(origin)
}

// unbury takes a delivery out of the dead letters.
func (t *tx) unbury(number uint64, d *storedDelivery) error {
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	endpoint.Dead--
	return t.exhume(number, d)
}

// trimChain forgets the oldest replay of a delivery that has too many.
func (t *tx) trimChain(origin uint64) error {
	chain, err := t.chain(origin)
	if err != nil || len(chain) <= emitter.MaxReplays+1 {
		return err
	}
	first, _, err := t.delivery(origin)
	if err != nil {
		return err
	}
	first.after = chain[2]
	if err := t.putDelivery(origin, &first); err != nil {
		return err
	}
	e, err := t.event(first.event)
	if err == nil {
		_, err = t.dropDelivery(chain[1], &e)
	}
	return err
}

// chain is the numbers of a delivery and of all its replays.
func (t *tx) chain(origin uint64) (numbers []uint64, err error) {
	for number := origin; number != 0; {
		d, found, err := t.delivery(number)
		if err != nil || !found {
			return numbers, err
		}
		if numbers = append(numbers, number); d.after != 0 && d.after <= number {
			return numbers, damaged(bucketDeliveries, numberKey(number))
		}
		number = d.after
	}
	return numbers, nil
}

// dropChain removes a delivery and all its replays, with their attempts.
func (t *tx) dropChain(origin uint64) (n int, err error) {
	chain, err := t.chain(origin)
	if err != nil || len(chain) == 0 {
		return 0, err
	}
	_, e, err := t.waiting(origin)
	for _, number := range chain {
		if err == nil {
			var removed int
			removed, err = t.dropDelivery(number, &e)
			n += removed
		}
	}
	return n, err
}

// since is when a delivery was put into the queue.
func (d *storedDelivery) since(e *storedEvent) time.Time {
	if d.origin == 0 {
		return e.created
	}
	return d.queued
}
