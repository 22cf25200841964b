package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// Retention is how long what is no longer needed is kept. Zero: for ever.
type Retention struct {
	// Events is the age from which an event goes, with its payloads,
	// deliveries and their attempts: when none of its deliveries waits and
	// none is a dead letter, counted from its commit, or from when the last
	// of them arrived. Items that are gone for
	// so long are forgotten too, with what is noted of them; one that comes back then starts at
	// revision 1. So are sources that left so long ago (see Left), with all
	// that is remembered of them; and so are the revisions of all items that
	// were seen so long ago.
	Events time.Duration
	// Attempts is the age from which the record of an attempt goes.
	Attempts time.Duration
	// Dead is the age from which a dead letter goes, counted from its
	// last attempt. One that was replayed is none any more.
	Dead time.Duration
}

// sweepStep is how many records a step looks at, and about how many it removes,
// in its transaction.
const sweepStep = 1_000

// Sweep removes what is older than keep says, and tells how many records that
// were. It works in small steps between which others write, and may be
// stopped by ctx at each.
func (s *Store) Sweep(ctx context.Context, keep Retention) (n int, err error) {
	now := time.Now()
	for _, part := range []struct {
		what string
		age  time.Duration
		step func(cutoff time.Time) step
	}{
		{"gone items", keep.Events, sweepGone},
		{"dead letters", keep.Dead, sweepDead},
		{"attempts", keep.Attempts, sweepAttempts},
		{"events", keep.Events, sweepEvents},
		{"sources that left", keep.Events, sweepLeft},
	} {
		if part.age <= 0 {
			continue
		}
		removed, err := s.sweep(ctx, part.step(now.Add(-part.age)))
		n += removed
		if err != nil {
			return n, fmt.Errorf("sweep %s: %w", part.what, err)
		}
	}
	var cutoff time.Time
	if keep.Events > 0 {
		cutoff = now.Add(-keep.Events)
	}
	removed, err := s.sweepRevisions(ctx, cutoff)
	if err != nil {
		return n, fmt.Errorf("sweep revisions: %w", err)
	}
	return n + removed, nil
}

// step looks at some records from a key on, removes what is due, and gives the
// key to go on at; nil: nothing is left to look at.
type step func(t *tx, from []byte) (removed int, next []byte, err error)

func (s *Store) sweep(ctx context.Context, do step) (n int, err error) {
	for from := []byte{}; from != nil; {
		var removed int
		var next []byte
		err := s.do(ctx, &request{
			check: func(*tx) error { return nil },
			apply: func(t *tx) (err error) {
				removed, next, err = do(t, from)
				return err
			},
			size: sweepStep * 100,
		})
		if err != nil {
			return n, err
		}
		n, from = n+removed, next
	}
	return n, nil
}

// collect gives copies of the keys from a key on that want takes, until it says
// stop, and the key to go on at. It looks at sweepStep keys.
func (t *tx) collect(b bucket, from []byte, want func(k, v []byte) (take, stop bool, err error)) (keys [][]byte, next []byte, err error) {
	c := t.cursor(b)
	looked := 0
	for k, v := c.Seek(from); k != nil; k, v = c.Next() {
		if looked == sweepStep {
			return keys, bytes.Clone(k), nil
		}
		looked++
		take, stop, err := want(k, v)
		if err != nil || stop {
			return keys, nil, err
		}
		if take {
			keys = append(keys, bytes.Clone(k))
		}
	}
	return keys, nil, nil
}

// olderKey takes keys that begin with a time before cutoff.
func olderKey(cutoff time.Time) func(k, v []byte) (take, stop bool, err error) {
	return func(k, _ []byte) (take, stop bool, err error) {
		older := len(k) >= 8 && readTime(k).Before(cutoff)
		return older, !older, nil
	}
}

func sweepGone(cutoff time.Time) step {
	return func(t *tx, from []byte) (n int, next []byte, err error) {
		keys, next, err := t.collect(bucketGone, from, olderKey(cutoff))
		for _, k := range keys {
			if err == nil {
				err = t.forget(k)
			}
		}
		return len(keys), next, err
	}
}

// forget removes an item that was gone, and what is noted of it, unless it came
// back since.
func (t *tx) forget(gone []byte) error {
	if err := t.drop(bucketGone, gone); err != nil {
		return err
	}
	key := gone[8:]
	v := t.get(bucketItems, key)
	if v == nil {
		return nil
	}
	it, err := readItem(key, v)
	if err != nil || !it.gone() || !it.seen.Equal(readTime(gone)) {
		return err
	}
	if err := t.dropNotes(key); err != nil {
		return err
	}
	if err := t.dropTimeline(key); err != nil {
		return err
	}
	return t.drop(bucketItems, key)
}

