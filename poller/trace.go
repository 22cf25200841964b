package poller

import (
	"context"
	"errors"
	"net/http"

	"github.com/deltahook/deltahook/internal/trace"
)

// tracing begins the span of a poll; nil: it is not told. keys are the watch
// keys that it is for.
func (p *Poller) tracing(j *job, keys []string) *trace.Span {
	span := p.tracer.Start("poll")
	span.Text("deltahook.source", j.source.name)
	if len(keys) > 0 {
		span.Number("deltahook.watch_keys", len(keys))
	}
	return span
}

// traced ends the span of a poll. One that was cut off has no end.
func traced(span *trace.Span, a *Answer, f *Failure) {
	switch {
	case span == nil:
		return
	case f != nil:
		span.Text("deltahook.result", resultOf(f.Class))
		span.Fail(resultOf(f.Class))
	case a.Unmodified:
		span.Text("deltahook.result", resultUnmodified)
	default:
		span.Text("deltahook.result", resultOK)
	}
	if a != nil {
		span.Number("http.response.status_code", a.Status)
		span.Number("deltahook.pages", len(a.Pages))
	}
	span.End()
}

// tracedRequest begins the span of one request, as a part of that of its poll.
func tracedRequest(ctx context.Context, r *http.Request) *trace.Span {
	span := trace.From(ctx).Child(r.Method)
	span.Asks(r.Method, r.URL)
	return span
}

// tracedAnswer ends it where there was no answer, and otherwise has it end with
// the answer's body.
func tracedAnswer(ctx context.Context, span *trace.Span, resp *http.Response, err error) {
	switch {
	case span == nil:
	case err != nil:
		if f, ok := errors.AsType[*Failure](transportFailure(ctx, err)); ok {
			span.Fail(resultOf(f.Class))
		}
		span.End()
	default:
		span.Answered(resp.StatusCode)
		resp.Body = span.Body(resp.Body)
	}
}
