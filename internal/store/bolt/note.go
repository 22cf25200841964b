package bolt

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/deltahook/deltahook/differ"
)

// preparedNote is a note, encoded before its turn.
type preparedNote struct {
	key    []byte
	record record // nil: it is removed
}

// prepareNotes encodes notes of a unit, and gives their size.
func prepareNotes(unit string, notes []differ.Note) (prepared []preparedNote, size int, err error) {
	for i := range notes {
		n := &notes[i]
		if err := n.Check(); err != nil {
			return nil, 0, err
		}
		if tooLong(unit, n.Key, n.Name) {
			return nil, 0, fmt.Errorf("note %q of item %q: the two names are too long", clip(n.Name), clip(n.Key))
		}
		p := preparedNote{key: noteKey(unit, n)}
		if n.Data != nil {
			p.record = newRecord(len(n.Data)).raw(n.Data).seal(bucketNotes, p.key)
		}
		prepared = append(prepared, p)
		size += len(p.key) + len(p.record)
	}
	return prepared, size, nil
}

func (t *tx) putNotes(notes []preparedNote) error {
	for _, n := range notes {
		var err error
		if n.record == nil {
			err = t.drop(bucketNotes, n.key)
		} else {
			err = t.put(bucketNotes, n.key, n.record)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// notes reads the notes of a unit, by key and name.
func (t *tx) notes(unit string) (notes []differ.Note, err error) {
	if !t.has(bucketNotes) {
		return nil, nil
	}
	prefix := itemPrefix(unit)
	c := t.cursor(bucketNotes)
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		n, err := readNote(k, v, prefix)
		if err != nil {
			return nil, err
		}
		notes = append(notes, n)
	}
	// A key stands behind its length in the file, and so sorts by that.
	slices.SortFunc(notes, differ.CompareNotes)
	return notes, nil
}

// dropNotes removes the notes of an item, whose key in items is given.
func (t *tx) dropNotes(item []byte) error {
	unit, key, ok := cutItemKey(item)
	if !ok {
		return damaged(bucketItems, item)
	}
	return t.dropAll(bucketNotes, appendPart(itemPrefix(unit), key))
}

func readNote(k, v, prefix []byte) (differ.Note, error) {
	f, err := unseal(bucketNotes, k, v)
	if err != nil {
		return differ.Note{}, err
	}
	key, name, ok := cutPart(k[len(prefix):])
	if !ok || len(name) == 0 {
		return differ.Note{}, damaged(bucketNotes, k)
	}
	return differ.Note{Key: key, Name: string(name), Data: append([]byte{}, f.rest...)}, nil
}
