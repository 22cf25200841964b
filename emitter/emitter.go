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
// concurrently.
type Queue interface {
	// Pending gives up to n deliveries to endpoint that are due at now,
	// earliest due first, and only those that stand first among the
	// deliveries of their item to that endpoint. What was given before and
	// is not settled is given again, except what skip says true of: the
	// caller has it in hand, and it is neither read nor counted. Nil skips
	// nothing; skip is called before Pending returns, and by nobody after.
	//
	// A delivery that was never tried is due whatever the clock says, and
	// so before every retry. One whose record is damaged is stepped over:
	// its item's deliveries wait, all others go on.
	Pending(ctx context.Context, endpoint string, now time.Time, n int, skip func(number uint64) bool) (Batch, error)

	// Settle records outcomes, all or nothing, and returns when they are
	// durable. An error leaves it unknown whether they were recorded; the
	// caller settles them again. So an outcome is passed over whose
	// Delivery.Attempts is lower than what is stored: it was recorded
	// already. So is one of a delivery that is no longer there, or damaged.
	//
	// A verdict's hold becomes the endpoint's where it lasts longer than
	// the one that is stored. A delivery that arrived ends a pause and its
	// hold, unless its own verdict has a hold. A hold that is stored for
	// longer than MaxHold from now was set by another clock, and counts as
	// one of MaxHold.
	Settle(ctx context.Context, outcomes []Outcome) error

	// Endpoint is the stored state of an endpoint; zero where there is none.
	Endpoint(ctx context.Context, name string) (EndpointState, error)

	// Backlog is how many deliveries wait at each endpoint that has any,
	// configured or not.
	Backlog(ctx context.Context) (map[string]int, error)
}

// MaxHold is the longest that nothing is sent to an endpoint: a pause, and
// the longest Retry-After that is honoured.
const MaxHold = 24 * time.Hour

// Batch is what Pending found.
type Batch struct {
	Due []Delivery
	// Next is when the earliest delivery that is not yet due will be; zero
	// where none waits for a time.
	Next time.Time
	// Damaged is how many deliveries were stepped over on the way to the
	// last of Due because a record of theirs is damaged, and Damage the
	// error of the first; 0 and nil: none.
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

// Outcome is what follows an attempt.
type Outcome struct {
	Delivery Delivery
	Attempt  Attempt
	Verdict  Verdict
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
	ErrorRequest ErrorClass = "request" // the request could not be made
	ErrorPayload ErrorClass = "payload" // nothing was sent: the payload could not be made at the commit
)

// State is where a delivery stands.
type State string

// The states of a delivery.
const (
	Waiting   State = "waiting"
	Delivered State = "delivered"
	Dead      State = "dead" // a dead letter: no further attempt unless replayed
)

// Verdict is what Judge makes of an attempt.
type Verdict struct {
	State State
	Due   time.Time // of the next attempt, where Waiting

	// Hold, where not zero, is until when nothing is sent to the endpoint.
	Hold time.Time
	// Paused says that the hold is a pause (410, disable) and not a wait
	// that the receiver asked for: after it, or after a restart, one
	// delivery at a time is tried until one arrives.
	Paused bool
	Reason string // in words
}

// EndpointState is what is stored of an endpoint.
type EndpointState struct {
	Hold    time.Time `json:"hold,omitzero"` // nothing is sent before this
	Paused  bool      `json:"paused,omitempty"`
	Reason  string    `json:"reason,omitempty"` // why it holds
	Waiting int       `json:"waiting"`          // deliveries in the queue, held ones included
	Dead    int       `json:"dead"`             // dead letters kept
}
