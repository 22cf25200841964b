package mem

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/poller"
)

// lane is what may not overtake itself: the deliveries of one item to one
// endpoint.
type lane struct{ endpoint, unit, key string }

type delivery struct {
	emitter.Delivery
	lane lane
}

// tell puts what is to be delivered of an event at the ends of its lanes.
func (s *Store) tell(unit string, e *differ.Event, now time.Time) {
	s.events[e.ID] = true
	source, _ := poller.CutUnit(unit)
	for _, b := range e.Bodies {
		s.last++
		if b.Dead != "" {
			s.endpoint(b.Endpoint).Dead++
			continue
		}
		d := &delivery{lane: lane{b.Endpoint, unit, e.Key}, Delivery: emitter.Delivery{
			Number: s.last, Endpoint: b.Endpoint,
			Event: e.ID, Type: e.Type, Source: source, Key: e.Key, Revision: e.Revision,
			Time: e.Time, Body: bytes.Clone(b.Payload), Created: now,
		}}
		s.waiting[d.Number] = d
		s.lanes[d.lane] = append(s.lanes[d.lane], d)
		s.endpoint(b.Endpoint).Waiting++
		if len(s.lanes[d.lane]) == 1 {
			s.agenda(b.Endpoint).add(d)
		}
	}
}

// agenda and endpoint give what is kept of an endpoint, new where there is
// nothing.
func (s *Store) agenda(name string) *agenda {
	if s.due[name] == nil {
		s.due[name] = &agenda{}
	}
	return s.due[name]
}

func (s *Store) endpoint(name string) *emitter.EndpointState {
	if s.endpoints[name] == nil {
		s.endpoints[name] = &emitter.EndpointState{}
	}
	return s.endpoints[name]
}

// Pending gives what is due at an endpoint. See emitter.Queue.
func (s *Store) Pending(ctx context.Context, endpoint string, now time.Time, n int, skip func(uint64) bool) (batch emitter.Batch, err error) {
	if err := ctx.Err(); err != nil {
		return emitter.Batch{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	due := s.due[endpoint]
	if due == nil {
		return emitter.Batch{}, nil
	}
	first, next := due.take(now, n, skip)
	for _, d := range first {
		out := d.Delivery
		out.Body = bytes.Clone(d.Body)
		batch.Due = append(batch.Due, out)
	}
	batch.Next = next
	return batch, nil
}

// Settle records outcomes. See emitter.Queue. Of an outcome's Delivery only
// Number and Attempts count; the records of attempts are not kept.
func (s *Store) Settle(ctx context.Context, outcomes []emitter.Outcome) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range outcomes {
		switch v := outcomes[i].Verdict.State; v {
		case emitter.Waiting, emitter.Delivered, emitter.Dead:
		default:
			return fmt.Errorf("settle delivery %d: unknown state %q", outcomes[i].Delivery.Number, v)
		}
	}
	now := time.Now()
	for i := range outcomes {
		if d := s.waiting[outcomes[i].Delivery.Number]; d != nil && outcomes[i].Delivery.Attempts >= d.Attempts {
			s.settle(d, &outcomes[i].Verdict, now)
		}
	}
	return nil
}

func (s *Store) settle(d *delivery, v *emitter.Verdict, now time.Time) {
	due, endpoint := s.agenda(d.Endpoint), s.endpoint(d.Endpoint)
	*endpoint = endpoint.After(v, now)
	d.Attempts++
	first := due.remove(d)
	if v.State == emitter.Waiting {
		d.Due = v.Due
		if first {
			due.add(d)
		}
		return
	}
	endpoint.Waiting--
	if v.State == emitter.Dead {
		endpoint.Dead++
	}
	s.leave(d, first)
}

// leave takes a delivery out of its lane and lets the next one forward.
func (s *Store) leave(d *delivery, first bool) {
	delete(s.waiting, d.Number)
	rest := s.lanes[d.lane]
	if first {
		rest = rest[1:]
	} else {
		i := slices.Index(rest, d)
		rest = slices.Delete(rest, i, i+1)
	}
	if len(rest) == 0 {
		delete(s.lanes, d.lane)
		return
	}
	s.lanes[d.lane] = rest
	if first {
		s.agenda(d.Endpoint).add(rest[0])
	}
}

// Endpoint is the stored state of an endpoint. See emitter.Queue.
func (s *Store) Endpoint(ctx context.Context, name string) (emitter.EndpointState, error) {
	if err := ctx.Err(); err != nil {
		return emitter.EndpointState{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.endpoints[name]; e != nil {
		return *e, nil
	}
	return emitter.EndpointState{}, nil
}

// Backlog is how many deliveries wait at each endpoint. See emitter.Queue.
func (s *Store) Backlog(ctx context.Context) (map[string]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := map[string]int{}
	for name, e := range s.endpoints {
		if e.Waiting > 0 {
			waiting[name] = e.Waiting
		}
	}
	return waiting, nil
}
