package emitter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/deltahook/deltahook/internal/units"
)

// ReplayRate is how fast deliveries are put back where nothing is said.
func ReplayRate() units.Rate { return units.Rate{N: 50, Per: time.Second} }

// AnyState means deliveries in every state but [Waiting] to a replay.
const AnyState State = "any"

// MaxNamed is how many deliveries one order may name.
const MaxNamed = 500

// ReplayOrder is what is to be told again: one event, one delivery or several,
// or all that the other fields say. Since and Until are when dead letters died;
// with another state, when the events were committed.
type ReplayOrder struct {
	Event      string     `json:"event,omitempty"`      // its id: to all its endpoints, or to Endpoint
	Delivery   uint64     `json:"delivery,omitempty"`   // a delivery's number
	Deliveries []uint64   `json:"deliveries,omitempty"` // numbers of several, at most MaxNamed
	Endpoint   string     `json:"endpoint,omitempty"`
	Source     string     `json:"source,omitempty"`
	Watch      string     `json:"watch,omitempty"`
	Type       string     `json:"type,omitempty"`
	Key        string     `json:"key,omitempty"`
	Since      time.Time  `json:"since,omitzero"`
	Until      time.Time  `json:"until,omitzero"`
	All        bool       `json:"all,omitempty"`     // needed where nothing of the above is set
	State      State      `json:"state,omitempty"`   // default: dead; of an event or deliveries that are named: any
	Settled    time.Time  `json:"settled,omitzero"`  // only what was settled before; default: now
	Rate       units.Rate `json:"rate,omitzero"`     // default: 50/s
	Dry        bool       `json:"dry_run,omitempty"` // count only
}

// one says whether it names one thing that must be there.
func (o *ReplayOrder) one() bool { return o.Event != "" || o.Delivery != 0 }

// named says whether it names what is to be told again.
func (o *ReplayOrder) named() bool { return o.one() || len(o.Deliveries) > 0 }

// Check says what is wrong with an order, whatever there is to tell again.
func (o *ReplayOrder) Check() error {
	bulk := o.Source != "" || o.Watch != "" || o.Type != "" || o.Key != "" || !o.Since.IsZero() || !o.Until.IsZero() || o.All
	switch {
	case o.Event != "" && o.Delivery != 0, o.one() && len(o.Deliveries) > 0:
		return errors.New("an event, a delivery, deliveries: name one of them")
	case o.named() && bulk, o.named() && o.Event == "" && o.Endpoint != "":
		return errors.New("an event or delivery that is named takes no filter; an event takes an endpoint")
	case len(o.Deliveries) > MaxNamed:
		return fmt.Errorf("%d deliveries: expected at most %d", len(o.Deliveries), MaxNamed)
	case slices.Contains(o.Deliveries, 0):
		return errors.New("0 is not the number of a delivery")
	case !o.named() && !bulk && o.Endpoint == "":
		return errors.New("say what is to be told again: an event, a delivery, a filter, or all")
	case !o.Since.IsZero() && !o.Until.IsZero() && !o.Since.Before(o.Until):
		return errors.New("since is not before until")
	case !slices.Contains([]State{"", Dead, Delivered, Expired, StateSuperseded, AnyState}, o.State):
		return fmt.Errorf("state %q: expected dead, delivered, expired, superseded or any", o.State)
	case o.Rate.N < 0 || o.Rate.Per < 0 || o.Rate.N > 0 && o.Rate.Per/time.Duration(o.Rate.N) <= 0:
		return fmt.Errorf("rate %s is too high", o.Rate)
	}
	return nil
}

// complete is the order with what was left open.
func (o ReplayOrder) complete(now time.Time) ReplayOrder {
	if o.State == "" && o.named() {
		o.State = AnyState
	}
	slices.Sort(o.Deliveries)
	o.Deliveries = slices.Compact(o.Deliveries)
	o.State = cmp.Or(o.State, Dead)
	if o.Settled.IsZero() {
		o.Settled = now
	}
	if o.Rate.IsZero() {
		o.Rate = ReplayRate()
	}
	return o
}

// steps are the first step of an order, or one for each delivery that it names.
func (o *ReplayOrder) steps(endpoints []string) []Replay {
	first := o.step(endpoints)
	if len(o.Deliveries) == 0 {
		return []Replay{first}
	}
	all := make([]Replay, len(o.Deliveries))
	for i, number := range o.Deliveries {
		all[i] = first
		all[i].Delivery = number
	}
	return all
}

// step is the first step of an order.
func (o *ReplayOrder) step(endpoints []string) Replay {
	r := Replay{
		Filter:   Filter{Event: o.Event, Type: o.Type, Source: o.Source, Watch: o.Watch, Key: o.Key, Since: o.Since, Until: o.Until, Endpoint: o.Endpoint},
		Delivery: o.Delivery, Settled: o.Settled, Endpoints: endpoints, Dry: o.Dry,
		Most: int(min(max(o.Rate.In(replayGrid), 1), replayBurst)),
	}
	if o.State != AnyState {
		r.State = o.State
	}
	if o.named() {
		r.Settled = time.Time{} // whatever a clock says
	}
	return r
}

// OrderError says what is wrong with a ReplayOrder.
type OrderError struct{ Fault error }

// Error is the fault.
func (e *OrderError) Error() string { return e.Fault.Error() }

// Unwrap is the fault.
func (e *OrderError) Unwrap() error { return e.Fault }
