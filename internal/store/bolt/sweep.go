package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
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
// stopped by ctx at each. What it can't tell the age of, for a record is
// damaged, stays; the rest is removed, and the error of the first is given.
func (s *Store) Sweep(ctx context.Context, keep Retention) (n int, err error) {
	now := time.Now()
	var harm error
	for _, part := range []struct {
		what string
		age  time.Duration
		step func(*sweeper, *tx, []byte) (removed int, next []byte, err error)
	}{
		{"gone items", keep.Events, (*sweeper).gone},
		{"dead letters", keep.Dead, (*sweeper).dead},
		{"attempts", keep.Attempts, (*sweeper).attempts},
		{"events", keep.Events, (*sweeper).events},
		{"sources that left", keep.Events, (*sweeper).left},
	} {
		if part.age <= 0 {
			continue
		}
		w := &sweeper{cutoff: now.Add(-part.age)}
		removed, err := s.sweep(ctx, func(t *tx, from []byte) (int, []byte, error) { return part.step(w, t, from) })
		n += removed
		if err != nil {
			return n, fmt.Errorf("sweep %s: %w", part.what, err)
		}
		if harm == nil && w.harm != nil {
			harm = fmt.Errorf("sweep %s: %w", part.what, w.harm)
		}
	}
	removed, err := s.sweep(ctx, (*tx).forgotten)
	if n += removed; err != nil {
		return n, fmt.Errorf("sweep sources that are being forgotten: %w", err)
	}
	var cutoff time.Time
	if keep.Events > 0 {
		cutoff = now.Add(-keep.Events)
	}
	removed, err = s.sweepRevisions(ctx, cutoff)
	if err != nil {
		return n, fmt.Errorf("sweep revisions: %w", err)
	}
	return n + removed, harm
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

// sweeper removes what is older than cutoff.
type sweeper struct {
	cutoff time.Time
	harm   error // of the first damaged record that was passed over
}

// passes says whether err is a damage that is passed over.
func (w *sweeper) passes(err error) bool {
	if !errors.Is(err, ErrDamaged) {
		return false
	}
	w.harm = cmp.Or(w.harm, err)
	return true
}

// collect gives copies of the keys from a key on that want takes, until it says
// stop, and the key to go on at. It looks at sweepStep keys.
func (w *sweeper) collect(t *tx, b bucket, from []byte, want func(k, v []byte) (take, stop bool, err error)) (keys [][]byte, next []byte, err error) {
	c := t.cursor(b)
	looked := 0
	for k, v := c.Seek(from); k != nil; k, v = c.Next() {
		if looked == sweepStep {
			return keys, bytes.Clone(k), nil
		}
		looked++
		take, stop, err := want(k, v)
		switch {
		case w.passes(err):
		case err != nil || stop:
			return keys, nil, err
		case take:
			keys = append(keys, bytes.Clone(k))
		}
	}
	return keys, nil, nil
}

// older takes keys that begin with a time before the cutoff.
func (w *sweeper) older(k, _ []byte) (take, stop bool, err error) {
	older := len(k) >= 8 && readTime(k).Before(w.cutoff)
	return older, !older, nil
}

// each calls remove with keys, and counts what it removed. What is damaged is
// passed over: remove has changed nothing then.
func (w *sweeper) each(keys [][]byte, remove func(k []byte) (int, error)) (n int, err error) {
	for _, k := range keys {
		removed, err := remove(k)
		if err != nil && !w.passes(err) {
			return 0, err
		}
		n += removed
	}
	return n, nil
}

// gone removes items that were gone.
func (w *sweeper) gone(t *tx, from []byte) (n int, next []byte, err error) {
	keys, next, err := w.collect(t, bucketGone, from, w.older)
	if err == nil {
		n, err = w.each(keys, t.forget)
	}
	return n, next, err
}

// forget removes an item that was gone, and what is noted of it, unless it came
// back since.
func (t *tx) forget(gone []byte) (n int, err error) {
	key := gone[8:]
	if v := t.get(bucketItems, key); v != nil {
		it, err := readItem(key, v)
		if err != nil {
			return 0, err
		}
		if it.gone() && it.seen.Equal(readTime(gone)) {
			if err := t.dropNotes(key); err != nil {
				return 0, err
			}
			if err := t.dropTimeline(key); err != nil {
				return 0, err
			}
			if err := t.drop(bucketItems, key); err != nil {
				return 0, err
			}
		}
	}
	return 1, t.drop(bucketGone, gone)
}

// dead removes dead letters.
func (w *sweeper) dead(t *tx, from []byte) (n int, next []byte, err error) {
	keys, next, err := w.collect(t, bucketDead, from, w.older)
	if err == nil {
		n, err = w.each(keys, t.dropLetter)
	}
	return n, next, err
}

// dropLetter removes a dead letter, with what it is a replay of.
func (t *tx) dropLetter(dead []byte) (n int, err error) {
	number, _ := lastNumber(dead)
	d, found, err := t.delivery(number)
	if err != nil {
		return 0, err
	}
	if found && d.letter() {
		endpoint, err := t.endpoint(d.endpoint)
		if err != nil {
			return 0, err
		}
		if n, err = t.dropChain(cmp.Or(d.origin, number)); err != nil {
			return 0, err
		}
		endpoint.Dead--
	}
	if err := t.drop(bucketLetters, letterKey(d.endpoint, readTime(dead), number)); err != nil {
		return 0, err
	}
	return n, t.drop(bucketDead, dead)
}

// attempts removes records of attempts.
func (w *sweeper) attempts(t *tx, from []byte) (n int, next []byte, err error) {
	keys, next, err := w.collect(t, bucketAttempts, from, func(k, v []byte) (take, stop bool, err error) {
		a, err := readAttempt(k, v)
		if err != nil || a.At.Before(w.cutoff) {
			return err == nil, false, err
		}
		stop, err = t.young(k, w.cutoff)
		return false, stop, err
	})
	if err == nil {
		n, err = w.each(keys, func(k []byte) (int, error) { return 1, t.drop(bucketAttempts, k) })
	}
	return n, next, err
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

// events removes events, with all that belongs to them.
func (w *sweeper) events(t *tx, from []byte) (n int, next []byte, err error) {
	keys, next, err := w.collect(t, bucketEvents, from, func(k, v []byte) (take, stop bool, err error) {
		e, err := readEvent(k, v)
		if err != nil || !e.created.Before(w.cutoff) {
			return false, err == nil, err // ids are in the order of time, or nearly
		}
		needed, err := t.needed(&e, w.cutoff)
		return !needed, false, err
	})
	if err != nil {
		return 0, nil, err
	}
	for i, k := range keys {
		if n >= sweepStep {
			return n, k, nil
		}
		removed, err := w.each(keys[i:i+1], t.dropEvent)
		if err != nil {
			return 0, nil, err
		}
		n += removed
	}
	return n, next, nil
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
	if err := t.drop(bucketBySource, toldKey(&e, string(key))); err != nil {
		return 0, err
	}
	return n + e.bodies + 1, t.drop(bucketEvents, key)
}

// dropDelivery removes a settled delivery of an event, and its attempts.
func (t *tx) dropDelivery(number uint64, e *storedEvent) (n int, err error) {
	d, found, err := t.delivery(number)
	if err != nil || !found {
		return 0, err
	}
	if err := t.unfile(number, &d, e); err != nil {
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
