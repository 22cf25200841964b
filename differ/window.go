package differ

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/units"
)

// Window is what window() gives: the samples of a field of one item over a span
// of time. Where there are none, all but Count is nil.
type Window struct {
	First any `expr:"first" json:"first"` // the earliest, as what follows a float64
	Last  any `expr:"last" json:"last"`
	Min   any `expr:"min" json:"min"`
	Max   any `expr:"max" json:"max"`
	Avg   any `expr:"avg" json:"avg"`
	Count int `expr:"count" json:"count"`
}

// windowFunc is window() for one item and time.
type windowFunc = func(field, span string) (Window, error)

// noWindow is window() where nothing is sampled.
func noWindow(field, _ string) (Window, error) {
	return Window{}, fmt.Errorf("window: no history is kept of %q", clip(field))
}

// window is window() for an item at a time. own is what the answer at that time
// says of it; nil: nothing. It is nil where no history is kept.
func (s *Source) window(mem *memory, key string, own []float64, now time.Time) windowFunc {
	if len(s.history) == 0 {
		return nil
	}
	return func(field, span string) (Window, error) {
		t, over, err := s.history.window(field, span)
		if err != nil {
			return Window{}, err
		}
		var sum bucket
		until := now.UnixMilli()
		after := until - over.Milliseconds()
		for b := range mem.pasts[key].find(field).all(t.origin) {
			sum.within(&b, after, until)
		}
		for i := range own {
			if s.history[i].name == field && !math.IsNaN(own[i]) {
				sum.add(until, own[i])
			}
		}
		return sum.window(), nil
	}
}

// window is window() for an item of the answer.
func (out *outcome) window(key string) windowFunc {
	if len(out.source.history) == 0 {
		return nil
	}
	return out.source.window(out.memory, key, out.own(key), out.part.Received)
}

// own is what the answer says of an item; nil, before its samples are complete.
func (out *outcome) own(key string) []float64 {
	if !out.sampled {
		return nil
	}
	if out.values == nil {
		out.values = make(map[string][]float64, len(out.finding.samples))
		for _, s := range out.finding.samples {
			out.values[s.key] = s.values
		}
	}
	return out.values[key]
}

// window finds what window() is asked for.
func (h history) window(field, span string) (*tracked, time.Duration, error) {
	t := h.find(field)
	if t == nil {
		return nil, 0, fmt.Errorf("window: no history is kept of %q%s: changes.history names the fields", clip(field), meant(field, h.names()))
	}
	var over units.Duration
	if err := over.UnmarshalText([]byte(span)); err != nil {
		return nil, 0, fmt.Errorf("window: %w", err)
	}
	switch {
	case over <= 0:
		return nil, 0, errors.New("window: expected a duration that is more than 0")
	case over.Std() > t.keep:
		return nil, 0, fmt.Errorf("window: %s is longer than the history of %q, which is %s", over, clip(field), units.Duration(t.keep))
	}
	return t, over.Std(), nil
}

// windowIn is env with window(), whose arguments are checked at load where they
// are written out.
func (h history) windowIn(env expr.Env) expr.Env {
	env["window"] = expr.Func{Func: noWindow, Check: func(args []*string) (wrong int, err error) {
		if len(args) != 2 || args[0] == nil {
			return 0, nil
		}
		if h.find(*args[0]) == nil || args[1] == nil {
			if h.find(*args[0]) == nil {
				_, _, err = h.window(*args[0], "1s")
			}
			return 0, err
		}
		_, _, err = h.window(*args[0], *args[1])
		return 1, err
	}}
	return env
}

// within adds those of a bucket's samples that are later than after and not
// later than until. Of up to two they are known one by one; three or more count
// together, where any of them may be among them.
func (b *bucket) within(o *bucket, after, until int64) {
	switch {
	case o.lastAt <= after || o.firstAt > until:
	case o.firstAt > after && o.lastAt <= until || o.count > 2:
		b.join(*o)
	case o.firstAt > after && o.firstAt <= until:
		b.add(o.firstAt, o.first)
	case o.lastAt > after && o.lastAt <= until:
		b.add(o.lastAt, o.last)
	}
}

// window is what the samples of a bucket come to.
func (b *bucket) window() Window {
	if b.count == 0 {
		return Window{}
	}
	return Window{
		First: b.first, Last: b.last, Min: b.min, Max: b.max,
		Avg: b.sum / float64(b.count), Count: int(min(b.count, math.MaxInt)),
	}
}
