package expr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// JSON is a value as JSON, as Tree.JSON writes it: Decode gives it back, times
// and durations as text.
func JSON(v any) ([]byte, error) { return appendJSON(nil, v) }

// appendJSON appends v as JSON: keys sorted, nothing escaped for HTML, times
// and durations as format writes them.
func appendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return appendFloat(b, v, 64)
	case string:
		return appendString(b, v)
	case []any:
		return appendList(b, len(v), func(i int) any { return v[i] })
	case map[string]any:
		return appendMap(b, v)
	case time.Time:
		return appendString(b, formatTime(v))
	case time.Duration:
		return appendString(b, v.String())
	case []byte:
		return appendString(b, string(v))
	case json.RawMessage:
		if !json.Valid(v) {
			return nil, fmt.Errorf("a raw value is not valid JSON")
		}
		return append(b, v...), nil
	case raw:
		return appendJSON(b, v.value)
	}
	return appendOther(b, v)
}

// appendOther does what is rare: types that functions and groupBy give.
func appendOther(b []byte, v any) ([]byte, error) {
	r := reflect.ValueOf(v)
	switch k := r.Kind(); {
	case r.CanInt():
		return strconv.AppendInt(b, r.Int(), 10), nil
	case r.CanUint():
		return strconv.AppendUint(b, r.Uint(), 10), nil
	case r.CanFloat():
		return appendFloat(b, r.Float(), r.Type().Bits())
	case k == reflect.Slice || k == reflect.Array:
		return appendList(b, r.Len(), func(i int) any { return r.Index(i).Interface() })
	case k == reflect.Map:
		m := make(map[string]any, r.Len())
		for key, e := range r.Seq2() {
			name, err := format(key.Interface())
			if err != nil {
				return nil, fmt.Errorf("a key: %w", err)
			}
			m[name] = e.Interface()
		}
		return appendMap(b, m)
	}
	return appendStandard(b, v)
}

func appendList(b []byte, n int, at func(int) any) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, at(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendMap(b []byte, m map[string]any) ([]byte, error) {
	b = append(b, '{')
	var err error
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendString(b, k); err != nil {
			return nil, err
		}
		if b, err = appendJSON(append(b, ':'), m[k]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendFloat writes a number as ECMAScript does, and so encoding/json: the
// shortest digits that read back the same, an exponent only below 1e-6 and
// from 1e21 on.
func appendFloat(b []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%v is not a number that can be written", f)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(b, f, 'e', -1, bits), nil
	}
	return strconv.AppendFloat(b, f, 'f', -1, bits), nil
}

func appendString(b []byte, s string) ([]byte, error) {
	if !isPlain(s) {
		return appendStandard(b, s)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}

// isPlain reports whether s stands in JSON as it is.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func appendStandard(b []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...), nil
}
