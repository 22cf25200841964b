package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/poller"
)

// maxPayloads is how many bytes of payloads an event is shown with; those of
// further deliveries are left out.
const maxPayloads = 1 << 20

// Event gives one event. See emitter.Archive.
func (s *Store) Event(ctx context.Context, id string) (record emitter.EventRecord, err error) {
	if err := ctx.Err(); err != nil {
		return record, err
	}
	err = s.view(func(t *tx) error {
		if id == "" || t.get(bucketEvents, []byte(id)) == nil {
			return emitter.ErrUnknown
		}
		e, err := t.event(id)
		if err != nil {
			return err
		}
		record = e.shown(id)
		shown := 0
		return t.eachLast(&e, func(number uint64, d *storedDelivery) error {
			body, err := t.payload(id, d.body)
			if err != nil {
				return err
			}
			last := d.shown(number, &e)
			if shown += len(body); shown <= maxPayloads {
				last.Payload = bytes.Clone(body)
			}
			record.Deliveries = append(record.Deliveries, last)
			return nil
		})
	})
	if err != nil {
		return emitter.EventRecord{}, fmt.Errorf("event %s: %w", clip(id), err)
	}
	return record, nil
}

// Delivery gives one delivery. See emitter.Archive.
func (s *Store) Delivery(ctx context.Context, number uint64) (record emitter.DeliveryRecord, err error) {
	if err := ctx.Err(); err != nil {
		return record, err
	}
	err = s.view(func(t *tx) error {
		d, found, err := t.delivery(number)
		if err != nil {
			return err
		}
		if !found {
			return emitter.ErrUnknown
		}
		e, err := t.event(d.event)
		if err != nil {
			return err
		}
		body, err := t.payload(d.event, d.body)
		if err != nil {
			return err
		}
		event := e.shown(d.event)
		record = d.shown(number, &e)
		record.Event, record.Payload = &event, bytes.Clone(body)
		return nil
	})
	if err != nil {
		return emitter.DeliveryRecord{}, fmt.Errorf("delivery %d: %w", number, err)
	}
	return record, nil
}

// Attempts lists the attempts of a delivery. See emitter.Archive.
func (s *Store) Attempts(ctx context.Context, number uint64, p emitter.Page) (page emitter.AttemptPage, err error) {
	from, err := decodeCursor(p.Cursor, cursorAttempt)
	if err == nil && from != nil && (len(from) != 12 || binary.BigEndian.Uint64(from) != number) {
		err = emitter.ErrBadCursor
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.view(func(t *tx) error {
			page = emitter.AttemptPage{}
			if _, found, err := t.delivery(number); err != nil || !found {
				return cmp.Or(err, emitter.ErrUnknown)
			}
			return t.listAttempts(number, from, p.Size(), &page)
		})
	}
	if err != nil {
		return emitter.AttemptPage{}, fmt.Errorf("attempts of delivery %d: %w", number, err)
	}
	return page, nil
}

func (t *tx) listAttempts(number uint64, from []byte, size int, page *emitter.AttemptPage) error {
	prefix := numberKey(number)
	if from == nil {
		from = append(bytes.Clone(prefix), 0xff, 0xff, 0xff, 0xff)
	}
	c := t.cursor(bucketAttempts)
	for k, v := before(c, from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Prev() {
		if len(page.Attempts)+page.Damaged == size {
			page.Next = encodeCursor(cursorAttempt, from)
			return nil
		}
		from = bytes.Clone(k)
		a, err := readAttempt(k, v)
		if err == nil && len(k) != 12 {
			err = damaged(bucketAttempts, k)
		}
		if err != nil {
			passOver(&page.Rest, err)
			continue
		}
		page.Attempts = append(page.Attempts, a.Record(int(binary.BigEndian.Uint32(k[8:]))))
	}
	return nil
}

// shown is an event as an Archive gives it.
func (e *storedEvent) shown(id string) emitter.EventRecord {
	source, watch := poller.CutUnit(e.unit)
	return emitter.EventRecord{
		ID: id, Type: e.typ, Source: differ.EventSource(source), Watch: watch, Key: e.key, Change: e.change, Revision: e.revision,
		Time: e.seen, Created: e.created,
	}
}

// shown is a delivery as an Archive gives it.
func (d *storedDelivery) shown(number uint64, e *storedEvent) emitter.DeliveryRecord {
	record := emitter.DeliveryRecord{
		Number: number, Endpoint: d.endpoint, State: d.state.shown(), Queued: d.since(e),
		Attempts: d.made(), Settled: d.settled, ReplayOf: d.origin, ReplayedBy: d.after,
		SupersededBy: d.by, SupersededByEvent: d.byEvent,
	}
	switch {
	case d.state == stateWaiting:
		if d.attempts > 0 {
			record.Due = d.due
		}
	case d.state == stateDead && d.after != 0:
		record.State = emitter.StateReplayed
	}
	return record
}

// shown is the reverse of storedState.
func (s state) shown() emitter.State {
	switch s {
	case stateWaiting:
		return emitter.Waiting
	case stateDelivered:
		return emitter.Delivered
	case stateDead:
		return emitter.Dead
	case stateExpired:
		return emitter.Expired
	case stateSuperseded:
		return emitter.StateSuperseded
	}
	return emitter.State(fmt.Sprint("state ", uint64(s)))
}
