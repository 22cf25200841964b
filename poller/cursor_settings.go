package poller

import (
	"regexp"

	"github.com/expr-lang/expr/types"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/units"
)

// CursorSettings is what a source remembers of its answers to ask for less the
// next time. The zero value remembers nothing.
type CursorSettings struct {
	// Name of the value in the request's expressions: {{ cursor.NAME }}.
	Name string `yaml:"name" json:"name,omitempty" jsonschema:"required"`
	// An expression over items, body, headers, next and cursor that gives
	// the value for the next poll; null leaves it as it is.
	Value string `yaml:"value" json:"value,omitempty" jsonschema:"required"`
	// An expression that gives the value for the first poll. Default: null.
	Initial string `yaml:"initial" json:"initial,omitempty"`
	// How much earlier than the value, which is a time then, is asked for:
	// what comes late is still seen. Default: 0s.
	Overlap units.Duration `yaml:"overlap" json:"overlap,omitempty"`
}

func (s CursorSettings) given() bool { return s != CursorSettings{} }

// longestCursor is the length in bytes, as JSON, over which a cursor is not
// kept.
const longestCursor = longestLink

// cursorName is what stands behind a dot in an expression.
var cursorName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// env is what `cursor` is in expressions, so that a misspelt name is a fault
// at load.
func (s CursorSettings) env() any { return types.Map{s.Name: types.Any} }

// compile checks the settings; nil: there is no cursor.
func (s CursorSettings) compile(r fault.Report) *cursor {
	if !s.given() {
		return nil
	}
	c := &cursor{name: s.Name, overlap: s.Overlap.Std()}
	if !cursorName.MatchString(s.Name) {
		r.At("name").Errorf("expected a name of letters, digits and _, as it stands in {{ cursor.NAME }}")
	}
	if s.Overlap < 0 {
		r.At("overlap").Errorf("expected a duration that is not negative")
	}
	var err error
	env := expr.Env{"items": []any{}, "body": nil, "headers": map[string]string{}, "next": nil, "cursor": s.env()}
	if s.Value == "" {
		r.At("value").Errorf("no expression: what of an answer is the cursor of the next poll")
	} else if c.value, err = expr.Compile(s.Value, env); err != nil {
		r.At("value").Errorf("%v", err)
	}
	if s.Initial != "" {
		if c.initial, err = expr.Compile(s.Initial, expr.Env{}); err != nil {
			r.At("initial").Errorf("%v", err)
		}
	}
	return c
}
