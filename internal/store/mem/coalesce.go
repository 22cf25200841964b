package mem

import (
	"bytes"
	"cmp"
	"context"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/poller"
)

// place is where updates are told, of the unit as lanes name it.
type place struct {
	unit string
	differ.Place
}

// update is the update that was told last at a place, as long as it waits
// there and was never tried.
type update struct {
	delivery *delivery
	old      []byte
}

func (d *delivery) place() place {
	return place{poller.Unit(d.of.stem, d.of.Watch), differ.Place{Key: d.Key, Type: d.Type, Endpoint: d.Endpoint}}
}

// Untried gives the updates that wait at some places. See differ.Coalescer.
func (s *Store) Untried(ctx context.Context, unit string, at []differ.Place) (map[differ.Place]differ.Untried, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	source, watch := poller.CutUnit(unit)
	found := map[differ.Place]differ.Untried{}
	for _, p := range at {
		if u, ok := s.updates[place{poller.Unit(s.stem(source), watch), p}]; ok {
			found[p] = differ.Untried{Delivery: u.delivery.Number, Old: bytes.Clone(u.old)}
		}
	}
	return found, nil
}

// await notes whether a delivery that was just made may be superseded, and ends
// the one whose place it takes.
func (s *Store) await(d *delivery, e *differ.Event, b *differ.Body) {
	at, old := d.place(), e.Old
	if !b.Coalesce || b.Dead != "" {
		delete(s.updates, at)
		return
	}
	if before, ok := s.updates[at]; ok && b.Merged != nil && before.delivery.Number == b.Merged.Delivery && s.untouched(before.delivery) {
		s.supersede(before.delivery, d)
		old, d.Body = before.old, bytes.Clone(b.Merged.Payload)
	}
	s.updates[at] = update{d, bytes.Clone(old)}
}

// untouched says that a delivery that waits cannot have been sent, and that its
// turn has not come so near that it keeps it.
func (s *Store) untouched(d *delivery) bool {
	e := s.endpoint(d.Endpoint)
	if e.order == emitter.OrderEndpoint && d.Number <= e.round {
		return false
	}
	if d.Number <= e.arranged || e.given[d.Number] {
		return false
	}
	lane := s.lanes[d.lane]
	if lane[0] != d {
		return true
	}
	return d.Number > e.begun && (e.order != emitter.OrderItem || len(lane) == 1 || lane[1].at() < d.at())
}

func (s *Store) supersede(d, by *delivery) {
	e := s.endpoint(d.Endpoint)
	first := e.remove(d)
	d.state, d.settled, d.by = emitter.StateSuperseded, by.Created, by
	by.stands = cmp.Or(d.stands, d.Number)
	e.Waiting--
	delete(s.waiting, d.Number)
	s.leave(d, first)
}

// spend notes that a delivery is not to be superseded any more.
func (s *Store) spend(d *delivery) {
	if at := d.place(); s.updates[at].delivery == d {
		delete(s.updates, at)
	}
}

// spendAll is spend for all of a unit that takes takes.
func (s *Store) spendAll(unit string, takes func(key string) bool) {
	source, watch := poller.CutUnit(unit)
	for at := range s.updates {
		if at.unit == poller.Unit(s.stem(source), watch) && takes(at.Key) {
			delete(s.updates, at)
		}
	}
}

// give notes what is given, beside what the caller has in hand, when the last
// delivery has a number.
func (e *endpoint) give(due []emitter.Delivery, inHand func(uint64) bool, last uint64) {
	for number := range e.given {
		if inHand == nil || !inHand(number) {
			delete(e.given, number)
		}
	}
	for i := range due {
		e.given[due[i].Number] = true
		if due[i].Number > e.round {
			e.round = last
		}
	}
}
