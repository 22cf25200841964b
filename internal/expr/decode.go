package expr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// exactInt is the largest float64 up to which every integer has one of its own.
const exactInt = 1 << 53

// Decode reads one JSON value into what expressions work on: maps, lists,
// strings, bools, nil, and numbers as int64 where they are one exactly (1.0
// and 1e3 are), otherwise as float64, which may round. A number that no
// float64 reaches is an error, and so is nesting deeper than 10,000. Of a
// name that stands twice in an object, the last one counts.
//
// (encoding/json gives float64 for every number, or json.Number, which the
// language compares with anything as unequal, silently.)
func Decode(raw []byte) (any, error) {
	if !json.Valid(raw) {
		var v any
		err := json.Unmarshal(raw, &v) // says what is wrong
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	d := decoder{rest: raw}
	v := d.value()
	if d.err != nil {
		return nil, fmt.Errorf("decode JSON: %w", d.err)
	}
	return v, nil
}

// decoder reads JSON that is known to be valid.
type decoder struct {
	rest []byte
	err  error // a number that is out of range
}

func (d *decoder) value() any {
	switch d.peek() {
	case '{':
		return d.object()
	case '[':
		return d.list()
	case '"':
		return d.string()
	case 't':
		d.rest = d.rest[len("true"):]
		return true
	case 'f':
		d.rest = d.rest[len("false"):]
		return false
	case 'n':
		d.rest = d.rest[len("null"):]
		return nil
	}
	return d.number()
}

// peek is the next byte that is not white space.
func (d *decoder) peek() byte {
	i := 0
	for d.rest[i] == ' ' || d.rest[i] == '\n' || d.rest[i] == '\t' || d.rest[i] == '\r' {
		i++
	}
	d.rest = d.rest[i:]
	return d.rest[0]
}

// more steps over an opening bracket or a comma, or over the closing bracket.
func (d *decoder) more(last byte) bool {
	if d.peek() == last {
		d.rest = d.rest[1:]
		return false
	}
	if d.rest[0] == ',' {
		d.rest = d.rest[1:]
	}
	return true
}

func (d *decoder) object() map[string]any {
	m := map[string]any{}
	for d.rest = d.rest[1:]; d.more('}'); {
		d.peek()
		name := d.string()
		d.peek()
		d.rest = d.rest[1:] // the colon
		m[name] = d.value()
	}
	return m
}

func (d *decoder) list() []any {
	l := []any{}
	for d.rest = d.rest[1:]; d.more(']'); {
		l = append(l, d.value())
	}
	return l
}

func (d *decoder) string() string {
	end := 1 + bytes.IndexByte(d.rest[1:], '"')
	if inner := d.rest[1:end]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		d.rest = d.rest[end+1:]
		return string(inner)
	}
	for end = 1; d.rest[end] != '"'; end++ {
		if d.rest[end] == '\\' {
			end++
		}
	}
	var s string
	if err := json.Unmarshal(d.rest[:end+1], &s); err != nil && d.err == nil {
		d.err = err
	}
	d.rest = d.rest[end+1:]
	return s
}

func (d *decoder) number() any {
	end := bytes.IndexAny(d.rest, ",]} \n\t\r")
	if end < 0 {
		end = len(d.rest)
	}
	s := string(d.rest[:end])
	d.rest = d.rest[end:]
	v, err := number(s)
	if err != nil && d.err == nil {
		d.err = err
	}
	return v
}

// number is the Go number that s is.
func number(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("a number of %d characters is out of range", len(s))
	}
	if f == math.Trunc(f) && math.Abs(f) <= exactInt {
		return int64(f), nil
	}
	return f, nil
}
