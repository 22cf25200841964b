package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// Commit applies c. See differ.Store. An event whose id is there already is
// refused, and all of c with it.
func (s *Store) Commit(ctx context.Context, c *differ.Commit) error {
	stem, err := s.stem(c.Unit())
	var p *prepared
	if err == nil {
		p, err = prepare(c, stem)
	}
	if err == nil {
		err = s.do(ctx, &request{check: p.check, apply: p.apply, size: p.size})
	}
	if err != nil {
		return fmt.Errorf("commit source %s: %w", c.Source, err)
	}
	return nil
}

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

func (p *prepared) check(t *tx) error {
	if err := t.still(p.unit, p.stem); err != nil {
		return err
	}
	src, _, err := t.source(p.stem)
	if err != nil {
		return err
	}
	if src.Version != p.version {
		return differ.ErrConflict
	}
	p.life = src.Life
	for i := range p.events {
		if id := p.events[i].id; t.get(bucketEvents, []byte(id)) != nil {
			return fmt.Errorf("event %s is there already", id)
		}
	}
	return nil
}

func (p *prepared) apply(t *tx) error {
	life, err := t.live(p)
	if err != nil {
		return err
	}
	if p.reset {
		if _, err := t.dropAll(bucketItems, itemPrefix(p.stem)); err != nil {
			return err
		}
		if _, err := t.dropAll(bucketUpdates, itemPrefix(p.stem)); err != nil {
			return err
		}
	}
	for _, it := range p.items {
		if err := t.put(bucketItems, it.key, it.record); err != nil {
			return err
		}
		if it.gone != nil {
			if err := t.mark(bucketGone, it.gone); err != nil {
				return err
			}
			if _, err := t.dropAll(bucketUpdates, it.told); err != nil {
				return err
			}
		}
	}
	if err := t.putRevisions(p.changes, life); err != nil {
		return err
	}
	if err := t.putNotes(p.notes); err != nil {
		return err
	}
	for i := range p.events {
		if err := t.addEvent(&p.events[i]); err != nil {
			return err
		}
	}
	return nil
}

// live stores the state of a commit, and gives the life of its source then.
func (t *tx) live(p *prepared) (life uint64, err error) {
	state := p.state
	if state.Life = p.life; p.reset || state.Life == 0 {
		if state.Life, err = t.bucket(bucketSources).NextSequence(); err != nil {
			return 0, err
		}
	}
	return state.Life, t.putSource(p.stem, state)
}

