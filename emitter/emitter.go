// Package emitter tells: it takes what waits in the queue, signs it, sends it,
// judges the answer and settles the outcome, per endpoint, in order per item,
// until the receiver has it or a person must look.
//
// The flow of one delivery:
//
//	Queue.Pending -> address, sign -> HTTP -> Judge -> Queue.Settle
//
// It does not know where an event came from.
package emitter

import (
	"context"
	"time"
)

// Queue is what the emitter needs of an engine. All methods may be called
// concurrently; those that name an endpoint, for one endpoint, by the emitter
// that serves it.
type Queue interface {
	// Pending gives up to n deliveries to endpoint that are due at now, and
	// only those that stand first in their lane (Order). What was given
	// before and is not settled is given again, except what skip says true
	// of: the caller has it in hand, and it is neither read nor counted. Nil
	// skips nothing; skip is called before Pending returns, and by nobody
	// after.
	//
	// What was never tried, which is due whatever the clock says, and what
	// is due again take turns, as long as there is both. Of the former the
	// sources take turns: each gives one before any gives another, in the
	// order of numbers. The latter is given earliest due first. Whose turn
	// it is goes on from call to call and is not stored.
	//
	// A delivery whose record is damaged is stepped over: its lane waits,
	// all others go on.
	Pending(ctx context.Context, endpoint string, now time.Time, n int, skip func(number uint64) bool) (Batch, error)

	// Oldest gives the delivery with the lowest number of those that stand
	// first in their lane at endpoint, whenever it is due, except those that
	// skip says true of; found is false where there is none. Damaged ones
	// are stepped over.
	Oldest(ctx context.Context, endpoint string, skip func(number uint64) bool) (d Delivery, found bool, err error)

	// Settle records outcomes, all or nothing, and returns when they are
	// durable. An error leaves it unknown whether they were recorded; the
	// caller settles them again. So an outcome is passed over whose
	// Delivery.Attempts is lower than what is stored: it was recorded
	// already. So is one of a delivery that is no longer there, or damaged.
	// Its Health is stored all the same.
	Settle(ctx context.Context, outcomes []Outcome) error

	// SetHealth stores how an endpoint fares, and returns when it is durable.
	SetHealth(ctx context.Context, endpoint string, h Health) error

	// Arrange has the deliveries of an endpoint stand in the lanes of an
	// order, those that wait and those that are still to be committed,
	// which stand in those of OrderItem where it was never called. It works
	// in small steps; one that was interrupted is finished by the next call.
	// Nothing of the endpoint may be in hand meanwhile.
	Arrange(ctx context.Context, endpoint string, order Order) error

	// Hasten makes due at once what waits at endpoint for a time, in small
	// steps.
	Hasten(ctx context.Context, endpoint string) error

	// Drop ends what waits at endpoint, in small steps, and tells how many.
	Drop(ctx context.Context, endpoint string, d Drop) (int, error)

	// Endpoint is the stored state of an endpoint; zero where there is none.
	Endpoint(ctx context.Context, name string) (EndpointState, error)

	// Backlog is how many deliveries wait at each endpoint that has any,
	// configured or not.
	Backlog(ctx context.Context) (map[string]int, error)
}

// Order is what may not overtake itself at an endpoint: what stands in one
// lane goes out one after the other, in the order of commits.
type Order string

// The orders.
const (
	OrderItem     Order = "item"     // a lane for each item
	OrderEndpoint Order = "endpoint" // one lane
	OrderNone     Order = "none"     // a lane for each delivery
)

// Drop is which of the deliveries that wait are to become dead letters, or to
// expire.
type Drop struct {
	Before  time.Time                // only those that were put into the queue before; zero: all
	Skip    func(number uint64) bool // not those that it says true of; nil: all. Not called after the call ends
	Reason  string                   // in words, for their record
	Expired bool                     // they expire, and are no dead letters
	Dry     bool                     // only count them
}

// End is what a delivery that is dropped at a time becomes, and its record.
func (d *Drop) End(at time.Time) (State, Attempt) {
	if d.Expired {
		return Expired, Attempt{At: at, Error: ErrorExpired, Reason: d.Reason}
	}
	return Dead, Attempt{At: at, Error: ErrorDropped, Reason: d.Reason}
}

