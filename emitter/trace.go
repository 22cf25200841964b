package emitter

import (
	"fmt"
	"strconv"
	"time"

	"github.com/deltahook/deltahook/internal/trace"
)

const headerTraceparent = "Traceparent"

// spanOf is the identity of an attempt's span. The attempts of an event are in
// one trace, those of all endpoints and of replays, whenever they are made.
func spanOf(d *Delivery, at time.Time) trace.ID {
	return trace.Of(d.Event, fmt.Sprintf("%s %d %d", d.Endpoint, d.Number, at.UnixNano()))
}

// traced tells of an attempt that was judged.
func (e *Endpoint) traced(out *Outcome) {
	if e.tracer == nil {
		return
	}
	d, a := &out.Delivery, &out.Attempt
	span := e.tracer.Sent("attempt", spanOf(d, a.At), a.At)
	if span == nil {
		return
	}
	span.Asks("POST", e.url)
	span.Text("deltahook.endpoint", e.name)
	span.Text("deltahook.source", d.Source)
	span.Text("deltahook.event", d.Event)
	span.Text("deltahook.event_type", d.Type)
	span.Number("deltahook.delivery", int(d.Number))
	span.Number("deltahook.attempt", d.Attempts+1)
	span.Text("deltahook.result", results[out.Verdict.State])
	if a.Status != 0 {
		span.Answered(a.Status)
	}
	switch {
	case a.Error != "":
		span.Fail(string(a.Error))
	case !isSuccess(a.Status):
		span.Fail(strconv.Itoa(a.Status))
	case out.Verdict.State != Delivered:
		span.Fail("answer") // says no with a status of success
	}
	span.EndAt(a.At.Add(a.Took))
}
