package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/emitter"
)

// mender makes records that are whole, each by itself, hang together again.
type mender struct {
	s   *Store
	ctx context.Context
	r   *Repaired
	now time.Time

	hollow map[string]map[int]bool   // payloads that are gone, by event
	most   map[bucket]uint64         // the largest number that a record has
	orphan map[uint64]storedDelivery // what lanes know of deliveries that are gone
}

// mend brings a file of records that were salvaged to what Check wants of it. It
// works from what others need to what needs others.
func (s *Store) mend(ctx context.Context, r *Repaired) error {
	m := &mender{s: s, ctx: ctx, r: r, now: time.Now().UTC(), hollow: map[string]map[int]bool{}, most: map[bucket]uint64{}, orphan: map[uint64]storedDelivery{}}
	for _, step := range []struct {
		b  bucket
		do func(t *tx, b bucket, k, v []byte) error
	}{
		{bucketLanes, m.lane},
		{bucketDue, clearRecord},
		{bucketDead, clearRecord},
		{bucketGone, clearRecord},
		{bucketLetters, clearRecord},
		{bucketBySource, clearRecord},
		{bucketByEndpoint, clearRecord},
		{bucketMeta, m.keep}, // names refer to each other: once more for the other one
		{bucketMeta, m.keep},
		{bucketSources, m.source},
		{bucketItems, m.item},
		{bucketNotes, m.keep},
		{bucketRevisions, m.revision},
		{bucketEvents, m.event},
		{bucketBodies, m.quietly},
		{bucketEndpoints, m.endpoint},
		{bucketDeliveries, m.delivery},
		{bucketDeliveries, m.chain},
		{bucketDeliveries, m.queue}, // when it is known which of them there are
		{bucketAttempts, m.attempt},
		{bucketUpdates, m.quietly},
	} {
		if err := m.each(step.b, step.do); err != nil {
			return fmt.Errorf("%s: %w", step.b, err)
		}
	}
	return s.guard(func() error { return s.db.Update(m.number) })
}

