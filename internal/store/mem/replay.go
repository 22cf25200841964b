package mem

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// Replay puts some deliveries back. See emitter.Archive. A cursor is how many
// there were before.
func (s *Store) Replay(ctx context.Context, r emitter.Replay) (done emitter.Replayed, err error) {
	if err := ctx.Err(); err != nil {
		return done, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	meant, err := s.meant(&r)
	if err != nil {
		return done, fmt.Errorf("replay: %w", err)
	}
	at := 0
	if r.Cursor != "" {
		if at, err = strconv.Atoi(r.Cursor); err != nil || at < 0 || at > len(meant) {
			return done, fmt.Errorf("replay: %w", emitter.ErrBadCursor)
		}
	}
	for i, d := range meant[at:] {
		if !r.Dry && len(done.Deliveries) == cmp.Or(r.Most, emitter.MaxPage) {
			done.Next = strconv.Itoa(at + i)
			break
		}
		s.replay(d.latest(), &r, &done)
	}
	return done, nil
}

// meant is the first deliveries to each endpoint of the events that a replay
// is of, in their order.
func (s *Store) meant(r *emitter.Replay) (all []*delivery, err error) {
	if r.Delivery != 0 {
		d := s.deliveries[r.Delivery]
		if d == nil {
			return nil, fmt.Errorf("delivery %d: %w", r.Delivery, emitter.ErrUnknown)
		}
		return []*delivery{cmp.Or(d.origin, d)}, nil
	}
	if r.Event != "" && s.events[r.Event] == nil {
		return nil, fmt.Errorf("event %s: %w", r.Event, emitter.ErrUnknown)
	}
	for _, id := range slices.Sorted(maps.Keys(s.events)) {
		if e := s.events[id]; r.Takes(&e.EventRecord) && r.SeesEvent(e.Created) {
			all = append(all, e.deliveries...)
		}
	}
	return all, nil
}

// replay puts one back, where that is asked for and can be.
func (s *Store) replay(d *delivery, r *emitter.Replay, done *emitter.Replayed) {
	shown := d.shown()
	switch {
	case r.Endpoint != "" && r.Endpoint != d.Endpoint || !r.SeesLast(&shown):
	case d.state == emitter.Waiting:
		done.Waiting++
	case r.State != "" && r.State != shown.State || !r.Settled.IsZero() && !d.settled.Before(r.Settled):
	case r.Covers(shown.State):
		done.Superseded++
	case d.unmade:
		done.Unsendable++
	case r.Endpoints != nil && !slices.Contains(r.Endpoints, d.Endpoint):
		done.Unconfigured++
	case r.Dry:
		done.Replayed++
	default:
		done.Replayed++
		done.Deliveries = append(done.Deliveries, s.again(d).Number)
		if !slices.Contains(done.At, d.Endpoint) {
			done.At = append(done.At, d.Endpoint)
		}
	}
}

// again is a new delivery in the place of one that is settled.
func (s *Store) again(d *delivery) *delivery {
	if d.state == emitter.Dead {
		s.endpoint(d.Endpoint).Dead--
	}
	s.last++
	next := &delivery{Delivery: d.Delivery, of: d.of, origin: cmp.Or(d.origin, d)}
	next.Number, next.Created, next.Due, next.Attempts = s.last, time.Now(), time.Time{}, 0
	d.after = next
	s.enqueue(next)
	n := 0
	for later := next.origin.after; later != nil; later = later.after {
		n++
	}
	if oldest := next.origin.after; n > emitter.MaxReplays {
		next.origin.after = oldest.after
		delete(s.deliveries, oldest.Number)
	}
	return next
}
