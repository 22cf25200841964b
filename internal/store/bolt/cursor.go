package bolt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// idSlack is how far the time in an event's id may be from that of its
// commit.
const idSlack = 10 * time.Minute

// timeID is what the id of an event begins with that got it at a time: "evt_"
// and a UUIDv7 (RFC 9562, section 5.7), whose first 48 bits are milliseconds.
func timeID(at time.Time) []byte {
	ms := uint64(max(at.UnixMilli(), 0)) & (1<<48 - 1)
	return fmt.Appendf(nil, "evt_%08x-%04x", ms>>16, ms&0xffff)
}

// cursorKind is which list a cursor is of.
type cursorKind byte

const (
	cursorEvent   cursorKind = 'e'
	cursorNumber  cursorKind = 'n'
	cursorDead    cursorKind = 'd'
	cursorAttempt cursorKind = 'a'
	cursorSlot    cursorKind = 'r'
	cursorTold    cursorKind = 's' // of events of a source
	cursorFirst   cursorKind = 'f' // of events by their deliveries
	cursorOrigin  cursorKind = 'o' // of a replay by deliveries
)

// encodeCursor spells a place in a list.
func encodeCursor(kind cursorKind, parts ...[]byte) string {
	b := []byte{byte(kind)}
	for _, part := range parts {
		b = append(b, part...)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

var errOtherList = errors.New("it is of another list")

// decodeCursor reads a place; nil for no cursor.
func decodeCursor(s string, kind cursorKind) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	switch {
	case err != nil || len(b) < 2 || len(b) > MaxKey:
		return nil, emitter.ErrBadCursor
	case cursorKind(b[0]) != kind:
		return nil, fmt.Errorf("%w: %w", emitter.ErrBadCursor, errOtherList)
	}
	return b[1:], nil
}

// numberAt is a number from which on everything was put into the queue after a
// time; nil: none is known.
func (t *tx) numberAt(at time.Time) []byte {
	if at.IsZero() {
		return nil
	}
	k, v := t.cursor(bucketEvents).Seek(timeID(at.Add(idSlack)))
	if k == nil {
		return nil
	}
	e, err := readEvent(k, v)
	if err != nil || !e.created.After(at) {
		return nil
	}
	return numberKey(e.first)
}

// numberBefore is a number up to which everything was committed before a time;
// 0: none is known.
func (t *tx) numberBefore(at time.Time) uint64 {
	if at.IsZero() {
		return 0
	}
	k, v := before(t.cursor(bucketEvents), timeID(at.Add(-idSlack)))
	if k == nil {
		return 0
	}
	e, err := readEvent(k, v)
	if err != nil || !e.created.Before(at) {
		return 0
	}
	return e.first
}