// dropAll removes all records of a bucket whose keys begin with prefix, and
// counts them.
func (t *tx) dropAll(b bucket, prefix []byte) (n int, err error) {
	var keys [][]byte
	c := t.cursor(b)
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := t.drop(b, k); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// addEvent writes an event and what is to be delivered of it.
func (t *tx) addEvent(e *preparedEvent) error {
	first := t.bucket(bucketDeliveries).Sequence() + 1
	if e.merges {
		merged, err := t.merge(e, first)
		if err != nil {
			return err
		}
		e = merged
	}
	event := e.event
	event.first = first
	key := []byte(e.id)
	if err := t.put(bucketEvents, key, event.record(key)); err != nil {
		return err
	}
	if err := t.tell(e.id, &event); err != nil {
		return err
	}
	for i, payload := range e.payloads {
		if err := t.put(bucketBodies, bodyKey(e.id, i), payload); err != nil {
			return err
		}
	}
	for i := range e.deliveries {
		if err := t.addDelivery(e, &e.deliveries[i]); err != nil {
			return err
		}
	}
	return nil
}

// addDelivery puts a delivery at the end of its lane.
func (t *tx) addDelivery(e *preparedEvent, p *preparedDelivery) error {
	number, err := t.bucket(bucketDeliveries).NextSequence()
	if err != nil {
		return err
	}
	d := storedDelivery{event: e.id, endpoint: p.endpoint, body: p.body, state: stateWaiting, coalesce: p.coalesce}
	if err := t.await(&e.event, p, number); err != nil {
		return err
	}
	if p.dead != "" {
		return t.addDead(number, &d, p.dead, e.event.created)
	}
	return t.enqueue(number, &d, &e.event)
}

// enqueue writes a delivery that waits, at the end of its lane.
func (t *tx) enqueue(number uint64, d *storedDelivery, e *storedEvent) error {
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	endpoint.Waiting++
	d.order = endpoint.Order
	if err := t.putDelivery(number, d); err != nil {
		return err
	}
	lane := d.lane(e, number)
	_, behind, err := t.laneHead(lane)
	if err != nil {
		return err
	}
	if err := t.mark(bucketLanes, laneKey(lane, number)); err != nil || behind {
		return err
	}
	return t.mark(bucketDue, d.dueKey(e, number))
}

// addDead puts a delivery that cannot be made among the dead letters. Why
// stands in the record of an attempt, as with any other.
func (t *tx) addDead(number uint64, d *storedDelivery, why string, now time.Time) error {
	d.state, d.settled, d.attempts, d.unmade = stateDead, now, 1, true
	if err := t.putDelivery(number, d); err != nil {
		return err
	}
	key := attemptKey(number, 1)
	if err := t.put(bucketAttempts, key, attemptRecord(key, &emitter.Attempt{At: now, Error: emitter.ErrorPayload, Reason: why})); err != nil {
		return err
	}
	endpoint, err := t.endpoint(d.endpoint)
	if err != nil {
		return err
	}
	endpoint.Dead++
	return t.mark(bucketDead, deadKey(d.settled, number))
}

// Keep stores bookmarks and notes. See differ.Store.
func (s *Store) Keep(ctx context.Context, kept map[string]differ.Kept) error {
	if len(kept) == 0 {
		return nil
	}
	k, err := s.prepareKept(kept)
	if err == nil {
		err = s.do(ctx, &request{check: k.check, apply: k.apply, size: k.size})
	}
	if err != nil {
		return fmt.Errorf("keep bookmarks: %w", err)
	}
	return nil
}

// preparedKept is what Keep writes.
type preparedKept struct {
	units   []string
	stems   []string // the units as keys name them
	marks   []storedBookmarks
	sources []storedSource
	notes   []preparedNote
	size    int
}

func (s *Store) prepareKept(kept map[string]differ.Kept) (*preparedKept, error) {
	k := &preparedKept{units: slices.Sorted(maps.Keys(kept)), size: 256 * len(kept)}
	if k.units[0] == "" {
		return nil, errors.New("a source has no name")
	}
	if err := s.view(func(t *tx) (err error) {
		k.stems, err = t.stems(k.units)
		return err
	}); err != nil {
		return nil, err
	}
	for i, unit := range k.units {
		notes, size, err := prepareNotes(k.stems[i], kept[unit].Notes)
		if err != nil {
			return nil, fmt.Errorf("notes of source %s: %w", unit, err)
		}
		k.marks = append(k.marks, storeBookmarks(kept[unit].Bookmarks))
		k.notes, k.size = append(k.notes, notes...), k.size+size
	}
	k.sources = make([]storedSource, len(k.units))
	return k, nil
}

// check reads before anything is written, so that a damaged record is the
// answer of this request alone.
func (k *preparedKept) check(t *tx) (err error) {
	for i, stem := range k.stems {
		if err := t.still(k.units[i], stem); err != nil {
			return err
		}
		if k.sources[i], _, err = t.source(stem); err != nil {
			return err
		}
		k.sources[i].Bookmarks = k.marks[i]
	}
	return nil
}

func (k *preparedKept) apply(t *tx) error {
	for i, stem := range k.stems {
		if err := t.putSource(stem, k.sources[i]); err != nil {
			return err
		}
	}
	return t.putNotes(k.notes)
}
