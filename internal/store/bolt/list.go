package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/emitter"
)

// maxLooked is how many records one call looks at, some 50 ms of work.
const maxLooked = 10_000

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

// earlier gives the first of two places, where nil is none.
func earlier(a, b []byte) []byte {
	if a == nil || b != nil && bytes.Compare(b, a) < 0 {
		return b
	}
	return a
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
			return list.met(t, from)
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
	case l.f.Of(&record) && l.f.Takes(&event) && l.f.SeesDelivery(&record):
		record.Event = &event
		l.page.Deliveries = append(l.page.Deliveries, record)
	case !l.f.Since.IsZero() && record.Queued.Before(l.f.Since.Add(-idSlack)):
		return true
	}
	return false
}

// met goes through the deliveries that are in all indexes that the filter has.
func (l *deliveryList) met(t *tx, from []byte) error {
	harm := func(err error) { passOver(&l.page.Rest, err) }
	m := meeting{of: t.numbers(l.f, harm)}
	n := uint64(math.MaxUint64)
	if from = earlier(from, t.numberAt(l.f.Until)); from != nil {
		n = binary.BigEndian.Uint64(from)
	}
	for n > 0 {
		at, found, more := m.next(n - 1)
		if more {
			l.page.Next = encodeCursor(l.kind, numberKey(at+1))
		}
		if !found || l.full(numberKey(at+1)) {
			return nil
		}
		n = at
		d, found, err := t.delivery(at)
		if err == nil && !found && m.sure() {
			err = missing(bucketDeliveries, numberKey(at))
		}
		switch {
		case err != nil:
			l.looked++
			harm(err)
		case !found:
			l.looked++
		case l.look(t, at, &d):
			return nil
		}
	}
	return nil
}

// ofDead goes through the dead letters, which are in the order of their deaths.
func (l *deliveryList) ofDead(t *tx, from []byte) error {
	b, prefix := bucketDead, []byte(nil)
	if l.f.Endpoint != "" && t.indexed() {
		b, prefix = bucketLetters, appendPart(nil, l.f.Endpoint)
	}
	start := after(prefix)
	if to := earlier(from, deathAt(l.f.Until)); to != nil {
		start = append(bytes.Clone(prefix), to...)
	}
	c := t.cursor(b)
	skimmed, since := 0, deathAt(l.f.Since)
	for k, v := before(c, start); k != nil; k, v = c.Prev() {
		at, ok := bytes.CutPrefix(k, prefix)
		if !ok || bytes.Compare(at, since) < 0 || l.full(from) {
			return nil
		}
		if skimmed++; skimmed > maxSkimmed {
			l.page.Next = encodeCursor(l.kind, from)
			return nil
		}
		from = bytes.Clone(at)
		_, err := unseal(b, k, v)
		number, _ := lastNumber(k)
		if l.f.Source != "" && t.indexed() && !t.ofSource(l.f, true, nil).has(number) {
			continue
		}
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
