package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// ErrDamaged is in the error of every record that its checksum refuses, and
// of every page that bbolt can't read.
var ErrDamaged = errors.New("damaged")

// form is the first byte behind the checksum.
const form = 1

// head is the length of checksum and form.
const head = 5

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seeds are the checksums of the names of the buckets, with which those of
// their records begin.
var seeds = func() map[bucket]uint32 {
	all := map[bucket]uint32{}
	for _, b := range buckets() {
		all[b] = crc32.Checksum([]byte(b), castagnoli)
	}
	return all
}()

// record is a value in the making. The zero value is not ready: newRecord.
type record []byte

// newRecord begins a value whose body will have about size bytes.
func newRecord(size int) record {
	r := make(record, head, head+size)
	r[head-1] = form
	return r
}

func (r record) uint(v uint64) record    { return binary.AppendUvarint(r, v) }
func (r record) text(s string) record    { return appendPart(r, s) }
func (r record) raw(b []byte) record     { return append(r, b...) }
func (r record) time(t time.Time) record { return appendTime(r, t) }
func (r record) bytes(b []byte) record   { return r.uint(uint64(len(b))).raw(b) }

func (r record) flag(v bool) record {
	if v {
		return r.uint(1)
	}
	return r.uint(0)
}

func (r record) seal(b bucket, key []byte) record {
	binary.BigEndian.PutUint32(r, checksum(b, key, r[head-1:]))
	return r
}

// entry is the value of an index entry, whose body is empty.
func entry(b bucket, key []byte) record { return newRecord(0).seal(b, key) }

func checksum(b bucket, key, rest []byte) uint32 {
	seed, known := seeds[b]
	if !known { // of an older schema
		seed = crc32.Checksum([]byte(b), castagnoli)
	}
	c := crc32.Update(seed, castagnoli, key)
	return crc32.Update(c, castagnoli, rest)
}

// unseal verifies a value and gives its body.
func unseal(b bucket, key, value []byte) (fields, error) {
	if len(value) < head || binary.BigEndian.Uint32(value) != checksum(b, key, value[head-1:]) {
		return fields{}, damaged(b, key)
	}
	if value[head-1] != form {
		return fields{}, fmt.Errorf("%s has the unknown form %d", describe(b, key), value[head-1])
	}
	return fields{rest: value[head:]}, nil
}

// fields reads a body field by field. A read past the end gives zero and
// sets short.
type fields struct {
	rest  []byte
	short bool
}

func (f *fields) uint() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.rest, f.short = nil, true
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

// raw gives the next n bytes. They are the file's: valid in the transaction.
func (f *fields) raw(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.rest, f.short = nil, true
		return nil
	}
	b := f.rest[:n:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) bytes() []byte { return f.raw(f.uint()) }
func (f *fields) flag() bool    { return f.uint() != 0 }
func (f *fields) text() string  { return string(f.bytes()) }

func (f *fields) time() time.Time {
	b := f.raw(8)
	if b == nil {
		return time.Time{}
	}
	return readTime(b)
}

// end is an error where a field was missing.
func (f *fields) end(b bucket, key []byte) error {
	if f.short {
		return damaged(b, key)
	}
	return nil
}

func damaged(b bucket, key []byte) error {
	return fmt.Errorf("%s is %w", describe(b, key), ErrDamaged)
}

// missing is the damage of a record that another one refers to.
func missing(b bucket, key []byte) error {
	return fmt.Errorf("%s is missing: the store is %w", describe(b, key), ErrDamaged)
}

// misplaced is the damage of records that contradict each other.
func misplaced(b bucket, key []byte, why string) error {
	return fmt.Errorf("%s %s: the store is %w", describe(b, key), why, errContradiction)
}

// errContradiction is ErrDamaged of records that are whole, each by itself.
var errContradiction = fmt.Errorf("%w", ErrDamaged)
