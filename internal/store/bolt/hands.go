package bolt

import (
	"sync"

	"github.com/deltahook/deltahook/emitter"
)

// hands is what the emitter may have in its hands, by endpoint: what it sends
// must not be superseded.
type hands struct {
	mu     sync.Mutex
	at     map[string]*hand
	opened uint64 // number of the last delivery when the file was opened
}

// hand is what the emitter may have in its hands of one endpoint.
type hand struct {
	// mu is held while it is read what to give, and by the committer from
	// where it supersedes something until its transaction has ended: what is
	// given was not superseded, and what is superseded was not given. Whoever
	// has a transaction open may wait for it only as the committer.
	mu sync.Mutex
	// begun is the number of the last delivery when the endpoint began to be
	// sent to. What stood first in its lane then may have been sent before.
	begun uint64
	given map[uint64]bool // by the last call, or before it and still in hand
	// round is the number of the last delivery when something behind the last
	// such number was first given. Where all stands in one lane, what waited then
	// is told before anything is that was told later.
	round uint64
}

func newHands() hands { return hands{at: map[string]*hand{}} }

func (h *hands) of(endpoint string) *hand {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at[endpoint] == nil {
		h.at[endpoint] = &hand{begun: h.opened, given: map[uint64]bool{}}
	}
	return h.at[endpoint]
}

// give notes what is given, beside what the caller has in hand, when the last
// delivery has a number.
func (h *hand) give(due []emitter.Delivery, inHand func(uint64) bool, last uint64) {
	for number := range h.given {
		if inHand == nil || !inHand(number) {
			delete(h.given, number)
		}
	}
	for i := range due {
		h.given[due[i].Number] = true
		if due[i].Number > h.round {
			h.round = last
		}
	}
}

// hand gives the hand of an endpoint, locked until the transaction has ended.
func (t *tx) hand(endpoint string) *hand {
	if h := t.held[endpoint]; h != nil {
		return h
	}
	h := t.hands.of(endpoint)
	h.mu.Lock()
	t.held[endpoint] = h
	return h
}
