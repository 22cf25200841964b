package mem

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/poller"
)

// lane is what may not overtake itself: the deliveries of one item to one
// endpoint, all to the endpoint, or a single one.
type lane struct {
	endpoint, unit, key string
	number              uint64
}

type delivery struct {
	emitter.Delivery
	lane    lane
	state   emitter.State
	settled time.Time
	tried   []emitter.AttemptRecord // the first one first

	unmade bool      // dead from the start, and never to be sent
	ended  bool      // the last of its attempts is none: it says why it is dead
	of     *event    // its event
	origin *delivery // of a replay: the first to the endpoint
	after  *delivery // the replay that took its place
	by     *delivery // the update that took its place
	stands uint64    // in the place of this one, the first of those whose it took; 0: in its own
}

// stand gives the delivery its lane in an order.
func (d *delivery) stand(order emitter.Order) {
	switch order {
	case emitter.OrderEndpoint:
		d.lane = lane{endpoint: d.Endpoint}
	case emitter.OrderNone:
		d.lane = lane{endpoint: d.Endpoint, number: d.Number}
	default:
		d.lane = lane{endpoint: d.Endpoint, unit: poller.Unit(d.of.stem, d.of.Watch), key: d.Key}
	}
}

// tell puts what is to be delivered of an event at the ends of its lanes.
func (s *Store) tell(unit string, e *differ.Event, now time.Time) {
	source, watch := poller.CutUnit(unit)
	told := &event{stem: s.stem(source), EventRecord: emitter.EventRecord{
		ID: e.ID, Type: e.Type, Source: differ.EventSource(source), Watch: watch, Key: e.Key, Change: e.Change, Revision: e.Revision,
		Time: e.Time, Created: now,
	}}
	s.events[e.ID] = told
	for _, b := range e.Bodies {
		s.last++
		d := &delivery{of: told, Delivery: emitter.Delivery{
			Number: s.last, Endpoint: b.Endpoint,
			Event: e.ID, Type: e.Type, Source: source, Key: e.Key, Revision: e.Revision,
			Time: e.Time, Body: bytes.Clone(b.Payload), Created: now,
		}}
		told.deliveries = append(told.deliveries, d)
		s.await(d, e, &b)
		if b.Dead == "" {
			s.enqueue(d)
			continue
		}
		s.endpoint(b.Endpoint).Dead++
		d.state, d.settled, d.Attempts, d.unmade, d.ended = emitter.Dead, now, 1, true, true
		a := emitter.Attempt{At: now, Error: emitter.ErrorPayload, Reason: b.Dead}
		d.tried = append(d.tried, a.Record(1))
		s.deliveries[d.Number] = d
	}
}

// enqueue puts a delivery at the end of its lane.
func (s *Store) enqueue(d *delivery) {
	d.state = emitter.Waiting
	s.deliveries[d.Number], s.waiting[d.Number] = d, d
	e := s.endpoint(d.Endpoint)
	e.Waiting++
	d.stand(e.order)
	s.line(d)
}

// line puts a delivery into its lane, behind those with lower numbers.
func (s *Store) line(d *delivery) {
	of := s.lanes[d.lane]
	at, _ := slices.BinarySearchFunc(of, d, func(a, b *delivery) int { return cmp.Compare(a.Number, b.Number) })
	to := s.endpoint(d.Endpoint)
	if at == 0 {
		if len(of) > 0 {
			to.remove(of[0])
		}
		to.agenda(d).add(d)
	}
	s.lanes[d.lane] = slices.Insert(of, at, d)
}

