package trace

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Kinds of spans, as OTLP numbers them.
const (
	internal = 1
	client   = 3
)

// Span is something that is done. It belongs to one goroutine at a time, but
// for Child. A nil one is ready for use and does nothing. One that does not end
// is not told.
type Span struct {
	tracer     *Tracer
	id         ID
	parent     [8]byte // zero: none
	name       string
	kind       int
	start, end time.Time
	failed     bool
	attributes []attribute
}

// attribute is a fact of a span: a text, or a number.
type attribute struct {
	key, text string
	number    int64
	numeric   bool
}

// Child begins a part of s.
func (s *Span) Child(name string) *Span {
	if s == nil {
		return nil
	}
	return &Span{
		tracer: s.tracer, id: ID{s.id.Trace, newSpan()}, parent: s.id.Span, name: name, kind: internal, start: time.Now(),
	}
}

// Text adds a fact. A text of more than 256 bytes is cut, and secrets are taken
// out of it.
func (s *Span) Text(key, value string) {
	if s != nil {
		s.attributes = append(s.attributes, attribute{key: key, text: value})
	}
}

// Number adds a fact.
func (s *Span) Number(key string, value int) {
	if s != nil {
		s.attributes = append(s.attributes, attribute{key: key, number: int64(value), numeric: true})
	}
}

// Fail says that it failed, and why, in one of few words.
func (s *Span) Fail(class string) {
	if s != nil && !s.failed {
		s.failed = true
		s.Text("error.type", class)
	}
}

// End ends s now.
func (s *Span) End() {
	if s != nil {
		s.EndAt(time.Now())
	}
}

// EndAt ends s at a time. Nothing of s may be called afterwards.
func (s *Span) EndAt(end time.Time) {
	if s != nil {
		s.end = end
		s.tracer.queue(s)
	}
}

// Asks adds what may be told of a request by HTTP: neither path nor query.
func (s *Span) Asks(method string, u *url.URL) {
	if s == nil {
		return
	}
	s.kind = client
	s.Text("http.request.method", method)
	s.Text("url.scheme", u.Scheme)
	s.Text("server.address", u.Hostname())
	port, err := strconv.Atoi(u.Port())
	switch {
	case err == nil:
	case u.Scheme == "https":
		port = 443
	default:
		port = 80
	}
	s.Number("server.port", port)
}

// Answered adds the status of the answer; from 400 on it is a failure.
func (s *Span) Answered(status int) {
	if s == nil {
		return
	}
	s.Number("http.response.status_code", status)
	if status >= http.StatusBadRequest {
		s.Fail(strconv.Itoa(status))
	}
}

// Body is the body of the answer, whose end is the span's.
func (s *Span) Body(b io.ReadCloser) io.ReadCloser {
	if s == nil {
		return b
	}
	return &body{ReadCloser: b, span: s}
}

type body struct {
	io.ReadCloser
	span *Span // nil: it has ended
}

// Read reads on.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.span.Fail("body")
	}
	return n, err
}

// Close ends the span, too.
func (b *body) Close() error {
	b.span.End()
	b.span = nil
	return b.ReadCloser.Close()
}

type spanKey struct{}

// With is ctx with s in it; ctx itself where s is nil.
func With(ctx context.Context, s *Span) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, spanKey{}, s)
}

// From is the span in ctx; nil: there is none.
func From(ctx context.Context) *Span {
	s, _ := ctx.Value(spanKey{}).(*Span)
	return s
}
