package bolt

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/emitter"
)

// maxLooked is how many records one call looks at, some 50 ms of work.
const maxLooked = 10_000

// Events lists events. See emitter.Archive.
func (s *Store) Events(ctx context.Context, f emitter.Filter, p emitter.Page) (page emitter.EventPage, err error) {
	from, err := decodeCursor(p.Cursor, cursorEvent)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.view(func(t *tx) error {
			page = emitter.EventPage{}
			return t.listEvents(&f, p.Size(), from, &page)
		})
	}
	if err != nil {
		return emitter.EventPage{}, fmt.Errorf("events: %w", err)
	}
	return page, nil
}

func (t *tx) listEvents(f *emitter.Filter, size int, from []byte, page *emitter.EventPage) error {
	if late := timeID(f.Until.Add(idSlack)); !f.Until.IsZero() && (from == nil || bytes.Compare(late, from) < 0) {
		from = late
	}
	if f.Event != "" {
		from = append([]byte(f.Event), 0) // Prev is the event, where it is there
	}
	list := eventList{f: f, size: size, from: from, page: page}
	if f.Source != "" && f.Event == "" && t.has(bucketTold) {
		return list.ofSource(t)
	}
	return list.all(t)
}

// eventList is a page of events in the making.
type eventList struct {
	f      *emitter.Filter
	size   int
	from   []byte // the last one that was looked at
	page   *emitter.EventPage
	looked int
}

// full says whether the page ends before the next event.
func (l *eventList) full() bool {
	if len(l.page.Events) < l.size && l.looked < maxLooked {
		return false
	}
	l.page.Next = encodeCursor(cursorEvent, l.from)
	return true
}

// all goes through all events.
func (l *eventList) all(t *tx) error {
	c := t.cursor(bucketEvents)
	for k, v := before(c, l.from); k != nil; k, v = c.Prev() {
		if l.f.Event != "" && string(k) != l.f.Event || l.full() {
			return nil
		}
		l.from = bytes.Clone(k)
		if l.look(t, k, v) {
			return nil
		}
	}
	return nil
}

// look takes an event in where it is meant. older says that neither it nor any
// before it can be.
func (l *eventList) look(t *tx, k, v []byte) (older bool) {
	l.looked++
	e, err := readEvent(k, v)
	if err != nil {
		passOver(&l.page.Rest, err)
		return false
	}
	if !l.f.Since.IsZero() && e.created.Before(l.f.Since.Add(-idSlack)) {
		return true
	}
	record := e.shown(string(k))
	if !l.f.Takes(&record) || !l.f.Sees(e.created) {
		return false
	}
	l.looked += e.deliveries
	takes := l.f.Endpoint == "" && l.f.State == ""
	err = t.eachLast(&e, func(number uint64, d *storedDelivery) error {
		shown := d.shown(number, &e)
		takes = takes || l.f.Of(&shown)
		record.Deliveries = append(record.Deliveries, shown)
		return nil
	})
	switch {
	case err != nil:
		passOver(&l.page.Rest, err)
	case takes:
		l.page.Events = append(l.page.Events, record)
	}
	return false
}

// before gives what stands last before a key; nil: the last of all.
func before(c *bbolt.Cursor, key []byte) (k, v []byte) {
	if key == nil {
		return c.Last()
	}
	if k, _ := c.Seek(key); k == nil {
		return c.Last()
	}
	return c.Prev()
}

// passOver notes a damaged record that a list leaves out.
func passOver(rest *emitter.Rest, err error) {
	rest.Damaged++
	rest.Damage = cmp.Or(rest.Damage, err.Error())
}

// eachLast calls do with the last delivery of an event to each of its
// endpoints, in the order in which it was told to them.
func (t *tx) eachLast(e *storedEvent, do func(number uint64, d *storedDelivery) error) error {
	for i := range e.deliveries {
		number, d, found, err := t.last(e.first + uint64(i))
		if err != nil {
			return err
		}
		if !found {
			continue // a dead letter that was swept
		}
		if err := do(number, &d); err != nil {
			return err
		}
	}
	return nil
}

// Deliveries lists deliveries. See emitter.Archive.
func (s *Store) Deliveries(ctx context.Context, f emitter.Filter, p emitter.Page) (page emitter.DeliveryPage, err error) {
	list := deliveryList{f: &f, size: p.Size(), kind: cursorNumber, page: &page}
	if f.State == emitter.Dead && f.Event == "" {
		list.kind = cursorDead
	}
	from, err := decodeCursor(p.Cursor, list.kind)
	if want := map[cursorKind]int{cursorNumber: 8, cursorDead: 16}[list.kind]; err == nil && from != nil && len(from) != want {
		err = emitter.ErrBadCursor
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.view(func(t *tx) error {
			page = emitter.DeliveryPage{}
			switch {
			case f.Event != "":
				return list.ofEvent(t, from)
			case list.kind == cursorDead:
				return list.ofDead(t, from)
			}
			return list.all(t, from)
		})
	}
	if err != nil {
		return emitter.DeliveryPage{}, fmt.Errorf("deliveries: %w", err)
	}
	return page, nil
}