// MaxHold is the longest that nothing is sent to an endpoint, a pause by a
// person aside, and the longest Retry-After that is honoured.
const MaxHold = 24 * time.Hour

// Batch is what Pending found.
type Batch struct {
	Due []Delivery
	// Next is when the earliest delivery that is not yet due will be; zero
	// where none waits for a time, and where as many are given as were asked
	// for. It counts only where Due has fewer than
	// were asked for.
	Next time.Time
	// Damaged is how many deliveries were stepped over because a record of
	// theirs is damaged, and Damage the error of the first; 0 and nil: none.
	Damaged int
	Damage  error
}

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	Number   uint64 // the queue's own: in the order of commits; a replay has one of its own
	Endpoint string

	Event    string // the event's id, sent as webhook-id
	Type     string
	Source   string
	Key      string
	Revision uint64
	Time     time.Time // when the change was seen
	Body     []byte    // as rendered at the commit, never changed

	Created  time.Time // when it was put into the queue: with its event, or by a replay
	Due      time.Time // when the next attempt is due; zero: none was made yet, and it is due
	Attempts int       // made so far
}

// Outcome is what follows an attempt, or what was decided without one.
type Outcome struct {
	Delivery Delivery
	Attempt  Attempt
	Verdict  Verdict
	// Health is how the endpoint fares after it; nil: as before.
	Health *Health
}

// Attempt is the record of one try. Nothing in it is secret.
type Attempt struct {
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"took"`
	Status   int           `json:"status,omitempty"` // 0: no answer came; with the format teams also what the answer's body named
	Error    ErrorClass    `json:"error,omitempty"`
	Reason   string        `json:"reason,omitempty"`   // in words, why it is not delivered; a 2xx without one is
	Response []byte        `json:"response,omitempty"` // the first 8 KiB of the answer's body

	// What the answer asked for; not stored.
	RetryAfter time.Duration `json:"-"` // of Retry-After or the format's own word for it, capped at 24 h; 0: none
	Directive  string        `json:"-"` // of webhook-delivery: abort-message, disable or ""
}

// ErrorClass says why an attempt got no answer, or "" where it got one.
type ErrorClass string

// The classes of error.
const (
	ErrorNetwork ErrorClass = "network" // no connection, cut connection, TLS
	ErrorRefused ErrorClass = "refused" // the egress guard refused the address
	ErrorTimeout ErrorClass = "timeout"
	ErrorAuth    ErrorClass = "auth"    // there was no token for the request
	ErrorPayload ErrorClass = "payload" // nothing was sent: the payload could not be made at the commit
	ErrorExpired ErrorClass = "expired" // nothing was sent: it was older than the endpoint's ttl
	ErrorDropped ErrorClass = "dropped" // nothing was sent: a person dropped it
)

// unsent says that nothing was sent: it is why a delivery ended.
func (c ErrorClass) unsent() bool {
	return c == ErrorPayload || c == ErrorExpired || c == ErrorDropped
}

// State is where a delivery stands.
type State string

// The states of a delivery.
const (
	Waiting   State = "waiting"
	Delivered State = "delivered"
	Dead      State = "dead"    // a dead letter: no further attempt unless replayed
	Expired   State = "expired" // older than the endpoint's ttl when its turn came
)

// Verdict is what Judge makes of an attempt.
type Verdict struct {
	State State
	Due   time.Time // of the next attempt, where Waiting

	// Hold, where not zero, is until when nothing is sent to the endpoint.
	Hold time.Time
	// Pause says that the endpoint is to be paused, and why; "": it isn't.
	Pause  Pause
	Reason string // in words
}

// EndpointState is what is stored of an endpoint.
type EndpointState struct {
	Health
	Waiting int       `json:"waiting"`               // deliveries in the queue, held ones included
	Dead    int       `json:"dead"`                  // dead letters kept
	Last    time.Time `json:"last_attempt,omitzero"` // when the last attempt that was settled was made; zero: none was
}
