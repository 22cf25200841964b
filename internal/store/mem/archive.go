package mem

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/deltahook/deltahook/emitter"
)

// event is an event that was told.
type event struct {
	emitter.EventRecord
	stem       string      // of its source
	deliveries []*delivery // the first to each endpoint
}

// page gives a part of a list of all there is, by the place after which it
// begins. A cursor is the kind of list and a place.
func page[T any](list []T, kind string, p emitter.Page) (part []T, rest emitter.Rest, err error) {
	at := 0
	if p.Cursor != "" {
		place, ok := strings.CutPrefix(p.Cursor, kind+":")
		if at, err = strconv.Atoi(place); err != nil || !ok || at < 0 || at > len(list) {
			return nil, rest, emitter.ErrBadCursor
		}
	}
	// Places are counted from the end, for what is new comes first.
	if p.Cursor != "" {
		at = len(list) - at
	}
	part = list[at:min(at+p.Size(), len(list))]
	if left := len(list) - at - len(part); left > 0 {
		rest.Next = kind + ":" + strconv.Itoa(left)
	}
	return part, rest, nil
}

// Events lists events. See emitter.Archive.
func (s *Store) Events(ctx context.Context, f emitter.Filter, p emitter.Page) (emitter.EventPage, error) {
	if err := ctx.Err(); err != nil {
		return emitter.EventPage{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []emitter.EventRecord
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(s.events))) {
		e := s.events[id].shown()
		of := func(d emitter.DeliveryRecord) bool { return f.Of(&d) }
		if f.Takes(&e) && f.Sees(e.Created) && (f.Endpoint == "" && f.State == "" || slices.ContainsFunc(e.Deliveries, of)) {
			all = append(all, e)
		}
	}
	events, rest, err := page(all, "e", p)
	return emitter.EventPage{Events: events, Rest: rest}, err
}

// shown is the event with its last deliveries.
func (e *event) shown() emitter.EventRecord {
	shown := e.EventRecord
	for _, d := range e.deliveries {
		shown.Deliveries = append(shown.Deliveries, d.latest().shown())
	}
	return shown
}

// latest is what the delivery was replayed as last.
func (d *delivery) latest() *delivery {
	for d.after != nil {
		d = d.after
	}
	return d
}

func (d *delivery) shown() emitter.DeliveryRecord {
	shown := emitter.DeliveryRecord{
		Number: d.Number, Endpoint: d.Endpoint, State: d.state, Queued: d.Created, Attempts: d.Attempts, Settled: d.settled,
	}
	if d.ended || d.state == emitter.Expired {
		shown.Attempts = max(shown.Attempts-1, 0)
	}
	if d.state == emitter.Waiting && d.Attempts > 0 {
		shown.Due = d.Due
	}
	if d.origin != nil {
		shown.ReplayOf = d.origin.Number
	}
	if d.by != nil {
		shown.SupersededBy, shown.SupersededByEvent = d.by.Number, d.by.Event
	}
	if d.after != nil {
		shown.ReplayedBy = d.after.Number
		if d.state == emitter.Dead {
			shown.State = emitter.StateReplayed
		}
	}
	return shown
}

// Event gives one event. See emitter.Archive.
func (s *Store) Event(ctx context.Context, id string) (emitter.EventRecord, error) {
	if err := ctx.Err(); err != nil {
		return emitter.EventRecord{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.events[id]
	if e == nil {
		return emitter.EventRecord{}, fmt.Errorf("event %s: %w", id, emitter.ErrUnknown)
	}
	shown := e.shown()
	for i, d := range e.deliveries {
		shown.Deliveries[i].Payload = bytes.Clone(d.Body)
	}
	return shown, nil
}

// Deliveries lists deliveries. See emitter.Archive.
func (s *Store) Deliveries(ctx context.Context, f emitter.Filter, p emitter.Page) (emitter.DeliveryPage, error) {
	if err := ctx.Err(); err != nil {
		return emitter.DeliveryPage{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Collect(maps.Values(s.deliveries))
	slices.SortFunc(all, func(a, b *delivery) int {
		if f.State == emitter.Dead && f.Event == "" {
			return cmp.Or(b.settled.Compare(a.settled), cmp.Compare(b.Number, a.Number))
		}
		return cmp.Compare(b.Number, a.Number)
	})
	var meant []emitter.DeliveryRecord
	for _, d := range all {
		event, shown := d.of.EventRecord, d.shown()
		if f.Of(&shown) && f.Takes(&event) && f.SeesDelivery(&shown) {
			shown.Event = &event
			meant = append(meant, shown)
		}
	}
	part, rest, err := page(meant, "d", p)
	return emitter.DeliveryPage{Deliveries: part, Rest: rest}, err
}

// Delivery gives one delivery. See emitter.Archive.
func (s *Store) Delivery(ctx context.Context, number uint64) (emitter.DeliveryRecord, error) {
	if err := ctx.Err(); err != nil {
		return emitter.DeliveryRecord{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.deliveries[number]
	if d == nil {
		return emitter.DeliveryRecord{}, fmt.Errorf("delivery %d: %w", number, emitter.ErrUnknown)
	}
	event, shown := d.of.EventRecord, d.shown()
	shown.Event, shown.Payload = &event, bytes.Clone(d.Body)
	return shown, nil
}

// Attempts lists the attempts of a delivery. See emitter.Archive.
func (s *Store) Attempts(ctx context.Context, number uint64, p emitter.Page) (emitter.AttemptPage, error) {
	if err := ctx.Err(); err != nil {
		return emitter.AttemptPage{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.deliveries[number]
	if d == nil {
		return emitter.AttemptPage{}, fmt.Errorf("attempts of delivery %d: %w", number, emitter.ErrUnknown)
	}
	all := slices.Clone(d.tried)
	slices.Reverse(all)
	part, rest, err := page(all, fmt.Sprint("a", number), p)
	return emitter.AttemptPage{Attempts: part, Rest: rest}, err
}
