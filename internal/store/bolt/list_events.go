package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/deltahook/deltahook/emitter"
)

// Events lists events. See emitter.Archive.
func (s *Store) Events(ctx context.Context, f emitter.Filter, p emitter.Page) (page emitter.EventPage, err error) {
	if err = ctx.Err(); err == nil {
		err = s.view(func(t *tx) error {
			page = emitter.EventPage{}
			return t.listEvents(&f, p, &page)
		})
	}
	if err != nil {
		return emitter.EventPage{}, fmt.Errorf("events: %w", err)
	}
	return page, nil
}

func (t *tx) listEvents(f *emitter.Filter, p emitter.Page, page *emitter.EventPage) (err error) {
	l := eventList{f: f, size: p.Size(), kind: cursorEvent, page: page}
	list := l.all
	switch {
	case f.Event != "" || !t.indexed():
	case byNumber(f):
		l.kind, list = cursorFirst, l.met
	case f.Source != "":
		l.kind, list = cursorTold, l.ofSource
	}
	if l.from, err = decodeCursor(p.Cursor, l.kind); err != nil {
		return err
	}
	if l.kind == cursorFirst && l.from != nil && len(l.from) != 8 {
		return emitter.ErrBadCursor
	}
	return list(t)
}

// byNumber says whether the deliveries of events are a shorter way to them than
// the events are.
func byNumber(f *emitter.Filter) bool {
	return f.Endpoint != "" || f.State == emitter.Waiting || f.State == emitter.Dead
}

// eventList is a page of events in the making.
type eventList struct {
	f      *emitter.Filter
	size   int
	kind   cursorKind
	from   []byte // the last place that was looked at
	page   *emitter.EventPage
	looked int
}

// full says whether the page ends before the next event.
func (l *eventList) full() bool {
	if len(l.page.Events) < l.size && l.looked < maxLooked {
		return false
	}
	l.page.Next = encodeCursor(l.kind, l.from)
	return true
}

// all goes through all events.
func (l *eventList) all(t *tx) error {
	if late := timeID(l.f.Until.Add(idSlack)); !l.f.Until.IsZero() && (l.from == nil || bytes.Compare(late, l.from) < 0) {
		l.from = late
	}
	if l.f.Event != "" {
		l.from = append([]byte(l.f.Event), 0) // Prev is the event, where it is there
	}
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

// met goes through the events of which deliveries are in all indexes that the
// filter has.
func (l *eventList) met(t *tx) error {
	harm := func(err error) { passOver(&l.page.Rest, err) }
	m := meeting{of: t.firsts(l.f, span{}, maxLooked, harm, l.f.State)}
	n := uint64(math.MaxUint64)
	if from := earlier(l.from, t.numberAt(l.f.Until)); from != nil {
		n = binary.BigEndian.Uint64(from)
	}
	for n > 0 {
		at, found, more := m.next(n - 1)
		if l.from = numberKey(at + 1); more {
			l.page.Next = encodeCursor(l.kind, l.from)
		}
		if !found || l.full() {
			return nil
		}
		n = at
		id, e, err := t.eventOf(at)
		switch {
		case err != nil:
			harm(err)
			fallthrough
		case id == "":
			l.looked++
			continue
		}
		n = min(n, e.first) // it is met once
		if l.look(t, []byte(id), t.get(bucketEvents, []byte(id))) {
			return nil
		}
	}
	return nil
}

// eventOf gives the event of a delivery. id is empty where there is no such
// delivery any more, or it is a replay.
func (t *tx) eventOf(number uint64) (id string, e storedEvent, err error) {
	d, found, err := t.delivery(number)
	if err != nil || !found || d.origin != 0 {
		return "", e, err
	}
	e, err = t.event(d.event)
	return d.event, e, err
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
