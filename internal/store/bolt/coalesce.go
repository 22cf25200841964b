package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/deltahook/deltahook/differ"
)

// storedUpdate is a record of updates: the update that was told last at a
// place, as long as it waits there and was never tried.
type storedUpdate struct {
	number uint64 // of its delivery
	old    []byte // in the file: what the item was before it, and before all whose place it took
}

func updateRecord(key []byte, number uint64, old []byte) record {
	return newRecord(len(old)+20).uint(number).bytes(old).seal(bucketUpdates, key)
}

// update reads what stands at a place. What is damaged is as not there: what
// waits is told by itself then.
func (t *tx) update(key []byte) (u storedUpdate, found bool) {
	v := t.get(bucketUpdates, key)
	if v == nil {
		return u, false
	}
	f, err := unseal(bucketUpdates, key, v)
	if err != nil {
		return u, false
	}
	u.number, u.old = f.uint(), f.bytes()
	return u, f.end(bucketUpdates, key) == nil
}

// Untried gives the updates that wait at some places. See differ.Coalescer.
func (s *Store) Untried(ctx context.Context, unit string, at []differ.Place) (map[differ.Place]differ.Untried, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found := map[differ.Place]differ.Untried{}
	err := s.view(func(t *tx) error {
		stem, err := t.stem(unit)
		if err != nil || !t.has(bucketUpdates) || t.forgetting(stem) {
			return err
		}
		for _, p := range at {
			if u, ok := t.update(updateKey(stem, p.Key, p.Endpoint, p.Type)); ok {
				found[p] = differ.Untried{Delivery: u.number, Old: bytes.Clone(u.old)}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("updates of %s that wait: %w", unit, err)
	}
	return found, nil
}

// preparedMerge is what a delivery is where it takes the place of another.
type preparedMerge struct {
	delivery uint64
	payload  []byte
}

// merge decides which deliveries of an event take the place of one that waits,
// and ends those. The event that it gives has their payloads; e stays as it is,
// for it may be applied twice.
func (t *tx) merge(e *preparedEvent, first uint64) (*preparedEvent, error) {
	merged := *e
	merged.deliveries = nil
	var payloads [][]byte
	for i, d := range e.deliveries {
		payload := d.payload
		if d.merge != nil {
			old, ok, err := t.supersede(e, &d, first+uint64(i))
			if err != nil {
				return nil, err
			}
			if ok {
				d.old, payload = old, d.merge.payload
			}
		}
		merged.deliveries = append(merged.deliveries, d)
		payloads = append(payloads, payload)
	}
	merged.lay(payloads)
	return &merged, nil
}

// supersede ends the delivery whose place p takes under the number by, if that
// can still be, and gives what the item was before it.
func (t *tx) supersede(e *preparedEvent, p *preparedDelivery, by uint64) (old []byte, ok bool, err error) {
	number := p.merge.delivery
	u, found := t.update(updateKey(e.event.stem, e.event.key, p.endpoint, e.event.typ))
	if !found || u.number != number {
		return nil, false, nil
	}
	d, of, err := t.waiting(number)
	if errors.Is(err, ErrDamaged) {
		return nil, false, nil // Pending tells of it
	}
	if err == nil && (d.state != stateWaiting || d.attempts > 0 || d.endpoint != p.endpoint) {
		return nil, false, nil
	}
	if err == nil {
		ok, err = t.untouched(number, &d, &of)
	}
	if err != nil || !ok {
		return nil, false, err
	}
	first, err := t.undue(number, &d, &of)
	if err != nil {
		return nil, false, err
	}
	d.state, d.coalesce, d.by, d.byEvent = stateSuperseded, false, by, e.id
	t.superseded[d.endpoint]++
	return bytes.Clone(u.old), true, t.finish(number, &d, &of, first)
}

// untouched says that a delivery that waits cannot have been sent: not by this
// process, nor by one before it that was killed before it could store so.
func (t *tx) untouched(number uint64, d *storedDelivery, e *storedEvent) (bool, error) {
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil || number <= endpoint.Arranged {
		return false, err
	}
	hand := t.hand(d.endpoint)
	if hand.given[number] {
		return false, nil
	}
	if number > hand.begun {
		return true, nil
	}
	head, found, err := t.laneHead(d.lane(e, number))
	if errors.Is(err, ErrDamaged) {
		return false, nil
	}
	return found && head != number, err
}

// await notes an update that may be superseded, or that what was noted at its
// place may no more.
func (t *tx) await(e *storedEvent, p *preparedDelivery, number uint64) error {
	key := updateKey(e.stem, e.key, p.endpoint, e.typ)
	if !p.coalesce {
		return t.drop(bucketUpdates, key)
	}
	return t.put(bucketUpdates, key, updateRecord(key, number, p.old))
}

// spend notes that a delivery is not to be superseded any more, for it was
// tried or has ended. The caller stores the delivery.
func (t *tx) spend(number uint64, d *storedDelivery, e *storedEvent) error {
	if !d.coalesce {
		return nil
	}
	d.coalesce = false
	key := updateKey(e.stem, e.key, d.endpoint, e.typ)
	if u, found := t.update(key); !found || u.number != number {
		return nil
	}
	return t.drop(bucketUpdates, key)
}

// checkUpdate holds that what may be superseded waits and was never tried.
func (t *tx) checkUpdate(k, v []byte) error {
	f, err := unseal(bucketUpdates, k, v)
	if err != nil {
		return err
	}
	number := f.uint()
	f.bytes()
	if err := f.end(bucketUpdates, k); err != nil {
		return err
	}
	d, e, err := t.waiting(number)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(k, updateKey(e.stem, e.key, d.endpoint, e.typ)):
		return misplaced(bucketUpdates, k, "is of another place than its delivery")
	case d.state != stateWaiting || d.attempts > 0 || !d.coalesce:
		return misplaced(bucketUpdates, k, "has a delivery that cannot be superseded")
	}
	return nil
}
