package expr

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// format writes a value into text: nil as nothing, a string as it is, numbers
// in the shortest form that reads back the same, times in RFC 3339 in UTC to
// the second, durations as 1h30m0s, lists and maps as JSON.
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

// describe says what kind of thing a value is, without quoting it.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case raw:
		return describe(v.value)
	}
	return describeType(reflect.TypeOf(v))
}

func describeType(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "a time"
	case reflect.TypeFor[time.Duration]():
		return "a duration"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "a bool"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "a map"
	case reflect.Func:
		return "a function"
	case reflect.Interface:
		return "anything"
	}
	if isNumber(t.Kind()) {
		return "a number"
	}
	return fmt.Sprintf("a %s", t)
}

// isNumber relies on the order of reflect's kinds: the integers and floats
// stand together, with Uintptr among them.
func isNumber(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Float64 }
