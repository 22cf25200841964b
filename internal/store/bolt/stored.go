package bolt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/poller"
)

// The types of this file are what stands in the file, apart from what the
// other packages work with: a field may be added at the end, none is renamed
// or reused. What each is read from and written to is in doc.go.

// storedSource is a record of sources.
type storedSource struct {
	Version   uint64          `json:"version,omitempty"`
	Shape     string          `json:"shape,omitempty"`
	Since     time.Time       `json:"since,omitzero"`
	Bookmarks storedBookmarks `json:"bookmarks,omitzero"`
	// Life is another one after each reset, and that of no other unit: what is
	// in revisions of another one counts no more.
	Life uint64 `json:"life,omitempty"`
}

type storedBookmarks struct {
	Request      string    `json:"request,omitempty"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	Next         time.Time `json:"next,omitzero"`
	Failures     int       `json:"failures,omitempty"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastError    string    `json:"last_error,omitempty"`
	Cursor       string    `json:"cursor,omitempty"`
	Enrolled     bool      `json:"enrolled,omitempty"`
	First        time.Time `json:"first,omitzero"`
	Retired      time.Time `json:"retired,omitzero"`
}

// storeBookmarks, like bookmarks, stops compiling when a bookmark is added that
// this file doesn't store.
func storeBookmarks(b poller.Bookmarks) storedBookmarks { return storedBookmarks(b) }

func (b storedBookmarks) bookmarks() poller.Bookmarks { return poller.Bookmarks(b) }

func (s storedSource) record(key []byte) (record, error) { return sealJSON(bucketSources, key, s) }

// storedEndpoint is a record of endpoints.
type storedEndpoint struct {
	Hold        time.Time `json:"hold,omitzero"`
	Paused      bool      `json:"paused,omitempty"` // of files of before, without a cause
	Reason      string    `json:"reason,omitempty"`
	Waiting     int       `json:"waiting,omitempty"`
	Dead        int       `json:"dead,omitempty"`
	Pause       string    `json:"pause,omitempty"`
	Since       time.Time `json:"since,omitzero"`
	Failed      int       `json:"failed,omitempty"`
	FailedSince time.Time `json:"failed_since,omitzero"`
	Failing     bool      `json:"failing,omitempty"`
	Hasten      bool      `json:"hasten,omitempty"`

	Last time.Time `json:"last,omitzero"`

	Order     order `json:"order,omitempty"`
	Arranging bool  `json:"arranging,omitempty"` // some that wait may stand in lanes of another order

	// Arranged is the number of the last delivery when the order was last
	// changed: which of those up to it stood first in their lanes, and may have
	// been sent, is not known any more.
	Arranged uint64 `json:"arranged,omitempty"`
}

// put takes up how the endpoint fares.
func (e *storedEndpoint) put(h *emitter.Health) {
	e.Hold, e.Paused, e.Pause, e.Since, e.Reason = h.Hold, false, string(h.Pause), h.Since, h.Reason
	e.Failed, e.FailedSince, e.Failing, e.Hasten = h.Failed, h.FailedSince, h.Failing, h.Hasten
}

// state is what the emitter knows of it.
func (e *storedEndpoint) state() emitter.EndpointState {
	h := emitter.Health{
		Hold: e.Hold, Pause: emitter.Pause(e.Pause), Since: e.Since, Reason: e.Reason,
		Failed: e.Failed, FailedSince: e.FailedSince, Failing: e.Failing, Hasten: e.Hasten,
	}
	if e.Paused && h.Pause == "" {
		h.Pause = emitter.PauseGone
	}
	return emitter.EndpointState{Health: h, Waiting: e.Waiting, Dead: e.Dead, Last: e.Last}
}

// order is emitter.Order as a number.
type order uint64

const (
	orderItem     order = 0
	orderEndpoint order = 1
	orderNone     order = 2
)

func storedOrder(o emitter.Order) (order, error) {
	switch o {
	case emitter.OrderItem:
		return orderItem, nil
	case emitter.OrderEndpoint:
		return orderEndpoint, nil
	case emitter.OrderNone:
		return orderNone, nil
	}
	return 0, fmt.Errorf("unknown order %q", o)
}

func (e storedEndpoint) record(key []byte) (record, error) { return sealJSON(bucketEndpoints, key, e) }

func sealJSON(b bucket, key []byte, v any) (record, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return newRecord(len(data)).raw(data).seal(b, key), nil
}

func unsealJSON(b bucket, key, value []byte, v any) error {
	f, err := unseal(b, key, value)
	if err != nil {
		return err
	}
	if json.Unmarshal(f.rest, v) != nil {
		return damaged(b, key)
	}
	return nil
}

// storedItem is a record of items.
type storedItem struct {
	hash     differ.Hash
	revision uint64
	seen     time.Time
	content  []byte // in the file
}

func itemRecord(key []byte, it *differ.Item) record {
	return newRecord(len(it.Content)+40).
		raw(it.Hash[:]).uint(it.Revision).time(it.Seen).bytes(it.Content).
		seal(bucketItems, key)
}

func readItem(key, value []byte) (storedItem, error) {
	f, err := unseal(bucketItems, key, value)
	if err != nil {
		return storedItem{}, err
	}
	var it storedItem
	copy(it.hash[:], f.raw(uint64(len(it.hash))))
	it.revision, it.seen, it.content = f.uint(), f.time(), f.bytes()
	return it, f.end(bucketItems, key)
}

func (it *storedItem) gone() bool { return it.hash == differ.Hash{} }

// item is it with a copy of its content.
func (it *storedItem) item(key string) differ.Item {
	item := differ.Item{Key: key, Hash: it.hash, Revision: it.revision, Seen: it.seen}
	if len(it.content) > 0 {
		item.Content = bytes.Clone(it.content)
	}
	return item
}

