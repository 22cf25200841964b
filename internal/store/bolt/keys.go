package bolt

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// MaxKey is how many bytes the names in one key may have together: source,
// item key and endpoint. bbolt takes keys of up to 32 KiB.
const MaxKey = 32_000

// bucket is the name of a bucket.
type bucket string

const (
	bucketMeta       bucket = "meta"
	bucketSources    bucket = "sources"
	bucketItems      bucket = "items"
	bucketNotes      bucket = "notes"
	bucketRevisions  bucket = "revisions"
	bucketGone       bucket = "gone"
	bucketEvents     bucket = "events"
	bucketBodies     bucket = "bodies"
	bucketDeliveries bucket = "deliveries"
	bucketAttempts   bucket = "attempts"
	bucketLanes      bucket = "lanes"
	bucketDue        bucket = "due"
	bucketDead       bucket = "dead"
	bucketEndpoints  bucket = "endpoints"
	bucketUpdates    bucket = "updates"
	bucketBySource   bucket = "bysource"
	bucketByEndpoint bucket = "byendpoint"
	bucketLetters    bucket = "letters"

	// bucketTold is of schema 5: what is in bysource, by the ids of events.
	bucketTold bucket = "told"
)

// buckets lists all there are.
func buckets() []bucket {
	return []bucket{
		bucketMeta, bucketSources, bucketItems, bucketNotes, bucketRevisions, bucketGone,
		bucketEvents, bucketBodies, bucketDeliveries, bucketAttempts,
		bucketLanes, bucketDue, bucketDead, bucketLetters, bucketEndpoints, bucketUpdates,
		bucketBySource, bucketByEndpoint,
	}
}

// since is the first schema that has the bucket.
func (b bucket) since() uint64 {
	switch b {
	case bucketNotes:
		return 2
	case bucketRevisions, bucketUpdates:
		return 4
	case bucketBySource, bucketByEndpoint, bucketLetters:
		return 6
	}
	return 1
}

// appendPart appends s behind its length.
func appendPart(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// cutPart takes the first part off b.
func cutPart(b []byte) (s string, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return "", nil, false
	}
	end := w + int(n)
	return string(b[w:end]), b[end:], true
}

// appendUnit appends a source and its watch key, of which a unit is made.
func appendUnit(b []byte, unit string) []byte {
	source, watch := poller.CutUnit(unit)
	return appendPart(appendPart(b, source), watch)
}

// cutUnit takes a unit off b.
func cutUnit(b []byte) (unit string, rest []byte, ok bool) {
	source, rest, ok := cutPart(b)
	if !ok {
		return "", nil, false
	}
	watch, rest, ok := cutPart(rest)
	return poller.Unit(source, watch), rest, ok
}

// itemPrefix is what the keys of all items of a unit begin with.
func itemPrefix(unit string) []byte { return appendUnit(nil, unit) }

func itemKey(unit, key string) []byte { return append(itemPrefix(unit), key...) }

// cutItemKey is the reverse of itemKey.
func cutItemKey(k []byte) (unit, key string, ok bool) {
	unit, rest, ok := cutUnit(k)
	return unit, string(rest), ok
}

// updateKey is the place where updates of an item are told.
func updateKey(stem, key, endpoint, typ string) []byte {
	return append(appendPart(timelinePrefix(stem, key), endpoint), typ...)
}

// noteKey is the key of a note of a unit.
func noteKey(unit string, n *differ.Note) []byte {
	return append(appendPart(itemPrefix(unit), n.Key), n.Name...)
}

// timelinePrefix is what the keys of all revisions of an item begin with, and
// those in updates.
func timelinePrefix(stem, key string) []byte { return appendPart(itemPrefix(stem), key) }

func revisionKey(timeline []byte, revision uint64) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(timeline), revision)
}

// cutRevisionKey is the reverse of the two.
func cutRevisionKey(k []byte) (stem, key string, revision uint64, ok bool) {
	stem, rest, ok := cutUnit(k)
	if !ok {
		return "", "", 0, false
	}
	key, rest, ok = cutPart(rest)
	if !ok || len(rest) != 8 {
		return "", "", 0, false
	}
	return stem, key, binary.BigEndian.Uint64(rest), true
}

func goneKey(at time.Time, item []byte) []byte {
	return append(appendTime(nil, at), item...)
}

// lanePrefix is what the keys of one lane's deliveries begin with.
func lanePrefix(endpoint, unit, key string) []byte {
	b := make([]byte, 0, len(endpoint)+len(unit)+len(key)+20)
	b = appendPart(b, endpoint)
	b = appendUnit(b, unit)
	return appendPart(b, key)
}

// laneOf is what the keys of the lane of a delivery begin with. A source has a
// name, so lanes of different orders are never the same.
func laneOf(o order, endpoint, unit, key string, number uint64) []byte {
	switch o {
	case orderEndpoint:
		return lanePrefix(endpoint, "", "")
	case orderNone:
		return lanePrefix(endpoint, "", string(numberKey(number)))
	}
	return lanePrefix(endpoint, unit, key)
}

func laneKey(lane []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(nil), lane...), number)
}

// duePrefix is what the keys in due begin with of an endpoint.
func duePrefix(endpoint string) []byte { return appendPart(nil, endpoint) }

// freshPrefix is what the keys in due begin with of what was never tried at an
// endpoint.
func freshPrefix(endpoint string) []byte {
	return appendTime(duePrefix(endpoint), time.Time{})
}

// againKey is where keys in due begin of what is due again at a time or later.
func againKey(endpoint string, due time.Time) []byte {
	return appendTime(duePrefix(endpoint), due)
}

// dueKey is the key of the first delivery of a lane; due is zero where it was
// never tried, and place is the number in whose place it stands then; 0: it is
// its own.
func dueKey(endpoint, source string, due time.Time, place, number uint64) []byte {
	b := againKey(endpoint, due)
	if due.IsZero() {
		b = appendPart(b, source)
		if place > 0 {
			b = binary.BigEndian.AppendUint64(b, place)
		}
	}
	return binary.BigEndian.AppendUint64(b, number)
}

func deadKey(at time.Time, number uint64) []byte {
	return binary.BigEndian.AppendUint64(appendTime(nil, at), number)
}

// deathAt is where the keys of dead letters begin that died at a time or later;
// nil: no time is given.
func deathAt(at time.Time) []byte {
	if at.IsZero() {
		return nil
	}
	return appendTime(nil, at)
}

func numberKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, number)
}

func attemptKey(number uint64, index int) []byte {
	return binary.BigEndian.AppendUint32(numberKey(number), uint32(index))
}

func bodyKey(event string, index int) []byte {
	return binary.BigEndian.AppendUint16(appendPart(nil, event), uint16(index))
}

// lastNumber is the number that ends a key.
func lastNumber(k []byte) (uint64, bool) {
	if len(k) < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(k[len(k)-8:]), true
}

// appendTime appends t as 8 bytes that sort as times do.
func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(nanos(t))^(1<<63))
}

// readTime reads what appendTime wrote at the beginning of b.
func readTime(b []byte) time.Time {
	n := int64(binary.BigEndian.Uint64(b) ^ (1 << 63))
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// nanos is t in Unix nanoseconds. The zero time is the least; what is out of
// range, before 1678 or after 2262, becomes the nearest that is in it.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return math.MinInt64
	case t.Before(time.Unix(0, math.MinInt64+1)):
		return math.MinInt64 + 1
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// tooLong says whether names can't stand together in one key.
func tooLong(names ...string) bool {
	n := 0
	for _, name := range names {
		n += len(name)
	}
	return n > MaxKey
}
