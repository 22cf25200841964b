package emitter

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// Archive is what was told and what waits, to look at and to tell again. Every
// engine is one. All methods may be called concurrently; what they return is
// the caller's to keep.
//
// A list is given newest first, page by page. By source, by endpoint, by both, and
// of what is dead or waits, only what is meant is looked at, however much was told
// since. By anything else one call looks at a bounded number of records (10,000 in
// bolt): a filter that matches little may give a page that is short, or empty, and
// a cursor to go on. Bounds of time rely on event ids being what differ.Event.ID
// says.
type Archive interface {
	// Events lists events by their ids, which are in the order of time; by
	// source, endpoint or state it may be in the order of their commits,
	// which is nearly the same.
	Events(ctx context.Context, f Filter, p Page) (EventPage, error)
	// Event gives one event with the payloads of its deliveries, or
	// ErrUnknown.
	Event(ctx context.Context, id string) (EventRecord, error)
	// Deliveries lists deliveries in the order in which they were put into
	// the queue; dead letters, where they are what is asked for, by when
	// they died.
	Deliveries(ctx context.Context, f Filter, p Page) (DeliveryPage, error)
	// Delivery gives one delivery with its payload, or ErrUnknown.
	Delivery(ctx context.Context, number uint64) (DeliveryRecord, error)
	// Attempts lists the attempts of a delivery, the last one first.
	// ErrUnknown: there is no such delivery.
	Attempts(ctx context.Context, number uint64, p Page) (AttemptPage, error)
	// Replay makes one step of putting deliveries back, and returns when it
	// is durable. See Replay.
	Replay(ctx context.Context, r Replay) (Replayed, error)
}

// What is wrong with what an Archive is asked for.
var (
	ErrUnknown   = errors.New("not found")    // no such event or delivery, or not any more
	ErrBadCursor = errors.New("not a cursor") // nor was it given by the same list
)

// Bounds of a page.
const (
	DefaultPage = 50
	MaxPage     = 500
)

// Page is a part of a list.
type Page struct {
	Cursor string // where to go on, as the page before gave it; "": at the beginning
	Limit  int    // how many at most; 0: DefaultPage; never more than MaxPage
}

// Size is how many the page may have.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return DefaultPage
	}
	return min(p.Limit, MaxPage)
}

// Filter says which events, or deliveries, are meant: those for which all holds
// that is set. The zero value means all.
type Filter struct {
	Event  string // its id
	Type   string
	Source string
	Watch  string // the watch key
	Key    string // of the item

	// When the event was committed; of a delivery in a list, when it was put
	// into the queue; where deliveries that are Dead are listed or replayed, when
	// they died. From Since on, before Until.
	Since, Until time.Time

	// Of an event, that the last delivery to one of its endpoints is so.
	Endpoint string
	State    State
}

// Takes says whether the filter takes an event, its deliveries and its time
// aside.
func (f *Filter) Takes(e *EventRecord) bool {
	return (f.Event == "" || f.Event == e.ID) && (f.Type == "" || f.Type == e.Type) &&
		(f.Source == "" || f.Source == e.Source) && (f.Watch == "" || f.Watch == e.Watch) &&
		(f.Key == "" || f.Key == e.Key)
}

// Sees says whether t is within the filter's bounds.
func (f *Filter) Sees(t time.Time) bool {
	return (f.Since.IsZero() || !t.Before(f.Since)) && (f.Until.IsZero() || t.Before(f.Until))
}

// SeesDelivery says whether a delivery is within the bounds that its list has.
// Where dead ones are meant, no other is within any.
func (f *Filter) SeesDelivery(d *DeliveryRecord) bool {
	switch {
	case f.State != Dead:
		return f.Sees(d.Queued)
	case d.State != Dead:
		return f.Since.IsZero() && f.Until.IsZero()
	}
	return f.Sees(d.Settled)
}

// Of says whether the filter takes a delivery, its event and its time aside.
func (f *Filter) Of(d *DeliveryRecord) bool {
	return (f.Endpoint == "" || f.Endpoint == d.Endpoint) && (f.State == "" || f.State == d.State)
}

