package emitter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/differ"
)

const (
	defaultDrain = 10 * time.Second
	settleGrace  = 2 * time.Second // to settle what ended by the end of the drain
)

// Options is what an emitter may be told. The zero value is fit for use.
type Options struct {
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: nothing is measured; one serves one emitter
	Drain      time.Duration         // how long attempts in flight get at the end; 0: 10 s
	// Health is told how each endpoint that is not disabled fares: once at
	// the start, so that what a crash kept it from is made good, and at each
	// change once that is stored. It is called by one goroutine for an
	// endpoint and may block, as long as ctx lasts; of changes meanwhile the
	// latest 16 are told. Nil: nobody wants to know.
	Health func(ctx context.Context, c HealthChange)
}

// Emitter delivers what waits in a queue. Its methods may be called
// concurrently; Run once.
type Emitter struct {
	queue  Queue
	log    *slog.Logger
	drain  time.Duration
	health func(context.Context, HealthChange)
	meters *meters
	trials chan struct{} // full of the test events that are under way

	mu      sync.RWMutex
	outlets map[string]*outlet
	leaving map[string]<-chan struct{} // closed when what an endpoint that is gone had in flight has ended
	life    *life                      // nil: Run does not run
}

// life is what the outlets live by while Run runs.
type life struct {
	ctx, attempts, settles context.Context //nolint:containedctx // of Run, for outlets that begin later
	all                    sync.WaitGroup
}

// New makes an emitter for endpoints, whose names differ.
func New(endpoints []*Endpoint, q Queue, o Options) *Emitter {
	m := &Emitter{
		queue: q, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), drain: cmp.Or(o.Drain, defaultDrain),
		health: o.Health, meters: newMeters(), trials: make(chan struct{}, maxTrials), outlets: map[string]*outlet{}, leaving: map[string]<-chan struct{}{},
	}
	m.Update(endpoints)
	if o.Registerer != nil {
		m.meters.register(o.Registerer, m)
	}
	return m
}

// outlet is that of an endpoint; nil: it is not configured.
func (m *Emitter) outlet(endpoint string) *outlet {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.outlets[endpoint]
}

// all are the outlets, by the names of their endpoints.
func (m *Emitter) all() map[string]*outlet {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return maps.Clone(m.outlets)
}

// Render gives the body of e for endpoint, in that endpoint's format. It is
// a differ.Renderer's. A body that can't be made is counted and logged.
func (m *Emitter) Render(e *differ.Event, endpoint string) ([]byte, error) {
	o := m.outlet(endpoint)
	if o == nil {
		return nil, fmt.Errorf("render for %s: there is no such endpoint", endpoint)
	}
	body, err := o.endpoint.Render(e)
	if dead, ok := errors.AsType[*differ.Undeliverable](err); ok {
		o.unmade.note(time.Now(), e, dead)
	}
	return body, err
}

// Coalesces says whether updates that wait at an endpoint become one. It is
// what differ.Options.Coalesce asks for.
func (m *Emitter) Coalesces(endpoint string) bool {
	o := m.outlet(endpoint)
	return o != nil && o.endpoint.coalesce
}

// Wake hints that something was committed for the named endpoints, or for
// any where none is named. It never blocks, and a lost hint costs at most
// the minute after which each endpoint looks by itself.
func (m *Emitter) Wake(endpoints ...string) {
	for _, name := range endpoints {
		if o := m.outlet(name); o != nil {
			o.hint()
		}
	}
	if len(endpoints) == 0 {
		for _, o := range m.all() {
			o.hint()
		}
	}
}

// Run delivers until ctx ends. From then on nothing new is sent; attempts in
// flight get the drain's time to end and are settled, and Run returns, nil
// always, two seconds after the drain at the latest. An attempt that did not
// end in time is made again after the next start, with the same id and body.
func (m *Emitter) Run(ctx context.Context) error {
	attempts, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	settles, give := context.WithCancel(context.WithoutCancel(ctx))
	defer give()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(m.drain, cut)
		time.AfterFunc(m.drain+settleGrace, give)
	})()

	l := &life{ctx: ctx, attempts: attempts, settles: settles}
	m.mu.Lock()
	m.life = l
	for _, o := range m.outlets {
		m.begin(o)
	}
	m.mu.Unlock()
	l.all.Go(func() { m.warnOfStrays(ctx) })
	<-ctx.Done()
	m.mu.Lock()
	m.life = nil // no outlet begins any more
	m.mu.Unlock()
	l.all.Wait()
	for _, o := range m.all() {
		o.endpoint.Close()
	}
	return nil
}

// warnOfStrays tells of deliveries that wait for an endpoint that is not
// configured: nobody sends them, and they are kept.
func (m *Emitter) warnOfStrays(ctx context.Context) {
	backlog, err := m.queue.Backlog(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.log.Warn("not known for which endpoints deliveries wait", "err", err)
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(backlog)) {
		if m.outlet(name) == nil {
			m.log.Warn("deliveries wait for an endpoint that is not configured", "endpoint", name, "waiting", backlog[name])
		}
	}
}
