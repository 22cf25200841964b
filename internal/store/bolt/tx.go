package bolt

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// tx is a transaction with what its requests share.
type tx struct {
	btx *bbolt.Tx
	now time.Time

	step int // of the store

	buckets map[bucket]*bbolt.Bucket // those in use
	readers map[bucket]*bbolt.Cursor // for one record at a time

	// endpoints holds the endpoints that were changed, until flush: a
	// batch changes a few of them very often.
	endpoints map[string]*storedEndpoint

	lists *bool // what indexed says; nil: it was not asked

	// superseded counts the deliveries whose place others took, by endpoint.
	superseded map[string]int

	// hands are those of the store, and held those of them that are locked
	// until the transaction has ended; nil where it only reads.
	hands *hands
	held  map[string]*hand
}

func newTx(btx *bbolt.Tx) *tx {
	return &tx{
		btx: btx, now: time.Now().UTC(), endpoints: map[string]*storedEndpoint{},
		buckets: map[bucket]*bbolt.Bucket{}, readers: map[bucket]*bbolt.Cursor{},
	}
}

func (t *tx) bucket(b bucket) *bbolt.Bucket {
	bb := t.buckets[b]
	if bb != nil {
		return bb
	}
	bb = t.btx.Bucket([]byte(b))
	switch b {
	case bucketEvents, bucketBodies, bucketDeliveries, bucketAttempts, bucketByEndpoint, bucketDead, bucketLetters:
		// Keys come in order, of each endpoint: a page that is split is
		// not written to again.
		bb.FillPercent = 0.9
	}
	t.buckets[b] = bb
	return bb
}

// has says whether the file has the bucket: one of an older schema, opened to
// read only, lacks those that came later.
func (t *tx) has(b bucket) bool { return t.btx.Bucket([]byte(b)) != nil }

// indexed says whether lists can go by the indexes of sources and endpoints: not
// in a file, opened to read only, that is of an older schema or half way here.
func (t *tx) indexed() bool {
	if t.lists == nil {
		is := t.has(bucketBySource) && t.get(bucketMeta, []byte(upgradeKey)) == nil
		t.lists = &is
	}
	return *t.lists
}

func (t *tx) cursor(b bucket) *bbolt.Cursor { return t.bucket(b).Cursor() }

func (t *tx) put(b bucket, key []byte, r record) error { return t.bucket(b).Put(key, r) }
func (t *tx) mark(b bucket, key []byte) error          { return t.put(b, key, entry(b, key)) }

// drop removes a record, if it is there.
func (t *tx) drop(b bucket, key []byte) error {
	_, err := t.pull(b, key)
	return err
}

// pull removes a record, and says whether it was there.
func (t *tx) pull(b bucket, key []byte) (found bool, err error) {
	c := t.reader(b)
	if k, _ := c.Seek(key); !bytes.Equal(k, key) {
		return false, nil
	}
	return true, c.Delete()
}

// reader is a cursor that stands anywhere. Bucket.Get and Bucket.Delete make
// one each time.
func (t *tx) reader(b bucket) *bbolt.Cursor {
	c := t.readers[b]
	if c == nil {
		c = t.cursor(b)
		t.readers[b] = c
	}
	return c
}

// get is the value of a key; nil: there is none.
func (t *tx) get(b bucket, key []byte) []byte {
	c := t.reader(b)
	if !t.btx.Writable() { // who writes would see what was there before
		// What is read one after the other often stands so, too: to look at
		// the next record costs little beside a search.
		if k, v := c.Next(); k != nil && bytes.Equal(k, key) {
			return v
		}
	}
	k, v := c.Seek(key)
	if !bytes.Equal(k, key) {
		return nil
	}
	return v
}

// source reads the record under the key of a unit; the zero value where there
// is none.
func (t *tx) source(stem string) (src storedSource, found bool, err error) {
	key := []byte(stem)
	v := t.get(bucketSources, key)
	if v == nil {
		return storedSource{}, false, nil
	}
	err = unsealJSON(bucketSources, key, v, &src)
	return src, true, err
}

func (t *tx) putSource(stem string, src storedSource) error {
	key := []byte(stem)
	r, err := src.record(key)
	if err != nil {
		return err
	}
	return t.put(bucketSources, key, r)
}

// delivery reads a delivery; found is false where there is none.
func (t *tx) delivery(number uint64) (d storedDelivery, found bool, err error) {
	key := numberKey(number)
	v := t.get(bucketDeliveries, key)
	if v == nil {
		return storedDelivery{}, false, nil
	}
	d, err = readDelivery(key, v)
	return d, true, err
}

func (t *tx) putDelivery(number uint64, d *storedDelivery) error {
	key := numberKey(number)
	return t.put(bucketDeliveries, key, d.record(key))
}

// event reads an event that a record refers to, so that it must be there.
func (t *tx) event(id string) (storedEvent, error) {
	key := []byte(id)
	v := t.get(bucketEvents, key)
	if v == nil {
		return storedEvent{}, missing(bucketEvents, key)
	}
	return readEvent(key, v)
}

// laneHead is the number of the first delivery of a lane, also where the
// entry is damaged and err says so.
func (t *tx) laneHead(lane []byte) (number uint64, found bool, err error) {
	k, v := t.reader(bucketLanes).Seek(lane)
	if len(k) != len(lane)+8 || !bytes.HasPrefix(k, lane) {
		return 0, false, nil
	}
	_, err = unseal(bucketLanes, k, v)
	return binary.BigEndian.Uint64(k[len(lane):]), true, err
}

// lane is the lane of a delivery of an event.
func (d *storedDelivery) lane(e *storedEvent, number uint64) []byte {
	return laneOf(d.order, d.endpoint, e.stem, e.key, number)
}

// dueKey is where a delivery of an event stands in due, if it does.
func (d *storedDelivery) dueKey(e *storedEvent, number uint64) []byte {
	return dueKey(d.endpoint, e.source(), d.due, d.place, number)
}

// readEndpoint reads an endpoint's record; zero where there is none.
func (t *tx) readEndpoint(name string) (e storedEndpoint, err error) {
	key := []byte(name)
	if v := t.get(bucketEndpoints, key); v != nil {
		err = unsealJSON(bucketEndpoints, key, v, &e)
	}
	return e, err
}

// endpoint gives an endpoint to change. flush writes it.
func (t *tx) endpoint(name string) (*storedEndpoint, error) {
	if e := t.endpoints[name]; e != nil {
		return e, nil
	}
	e, err := t.readEndpoint(name)
	if err != nil {
		return nil, err
	}
	t.endpoints[name] = &e
	return &e, nil
}

// flush writes what the requests of the transaction changed together.
func (t *tx) flush() error {
	for _, name := range slices.Sorted(maps.Keys(t.endpoints)) {
		key := []byte(name)
		r, err := t.endpoints[name].record(key)
		if err != nil {
			return err
		}
		if err := t.put(bucketEndpoints, key, r); err != nil {
			return err
		}
	}
	return nil
}
