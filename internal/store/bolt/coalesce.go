package bolt

import (
	"bytes"
	"cmp"
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
			ok, err := t.supersede(e, &d, first+uint64(i))
			if err != nil {
				return nil, err
			}
			if ok {
				payload = d.merge.payload
			}
		}
		merged.deliveries = append(merged.deliveries, d)
		payloads = append(payloads, payload)
	}
	merged.lay(payloads)
	return &merged, nil
}

// supersede ends the delivery whose place p takes under the number by, if that
// can still be. p gets what the item was before that one, and where it stood.
func (t *tx) supersede(e *preparedEvent, p *preparedDelivery, by uint64) (ok bool, err error) {
	number := p.merge.delivery
	u, found := t.update(updateKey(e.event.stem, e.event.key, p.endpoint, e.event.typ))
	if !found || u.number != number {
		return false, nil
	}
	d, of, err := t.waiting(number)
	if errors.Is(err, ErrDamaged) {
		return false, nil // Pending tells of it
	}
	if err == nil && (d.state != stateWaiting || d.attempts > 0 || d.endpoint != p.endpoint) {
		return false, nil
	}
	if err == nil {
		ok, err = t.untouched(number, &d, &of)
	}
	if err != nil || !ok {
		return false, err
	}
	first, err := t.undue(number, &d, &of)
	if err != nil {
		return false, err
	}
	d.state, d.coalesce, d.by, d.byEvent = stateSuperseded, false, by, e.id
	t.superseded[d.endpoint]++
	p.old, p.place = bytes.Clone(u.old), cmp.Or(d.place, number)
	return true, t.finish(number, &d, &of, first)
}

// untouched says that a delivery that waits cannot have been sent: not by this
// process, nor by one before it that was killed before it could store so; and
// that its turn has not come so near that it keeps it.
func (t *tx) untouched(number uint64, d *storedDelivery, e *storedEvent) (bool, error) {
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil || number <= endpoint.Arranged {
		return false, err
	}
	hand := t.hand(d.endpoint)
	if hand.given[number] || d.order == orderEndpoint && number <= hand.round {
		return false, nil
	}
	lane := d.lane(e, number)
	head, found, err := t.laneHead(lane)
	switch {
	case errors.Is(err, ErrDamaged) || err == nil && !found:
		return false, nil
	case err != nil || head != number:
		return err == nil, err
	case number <= hand.begun:
		return false, nil
	}
	if d.order != orderItem {
		return true, nil
	}
	return t.yields(lane, number, d)
}

// yields says that the first delivery of an item's lane may go to its end: nothing
// is behind it, or what has waited longer. So updates under several types don't
// keep each other waiting.
func (t *tx) yields(lane []byte, number uint64, d *storedDelivery) (bool, error) {
	k, _ := t.reader(bucketLanes).Seek(laneKey(lane, number+1))
	if len(k) != len(lane)+8 || !bytes.HasPrefix(k, lane) {
		return true, nil
	}
	next, _ := lastNumber(k)
	behind, found, err := t.delivery(next)
	if errors.Is(err, ErrDamaged) || err == nil && !found {
		return true, nil
	}
	return cmp.Or(behind.place, next) < cmp.Or(d.place, number), err
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
