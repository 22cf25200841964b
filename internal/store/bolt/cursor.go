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