// storedEvent is a record of events.
type storedEvent struct {
	typ, unit, key string
	stem           string // the unit as the keys of its lanes name it
	change         differ.Change
	revision       uint64
	seen           time.Time // differ.Event.Time
	created        time.Time // when it was committed
	bodies         int       // its payloads are numbered from 0 in bodies
	first          uint64    // number of its first delivery
	deliveries     int       // they are numbered on from there
}

func (e *storedEvent) record(key []byte) record {
	source, watch := poller.CutUnit(e.unit)
	r := newRecord(len(e.typ) + len(e.unit) + len(e.key) + 60).
		text(e.typ).text(source).text(watch).text(e.key).
		text(string(e.change)).uint(e.revision).time(e.seen).time(e.created).
		uint(uint64(e.bodies)).uint(e.first).uint(uint64(e.deliveries))
	if e.stem != e.unit {
		stem, _ := poller.CutUnit(e.stem)
		r = r.text(stem)
	}
	return r.seal(bucketEvents, key)
}

func readEvent(key, value []byte) (storedEvent, error) {
	f, err := unseal(bucketEvents, key, value)
	if err != nil {
		return storedEvent{}, err
	}
	var e storedEvent
	e.typ = f.text()
	source, watch := f.text(), f.text()
	e.unit = poller.Unit(source, watch)
	e.key, e.change = f.text(), differ.Change(f.text())
	e.revision, e.seen, e.created = f.uint(), f.time(), f.time()
	e.bodies, e.first, e.deliveries = int(f.uint()), f.uint(), int(f.uint())
	if e.stem = e.unit; len(f.rest) > 0 {
		e.stem = poller.Unit(f.text(), watch)
	}
	return e, f.end(bucketEvents, key)
}

// source is the name of the source that it is of.
func (e *storedEvent) source() string {
	source, _ := poller.CutUnit(e.unit)
	return source
}

func bodyRecord(key, payload []byte) record {
	return newRecord(len(payload)+4).bytes(payload).seal(bucketBodies, key)
}

// state is emitter.State as one byte.
type state uint64

const (
	stateWaiting   state = 1
	stateDelivered state = 2
	stateDead      state = 3
	stateExpired   state = 4

	stateSuperseded state = 5
)

// storedDelivery is a record of deliveries.
type storedDelivery struct {
	event    string
	endpoint string
	body     int // which of the event's payloads
	state    state
	due      time.Time
	attempts int
	settled  time.Time // when it was delivered, died or expired; zero: it waits

	// These came later: a record may end before them, which means zero.
	unmade bool      // dead from the start, and never to be sent
	origin uint64    // of a replay: the event's first delivery to the endpoint
	after  uint64    // the replay that took its place; 0: it is the last
	queued time.Time // of a replay: when it was put back
	order  order     // of its lane

	coalesce bool   // what stands in updates may be it
	by       uint64 // the delivery that took its place, where it is superseded
	byEvent  string // and the event of that

	place uint64 // the first of those whose place it took; 0: it took none
	ended bool   // the last of its attempts is none: it says why it is dead
}

// letter says whether it is a dead letter.
func (d *storedDelivery) letter() bool { return d.state == stateDead && d.after == 0 }

// made is how many attempts were made of it.
func (d *storedDelivery) made() int {
	if d.ended || d.state == stateExpired {
		return max(d.attempts-1, 0)
	}
	return d.attempts
}

func (d *storedDelivery) record(key []byte) record {
	return newRecord(len(d.event)+len(d.endpoint)+40).
		text(d.event).text(d.endpoint).uint(uint64(d.body)).uint(uint64(d.state)).
		time(d.due).uint(uint64(d.attempts)).time(d.settled).
		flag(d.unmade).uint(d.origin).uint(d.after).time(d.queued).uint(uint64(d.order)).
		flag(d.coalesce).uint(d.by).text(d.byEvent).uint(d.place).flag(d.ended).
		seal(bucketDeliveries, key)
}

func readDelivery(key, value []byte) (storedDelivery, error) {
	f, err := unseal(bucketDeliveries, key, value)
	if err != nil {
		return storedDelivery{}, err
	}
	var d storedDelivery
	d.event, d.endpoint, d.body, d.state = f.text(), f.text(), int(f.uint()), state(f.uint())
	d.due, d.attempts, d.settled = f.time(), int(f.uint()), f.time()
	if len(f.rest) > 0 {
		d.unmade, d.origin, d.after, d.queued = f.flag(), f.uint(), f.uint(), f.time()
	}
	if len(f.rest) > 0 {
		d.order = order(f.uint())
	}
	if len(f.rest) > 0 {
		d.coalesce, d.by, d.byEvent = f.flag(), f.uint(), f.text()
	}
	if len(f.rest) > 0 {
		d.place, d.ended = f.uint(), f.flag()
	}
	return d, f.end(bucketDeliveries, key)
}

func attemptRecord(key []byte, a *emitter.Attempt) record {
	return newRecord(len(a.Response)+len(a.Reason)+60).
		time(a.At).uint(uint64(max(a.Took, 0))).uint(uint64(max(a.Status, 0))).
		text(string(a.Error)).text(a.Reason).bytes(a.Response).
		seal(bucketAttempts, key)
}

func readAttempt(key, value []byte) (emitter.Attempt, error) {
	f, err := unseal(bucketAttempts, key, value)
	if err != nil {
		return emitter.Attempt{}, err
	}
	a := emitter.Attempt{At: f.time(), Took: time.Duration(f.uint()), Status: int(f.uint())}
	a.Error, a.Reason, a.Response = emitter.ErrorClass(f.text()), f.text(), bytes.Clone(f.bytes())
	return a, f.end(bucketAttempts, key)
}
