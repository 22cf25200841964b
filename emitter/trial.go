package emitter

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/deltahook/deltahook/differ"
)

// Trial is what came of a test event.
type Trial struct {
	Event     string        `json:"event"` // its id
	Endpoint  string        `json:"endpoint"`
	Host      string        `json:"host"`
	Payload   Payload       `json:"payload"` // what was sent
	Delivered bool          `json:"delivered"`
	Reason    string        `json:"reason,omitempty"` // why it was not
	Attempt   AttemptRecord `json:"attempt"`
}

// Try sends a test event to e, once, and judges the answer as one to a
// delivery is. It goes past every queue, rate and pause, and nothing of it is
// stored. message is what the event says.
func (e *Endpoint) Try(ctx context.Context, message string) (Trial, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Trial{}, err
	}
	said, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		return Trial{}, err
	}
	event := differ.Event{
		ID: "evt_" + id.String(), Type: "deltahook.test", Source: "deltahook", Key: "test",
		Change: differ.Created, Revision: 1, Time: time.Now().UTC(), New: said,
	}
	body, err := e.Render(&event)
	if err != nil {
		return Trial{}, err
	}
	d := Delivery{
		Event: event.ID, Type: event.Type, Source: event.Source, Key: event.Key, Revision: event.Revision, Time: event.Time,
		Endpoint: e.Name(), Body: body,
	}
	attempt := e.Send(ctx, d)
	verdict := Judge(attempt, e.policy, 1, time.Now(), 0.5)
	e.traced(&Outcome{Delivery: d, Attempt: attempt, Verdict: verdict})
	t := Trial{
		Event: event.ID, Endpoint: e.Name(), Host: e.Host(), Payload: Payload(e.redactor.Text(string(body))),
		Delivered: verdict.State == Delivered, Attempt: attempt.Record(1),
	}
	if !t.Delivered {
		t.Reason = e.redactor.Text(verdict.Reason)
	}
	return t, nil
}

// ErrTesting says that as many test events are under way as may be.
var ErrTesting = errors.New("other test events are under way: try again when they have ended")

// maxTrials is how many test events may be under way at once.
const maxTrials = 4

// Test is Endpoint.Try of the endpoint of a name, disabled or not.
// ErrNoEndpoint, ErrTesting.
func (m *Emitter) Test(ctx context.Context, endpoint string) (Trial, error) {
	o := m.outlet(endpoint)
	if o == nil {
		return Trial{}, ErrNoEndpoint
	}
	select {
	case m.trials <- struct{}{}:
	default:
		return Trial{}, ErrTesting
	}
	defer func() { <-m.trials }()
	return o.endpoint.Try(ctx, "a test by a person")
}
