package differ

import (
	"bytes"
	"encoding/json"
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

// ownEvent is an event of Deltahook's own about a unit, for those that
// `alerts` names. data is a struct; source and watch come before what it says.
// Where there is nobody to be told, ok is false.
func (d *Differ) ownEvent(kind, unit string, at time.Time, data any) (e Event, ok bool, err error) {
	if len(d.alerts) == 0 {
		return Event{}, false, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Event{}, false, err
	}
	source, watch := poller.CutUnit(unit)
	e = Event{ID: "evt_" + id.String(), Type: kind, Source: source, Watch: watch, Time: at.UTC()}
	about, err := json.Marshal(struct {
		Source string `json:"source"`
		Watch  string `json:"watch,omitempty"`
	}{source, watch})
	if err != nil {
		return Event{}, false, err
	}
	said, err := json.Marshal(data)
	if err != nil {
		return Event{}, false, err
	}
	if e.Data = about; !bytes.Equal(said, []byte("{}")) {
		e.Data = append(append(about[:len(about)-1], ','), said[1:]...)
	}
	err = d.address(&e, d.alerts)
	return e, err == nil, err
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
