package emitter

import (
	"context"
	"maps"
)

// Update has the emitter serve other endpoints. One that is the very same as
// before goes on as it was. Where one takes the place of another of its name,
// or a name goes, nothing new is sent by the one before; its attempts in flight
// end and are settled, and only then the next one sends what waits. What waits
// for an endpoint that is gone stays in the queue.
//
// It does not wait for any of that. From its return on, payloads are those of
// the new endpoints.
func (m *Emitter) Update(endpoints []*Endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.outlets
	m.outlets = make(map[string]*outlet, len(endpoints))
	for _, e := range endpoints {
		was := before[e.name]
		if was != nil && was.endpoint == e {
			m.outlets[e.name] = was
			continue
		}
		o := newOutlet(e, m.queue, m.log.With("endpoint", e.name), m.meters, m.tells())
		m.meters.add(e.name)
		switch {
		case was == nil:
			o.before = m.leaving[e.name]
		case was.begun:
			o.before = was.gone
		default: // it waits for the one before it, or is disabled
			o.before = was.before
		}
		m.outlets[e.name] = o
		m.begin(o)
	}
	for name, was := range before {
		now := m.outlets[name]
		if now == was {
			continue
		}
		was.quit()
		if !was.begun {
			was.endpoint.Close()
		}
		if now == nil {
			m.leave(name, was)
		}
	}
}

// begin has an outlet run, unless its endpoint is disabled. m.mu is held.
func (m *Emitter) begin(o *outlet) {
	l := m.life
	if l == nil || o.begun || o.endpoint.disabled {
		return
	}
	o.begun = true
	ctx, quit := context.WithCancel(l.ctx)
	o.quit = quit
	l.all.Go(func() {
		defer quit()
		if o.before != nil {
			<-o.before // two would send the same
		}
		o.run(ctx, l.attempts, l.settles)
		o.endpoint.Close()
	})
}

// leave forgets an endpoint that is gone, once nothing of it is in flight. m.mu
// is held.
func (m *Emitter) leave(name string, was *outlet) {
	gone := was.before
	if was.begun {
		gone = was.gone
	}
	if gone == nil || m.life == nil {
		m.meters.drop(name)
		return
	}
	m.leaving[name] = gone
	ctx := m.life.ctx
	m.life.all.Go(func() {
		<-gone
		m.mu.Lock()
		if m.leaving[name] == gone {
			delete(m.leaving, name)
		}
		still := m.outlets[name] == nil
		if still {
			m.meters.drop(name)
		}
		m.mu.Unlock()
		if s, err := m.queue.Endpoint(ctx, name); still && err == nil && s.Waiting > 0 {
			m.log.Warn("deliveries wait for an endpoint that is not configured", "endpoint", name, "waiting", s.Waiting)
		}
	})
}

// tells is Options.Health for those that are configured; nil: nobody wants to
// know.
func (m *Emitter) tells() func(context.Context, HealthChange) {
	if m.health == nil {
		return nil
	}
	return func(ctx context.Context, c HealthChange) {
		if m.outlet(c.Endpoint) != nil {
			m.health(ctx, c)
		}
	}
}

// add has the series of an endpoint there before anything was counted.
func (m *meters) add(endpoint string) {
	for _, result := range results {
		m.attempts.WithLabelValues(endpoint, result)
	}
	m.took.WithLabelValues(endpoint)
	m.expired.WithLabelValues(endpoint)
}

// drop drops the series of an endpoint.
func (m *meters) drop(endpoint string) {
	for result := range maps.Values(results) {
		m.attempts.DeleteLabelValues(endpoint, result)
	}
	m.took.DeleteLabelValues(endpoint)
	m.expired.DeleteLabelValues(endpoint)
	m.unmade.DeleteLabelValues(endpoint)
	m.damaged.DeleteLabelValues(endpoint)
	m.arrived.DeleteLabelValues(endpoint)
}
