package differ

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/types"
	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/expr"
)

// ruleEnv is what a rule's expressions may name. Where the configuration
// picks fields, new and old have these and no others, so that a misspelt one
// is a fault at load.
func ruleEnv(picked []string) expr.Env {
	var fields any
	if len(picked) > 0 {
		of := types.Map{}
		for _, name := range picked {
			of[name] = types.Any
		}
		fields = of
	}
	return expr.Env{
		"new": fields, "old": fields, "item": nil,
		"change": "", "key": "", "source": "", "watch": "", "type": "", "revision": 0,
		"changed": func(...string) bool { return false },
		"pct":     pct,
		"window":  noWindow,
		"now":     func() time.Time { return time.Time{} },
	}
}

// facts is what a rule may ask about one change. What is expensive is made
// when it is asked for the first time.
type facts struct {
	source string
	watch  string
	form   *form
	event  string // the type of the rule at hand
	change *change
	at     time.Time // of the answer
	made   map[string]any
}

// vars gives the values of the names that p uses.
func (f *facts) vars(p *expr.Program) (map[string]any, error) {
	if f.made == nil {
		f.made = map[string]any{
			"change": string(f.change.kind), "key": f.change.key, "source": f.source, "watch": f.watch,
			"revision": int(f.change.revision), "changed": f.changed, "pct": pct,
			"now": func() time.Time { return f.at },
		}
	}
	f.made["type"] = f.event
	if f.change.window != nil {
		f.made["window"] = f.change.window
	}
	for name, raw := range map[string][]byte{"new": f.change.new, "old": f.change.old, "item": f.whole()} {
		if _, ok := f.made[name]; ok || !p.Uses(name) {
			continue
		}
		value, err := decodeOrEmpty(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		f.made[name] = value
	}
	return f.made, nil
}

// whole is the item as the answer has it; of a deleted one, what is
// remembered.
func (f *facts) whole() []byte {
	if f.change.item == nil {
		return f.change.old
	}
	return f.change.item
}

// decodeOrEmpty decodes raw; nothing is an empty map.
func decodeOrEmpty(raw []byte) (any, error) {
	if raw == nil {
		return map[string]any{}, nil
	}
	return expr.Decode(raw)
}

// changed reports whether one of the named fields differs between old and
// new, as the source compares them; a field that only one of them has does.
func (f *facts) changed(names ...string) bool {
	if f.change.kind == Due { // nothing has
		return false
	}
	before, after := gjson.ParseBytes(f.change.old), gjson.ParseBytes(f.change.new)
	for _, name := range names {
		path := gjson.Escape(name)
		if !f.form.sameField(name, before.Get(path), after.Get(path)) {
			return true
		}
	}
	return false
}

// pct is by how many per cent to is above from: pct(100, 95) is -5. Numbers
// may be written as text.
func pct(from, to any) (float64, error) {
	a, err := number(from)
	if err != nil {
		return 0, err
	}
	b, err := number(to)
	if err != nil {
		return 0, err
	}
	if a == 0 {
		return 0, errors.New("pct: a change from 0 has no percentage")
	}
	return (b - a) / math.Abs(a) * 100, nil
}

func number(v any) (float64, error) {
	switch v := v.(type) {
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	case string:
		if n, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
			return n, nil
		}
	}
	if v == nil {
		return 0, errors.New("pct: a number was expected, not nil")
	}
	return 0, fmt.Errorf("pct: a number was expected, not %T", v)
}
