package bolt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/emitter"
)

// maxDamaged is how many damaged deliveries one Pending steps over. Where more
// are met it fails with the error of the first: that is no store to work with.
const maxDamaged = 1_000

// turns is whose turn it is at each endpoint.
type turns struct {
	mu sync.Mutex
	at map[string]turn
}

func newTurns() turns { return turns{at: map[string]turn{}} }

// turn is what follows at an endpoint. The zero value is the first.
type turn struct {
	source string // the one that gave last of what was never tried
	again  bool   // what is due again follows
}

func (t *turns) get(endpoint string) turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at[endpoint]
}

func (t *turns) put(endpoint string, at turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at[endpoint] = at
}

// Pending gives what is due at an endpoint. See emitter.Queue. Of what waits it
// reads the deliveries that it gives and a key more of each of their sources,
// and those that it skips or steps over.
func (s *Store) Pending(ctx context.Context, endpoint string, now time.Time, n int, skip func(uint64) bool) (emitter.Batch, error) {
	if err := ctx.Err(); err != nil {
		return emitter.Batch{}, err
	}
	hand := s.hands.of(endpoint)
	hand.mu.Lock()
	defer hand.mu.Unlock()
	var p *pick
	var last uint64
	err := s.view(func(t *tx) error {
		last = t.bucket(bucketDeliveries).Sequence()
		p = &pick{tx: t, now: now, skip: skip, turn: s.turns.get(endpoint), room: min(n, 32)}
		return p.all(endpoint, n)
	})
	if err != nil {
		return emitter.Batch{}, fmt.Errorf("pending at endpoint %s: %w", endpoint, err)
	}
	s.turns.put(endpoint, p.turn)
	hand.give(p.batch.Due, skip, last)
	return p.batch, nil
}

// pick takes deliveries out of due in their turns. It changes nothing.
type pick struct {
	*tx
	now   time.Time
	skip  func(uint64) bool
	turn  turn
	batch emitter.Batch
	room  int // in batch.Due, at first

	prefix []byte // of all keys of the endpoint
	fresh  ring
	again  *spot // in what is due again; nil: nothing more is
}

// spot is where one goes on in due.
type spot struct {
	cursor *bbolt.Cursor
	k, v   []byte
}

func (t *tx) spot(from []byte) *spot {
	p := &spot{cursor: t.cursor(bucketDue)}
	p.k, p.v = p.cursor.Seek(from)
	return p
}

// step gives the entry, if its key begins so, and goes on to the next one.
func (p *spot) step(prefix []byte) (k, v []byte, ok bool) {
	k, v = p.k, p.v
	if !bytes.HasPrefix(k, prefix) {
		return nil, nil, false
	}
	p.k, p.v = p.cursor.Next()
	return k, v, true
}

// all picks up to n deliveries.
func (p *pick) all(endpoint string, n int) error {
	p.prefix = duePrefix(endpoint)
	p.fresh.begin(p.tx, endpoint, p.turn.source)
	p.again = p.spot(againKey(endpoint, time.Unix(0, math.MinInt64+1))) // the first but zero
	for len(p.batch.Due) < n {
		first, second := p.pickFresh, p.pickAgain
		if p.turn.again {
			first, second = second, first
		}
		given, err := first()
		if err == nil && !given {
			given, err = second()
		}
		if err != nil || !given {
			return err
		}
	}
	p.batch.Next = time.Time{} // there may be more that are due
	return nil
}

// pickFresh picks one that was never tried, of the next source that has one.
func (p *pick) pickFresh() (given bool, err error) {
	for s := p.fresh.next(); s != nil; s = p.fresh.next() {
		for k, v, ok := s.step(s.prefix); ok; k, v, ok = s.step(s.prefix) {
			given, err := p.take(k, v)
			if err != nil {
				return false, err
			}
			if given {
				p.turn = turn{source: s.source, again: true}
				return true, nil
			}
		}
		p.fresh.drop()
	}
	return false, nil
}

// pickAgain picks the one that is due again first.
func (p *pick) pickAgain() (given bool, err error) {
	if p.again == nil {
		return false, nil
	}
	for k, v, ok := p.again.step(p.prefix); ok; k, v, ok = p.again.step(p.prefix) {
		if due, _, err := readDue(p.prefix, k, v); err == nil && due.After(p.now) {
			p.batch.Next = due
			break
		}
		given, err := p.take(k, v)
		if err != nil {
			return false, err
		}
		if given {
			p.turn.again = false
			return true, nil
		}
	}
	p.again = nil
	return false, nil
}