func sweepDead(cutoff time.Time) step {
	return func(t *tx, from []byte) (n int, next []byte, err error) {
		keys, next, err := t.collect(bucketDead, from, olderKey(cutoff))
		if err != nil {
			return 0, nil, err
		}
		for _, k := range keys {
			number, _ := lastNumber(k)
			d, found, err := t.delivery(number)
			if err != nil {
				return 0, nil, err
			}
			if err := t.drop(bucketDead, k); err != nil {
				return 0, nil, err
			}
			if !found || !d.letter() {
				continue
			}
			endpoint, err := t.endpoint(d.endpoint)
			if err != nil {
				return 0, nil, err
			}
			endpoint.Dead--
			removed, err := t.dropChain(cmp.Or(d.origin, number))
			if err != nil {
				return 0, nil, err
			}
			n += removed
		}
		return n, next, nil
	}
}

func sweepAttempts(cutoff time.Time) step {
	return func(t *tx, from []byte) (n int, next []byte, err error) {
		keys, next, err := t.collect(bucketAttempts, from, func(k, v []byte) (take, stop bool, err error) {
			a, err := readAttempt(k, v)
			if err != nil || a.At.Before(cutoff) {
				return err == nil, false, err
			}
			stop, err = t.young(k, cutoff)
			return false, stop, err
		})
		for _, k := range keys {
			if err == nil {
				err = t.drop(bucketAttempts, k)
			}
		}
		return len(keys), next, err
	}
}

// young says whether the delivery of an attempt was committed at cutoff or
// later: then so were all that follow, and their attempts are younger still.
func (t *tx) young(attempt []byte, cutoff time.Time) (bool, error) {
	if len(attempt) < 8 {
		return false, damaged(bucketAttempts, attempt)
	}
	d, found, err := t.delivery(binary.BigEndian.Uint64(attempt))
	if err != nil || !found {
		return false, err
	}
	e, err := t.event(d.event)
	return err == nil && !e.created.Before(cutoff), err
}

func sweepEvents(cutoff time.Time) step {
	return func(t *tx, from []byte) (n int, next []byte, err error) {
		keys, next, err := t.collect(bucketEvents, from, func(k, v []byte) (take, stop bool, err error) {
			e, err := readEvent(k, v)
			if err != nil || !e.created.Before(cutoff) {
				// Ids are in the order of time, or nearly.
				return false, true, err
			}
			needed, err := t.needed(&e, cutoff)
			return !needed, false, err
		})
		if err != nil {
			return 0, nil, err
		}
		for _, k := range keys {
			if n >= sweepStep {
				return n, k, nil
			}
			removed, err := t.dropEvent(k)
			if err != nil {
				return 0, nil, err
			}
			n += removed
		}
		return n, next, nil
	}
}

// needed says whether a delivery of the event waits or is a dead letter, or
// arrived after cutoff.
func (t *tx) needed(e *storedEvent, cutoff time.Time) (needed bool, err error) {
	err = t.eachLast(e, func(_ uint64, d *storedDelivery) error {
		needed = needed || d.state == stateWaiting || d.letter() || !d.settled.Before(cutoff)
		return nil
	})
	return needed, err
}

// dropEvent removes an event with all that belongs to it.
func (t *tx) dropEvent(key []byte) (n int, err error) {
	e, err := readEvent(key, t.get(bucketEvents, key))
	if err != nil {
		return 0, err
	}
	for i := range e.deliveries {
		removed, err := t.dropChain(e.first + uint64(i))
		if err != nil {
			return 0, err
		}
		n += removed
	}
	for i := range e.bodies {
		if err := t.drop(bucketBodies, bodyKey(string(key), i)); err != nil {
			return 0, err
		}
	}
	return n + e.bodies + 1, t.drop(bucketEvents, key)
}

// dropDelivery removes a settled delivery and its attempts.
func (t *tx) dropDelivery(number uint64) (n int, err error) {
	d, found, err := t.delivery(number)
	if err != nil || !found {
		return 0, err
	}
	for i := range d.attempts {
		k := attemptKey(number, i+1)
		if t.get(bucketAttempts, k) == nil {
			continue // swept before
		}
		if err := t.drop(bucketAttempts, k); err != nil {
			return 0, err
		}
		n++
	}
	return n + 1, t.drop(bucketDeliveries, numberKey(number))
}
