package main

import (
	"context"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

// heard is a queue that tells open pages what moved in it.
type heard struct {
	emitter.Queue
	live *web.Live
}

// Settle stores outcomes.
func (h heard) Settle(ctx context.Context, outcomes []emitter.Outcome) error {
	err := h.Queue.Settle(ctx, outcomes)
	if err == nil && len(outcomes) > 0 { // they are of one endpoint
		h.live.Moved("endpoints/"+outcomes[0].Delivery.Endpoint, "events")
	}
	return err
}

// SetHealth stores how an endpoint fares.
func (h heard) SetHealth(ctx context.Context, endpoint string, health emitter.Health) error {
	err := h.Queue.SetHealth(ctx, endpoint, health)
	if err == nil {
		h.live.Moved("endpoints/" + endpoint)
	}
	return err
}

// Drop makes dead letters.
func (h heard) Drop(ctx context.Context, endpoint string, d emitter.Drop) (int, error) {
	n, err := h.Queue.Drop(ctx, endpoint, d)
	if n > 0 && !d.Dry {
		h.live.Moved("endpoints/"+endpoint, "events")
	}
	return n, err
}

// waking hints at what was committed for endpoints: to who sends it, and to
// open pages.
func waking(m *emitter.Emitter, live *web.Live) func(endpoints ...string) {
	return func(endpoints ...string) {
		m.Wake(endpoints...)
		for _, name := range endpoints {
			live.Moved("endpoints/" + name)
		}
	}
}
