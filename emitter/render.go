package emitter

import (
	"fmt"
	"maps"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/expr"
)

// Render gives the body of ev, a function of ev and the endpoint's settings
// alone. Where its payload can't be made, or is larger than the receiver
// takes, the error is a *differ.Undeliverable and the body that of the format
// standard.
func (e *Endpoint) Render(ev *differ.Event) ([]byte, error) {
	body, err := e.payload(ev)
	if limit := e.format.most(); err == nil && len(body) > limit {
		err = fmt.Errorf("%d bytes, where a webhook of the format %s has %d at most", len(body), e.format.name, limit)
	}
	if err == nil {
		return body, nil
	}
	standard, bad := RenderStandard(ev)
	if bad != nil {
		return nil, bad
	}
	return standard, &differ.Undeliverable{Reason: "the payload cannot be made: " + e.text(err.Error())}
}

// most is how large a payload may be, in bytes.
func (f *format) most() int {
	if f.limit > 0 {
		return f.limit
	}
	return MaxBody
}

func (e *Endpoint) payload(ev *differ.Event) ([]byte, error) {
	if e.json == nil {
		return e.format.payload(ev)
	}
	vars, err := ev.Vars(e.json.Uses)
	if err != nil {
		return nil, err
	}
	if e.format.escape != nil {
		vars["escape"] = e.format.escaped
	}
	v, err := e.json.Value(vars)
	if err != nil {
		return nil, fmt.Errorf("json: %w", err)
	}
	if m, ok := v.(map[string]any); ok && e.format.adapt != nil {
		m = maps.Clone(m)
		e.format.adapt(m)
		v = m
	}
	return expr.JSON(v)
}
