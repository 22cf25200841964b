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
	lane    lane
	state   emitter.State
	settled time.Time
	tried   []emitter.AttemptRecord // the first one first

	unmade bool      // dead from the start, and never to be sent
	of     *event    // its event
	origin *delivery // of a replay: the first to the endpoint
	after  *delivery // the replay that took its place
}

// tell puts what is to be delivered of an event at the ends of its lanes.
func (s *Store) tell(unit string, e *differ.Event, now time.Time) {
	source, watch := poller.CutUnit(unit)
	told := &event{EventRecord: emitter.EventRecord{
		ID: e.ID, Type: e.Type, Source: source, Watch: watch, Key: e.Key, Change: e.Change, Revision: e.Revision,
		Time: e.Time, Created: now,
	}}
	s.events[e.ID] = told
	for _, b := range e.Bodies {
		s.last++
		d := &delivery{lane: lane{b.Endpoint, unit, e.Key}, of: told, Delivery: emitter.Delivery{
			Number: s.last, Endpoint: b.Endpoint,
			Event: e.ID, Type: e.Type, Source: source, Key: e.Key, Revision: e.Revision,
			Time: e.Time, Body: bytes.Clone(b.Payload), Created: now,
		}}
		told.deliveries = append(told.deliveries, d)
		if b.Dead == "" {
			s.enqueue(d)
			continue
		}
		s.endpoint(b.Endpoint).Dead++
		d.state, d.settled, d.Attempts, d.unmade = emitter.Dead, now, 1, true
		a := emitter.Attempt{At: now, Error: emitter.ErrorPayload, Reason: b.Dead}
		d.tried = append(d.tried, a.Record(1))
		s.deliveries[d.Number] = d
	}
}

// enqueue puts a delivery at the end of its lane.
func (s *Store) enqueue(d *delivery) {
	d.state = emitter.Waiting
	s.deliveries[d.Number], s.waiting[d.Number] = d, d
	s.lanes[d.lane] = append(s.lanes[d.lane], d)
	s.endpoint(d.Endpoint).Waiting++
	if len(s.lanes[d.lane]) == 1 {
		s.agenda(d.Endpoint).add(d)
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
// Number and Attempts count.
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
			s.settle(d, &outcomes[i], now)
		}
	}
	return nil
}

func (s *Store) settle(d *delivery, o *emitter.Outcome, now time.Time) {
	v := &o.Verdict
	due, endpoint := s.agenda(d.Endpoint), s.endpoint(d.Endpoint)
	*endpoint = endpoint.After(v, now)
	d.Attempts++
	d.tried = append(d.tried, o.Attempt.Record(d.Attempts))
	first := due.remove(d)
	if v.State == emitter.Waiting {
		d.Due = v.Due
		if first {
			due.add(d)
		}
		return
	}
	d.state, d.settled = v.State, now
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
