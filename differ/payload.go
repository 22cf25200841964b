package differ

import (
	"errors"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/poller"
)

// Undeliverable is the error of a Renderer that could not make the payload
// that the endpoint is to get, and gives another one to keep.
type Undeliverable struct{ Reason string }

// Error is the reason.
func (u *Undeliverable) Error() string { return u.Reason }

// body is what endpoint gets of an event.
func (d *Differ) body(e *Event, endpoint string) (Body, error) {
	payload, err := d.renderer.Render(e, endpoint)
	if dead, ok := errors.AsType[*Undeliverable](err); ok {
		return Body{Endpoint: endpoint, Payload: payload, Dead: dead.Reason}, nil
	}
	if err != nil {
		return Body{}, poller.Failf(poller.ClassItems, "event %s for endpoint %s: %w", e.Type, endpoint, err)
	}
	return Body{Endpoint: endpoint, Payload: payload}, nil
}

// PayloadEnv is what the expressions of a payload may name. Which fields new
// and old have is not known: an endpoint is told of many sources.
func PayloadEnv() expr.Env {
	return expr.Env{
		"new": nil, "old": nil, "item": nil, "data": nil,
		"change": "", "key": "", "source": "", "watch": "", "type": "", "id": "", "revision": 0,
		"changed": func(...string) bool { return false },
		"pct":     pct,
		"window":  noWindow,
		"now":     func() time.Time { return time.Time{} },
		"time":    newMoments("").time,
	}
}

// Vars are the values of those names, new, old, item and data only where uses is
// true of them. now() is when the change was seen, so that the same event
// always makes the same payload.
func (e *Event) Vars(uses func(name string) bool) (map[string]any, error) {
	f := &facts{change: &change{kind: e.Change, old: e.Old, new: e.New}}
	vars := map[string]any{
		"change": string(e.Change), "key": e.Key, "source": e.Source, "watch": e.Watch, "type": e.Type, "id": e.ID,
		"revision": int(e.Revision), "changed": f.changed, "pct": pct, "window": noWindow,
		"now": func() time.Time { return e.Time },
	}
	if e.Window != nil {
		vars["window"] = e.Window
	}
	if vars["time"] = e.Moment; e.Moment == nil {
		vars["time"] = newMoments("").time
	}
	item := e.Item
	if item == nil {
		item = e.New // between polls: what is remembered
	}
	if item == nil {
		item = e.Old // deleted
	}
	for name, raw := range map[string][]byte{"new": e.New, "old": e.Old, "item": item, "data": e.Data} {
		if !uses(name) {
			continue
		}
		value, err := decodeOrEmpty(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		vars[name] = value
	}
	return vars, nil
}
