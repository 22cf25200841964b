package emitter

import (
	"context"
	"log/slog"
	"time"
)

// mostNews bounds how many changes of an endpoint's condition wait to be told
// while one is being told. Of more, the oldest are not told.
const mostNews = 16

// news tells of an endpoint's condition: as it is found at the start, and each
// change once it is durable.
type news struct {
	endpoint string
	queue    Queue
	log      *slog.Logger
	tell     func(context.Context, HealthChange) // nil: nobody wants to know

	last    Health
	changes []HealthChange
	telling bool
}

// begin takes up what is stored, at a start.
func (n *news) begin(h Health) {
	n.last = h
	n.add(h, h.Condition(), h.Begun())
}

// note enters what is durable now.
func (n *news) note(h Health) {
	was, since := n.last.Condition(), n.last.Begun()
	n.last = h
	now := h.Condition()
	if now == was {
		return
	}
	switch {
	case now == ConditionPaused:
		n.log.Warn("endpoint is paused; what is told to it waits", "cause", h.Pause, "err", h.Reason)
	case was == ConditionPaused:
		n.log.Info("endpoint is not paused any more", "after", time.Since(since).Round(time.Second))
	}
	if now != ConditionOK {
		since = h.Begun()
	}
	n.add(h, was, since)
}

func (n *news) add(h Health, was Condition, since time.Time) {
	if n.tell == nil {
		return
	}
	n.changes = append(n.changes, HealthChange{
		Endpoint: n.endpoint, Now: h.Condition(), Was: was, Pause: h.Pause, Since: since, Reason: h.Reason,
	})
	n.changes = n.changes[max(0, len(n.changes)-mostNews):]
}

// send tells what is to be told, one after the other, beside o's goroutine.
func (n *news) send(ctx context.Context, o *outlet) {
	if n.telling || len(n.changes) == 0 {
		return
	}
	change := n.changes[0]
	n.changes, n.telling = n.changes[1:], true
	o.helpers.Go(func() {
		if s, err := n.queue.Endpoint(ctx, n.endpoint); err == nil {
			change.Waiting = s.Waiting
		}
		n.tell(ctx, change)
		o.helped <- func() { n.telling = false }
	})
}