// endpoint gives what is kept of an endpoint, new where there is nothing.
func (s *Store) endpoint(name string) *endpoint {
	if s.endpoints[name] == nil {
		s.endpoints[name] = newEndpoint()
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
	e := s.endpoints[endpoint]
	if e == nil {
		return emitter.Batch{}, nil
	}
	given := map[uint64]bool{}
	for len(batch.Due) < n {
		d := e.take(now, func(d *delivery) bool { return given[d.Number] || skip != nil && skip(d.Number) })
		if d == nil {
			batch.Next = e.again.after(now)
			break
		}
		given[d.Number] = true
		batch.Due = append(batch.Due, d.clone())
	}
	e.give(batch.Due, skip, s.last)
	return batch, nil
}

func (d *delivery) clone() emitter.Delivery {
	out := d.Delivery
	out.Source = differ.EventSource(d.Source)
	out.Body = bytes.Clone(d.Body)
	return out
}

// Oldest gives the delivery that waits longest. See emitter.Queue.
func (s *Store) Oldest(ctx context.Context, endpoint string, skip func(uint64) bool) (emitter.Delivery, bool, error) {
	if err := ctx.Err(); err != nil {
		return emitter.Delivery{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest *delivery
	for l, of := range s.lanes {
		if d := of[0]; l.endpoint == endpoint && (skip == nil || !skip(d.Number)) && (oldest == nil || d.Number < oldest.Number) {
			oldest = d
		}
	}
	if oldest == nil {
		return emitter.Delivery{}, false, nil
	}
	d := oldest.clone()
	s.endpoint(endpoint).give([]emitter.Delivery{d}, skip, s.last)
	return d, true, nil
}

// Settle records outcomes. See emitter.Queue. Of an outcome's Delivery only
// Number and Attempts count, and Endpoint where there is a Health.
func (s *Store) Settle(ctx context.Context, outcomes []emitter.Outcome) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range outcomes {
		switch v := outcomes[i].Verdict.State; v {
		case emitter.Waiting, emitter.Delivered, emitter.Dead, emitter.Expired:
		default:
			return fmt.Errorf("settle delivery %d: unknown state %q", outcomes[i].Delivery.Number, v)
		}
	}
	now := time.Now()
	for i := range outcomes {
		o := &outcomes[i]
		if o.Health != nil {
			s.endpoint(o.Delivery.Endpoint).Health = *o.Health
		}
		if d := s.waiting[o.Delivery.Number]; d != nil && o.Delivery.Attempts >= d.Attempts {
			s.settle(d, o, now)
		}
	}
	return nil
}

func (s *Store) settle(d *delivery, o *emitter.Outcome, now time.Time) {
	e, v := s.endpoint(d.Endpoint), &o.Verdict
	d.Attempts++
	s.spend(d)
	d.tried = append(d.tried, o.Attempt.Record(d.Attempts))
	if v.State != emitter.Expired && o.Attempt.Error != emitter.ErrorDropped && o.Attempt.At.After(e.Last) {
		e.Last = o.Attempt.At
	}
	first := e.remove(d)
	if v.State == emitter.Waiting {
		d.Due = v.Due
		if first {
			e.agenda(d).add(d)
		}
		return
	}
	d.state, d.settled = v.State, now
	e.Waiting--
	if v.State == emitter.Dead {
		e.Dead++
	}
	delete(s.waiting, d.Number)
	s.leave(d, first)
}

// leave takes a delivery out of its lane and lets the next one forward.
func (s *Store) leave(d *delivery, first bool) {
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
		s.endpoint(d.Endpoint).agenda(rest[0]).add(rest[0])
	}
}

// SetHealth stores how an endpoint fares. See emitter.Queue.
func (s *Store) SetHealth(ctx context.Context, endpoint string, h emitter.Health) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoint(endpoint).Health = h
	return nil
}

// at is what waits at an endpoint, in the order of numbers.
func (s *Store) at(endpoint string) (all []*delivery) {
	for _, number := range slices.Sorted(maps.Keys(s.waiting)) {
		if d := s.waiting[number]; d.Endpoint == endpoint {
			all = append(all, d)
		}
	}
	return all
}

// Arrange has the deliveries of an endpoint stand in the lanes of an order. See
// emitter.Queue.
func (s *Store) Arrange(ctx context.Context, endpoint string, order emitter.Order) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch order {
	case emitter.OrderItem, emitter.OrderEndpoint, emitter.OrderNone:
	default:
		return fmt.Errorf("arrange endpoint %s: unknown order %q", endpoint, order)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.endpoint(endpoint)
	e.begun = s.last
	if e.order == order {
		return nil
	}
	e.order, e.arranged = order, s.last
	all := s.at(endpoint)
	for _, d := range all {
		s.leave(d, e.remove(d))
	}
	for _, d := range all {
		d.stand(order)
		s.line(d)
	}
	return nil
}

// Hasten makes due at once what waits at an endpoint for a time. See
// emitter.Queue.
func (s *Store) Hasten(ctx context.Context, endpoint string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	e := s.endpoint(endpoint)
	turns := map[string]time.Duration{}
	var late []*delivery
	for _, run := range e.again.runs {
		for _, d := range run {
			if !d.Due.Before(now.Add(hastenSpan)) {
				late = append(late, d)
			}
		}
	}
	for _, d := range late {
		turns[d.Source] += time.Microsecond
		e.remove(d)
		d.Due = now.Add(min(turns[d.Source], hastenSpan-1)).Round(0).UTC()
		e.agenda(d).add(d)
	}
	return nil
}

// hastenSpan is by how much what is hastened may be due later than at once.
const hastenSpan = time.Second

// Drop ends what waits at an endpoint. See emitter.Queue.
func (s *Store) Drop(ctx context.Context, endpoint string, drop emitter.Drop) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, d := range s.at(endpoint) {
		if !drop.Before.IsZero() && !d.Created.Before(drop.Before) || drop.Skip != nil && drop.Skip(d.Number) {
			continue
		}
		if n++; !drop.Dry {
			end, why := drop.End(now)
			d.ended = true
			s.settle(d, &emitter.Outcome{Attempt: why, Verdict: emitter.Verdict{State: end}}, now)
		}
	}
	return n, nil
}

// Endpoint is the stored state of an endpoint. See emitter.Queue.
func (s *Store) Endpoint(ctx context.Context, name string) (emitter.EndpointState, error) {
	if err := ctx.Err(); err != nil {
		return emitter.EndpointState{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.endpoints[name]; e != nil {
		return e.EndpointState, nil
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
