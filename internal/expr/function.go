package expr

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/expr-lang/expr/builtin"
	"github.com/google/uuid"
)

type function = *builtin.Function

// builtins are the functions that every expression has beside the language's own.
var builtins = []function{
	{
		Name:  "uuid",
		Func:  func(...any) (any, error) { return uuid.NewString(), nil },
		Types: []reflect.Type{reflect.TypeFor[func() string]()},
	},
	{
		Name:  "duration",
		Func:  func(args ...any) (any, error) { return parseDuration(args[0].(string)) },
		Types: []reflect.Type{reflect.TypeFor[func(string) time.Duration]()},
	},
	{
		Name:  "fromJSON",
		Func:  func(args ...any) (any, error) { return Decode([]byte(args[0].(string))) },
		Types: []reflect.Type{reflect.TypeFor[func(string) any]()},
	},
}

// raw marks a value that goes into a URL as it is.
type raw struct{ value any }

var rawFunction = &builtin.Function{
	Name:  "raw",
	Func:  func(args ...any) (any, error) { return raw{args[0]}, nil },
	Types: []reflect.Type{reflect.TypeFor[func(any) raw]()},
}

var (
	durationForm = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+$`)
	durationPart = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d|w)`)
	durationUnit = map[string]time.Duration{
		"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "ms": time.Millisecond,
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
)

// parseDuration reads what time.ParseDuration does, and d and w besides.
func parseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if !durationForm.MatchString(s) {
		return 0, fmt.Errorf("%q is not a duration such as 30s, 5m, 2h or 7d", s)
	}
	var sum float64
	for _, m := range durationPart.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration: %w", s, err)
		}
		sum += n * float64(durationUnit[m[2]])
	}
	if sum > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is longer than 146 years", s)
	}
	if s[0] == '-' {
		sum = -sum
	}
	return time.Duration(math.Round(sum)), nil
}
