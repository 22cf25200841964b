package expr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// format writes a value into text: nil as nothing, a string as it is, numbers
// in plain decimal, times in RFC 3339 in UTC to the second, durations as
// 1h30m0s, lists and maps as JSON.
func format(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case time.Time:
		return formatTime(v), nil
	case time.Duration:
		return v.String(), nil
	case json.Number:
		return string(v), nil
	case raw:
		return format(v.value)
	}
	b, err := appendJSON(nil, v)
	return string(b), err
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// appendJSON appends v as JSON, without HTML escaping, keys sorted.
func appendJSON(b []byte, v any) ([]byte, error) {
	v, err := jsonable(v)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...), nil
}

// jsonable puts what encoding/json can write in the place of what it can't,
// or writes otherwise than format does.
func jsonable(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, bool, int, int64, json.Number, json.RawMessage:
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v is no number that JSON has", v)
		}
		return v, nil
	case []byte:
		return string(v), nil
	case time.Time:
		return formatTime(v), nil
	case time.Duration:
		return v.String(), nil
	case raw:
		return jsonable(v.value)
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Array:
		out := make([]any, r.Len())
		for i := range out {
			e, err := jsonable(r.Index(i).Interface())
			if err != nil {
				return nil, err
			}
			out[i] = e
		}
		return out, nil
	case reflect.Map:
		out := make(map[string]any, r.Len())
		for it := r.MapRange(); it.Next(); {
			k, err := format(it.Key().Interface())
			if err != nil {
				return nil, err
			}
			if out[k], err = jsonable(it.Value().Interface()); err != nil {
				return nil, err
			}
		}
		return out, nil
	case reflect.Func, reflect.Chan:
		return nil, fmt.Errorf("%s is no value", describe(v))
	}
	return v, nil
}

// describe says what a value is, without quoting it.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case bool:
		return "a bool"
	case string:
		return "a string"
	case time.Time:
		return "a time"
	case time.Duration:
		return "a duration"
	case raw:
		return describe(v.value)
	}
	switch reflect.TypeOf(v).Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "a map"
	case reflect.Func:
		return "a function"
	}
	return fmt.Sprintf("a %T", v)
}