// each calls do for every record of a bucket, in transactions of some. do may
// change any bucket, and of its own no record but the one that it is given.
func (m *mender) each(b bucket, do func(t *tx, b bucket, k, v []byte) error) error {
	for from := []byte{}; from != nil; {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		err := m.s.guard(func() error {
			return m.s.db.Update(func(btx *bbolt.Tx) (err error) {
				t := newTx(btx)
				var some []pair
				from, err = t.some(b, from, func(k, v []byte) error {
					some = append(some, pair{b, bytes.Clone(k), bytes.Clone(v)})
					return nil
				})
				for i := 0; err == nil && i < len(some); i++ {
					err = do(t, b, some[i].k, some[i].v)
				}
				return errors.Join(err, t.flush())
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func clearRecord(t *tx, b bucket, k, _ []byte) error { return t.drop(b, k) }

// keep keeps a record that Check finds nothing wrong with.
func (m *mender) keep(t *tx, b bucket, k, v []byte) error {
	err := t.checkRecord(b, k, v)
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	m.r.lose(string(b), "%s is left out: %s", describe(b, k), err)
	return t.drop(b, k)
}

// there says that keep kept it.
func (m *mender) there(t *tx, b bucket, k, v []byte) (bool, error) {
	err := m.keep(t, b, k, v)
	return err == nil && t.get(b, k) != nil, err
}

// atLeast notes a number that must not be given out again.
func (m *mender) atLeast(b bucket, n uint64) { m.most[b] = max(m.most[b], n) }

func (m *mender) number(btx *bbolt.Tx) error {
	for b, n := range m.most {
		records := btx.Bucket([]byte(b))
		if err := records.SetSequence(max(records.Sequence(), n)); err != nil {
			return err
		}
	}
	return nil
}

func (m *mender) source(t *tx, b bucket, k, v []byte) error {
	if ok, err := m.there(t, b, k, v); !ok {
		return err
	}
	src, _, err := t.source(string(k))
	m.atLeast(b, src.Life)
	return err
}

func (m *mender) revision(t *tx, b bucket, k, v []byte) error {
	if ok, err := m.there(t, b, k, v); !ok {
		return err
	}
	r, err := readRevision(k, v)
	m.atLeast(bucketSources, r.life)
	return err
}

// item keeps an item, and notes where it is gone.
func (m *mender) item(t *tx, b bucket, k, v []byte) error {
	if ok, err := m.there(t, b, k, v); !ok {
		return err
	}
	it, err := readItem(k, v)
	if err != nil || !it.gone() {
		return err
	}
	return t.mark(bucketGone, goneKey(it.seen, k))
}

// lane drops an entry of a lane, and notes what it knows of a delivery that is
// gone.
func (m *mender) lane(t *tx, b bucket, k, _ []byte) error {
	endpoint, rest, ok := cutPart(k)
	number, numbered := lastNumber(rest)
	if ok && numbered && t.get(bucketDeliveries, numberKey(number)) == nil {
		d := storedDelivery{endpoint: endpoint, state: stateWaiting}
		switch unit, rest, _ := cutUnit(rest); {
		case unit == "" && len(rest) == 1+8:
			d.order = orderEndpoint
		case unit == "":
			d.order = orderNone
		}
		m.orphan[number] = d
	}
	return t.drop(b, k)
}

// revive makes the deliveries of an event anew that are gone and of which a lane
// said that they waited, where it is known what they were to say.
func (m *mender) revive(t *tx, id string, e *storedEvent) error {
	for i := range uint64(e.deliveries) {
		number := e.first + i
		d, found := m.orphan[number]
		if !found || e.bodies != 1 {
			continue
		}
		d.event = id
		c := t.cursor(bucketAttempts)
		for k, _ := c.Seek(numberKey(number)); bytes.HasPrefix(k, numberKey(number)); k, _ = c.Next() {
			d.attempts++
		}
		if d.attempts > 0 {
			d.due = m.now
		}
		if err := t.putDelivery(number, &d); err != nil {
			return err
		}
		m.r.Revived++
	}
	return nil
}

// event keeps an event, with an empty payload where one is gone.
func (m *mender) event(t *tx, b bucket, k, v []byte) error {
	e, err := readEvent(k, v)
	if err != nil {
		return m.keep(t, b, k, v)
	}
	m.atLeast(bucketDeliveries, e.first+uint64(max(e.deliveries, 1))-1)
	if err := m.revive(t, string(k), &e); err != nil {
		return err
	}
	for i := range e.bodies {
		_, err := t.payload(string(k), i)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrDamaged) {
			return err
		}
		if m.hollow[string(k)] == nil {
			m.hollow[string(k)] = map[int]bool{}
		}
		m.hollow[string(k)][i] = true
		key := bodyKey(string(k), i)
		if err := t.put(bucketBodies, key, bodyRecord(key, nil)); err != nil {
			return err
		}
	}
	return t.tell(string(k), &e)
}

// endpoint keeps an endpoint, whose deliveries are still to be counted.
func (m *mender) endpoint(t *tx, b bucket, k, v []byte) error {
	if err := unsealJSON(b, k, v, &storedEndpoint{}); err != nil {
		return m.keep(t, b, k, v)
	}
	e, err := t.endpoint(string(k))
	if err == nil {
		e.Waiting, e.Dead = 0, 0
	}
	return err
}

// lostPayload is why a delivery is a dead letter whose payload is gone.
const lostPayload = "its payload was damaged, and left out when the store was repaired"

// delivery keeps a delivery that has its event.
func (m *mender) delivery(t *tx, b bucket, k, _ []byte) error {
	number, _ := lastNumber(k)
	m.atLeast(b, number)
	d, e, err := t.waiting(number)
	if err == nil && (len(k) != 8 || d.body >= e.bodies) {
		err = misplaced(b, k, "has no payload")
	}
	if origin := cmp.Or(d.origin, number); err == nil && (origin < e.first || origin-e.first >= uint64(e.deliveries)) {
		err = misplaced(b, k, "is none of its event's")
	}
	if errors.Is(err, ErrDamaged) {
		m.r.lose(string(b), "delivery %d of event %q to endpoint %q is left out (%s): %s", number, clip(d.event), clip(d.endpoint), d.state, err)
		return t.drop(b, k)
	}
	if err != nil || !m.hollow[d.event][d.body] {
		return err
	}
	m.r.lose(string(b), "delivery %d of event %q to endpoint %q has no payload any more (%s)", number, clip(d.event), clip(d.endpoint), d.state)
	d.unmade = true
	if d.state == stateWaiting {
		d.attempts++
		d.state, d.settled, d.coalesce, d.ended = stateDead, m.now, false, true
		key := attemptKey(number, d.attempts)
		why := emitter.Attempt{At: m.now, Error: emitter.ErrorPayload, Reason: lostPayload}
		if err := t.put(bucketAttempts, key, attemptRecord(key, &why)); err != nil {
			return err
		}
	}
	return t.putDelivery(number, &d)
}

// queue puts a delivery where its state has it, and counts it. They come in the
// order of their numbers, which is that of their lanes.
func (m *mender) queue(t *tx, _ bucket, k, _ []byte) error {
	number, _ := lastNumber(k)
	d, e, err := t.waiting(number)
	if err != nil {
		return err
	}
	if err := t.checkChain(k, number, &d, &e); errors.Is(err, ErrDamaged) {
		d.after = 0 // the one that took its place is gone
	} else if err != nil {
		return err
	}
	if d.attempts == 0 {
		d.due = time.Time{} // see forward
	}
	if err := t.putDelivery(number, &d); err != nil {
		return err
	}
	if err := t.file(number, &d, &e); err != nil || d.state != stateWaiting && !d.letter() {
		return err
	}
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	if t.get(bucketEndpoints, []byte(d.endpoint)) == nil && endpoint.Waiting+endpoint.Dead == 0 {
		endpoint.Order, endpoint.Arranging = d.order, true // its record is gone
	}
	if d.letter() {
		endpoint.Dead++
		return t.bury(number, &d)
	}
	endpoint.Waiting++
	lane := d.lane(&e, number)
	_, behind, err := t.laneHead(lane)
	if err != nil {
		return err
	}
	if err := t.mark(bucketLanes, laneKey(lane, number)); err != nil || behind {
		return err
	}
	return t.mark(bucketDue, d.dueKey(&e, number))
}

// attempt keeps an attempt whose delivery is there.
func (m *mender) attempt(t *tx, b bucket, k, v []byte) error {
	if len(k) != 12 || t.get(bucketDeliveries, k[:8]) == nil {
		return t.drop(b, k) // told of its delivery
	}
	m.atLeast(bucketDeliveries, binary.BigEndian.Uint64(k))
	return m.keep(t, b, k, v)
}

// quietly drops what Check would refuse: payloads whose event is gone, which was
// told, and updates that cannot be superseded any more, which are sent as others.
func (m *mender) quietly(t *tx, b bucket, k, v []byte) error {
	err := t.checkRecord(b, k, v)
	if errors.Is(err, ErrDamaged) {
		return t.drop(b, k)
	}
	return err
}

// String is a state in a word.
func (s state) String() string {
	switch s {
	case stateWaiting:
		return "it waited"
	case stateDelivered:
		return "it had arrived"
	case stateDead:
		return "a dead letter"
	case stateExpired:
		return "expired"
	case stateSuperseded:
		return "superseded"
	}
	return "its state is not known"
}
