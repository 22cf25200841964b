package expr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// exactInt is the largest float64 up to which every integer has one of its own.
const exactInt = 1 << 53

// Decode reads one JSON value into what expressions work on: maps, lists,
// strings, bools, nil, and numbers as int64 where they are one exactly (1.0
// and 1e3 are), otherwise as float64, which may round. A number that no
// float64 reaches is an error.
func Decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("decode JSON: more than one value")
	}
	return plain(v)
}

// plain puts Go numbers in the place of json.Number, which the language would
// compare with anything as unequal, silently.
func plain(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return number(string(v))
	case []any:
		for i := range v {
			if v[i], err = plain(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = plain(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
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
		return nil, fmt.Errorf("decode JSON: a number of %d characters is out of range", len(s))
	}
	if f == math.Trunc(f) && math.Abs(f) <= exactInt {
		return int64(f), nil
	}
	return f, nil
}