// EventPage is a page of events.
type EventPage struct {
	Events []EventRecord `json:"events"`
	Rest
}

// DeliveryPage is a page of deliveries.
type DeliveryPage struct {
	Deliveries []DeliveryRecord `json:"deliveries"`
	Rest
}

// AttemptPage is a page of attempts.
type AttemptPage struct {
	Attempts []AttemptRecord `json:"attempts"`
	Rest
}

// Rest is what is said of a list beside a page of it.
type Rest struct {
	Next    string `json:"next,omitempty"`    // the cursor of the next page; "": this is the last
	Damaged int    `json:"damaged,omitempty"` // records that were passed over because they are damaged
	Damage  string `json:"damage,omitempty"`  // the error of the first
}

// EventRecord is an event as it is shown.
type EventRecord struct {
	ID       string        `json:"id"`
	Type     string        `json:"type"`
	Source   string        `json:"source"`
	Watch    string        `json:"watch,omitempty"`
	Key      string        `json:"key"`
	Change   differ.Change `json:"change,omitempty"`
	Revision uint64        `json:"revision,omitempty"`
	Time     time.Time     `json:"time"`    // when the change was seen
	Created  time.Time     `json:"created"` // when it was committed

	// The last delivery to each endpoint that the event was told to; nil in
	// a DeliveryRecord.
	Deliveries []DeliveryRecord `json:"deliveries,omitempty"`
}

// StateReplayed is the state of a delivery that was put back as another one. No
// verdict has it.
const StateReplayed State = "replayed"

// StateSuperseded is the state of an update that was never tried, for a later
// one of its item took its place: its endpoint coalesces. No verdict has it.
const StateSuperseded State = "superseded"

// States are those that a delivery is shown in.
func States() []State {
	return []State{Waiting, Delivered, Dead, Expired, StateReplayed, StateSuperseded}
}

// DeliveryRecord is a delivery as it is shown.
type DeliveryRecord struct {
	Number     uint64    `json:"number"`
	Endpoint   string    `json:"endpoint"`
	State      State     `json:"state"`
	Queued     time.Time `json:"queued"`                // when it was committed or put back
	Due        time.Time `json:"due,omitzero"`          // of the next attempt, where it waits and was tried
	Attempts   int       `json:"attempts"`              // made so far; what was not sent at its end counts for none
	Settled    time.Time `json:"settled,omitzero"`      // when it arrived or died; zero: it waits
	ReplayOf   uint64    `json:"replay_of,omitempty"`   // the first delivery of the event to the endpoint; 0: it is that
	ReplayedBy uint64    `json:"replayed_by,omitempty"` // the one that took its place; 0: none

	// SupersededBy is the delivery that took its place before it was tried,
	// and SupersededByEvent the event that tells of both; 0 and "": none did.
	SupersededBy      uint64 `json:"superseded_by,omitempty"`
	SupersededByEvent string `json:"superseded_by_event,omitempty"`

	// Event is its event; nil in an EventRecord.
	Event *EventRecord `json:"event,omitempty"`
	// Payload is what is sent; nil in a list.
	Payload Payload `json:"payload,omitempty"`
}

// Recorded says whether there is something to show of attempts, or of its end.
func (d *DeliveryRecord) Recorded() bool {
	return d.Attempts > 0 || d.State != Waiting && d.State != StateSuperseded
}

// Payload is a body as it is sent. In JSON it stands as it is where it is
// JSON, and as a text where it isn't.
type Payload []byte

