package bolt

import (
	"context"
	"fmt"
	"math"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// Commit applies c. See differ.Store. An event whose id is there already is
// refused, and all of c with it.
func (s *Store) Commit(ctx context.Context, c *differ.Commit) error {
	err := s.afterForgetting(ctx, func() error {
		stem, err := s.stem(c.Unit())
		if err != nil {
			return err
		}
		p, err := prepare(c, stem)
		if err != nil {
			return err
		}
		return s.do(ctx, &request{check: p.check, apply: p.apply, size: p.size})
	})
	if err != nil {
		return fmt.Errorf("commit source %s: %w", c.Source, err)
	}
	return nil
}

func (p *prepared) check(t *tx) error {
	if err := t.still(p.unit, p.stem); err != nil {
		return err
	}
	src, _, err := t.source(p.stem)
	if err != nil {
		return err
	}
	if src.Version != p.version {
		return differ.ErrConflict
	}
	p.life = src.Life
	for i := range p.events {
		if id := p.events[i].id; t.get(bucketEvents, []byte(id)) != nil {
			return fmt.Errorf("event %s is there already", id)
		}
	}
	return nil
}

func (p *prepared) apply(t *tx) error {
	life, err := t.live(p)
	if err != nil {
		return err
	}
	if p.reset {
		if err := t.dropAll(bucketItems, itemPrefix(p.stem)); err != nil {
			return err
		}
		if err := t.dropAll(bucketUpdates, itemPrefix(p.stem)); err != nil {
			return err
		}
	}
	for _, it := range p.items {
		if err := t.put(bucketItems, it.key, it.record); err != nil {
			return err
		}
		if it.gone != nil {
			if err := t.mark(bucketGone, it.gone); err != nil {
				return err
			}
			if err := t.dropAll(bucketUpdates, it.told); err != nil {
				return err
			}
		}
	}
	if err := t.putRevisions(p.changes, life); err != nil {
		return err
	}
	if err := t.putNotes(p.notes); err != nil {
		return err
	}
	for i := range p.events {
		if err := t.addEvent(&p.events[i]); err != nil {
			return err
		}
	}
	return nil
}

// live stores the state of a commit, and gives the life of its source then.
func (t *tx) live(p *prepared) (life uint64, err error) {
	state := p.state
	if state.Life = p.life; p.reset || state.Life == 0 {
		if state.Life, err = t.bucket(bucketSources).NextSequence(); err != nil {
			return 0, err
		}
	}
	return state.Life, t.putSource(p.stem, state)
}

// dropAll removes all records of a bucket whose keys begin with prefix.
func (t *tx) dropAll(b bucket, prefix []byte) error {
	_, _, err := t.dropSome(b, prefix, math.MaxInt)
	return err
}

// addEvent writes an event and what is to be delivered of it.
func (t *tx) addEvent(e *preparedEvent) error {
	first := t.bucket(bucketDeliveries).Sequence() + 1
	if e.merges {
		merged, err := t.merge(e, first)
		if err != nil {
			return err
		}
		e = merged
	}
	event := e.event
	event.first = first
	key := []byte(e.id)
	if err := t.put(bucketEvents, key, event.record(key)); err != nil {
		return err
	}
	if err := t.tell(e.id, &event); err != nil {
		return err
	}
	for i, payload := range e.payloads {
		if err := t.put(bucketBodies, bodyKey(e.id, i), payload); err != nil {
			return err
		}
	}
	for i := range e.deliveries {
		if err := t.addDelivery(e, &e.deliveries[i]); err != nil {
			return err
		}
	}
	return nil
}

// addDelivery puts a delivery at the end of its lane. Where it took the place of
// another, it stands in due where that one did.
func (t *tx) addDelivery(e *preparedEvent, p *preparedDelivery) error {
	number, err := t.bucket(bucketDeliveries).NextSequence()
	if err != nil {
		return err
	}
	d := storedDelivery{event: e.id, endpoint: p.endpoint, body: p.body, state: stateWaiting, coalesce: p.coalesce, place: p.place}
	if err := t.await(&e.event, p, number); err != nil {
		return err
	}
	if p.dead != "" {
		return t.addDead(number, &d, p.dead, &e.event)
	}
	return t.enqueue(number, &d, &e.event)
}

// enqueue writes a delivery that waits, at the end of its lane.
func (t *tx) enqueue(number uint64, d *storedDelivery, e *storedEvent) error {
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	endpoint.Waiting++
	d.order = endpoint.Order
	if err := t.putDelivery(number, d); err != nil {
		return err
	}
	if err := t.file(number, d, e); err != nil {
		return err
	}
	lane := d.lane(e, number)
	_, behind, err := t.laneHead(lane)
	if err != nil {
		return err
	}
	if err := t.mark(bucketLanes, laneKey(lane, number)); err != nil || behind {
		return err
	}
	return t.mark(bucketDue, d.dueKey(e, number))
}

// addDead puts a delivery that cannot be made among the dead letters. Why
// stands in the record of an attempt, as with any other.
func (t *tx) addDead(number uint64, d *storedDelivery, why string, e *storedEvent) error {
	now := e.created
	d.state, d.settled, d.attempts, d.unmade, d.ended = stateDead, now, 1, true, true
	if err := t.putDelivery(number, d); err != nil {
		return err
	}
	if err := t.file(number, d, e); err != nil {
		return err
	}
	key := attemptKey(number, 1)
	if err := t.put(bucketAttempts, key, attemptRecord(key, &emitter.Attempt{At: now, Error: emitter.ErrorPayload, Reason: why})); err != nil {
		return err
	}
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	endpoint.Dead++
	return t.bury(number, d)
}
