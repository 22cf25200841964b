package differ

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/deltahook/deltahook/poller"
)

// Types of Deltahook's own events. That of rules is TypeFailing.
const (
	TypeSourceFailing     = "source.failing"
	TypeSourceStale       = "source.stale"
	TypeSourceRecovered   = "source.recovered"
	TypeQuiet             = "source.quiet"
	TypeActive            = "source.active"
	TypeHeld              = "changes.held"
	TypeEndpointFailing   = "endpoint.failing"
	TypeEndpointPaused    = "endpoint.paused"
	TypeEndpointRecovered = "endpoint.recovered"
	TypeAuthExpired       = "auth.expired"
)

// ownTypes are all of them, which no rule is called.
func ownTypes() []string {
	return []string{
		TypeSourceFailing, TypeSourceStale, TypeSourceRecovered, TypeQuiet, TypeActive, TypeHeld, TypeFailing,
		TypeEndpointFailing, TypeEndpointPaused, TypeEndpointRecovered, TypeAuthExpired,
	}
}

// EventSource is the source under which an event is shown that was committed
// under a name: an event of Deltahook's own about a source is committed apart
// from what is remembered of that, under sources/NAME.
func EventSource(name string) string {
	if source := sourceOf(name); source != "" {
		return source
	}
	return name
}

// ownEvent is an event of Deltahook's own about a unit or another subject, for
// those endpoints. data is a struct; source and watch come before what it says.
// Where there is nobody to be told, ok is false.
func (d *Differ) ownEvent(kind, unit string, at time.Time, data any, to []string) (e Event, ok bool, err error) {
	if len(to) == 0 {
		return Event{}, false, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Event{}, false, err
	}
	e = Event{ID: "evt_" + id.String(), Type: kind, Time: at.UTC()}
	var about struct {
		Source string `json:"source,omitempty"`
		Watch  string `json:"watch,omitempty"`
	}
	switch source := sourceOf(unit); {
	case source != "":
		e.Source, about.Source = source, source
	case isSubject(unit):
		e.Source = unit
	default:
		e.Source, e.Watch = poller.CutUnit(unit)
		about.Source, about.Watch = e.Source, e.Watch
	}
	if e.Data, err = joined(about, data); err == nil {
		err = d.address(&e, to)
	}
	return e, err == nil, err
}

// joined is an object with the members of several.
func joined(structs ...any) (json.RawMessage, error) {
	var all [][]byte
	for _, v := range structs {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return nil, err
		}
		members := bytes.TrimSuffix(b.Bytes(), []byte("}\n"))[1:]
		if len(members) > 0 {
			all = append(all, members)
		}
	}
	return slices.Concat([]byte("{"), bytes.Join(all, []byte(",")), []byte("}")), nil
}

// address adds the bodies for endpoints.
func (d *Differ) address(e *Event, endpoints []string) error {
	for _, endpoint := range endpoints {
		body, err := d.body(e, endpoint)
		if err != nil {
			return err
		}
		e.Bodies = append(e.Bodies, body)
	}
	return nil
}
