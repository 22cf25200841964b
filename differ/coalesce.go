package differ

import (
	"context"
	"encoding/json"
)

// Coalescer is what a Store can do besides for endpoints at which updates
// coalesce. Every engine is one.
type Coalescer interface {
	// Untried gives, of the updates of a unit that were committed with
	// Body.Coalesce, those that wait and were never tried: by place, each the
	// last one told there. It says nothing of a place where none waits, where
	// the item was deleted since, or where the snapshot was reset.
	Untried(ctx context.Context, unit string, at []Place) (map[Place]Untried, error)
}

// Place is where an update is told: of which item, under which type, to whom.
type Place struct{ Key, Type, Endpoint string }

// Untried is an update that waits and was never tried.
type Untried struct {
	Delivery uint64          // its number in the queue
	Old      json.RawMessage // what the item was before it, and before all whose place it took
}

// maxCoalesced is how many bytes the content of an item may have, before an
// update, for a later one to take its place.
const maxCoalesced = 64 << 10

// Merged is an update together with one that waits.
type Merged struct {
	Delivery uint64 // that of the one whose place it takes
	Payload  []byte // from what the item was before that one, to what it is now
}

// coalesce has the updates of a commit take the places of those that wait,
// where the endpoint wants that. Whether they still can is decided at the
// commit: an endpoint gets either both, or the one that stands for both.
func (d *Differ) coalesce(ctx context.Context, src *Source, c *Commit) error {
	store, ok := d.store.(Coalescer)
	if !ok || d.coalesces == nil {
		return nil
	}
	var at []Place
	bodies := map[Place]*Body{}
	updates := map[Place]*Event{}
	for i := range c.Events {
		e := &c.Events[i]
		if e.Change != Updated || e.Data != nil || len(e.Old) == 0 || len(e.Old) > maxCoalesced {
			continue
		}
		for j := range e.Bodies {
			b := &e.Bodies[j]
			if b.Dead == "" && d.coalesces(b.Endpoint) {
				b.Coalesce = true
				p := Place{e.Key, e.Type, b.Endpoint}
				at, bodies[p], updates[p] = append(at, p), b, e
			}
		}
	}
	if len(at) == 0 {
		return nil
	}
	waiting, err := store.Untried(ctx, c.Unit(), at)
	if err != nil {
		return storeFailure("reading", err)
	}
	for p, first := range waiting {
		if b := bodies[p]; b != nil {
			b.Merged = d.merge(src, updates[p], p.Endpoint, first)
		}
	}
	return nil
}

// merge is an update as it is told in the place of one that waits; nil: it
// can't be told so, and both are told.
func (d *Differ) merge(src *Source, e *Event, endpoint string, first Untried) *Merged {
	both := *e
	both.Old = first.Old
	both.Diff = src.form.diff(both.Old, both.New)
	payload, err := d.renderer.Render(&both, endpoint)
	if err != nil {
		return nil
	}
	return &Merged{first.Delivery, payload}
}