// MarshalJSON writes it.
func (p Payload) MarshalJSON() ([]byte, error) {
	switch {
	case p == nil:
		return []byte("null"), nil
	case json.Valid(p):
		return p, nil
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	err := e.Encode(string(p))
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// UnmarshalJSON takes what is there as it stands.
func (p *Payload) UnmarshalJSON(b []byte) error {
	*p = bytes.Clone(b)
	return nil
}

// AttemptRecord is an attempt as it is shown.
type AttemptRecord struct {
	Attempt  int        `json:"attempt"`       // from 1
	End      bool       `json:"end,omitempty"` // it is none: nothing was sent, and this says why the delivery ended
	At       time.Time  `json:"at"`
	Took     float64    `json:"took"`             // seconds
	Status   int        `json:"status,omitempty"` // 0: no answer came
	Error    ErrorClass `json:"error,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Response string     `json:"response,omitempty"` // the first 8 KiB of the answer's body
}

// Record is a as it is shown, the index-th of its delivery.
func (a *Attempt) Record(index int) AttemptRecord {
	return AttemptRecord{
		Attempt: index, End: a.Error.unsent(), At: a.At, Took: a.Took.Seconds(), Status: a.Status,
		Error: a.Error, Reason: a.Reason, Response: string(a.Response),
	}
}

// MaxReplays is how many replays of one delivery are remembered. Of more, the
// oldest are forgotten with their attempts; the first delivery stays.
const MaxReplays = 16

// Replay is one step of putting deliveries back: of those that the filter
// takes, in the order of their events, a number from a cursor on. Of an event
// and an endpoint the last delivery counts. Put back it is a new one, of the
// same event and body, at the end of its item's lane, with no attempts made;
// the one that it repeats is no dead letter any more. What waits is left alone.
//
// The filter's times are those of the event or, where its State is Dead, of
// the death; what waits has none, and is then not counted. Its State is which
// deliveries are meant; "": any that is settled. What is superseded is told by another delivery,
// and is put back only where it is asked for: by State, Event or Delivery.
type Replay struct {
	Filter
	Delivery  uint64    // this one alone, or what it was replayed as last; 0: any
	Settled   time.Time // only what was settled before; zero: whenever
	Endpoints []string  // only to these; the others are counted; nil: all
	Cursor    string    // where to go on; "": at the beginning
	Most      int       // how many are put back in this step; 0: MaxPage
	Dry       bool      // count only
}

// SeesEvent says whether an event that was committed then may have deliveries
// within the bounds. One that dies was committed before.
func (r *Replay) SeesEvent(created time.Time) bool { return r.State == Dead || r.Sees(created) }

// SeesLast says whether the last delivery of an event that SeesEvent takes is
// within the bounds.
func (r *Replay) SeesLast(d *DeliveryRecord) bool { return r.State != Dead || r.SeesDelivery(d) }

// Covers says that a delivery of this state is left alone, for the replay takes
// in the one that tells of it too.
func (r *Replay) Covers(s State) bool {
	return s == StateSuperseded && r.State != s && r.Event == "" && r.Delivery == 0
}

// Replayed is what a step of a replay came to.
type Replayed struct {
	Replayed     int `json:"replayed"`     // put back; of a dry run: that would be
	Waiting      int `json:"waiting"`      // left alone, for they wait
	Unsendable   int `json:"unsendable"`   // left alone, for their payload could not be made at the commit
	Unconfigured int `json:"unconfigured"` // left alone, for there is no such endpoint
	Superseded   int `json:"superseded"`   // left alone, for a later update tells of them too

	Damaged int    `json:"damaged,omitempty"` // passed over, for a record of theirs is damaged
	Damage  string `json:"damage,omitempty"`  // the error of the first

	Deliveries []uint64 `json:"-"` // the new numbers; nil of a dry run
	At         []string `json:"-"` // the endpoints that they wait at, each once
	Next       string   `json:"-"` // where to go on; "": this was all
}

// Add adds what a further step came to, and goes on where it ended.
func (r *Replayed) Add(more Replayed) {
	r.Replayed += more.Replayed
	r.Waiting += more.Waiting
	r.Unsendable += more.Unsendable
	r.Unconfigured += more.Unconfigured
	r.Superseded += more.Superseded
	r.Damaged += more.Damaged
	r.Damage = cmp.Or(r.Damage, more.Damage)
	r.Next = more.Next
}

// PassOver notes a delivery that is passed over because it is damaged.
func (r *Replayed) PassOver(err error) {
	r.Damaged++
	r.Damage = cmp.Or(r.Damage, err.Error())
}