// deliveryList is a page of deliveries in the making.
type deliveryList struct {
	f      *emitter.Filter
	size   int
	kind   cursorKind
	page   *emitter.DeliveryPage
	looked int
}

// full says whether the page ends before the next record, and where the next
// page then goes on.
func (l *deliveryList) full(last []byte) bool {
	if len(l.page.Deliveries) < l.size && l.looked < maxLooked {
		return false
	}
	l.page.Next = encodeCursor(l.kind, last)
	return true
}

// look takes a delivery in where it is meant. older says that neither it nor
// any with a lower number can be.
func (l *deliveryList) look(t *tx, number uint64, d *storedDelivery) (older bool) {
	l.looked++
	if l.f.Endpoint != "" && l.f.Endpoint != d.endpoint && l.f.Since.IsZero() {
		return false
	}
	e, err := t.event(d.event)
	if err != nil {
		passOver(&l.page.Rest, err)
		return false
	}
	event, record := e.shown(d.event), d.shown(number, &e)
	switch {
	case l.f.Of(&record) && l.f.Takes(&event) && l.f.Sees(record.Queued):
		record.Event = &event
		l.page.Deliveries = append(l.page.Deliveries, record)
	case !l.f.Since.IsZero() && record.Queued.Before(l.f.Since.Add(-idSlack)):
		return true
	}
	return false
}

// all goes through all deliveries.
func (l *deliveryList) all(t *tx, from []byte) error {
	c := t.cursor(bucketDeliveries)
	if late := t.numberAt(l.f.Until); late != nil && (from == nil || bytes.Compare(late, from) < 0) {
		from = late
	}
	for k, v := before(c, from); k != nil; k, v = c.Prev() {
		if l.full(from) {
			return nil
		}
		from = bytes.Clone(k)
		d, err := readDelivery(k, v)
		number, ok := lastNumber(k)
		if err != nil || !ok {
			l.looked++
			passOver(&l.page.Rest, cmp.Or(err, damaged(bucketDeliveries, k)))
			continue
		}
		if l.look(t, number, &d) {
			return nil
		}
	}
	return nil
}

// numberAt is a number from which on everything was put into the queue after a
// time; nil: none is known.
func (t *tx) numberAt(at time.Time) []byte {
	if at.IsZero() {
		return nil
	}
	k, v := t.cursor(bucketEvents).Seek(timeID(at.Add(idSlack)))
	if k == nil {
		return nil
	}
	e, err := readEvent(k, v)
	if err != nil || !e.created.After(at) {
		return nil
	}
	return numberKey(e.first)
}

// ofDead goes through the dead letters.
func (l *deliveryList) ofDead(t *tx, from []byte) error {
	c := t.cursor(bucketDead)
	for k, v := before(c, from); k != nil; k, v = c.Prev() {
		if l.full(from) {
			return nil
		}
		from = bytes.Clone(k)
		_, err := unseal(bucketDead, k, v)
		number, _ := lastNumber(k)
		var d storedDelivery
		found := true
		if err == nil {
			d, found, err = t.delivery(number)
		}
		if err == nil && !found {
			err = missing(bucketDeliveries, numberKey(number))
		}
		if err != nil {
			l.looked++
			passOver(&l.page.Rest, err)
			continue
		}
		l.look(t, number, &d)
	}
	return nil
}

// ofEvent goes through the deliveries of one event. One that isn't there has
// none.
func (l *deliveryList) ofEvent(t *tx, from []byte) error {
	if t.get(bucketEvents, []byte(l.f.Event)) == nil {
		return nil
	}
	e, err := t.event(l.f.Event)
	if err != nil {
		return err
	}
	var numbers []uint64
	for i := range e.deliveries {
		chain, err := t.chain(e.first + uint64(i))
		if err != nil {
			return err
		}
		numbers = append(numbers, chain...)
	}
	slices.Sort(numbers)
	for _, number := range slices.Backward(numbers) {
		key := numberKey(number)
		if from != nil && bytes.Compare(key, from) >= 0 {
			continue
		}
		if l.full(from) {
			return nil
		}
		from = key
		d, found, err := t.delivery(number)
		if err != nil {
			return err
		}
		if found {
			l.look(t, number, &d)
		}
	}
	return nil
}
