package trace

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// ID is the identity of a span.
type ID struct {
	Trace [16]byte
	Span  [8]byte
}

// Of is an identity that follows from two names, the trace's and the span's.
// Spans whose traces have the same name are in one trace, whenever and wherever
// they are made.
func Of(trace, span string) (id ID) {
	whole := sha256.Sum256([]byte(trace))
	copy(id.Trace[:], whole[:])
	part := sha256.Sum256([]byte(trace + "\n" + span))
	copy(id.Span[:], part[:])
	return id
}

// newID is one of a trace that is begun.
func newID() (id ID) {
	first, last := newSpan(), newSpan()
	copy(id.Trace[:8], first[:])
	copy(id.Trace[8:], last[:])
	id.Span = newSpan()
	return id
}

func newSpan() (span [8]byte) {
	n := rand.Uint64() | 1 // nobody has to guess it; all zero is none
	binary.BigEndian.PutUint64(span[:], n)
	return span
}

// traceparent is id as Trace Context has it, version 00.
func (id ID) traceparent(sampled bool) string {
	flags := "00"
	if sampled {
		flags = "01"
	}
	return "00-" + hex.EncodeToString(id.Trace[:]) + "-" + hex.EncodeToString(id.Span[:]) + "-" + flags
}
