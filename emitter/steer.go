package emitter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/deltahook/deltahook/internal/units"
)

// What is wrong with what a person wants of an endpoint.
var (
	ErrNoEndpoint = errors.New("no such endpoint")
	ErrDisabled   = errors.New("disabled in the configuration")
	ErrBusy       = errors.New("deliveries are being dropped already")
	errEnding     = errors.New("the daemon ends")
)

// EndpointStatus is how an endpoint fares, for a person.
type EndpointStatus struct {
	Endpoint string    `json:"endpoint"`
	Host     string    `json:"host,omitempty"` // scheme and host of its URL; "": it is not configured
	State    Condition `json:"state"`
	EndpointState
	Terms
}

// Terms are how an endpoint is sent to, as it is configured; the zero value is
// that of one that isn't.
type Terms struct {
	Format      string     `json:"format,omitempty"`
	Order       Order      `json:"order,omitempty"`
	Concurrency int        `json:"concurrency,omitempty"` // attempts at once
	Rate        units.Rate `json:"rate,omitzero"`         // of attempts; zero: none is kept
	Coalesce    bool       `json:"coalesce,omitempty"`    // updates of an item that wait become one
}

// terms are those of the endpoint, with what its format and the defaults say.
func (e *Endpoint) terms() Terms {
	atOnce := e.concurrency
	if e.order == OrderEndpoint {
		atOnce = 1
	}
	return Terms{Format: e.format.name, Order: e.order, Concurrency: atOnce, Rate: e.rate, Coalesce: e.coalesce}
}

// ConditionUnknown is that of an endpoint that is not configured and has
// deliveries waiting.
const ConditionUnknown Condition = "not configured"

// Endpoints is how the endpoints fare, by name: those that are configured, and
// those for which deliveries wait.
func (m *Emitter) Endpoints(ctx context.Context) ([]EndpointStatus, error) {
	waiting, err := m.queue.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	outlets := m.all()
	names := slices.Collect(maps.Keys(waiting))
	names = slices.AppendSeq(names, maps.Keys(outlets))
	slices.Sort(names)
	var all []EndpointStatus
	for _, name := range slices.Compact(names) {
		s, err := m.queue.Endpoint(ctx, name)
		if err != nil {
			return nil, err
		}
		status := EndpointStatus{Endpoint: name, State: s.Condition(), EndpointState: s}
		if o := outlets[name]; o != nil {
			status.Host, status.Terms = o.endpoint.Host(), o.endpoint.terms()
			if o.endpoint.disabled {
				status.State = ConditionDisabled
			}
		} else {
			status.State = ConditionUnknown
		}
		all = append(all, status)
	}
	return all, nil
}

// Pause stops sending to an endpoint until Resume, and returns when that is
// durable. What is under way ends. ErrNoEndpoint, ErrDisabled.
func (m *Emitter) Pause(ctx context.Context, endpoint string) error {
	return m.ask(ctx, endpoint, func(_ context.Context, o *outlet, done chan error) {
		o.gate.pause(time.Now(), "paused by a person")
		o.waiters = append(o.waiters, done)
	})
}

// Resume ends a pause of whatever cause, and any wait that the receiver asked
// for; what waits for its next attempt is tried now. It returns when that is
// durable. ErrNoEndpoint, ErrDisabled.
func (m *Emitter) Resume(ctx context.Context, endpoint string) error {
	return m.ask(ctx, endpoint, func(_ context.Context, o *outlet, done chan error) {
		o.gate.resume()
		o.look = true
		o.waiters = append(o.waiters, done)
	})
}

// Drop makes dead letters of what waits at an endpoint, configured or not, of
// events that were committed before a time; zero: of all. What is under way is
// not dropped, and nothing new is sent meanwhile. It tells how many they were;
// with dry, how many it would be. ErrNoEndpoint: it is neither configured nor
// waits anything for it. ErrBusy.
func (m *Emitter) Drop(ctx context.Context, endpoint string, before time.Time, dry bool) (n int, err error) {
	o := m.outlet(endpoint)
	if o == nil {
		s, err := m.queue.Endpoint(ctx, endpoint)
		if err != nil {
			return 0, err
		}
		if s.Waiting == 0 {
			return 0, fmt.Errorf("endpoint %s: %w", endpoint, ErrNoEndpoint)
		}
	}
	drop := Drop{Before: before, Reason: "dropped by a person", Dry: dry}
	if o == nil || o.endpoint.disabled || dry {
		return m.queue.Drop(ctx, endpoint, drop)
	}
	dropped := make(chan int, 1)
	err = m.ask(ctx, endpoint, func(life context.Context, o *outlet, done chan error) {
		if o.dropping {
			done <- ErrBusy
			return
		}
		o.dropping = true
		taken := maps.Clone(o.taken)
		drop.Skip = func(number uint64) bool { return taken[number] }
		ctx, cancel := context.WithCancel(ctx)
		unbind := context.AfterFunc(life, cancel)
		o.helpers.Go(func() {
			n, err := o.queue.Drop(ctx, endpoint, drop)
			cancel()
			unbind()
			o.helped <- func() { o.dropping, o.look = false, true }
			dropped <- n
			done <- err
		})
	})
	select {
	case n = <-dropped:
	default:
	}
	return n, err
}

// ask has do called by the goroutine of an endpoint's outlet, and waits until
// something is sent to done. life ends when the outlet is to end; where another
// takes its place, that one is asked.
func (m *Emitter) ask(ctx context.Context, endpoint string, do func(life context.Context, o *outlet, done chan error)) error {
	for {
		o := m.outlet(endpoint)
		switch {
		case o == nil:
			return fmt.Errorf("endpoint %s: %w", endpoint, ErrNoEndpoint)
		case o.endpoint.disabled:
			return fmt.Errorf("endpoint %s: %w", endpoint, ErrDisabled)
		}
		answered, err := o.ask(ctx, do)
		if answered || m.outlet(endpoint) == o {
			return err
		}
	}
}

// ask is that of one outlet. It is not answered where the outlet has ended.
func (o *outlet) ask(ctx context.Context, do func(context.Context, *outlet, chan error)) (answered bool, err error) {
	done := make(chan error, 1)
	select {
	case o.asked <- func(life context.Context, o *outlet) { do(life, o, done) }:
	case <-o.gone:
		return false, errEnding
	case <-ctx.Done():
		return true, ctx.Err()
	}
	select {
	case err := <-done:
		return true, err
	case <-ctx.Done():
		return true, ctx.Err()
	case <-o.gone:
	}
	select {
	case err := <-done: // just before it ended
		return true, err
	default:
		return false, errEnding
	}
}
