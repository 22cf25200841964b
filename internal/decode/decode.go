// Package decode turns what servers answer into JSON in UTF-8: it undoes
// content encodings and charsets, and reads lines of JSON, XML, CSV, feeds,
// HTML and plain text. What a body becomes is told in docs/formats.md.
//
// Nothing here trusts its input. A decoder reads a body that is in memory and
// bounded already; what it makes of it is bounded by the limit it is given,
// nesting by MaxDepth, and the parts of an element or a row by MaxNames.
package decode

import (
	"errors"
	"fmt"
	"strconv"
)

// Bounds of what is decoded.
const (
	MaxDepth = 256    // elements within elements, of XML; the HTML parser's own is 512
	MaxNames = 10_000 // different names in one XML element, columns of a CSV table
)

// ErrTooLarge says that the JSON would be larger than the limit.
var ErrTooLarge = errors.New("its JSON is too large")

// Format reads a body, UTF-8 without a byte order mark, as one JSON value of
// at most limit bytes. An error is ErrTooLarge or says what is wrong with the
// body. A Format is immutable and safe for concurrent use.
type Format interface {
	JSON(body []byte, limit int64) ([]byte, error)
}

// quoted is a name that came with a body. It is shown whole or not at all: the
// half of a secret is not known for one where it is cut out of errors.
func quoted(name string) string {
	if len(name) > 200 {
		return fmt.Sprintf("a name of %d bytes", len(name))
	}
	return strconv.Quote(name)
}
