package mem

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// endpoint is what is kept of one.
type endpoint struct {
	emitter.EndpointState
	order emitter.Order

	// The first of each lane.
	fresh map[string]*agenda // that was never tried, by source
	again *agenda            // that is due again

	gave string // the source that gave last of fresh
	turn bool   // again follows

	// What may be in the emitter's hands; see the same in bolt.
	begun, arranged, round uint64

	given map[uint64]bool
}

func newEndpoint() *endpoint {
	return &endpoint{order: emitter.OrderItem, fresh: map[string]*agenda{}, again: &agenda{}, given: map[uint64]bool{}}
}

// agenda is where the first delivery of a lane stands.
func (e *endpoint) agenda(d *delivery) *agenda {
	if !d.Due.IsZero() {
		return e.again
	}
	if e.fresh[d.Source] == nil {
		e.fresh[d.Source] = &agenda{}
	}
	return e.fresh[d.Source]
}

// remove takes a delivery off its agenda, and says whether it was there.
func (e *endpoint) remove(d *delivery) bool {
	first := e.agenda(d).remove(d)
	if a := e.fresh[d.Source]; a != nil && len(a.runs) == 0 {
		delete(e.fresh, d.Source)
	}
	return first
}

// take gives the next in turn that is due at now and not skipped; nil: there is
// none.
func (e *endpoint) take(now time.Time, skip func(*delivery) bool) *delivery {
	fresh := func() *delivery {
		sources := slices.SortedFunc(maps.Keys(e.fresh), inTurn)
		next, gave := slices.BinarySearchFunc(sources, e.gave, inTurn)
		if gave {
			next++ // the others first
		}
		for _, source := range slices.Concat(sources[next:], sources[:next]) {
			if d := e.fresh[source].take(now, skip); d != nil {
				e.gave, e.turn = source, true
				return d
			}
		}
		return nil
	}
	again := func() *delivery {
		d := e.again.take(now, skip)
		if d != nil {
			e.turn = false
		}
		return d
	}
	first, second := fresh, again
	if e.turn {
		first, second = again, fresh
	}
	if d := first(); d != nil {
		return d
	}
	return second()
}

// inTurn is the order in which sources take turns.
func inTurn(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
