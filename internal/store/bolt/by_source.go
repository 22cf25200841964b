package bolt

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A key of bysource names the source that an event is shown with, a number, and
// whether deliveries have that number or it is only where the event came to
// stand among others: so many as have none have the same.
const (
	numbersNone byte = 0 // an event that was told to no endpoint
	numbersSome byte = 1 // an event, or without an id a replay
)

// toldKey is where an event stands among those of its source.
func toldKey(e *storedEvent, id string) []byte {
	kind := numbersSome
	if e.deliveries == 0 {
		kind = numbersNone
	}
	return sourceKey(sourcePrefix(e.shown(id).Source), e.first, kind, id)
}

// replayKey is where a replay stands among what was told of its source.
func replayKey(e *storedEvent, number uint64) []byte {
	return sourceKey(sourcePrefix(e.shown("").Source), number, numbersSome, "")
}

func sourcePrefix(source string) []byte { return appendPart(nil, source) }

func sourceKey(prefix []byte, number uint64, kind byte, id string) []byte {
	b := binary.BigEndian.AppendUint64(bytes.Clone(prefix), number)
	return append(append(b, kind), id...)
}

// tell notes an event as one of its source, with what tells most of its watch
// key and its key from others without reading it.
func (t *tx) tell(id string, e *storedEvent) error {
	key := toldKey(e, id)
	return t.put(bucketBySource, key, toldRecord(key, e, e.deliveries))
}

// tellAgain notes a replay.
func (t *tx) tellAgain(number uint64, e *storedEvent) error {
	key := replayKey(e, number)
	return t.put(bucketBySource, key, toldRecord(key, e, 1))
}

func toldRecord(key []byte, e *storedEvent, deliveries int) record {
	b := binary.BigEndian.AppendUint32(nil, nameHash(e.shown("").Watch))
	b = binary.BigEndian.AppendUint32(b, nameHash(e.key))
	return newRecord(len(b)+3).raw(b).uint(uint64(deliveries)).seal(bucketBySource, key)
}

func nameHash(name string) uint32 { return crc32.Checksum([]byte(name), castagnoli) }

// entryOfSource is an entry of bysource.
type entryOfSource struct {
	first, deliveries uint64
	kind              byte
	id                string // "": it is a replay
	watch, key        uint32 // hashes
}

func readOfSource(prefix, k, v []byte) (o entryOfSource, err error) {
	rest := k[len(prefix):]
	if len(rest) < 9 {
		return o, damaged(bucketBySource, k)
	}
	o.first, o.kind, o.id = binary.BigEndian.Uint64(rest), rest[8], string(rest[9:])
	f, err := unseal(bucketBySource, k, v)
	if err != nil {
		return o, err
	}
	if hashes := f.raw(8); hashes != nil {
		o.watch, o.key = binary.BigEndian.Uint32(hashes), binary.BigEndian.Uint32(hashes[4:])
	}
	o.deliveries = f.uint()
	return o, f.end(bucketBySource, k)
}

// last is the last number that it is of.
func (o *entryOfSource) last() uint64 { return o.first + max(o.deliveries, 1) - 1 }

// ofSource goes through the events of a source.
func (l *eventList) ofSource(t *tx) error {
	prefix := sourcePrefix(l.f.Source)
	start := after(prefix)
	late := t.numberAt(l.f.Until)
	if late != nil {
		late = append(late, numbersSome) // what has no deliveries may be older
	}
	if from := earlier(l.from, late); from != nil {
		start = append(bytes.Clone(prefix), from...)
	}
	c := t.cursor(bucketBySource)
	k, v := before(c, start)
	watch, key := nameHash(l.f.Watch), nameHash(l.f.Key)
	for skimmed := 0; bytes.HasPrefix(k, prefix); k, v = c.Prev() {
		if skimmed++; l.full() || skimmed > maxSkimmed {
			l.page.Next = encodeCursor(l.kind, l.from)
			return nil
		}
		l.from = bytes.Clone(k[len(prefix):])
		o, err := readOfSource(prefix, k, v)
		if err != nil {
			passOver(&l.page.Rest, err)
			continue
		}
		if o.id == "" || l.f.Watch != "" && o.watch != watch || l.f.Key != "" && o.key != key {
			continue
		}
		event := t.get(bucketEvents, []byte(o.id))
		if event == nil {
			passOver(&l.page.Rest, missing(bucketEvents, []byte(o.id)))
			continue
		}
		if l.look(t, []byte(o.id), event) {
			return nil
		}
	}
	return nil
}

// checkOfSource holds that an entry is that of its event, or of its replay.
func (t *tx) checkOfSource(k, v []byte) error {
	_, rest, ok := cutPart(k)
	if !ok || len(rest) < 9 {
		return damaged(bucketBySource, k)
	}
	o, err := readOfSource(k[:len(k)-len(rest)], k, v)
	if err != nil {
		return err
	}
	var want []byte
	var e storedEvent
	if o.id != "" {
		e, err = t.event(o.id)
		want = toldKey(&e, o.id)
		o.deliveries = uint64(e.deliveries)
	} else {
		_, e, err = t.waiting(o.first)
		want = replayKey(&e, o.first)
		o.deliveries = 1
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(k, want) || !bytes.Equal(v, toldRecord(k, &e, int(o.deliveries))) {
		return misplaced(bucketBySource, k, "is not what its event says")
	}
	return nil
}
