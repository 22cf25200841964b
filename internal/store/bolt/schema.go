package bolt

import (
	"cmp"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

const schemaKey = "schema"

// maker is who made a file what it is.
type maker struct {
	schema  uint64
	version string // of the program that wrote it last; "": it is not known
}

// put notes it.
func (m maker) put(btx *bbolt.Tx) error {
	key := []byte(schemaKey)
	return btx.Bucket([]byte(bucketMeta)).Put(key, newRecord(len(m.version)+2).uint(m.schema).text(m.version).seal(bucketMeta, key))
}

// followed notes who writes a file of the same schema from now on.
func (m maker) followed(btx *bbolt.Tx, by maker) error {
	if by.version == "" || by.version == m.version {
		return nil
	}
	return by.put(btx)
}

// readMaker reads the body of the record. Those of before have no version.
func readMaker(f fields) (m maker, ok bool) {
	m.schema = f.uint()
	ok = !f.short && m.schema > 0
	m.version = f.text()
	return m, ok
}

var errNew = errors.New("the store has no content yet")

// readSchema gives the schema of a file, and refuses one that this version
// can't work with. One without any bucket is new: its maker was stopped before
// lay.
func readSchema(btx *bbolt.Tx, version string) (m maker, err error) {
	if k, _ := btx.Cursor().First(); k == nil {
		return maker{}, errNew
	}
	meta := btx.Bucket([]byte(bucketMeta))
	if meta == nil {
		return maker{}, errors.New("a bbolt file of another program")
	}
	key := []byte(schemaKey)
	f, err := unseal(bucketMeta, key, meta.Get(key))
	if err != nil {
		return maker{}, err
	}
	m, ok := readMaker(f)
	switch {
	case !ok:
		return maker{}, damaged(bucketMeta, key)
	case m.schema > schema:
		return maker{}, m.tooNew(version)
	}
	for _, b := range buckets() {
		if b.since() <= m.schema && btx.Bucket([]byte(b)) == nil {
			return maker{}, fmt.Errorf("bucket %s is missing: the store is %w", b, ErrDamaged)
		}
	}
	return m, nil
}

// tooNew refuses a file, in a program of a version.
func (m maker) tooNew(version string) error {
	by, run := "deltahook "+clip(m.version), "that version or newer"
	if m.version == "" {
		by, run = "a newer deltahook", "that one"
	}
	return fmt.Errorf("it was written by %s (schema %d); this is %s, which reads up to schema %d: run %s, or restore a backup from before the upgrade",
		by, m.schema, cmp.Or(version, "an older one"), schema, run)
}
