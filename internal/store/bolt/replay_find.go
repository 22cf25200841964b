package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/deltahook/deltahook/emitter"
)

// foundReplays is what is to be put back, by number, and what isn't, counted.
type foundReplays struct {
	numbers []uint64
	counted emitter.Replayed
}

// findReplays looks for what a step puts back.
func (s *Store) findReplays(ctx context.Context, r *emitter.Replay) (found foundReplays, err error) {
	if err := ctx.Err(); err != nil {
		return found, err
	}
	err = s.view(func(t *tx) error {
		found = foundReplays{}
		if r.Delivery == 0 && r.Event == "" && (byNumber(&r.Filter) || r.Source != "") && t.indexed() {
			return t.findMet(r, &found)
		}
		at, err := decodeSlot(r.Cursor)
		if err != nil {
			return err
		}
		if r.Delivery != 0 {
			return t.findDelivery(r, &found)
		}
		if r.Event != "" {
			if t.get(bucketEvents, []byte(r.Event)) == nil {
				return fmt.Errorf("event %s: %w", clip(r.Event), emitter.ErrUnknown)
			}
			at.event = max(at.event, r.Event)
		}
		return t.findEvents(r, at, &found)
	})
	return found, err
}

// findDelivery looks at what one delivery was replayed as last.
func (t *tx) findDelivery(r *emitter.Replay, found *foundReplays) error {
	d, there, err := t.delivery(r.Delivery)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("delivery %d: %w", r.Delivery, emitter.ErrUnknown)
	}
	e, err := t.event(d.event)
	if err != nil {
		return err
	}
	return t.findLast(r, d.event, &e, cmp.Or(d.origin, r.Delivery), found)
}

// slot is an endpoint that an event is told to.
type slot struct {
	event string
	index int
}

// findEvents goes through events in their order, from a place on.
func (t *tx) findEvents(r *emitter.Replay, at slot, found *foundReplays) error {
	c := t.cursor(bucketEvents)
	from := []byte(at.event)
	if early := timeID(r.Since.Add(-idSlack)); !r.Since.IsZero() && r.State != emitter.Dead && r.Event == "" && bytes.Compare(early, from) > 0 {
		from = early
	}
	most := cmp.Or(r.Most, emitter.MaxPage)
	looked := 0
	for k, v := c.Seek(from); k != nil; k, v = c.Next() {
		id := string(k)
		if looked >= maxLooked {
			found.counted.Next = slot{id, 0}.encode()
			return nil
		}
		e, err := readEvent(k, v)
		if err != nil {
			looked++
			found.counted.PassOver(err)
			continue
		}
		if r.Event != "" && id != r.Event || !r.Until.IsZero() && e.created.After(r.Until.Add(idSlack)) {
			return nil
		}
		record := e.shown(id)
		if !r.Takes(&record) || !r.SeesEvent(e.created) {
			looked++
			continue
		}
		first := 0
		if id == at.event {
			first = at.index
		}
		for i := first; i < e.deliveries; i++ {
			if looked >= maxLooked || !r.Dry && len(found.numbers) >= most {
				found.counted.Next = slot{id, i}.encode()
				return nil
			}
			looked++
			err := t.findLast(r, id, &e, e.first+uint64(i), found)
			if errors.Is(err, ErrDamaged) {
				found.counted.PassOver(err)
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// findMet goes through the first deliveries to endpoints that are in all indexes
// that the filter has, from a place on.
func (t *tx) findMet(r *emitter.Replay, found *foundReplays) error {
	from, err := decodeCursor(r.Cursor, cursorOrigin)
	if err == nil && from != nil && len(from) != 8 {
		err = emitter.ErrBadCursor
	}
	if err != nil {
		return err
	}
	n, died := t.numberBefore(r.Since), span{}
	if r.State == emitter.Dead { // it may have waited for long before
		n, died = 0, span{deathAt(r.Since), deathAt(r.Until)}
	}
	if from != nil {
		n = binary.BigEndian.Uint64(from)
	}
	var states []emitter.State
	if r.State == emitter.Dead {
		states = []emitter.State{emitter.Dead, emitter.Waiting} // what waits is counted
		if !r.Since.IsZero() || !r.Until.IsZero() {
			states = states[:1]
		}
	}
	few := maxLooked
	if !r.Dry {
		few /= 10 // they are looked up at each of many steps
	}
	m := meeting{of: t.firsts(&r.Filter, died, few, found.counted.PassOver, states...), up: true}
	most := cmp.Or(r.Most, emitter.MaxPage)
	for looked := 0; ; looked++ {
		at, there, more := m.next(n)
		if more || there && (looked >= maxLooked || !r.Dry && len(found.numbers) >= most) {
			found.counted.Next = encodeCursor(cursorOrigin, numberKey(at))
			return nil
		}
		if !there {
			return nil
		}
		id, e, err := t.eventOf(at)
		if err == nil && id != "" {
			if !r.Until.IsZero() && e.created.After(r.Until.Add(idSlack)) {
				return nil
			}
			if record := e.shown(id); r.Takes(&record) && r.SeesEvent(e.created) {
				err = t.findLast(r, id, &e, at, found)
			}
		}
		if errors.Is(err, ErrDamaged) {
			found.counted.PassOver(err)
		} else if err != nil {
			return err
		}
		if n, there = m.beyond(at); !there {
			return nil
		}
	}
}

// findLast looks at the last delivery of an event to an endpoint.
func (t *tx) findLast(r *emitter.Replay, id string, e *storedEvent, origin uint64, found *foundReplays) error {
	number, d, there, err := t.last(origin)
	if err != nil || !there {
		return err
	}
	record := d.shown(number, e)
	if r.Endpoint != "" && r.Endpoint != d.endpoint || !r.SeesLast(&record) {
		return nil
	}
	n := &found.counted
	switch {
	case d.state == stateWaiting:
		n.Waiting++
	case r.State != "" && r.State != record.State || !r.Settled.IsZero() && !d.settled.Before(r.Settled):
	case r.Covers(record.State):
		n.Superseded++
	case d.unmade:
		n.Unsendable++
	case r.Endpoints != nil && !slices.Contains(r.Endpoints, d.endpoint):
		n.Unconfigured++
	default:
		if _, err := t.payload(id, d.body); err != nil {
			return err
		}
		n.Replayed++
		found.numbers = append(found.numbers, number)
	}
	return nil
}

func (s slot) encode() string {
	return encodeCursor(cursorSlot, binary.BigEndian.AppendUint32(nil, uint32(s.index)), []byte(s.event))
}

func decodeSlot(cursor string) (slot, error) {
	b, err := decodeCursor(cursor, cursorSlot)
	switch {
	case err != nil || b == nil:
		return slot{}, err
	case len(b) < 4:
		return slot{}, emitter.ErrBadCursor
	}
	return slot{string(b[4:]), int(binary.BigEndian.Uint32(b))}, nil
}