// take reads the delivery of an entry, unless the caller has it in hand or a
// record of it is damaged.
func (p *pick) take(k, v []byte) (given bool, err error) {
	_, number, err := readDue(p.prefix, k, v)
	if err == nil && p.skip != nil && p.skip(number) {
		return false, nil
	}
	var d emitter.Delivery
	if err == nil {
		d, err = p.wire(number)
	}
	if err != nil {
		return false, p.stepOver(err)
	}
	if p.batch.Due == nil {
		p.batch.Due = make([]emitter.Delivery, 0, p.room)
	}
	p.batch.Due = append(p.batch.Due, d)
	return true, nil
}

// stepOver notes a damage.
func (p *pick) stepOver(err error) error {
	if !errors.Is(err, ErrDamaged) || p.batch.Damaged == maxDamaged {
		return cmp.Or(p.batch.Damage, err)
	}
	p.batch.Damaged, p.batch.Damage = p.batch.Damaged+1, cmp.Or(p.batch.Damage, err)
	return nil
}

// after is the first key behind all that begin with prefix.
func after(prefix []byte) []byte {
	b := bytes.Clone(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] != 0 {
			return b[:i+1]
		}
	}
	return nil
}

func readDue(prefix, k, v []byte) (due time.Time, number uint64, err error) {
	if _, err := unseal(bucketDue, k, v); err != nil {
		return time.Time{}, 0, err
	}
	rest := k[len(prefix):]
	if len(rest) < 16 {
		return time.Time{}, 0, damaged(bucketDue, k)
	}
	if due = readTime(rest); !due.IsZero() && len(rest) != 16 {
		return time.Time{}, 0, damaged(bucketDue, k)
	}
	number, _ = lastNumber(rest)
	return due, number, nil
}

// Oldest gives the delivery that waits longest. See emitter.Queue. It looks at
// each that stands first in its lane, oldestStep of them in a transaction.
func (s *Store) Oldest(ctx context.Context, endpoint string, skip func(uint64) bool) (d emitter.Delivery, found bool, err error) {
	bad := map[uint64]bool{}
	for {
		number, found, err := s.oldest(ctx, endpoint, func(number uint64) bool {
			return bad[number] || skip != nil && skip(number)
		})
		if err == nil && found {
			var waits bool
			if d, waits, err = s.pass(endpoint, number, skip); err == nil && !waits {
				continue // it was superseded, or dropped, meanwhile
			}
		}
		if !errors.Is(err, ErrDamaged) || len(bad) == maxDamaged {
			if err != nil {
				return emitter.Delivery{}, false, fmt.Errorf("oldest at endpoint %s: %w", endpoint, err)
			}
			return d, found, nil
		}
		bad[number] = true
	}
}

// pass gives one delivery, if it still waits.
func (s *Store) pass(endpoint string, number uint64, skip func(uint64) bool) (d emitter.Delivery, waits bool, err error) {
	hand := s.hands.of(endpoint)
	hand.mu.Lock()
	defer hand.mu.Unlock()
	var last uint64
	err = s.view(func(t *tx) error {
		last = t.bucket(bucketDeliveries).Sequence()
		stored, found, err := t.delivery(number)
		if waits = found && stored.state == stateWaiting; err != nil || !waits {
			return err
		}
		d, err = t.wire(number)
		return err
	})
	if err == nil && waits {
		hand.give([]emitter.Delivery{d}, skip, last)
	}
	return d, waits, err
}

// oldestStep is how many entries of due are looked at in one transaction.
const oldestStep = 10_000

func (s *Store) oldest(ctx context.Context, endpoint string, skip func(uint64) bool) (least uint64, found bool, err error) {
	prefix := duePrefix(endpoint)
	for from := prefix; from != nil; {
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		err := s.view(func(t *tx) error {
			c := t.cursor(bucketDue)
			k, _ := c.Seek(from)
			for range oldestStep {
				if !bytes.HasPrefix(k, prefix) {
					from = nil
					return nil
				}
				if number, ok := lastNumber(k); ok && (!found || number < least) && !skip(number) {
					least, found = number, true
				}
				k, _ = c.Next()
			}
			from = bytes.Clone(k)
			return nil
		})
		if err != nil {
			return 0, false, err
		}
	}
	return least, found, nil
}
