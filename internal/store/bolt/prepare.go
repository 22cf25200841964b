package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// prepared is a commit, encoded as far as it can be before its turn. It shares
// nothing that the caller could change.
type prepared struct {
	unit    string
	stem    string // the unit as keys name it
	version uint64
	state   storedSource
	reset   bool
	items   []preparedItem
	changes []preparedRevision
	life    uint64 // see storedSource; known when it is checked
	notes   []preparedNote
	events  []preparedEvent
	size    int
}

type preparedItem struct {
	key    []byte
	record record
	gone   []byte // key in bucketGone; nil: it is there
	told   []byte // what the keys in updates begin with of one that is gone
}

type preparedEvent struct {
	id         string
	event      storedEvent
	payloads   []record
	deliveries []preparedDelivery
	merges     bool // one of them may take the place of another
}

type preparedDelivery struct {
	endpoint string
	body     int
	dead     string // why it is a dead letter from the start; "": it waits

	coalesce bool           // a later one may take its place
	old      []byte         // then: what the item was before
	merge    *preparedMerge // nil: it takes no other's place
	payload  []byte         // what is told, where one of the event's does
	place    uint64         // known when it took one: the first of those whose it was
}

func prepare(c *differ.Commit, stem string) (*prepared, error) {
	if c.Source == "" {
		return nil, errors.New("it has no name")
	}
	p := &prepared{
		unit: c.Unit(), stem: stem, version: c.Version, reset: c.Reset,
		state: storedSource{Version: c.Version + 1, Shape: c.Shape, Since: c.Since, Bookmarks: storeBookmarks(c.Bookmarks)},
		items: make([]preparedItem, 0, len(c.Items)), events: make([]preparedEvent, 0, len(c.Events)),
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	now := time.Now()
	for i := range c.Items {
		if err := p.addItem(&c.Items[i]); err != nil {
			return nil, err
		}
	}
	p.addRevisions(c)
	for i := range c.Events {
		if err := p.addEvent(&c.Events[i], now); err != nil {
			return nil, err
		}
	}
	notes, size, err := prepareNotes(stem, c.Notes)
	if err != nil {
		return nil, err
	}
	p.notes, p.size = notes, p.size+size
	return p, nil
}

func (p *prepared) addItem(it *differ.Item) error {
	if tooLong(p.stem, it.Key) {
		return fmt.Errorf("item %q: key of %d bytes is too long", clip(it.Key), len(it.Key))
	}
	key := itemKey(p.stem, it.Key)
	item := preparedItem{key: key, record: itemRecord(key, it)}
	if it.Hash == (differ.Hash{}) {
		item.gone, item.told = goneKey(it.Seen, key), timelinePrefix(p.stem, it.Key)
	}
	p.items = append(p.items, item)
	p.size += len(key) + len(item.record)
	return nil
}

// delivery prepares what one endpoint is told of an event.
func (p *prepared) delivery(e *differ.Event, b *differ.Body) preparedDelivery {
	d := preparedDelivery{endpoint: b.Endpoint, dead: b.Dead}
	if !b.Coalesce || b.Dead != "" || tooLong(b.Endpoint, p.stem, e.Key, e.Type) {
		return d
	}
	d.coalesce, d.old = true, bytes.Clone(e.Old)
	p.size += len(d.old)
	if b.Merged != nil {
		d.merge = &preparedMerge{b.Merged.Delivery, bytes.Clone(b.Merged.Payload)}
		p.size += len(d.merge.payload)
	}
	return d
}

// lay encodes the payloads of an event's deliveries, each distinct one once,
// and tells how many bytes they have.
func (e *preparedEvent) lay(payloads [][]byte) (size int) {
	e.payloads = nil
	distinct := make(map[string]int, 1)
	for i, payload := range payloads {
		index, there := distinct[string(payload)]
		if !there {
			index = len(e.payloads)
			distinct[string(payload)] = index
			e.payloads = append(e.payloads, bodyRecord(bodyKey(e.id, index), payload))
			size += len(payload)
		}
		e.deliveries[i].body = index
	}
	e.event.bodies = len(e.payloads)
	return size
}

func (p *prepared) addEvent(e *differ.Event, now time.Time) error {
	if e.ID == "" || tooLong(e.ID) {
		return fmt.Errorf("event %q: bad id", clip(e.ID))
	}
	// The source is the commit's and not the event's, for lanes must be
	// those of the items that were committed.
	event := preparedEvent{id: e.ID, event: storedEvent{
		typ: e.Type, unit: p.unit, stem: p.stem, key: e.Key, change: e.Change,
		revision: e.Revision, seen: e.Time, created: now, deliveries: len(e.Bodies),
	}}
	endpoints := make(map[string]bool, len(e.Bodies))
	payloads := make([][]byte, len(e.Bodies))
	for i, b := range e.Bodies {
		if b.Endpoint == "" || tooLong(b.Endpoint, p.stem, e.Key) {
			return fmt.Errorf("event %s: endpoint %q: bad name", e.ID, clip(b.Endpoint))
		}
		if endpoints[b.Endpoint] {
			return fmt.Errorf("event %s: endpoint %s stands twice", e.ID, b.Endpoint)
		}
		endpoints[b.Endpoint] = true
		d := p.delivery(e, &b)
		event.merges = event.merges || d.merge != nil
		event.deliveries, payloads[i] = append(event.deliveries, d), b.Payload
	}
	if event.merges {
		for i := range payloads {
			event.deliveries[i].payload = bytes.Clone(payloads[i])
		}
	}
	p.size += event.lay(payloads)
	p.events = append(p.events, event)
	return nil
}
