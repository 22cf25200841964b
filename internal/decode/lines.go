package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// NDJSON reads lines of JSON (ndjson, JSON Lines) as a list of their values.
// Blank lines are passed over. Numbers keep every digit.
type NDJSON struct{}

// JSON is the list.
func (NDJSON) JSON(body []byte, limit int64) ([]byte, error) {
	out := make([]byte, 1, len(body)+2)
	out[0] = '['
	n := 0
	for line := range bytes.Lines(body) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if !json.Valid(line) {
			return nil, fmt.Errorf("line %d is not JSON", n)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, line...)
		if int64(len(out)) >= limit {
			return nil, ErrTooLarge
		}
	}
	return append(out, ']'), nil
}

// Text reads plain text as {"text": …, "lines": […]}. A line is told without
// its end, and after the last line's end there is none.
type Text struct{}

// JSON is the object.
func (Text) JSON(body []byte, limit int64) ([]byte, error) {
	text := string(body)
	o := open(nil)
	o.name("text")
	o.out = appendText(o.out, text)
	o.name("lines")
	o.out = append(o.out, '[')
	first := true
	for line := range strings.Lines(text) {
		if !first {
			o.out = append(o.out, ',')
		}
		first = false
		o.out = appendText(o.out, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
		if int64(len(o.out)) >= limit {
			return nil, ErrTooLarge
		}
	}
	o.out = append(o.out, ']')
	return o.close(), nil
}
