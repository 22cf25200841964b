package bolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// maxSkimmed is how many entries of told one call looks at, of which it reads
// the events of maxLooked at most.
const maxSkimmed = 10 * maxLooked

// toldKey is where an event stands among those of its source, which is the one
// that it is shown with.
func toldKey(e *storedEvent, id string) []byte {
	return append(appendPart(nil, e.shown(id).Source), id...)
}

// tell notes an event as one of its source, with what tells most of its watch
// key and its key from others without reading it.
func (t *tx) tell(id string, e *storedEvent) error {
	key := toldKey(e, id)
	return t.put(bucketTold, key, toldRecord(key, e))
}

func toldRecord(key []byte, e *storedEvent) record {
	b := binary.BigEndian.AppendUint32(nil, nameHash(e.shown("").Watch))
	return newRecord(len(b)+4).raw(binary.BigEndian.AppendUint32(b, nameHash(e.key))).seal(bucketTold, key)
}

func nameHash(name string) uint32 { return crc32.Checksum([]byte(name), castagnoli) }

// ofSource goes through the events of a source.
func (l *eventList) ofSource(t *tx) error {
	prefix := appendPart(nil, l.f.Source)
	c := t.cursor(bucketTold)
	k, v := before(c, append(bytes.Clone(prefix), cmp.Or(string(l.from), "\xff")...))
	watch, key := nameHash(l.f.Watch), nameHash(l.f.Key)
	for skimmed := 0; k != nil; k, v = c.Prev() {
		id, ok := bytes.CutPrefix(k, prefix)
		if !ok || l.full() {
			return nil
		}
		if skimmed++; skimmed > maxSkimmed {
			l.page.Next = encodeCursor(cursorEvent, l.from)
			return nil
		}
		l.from = bytes.Clone(id)
		f, err := unseal(bucketTold, k, v)
		hashes := f.raw(8)
		if err = cmp.Or(err, f.end(bucketTold, k)); err != nil {
			passOver(&l.page.Rest, err)
			continue
		}
		if l.f.Watch != "" && binary.BigEndian.Uint32(hashes) != watch || l.f.Key != "" && binary.BigEndian.Uint32(hashes[4:]) != key {
			continue
		}
		event := t.get(bucketEvents, id)
		if event == nil {
			passOver(&l.page.Rest, missing(bucketEvents, id))
			continue
		}
		if l.look(t, id, event) {
			return nil
		}
	}
	return nil
}

// checkTold holds that an entry is that of its event.
func (t *tx) checkTold(k, v []byte) error {
	_, id, ok := cutPart(k)
	if !ok {
		return damaged(bucketTold, k)
	}
	e, err := t.event(string(id))
	if err != nil {
		return err
	}
	if !bytes.Equal(k, toldKey(&e, string(id))) || !bytes.Equal(v, toldRecord(k, &e)) {
		return misplaced(bucketTold, k, "is not what its event says")
	}
	return nil
}

// tellSources notes the events of an older schema. bbolt keeps what a transaction
// adds in one page until its end: it is put in the order of its keys, or each
// would move those behind it. So all are in memory for that time, with some 300
// bytes each.
func tellSources(t *tx) error {
	type entry struct {
		key    []byte
		record record
	}
	var all []entry
	c := t.cursor(bucketEvents)
	for k, v := c.First(); k != nil; k, v = c.Next() {
		e, err := readEvent(k, v)
		if err != nil {
			continue // it is met as damaged where all are listed
		}
		key := toldKey(&e, string(k))
		all = append(all, entry{key, toldRecord(key, &e)})
	}
	slices.SortFunc(all, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	for _, e := range all {
		if err := t.put(bucketTold, e.key, e.record); err != nil {
			return err
		}
	}
	return nil
}
