package trace

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// What follows is ExportTraceServiceRequest of opentelemetry-proto in the JSON
// of OTLP: that of Protocol Buffers, so that 64-bit numbers are strings, but
// with ids in hexadecimal and enumerations as numbers.
type (
	wireRequest struct {
		ResourceSpans []wireResourceSpans `json:"resourceSpans"`
	}
	wireResourceSpans struct {
		Resource   wireResource     `json:"resource"`
		ScopeSpans []wireScopeSpans `json:"scopeSpans"`
	}
	wireResource struct {
		Attributes []wireAttribute `json:"attributes"`
	}
	wireScopeSpans struct {
		Scope wireScope  `json:"scope"`
		Spans []wireSpan `json:"spans"`
	}
	wireScope struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	wireSpan struct {
		TraceID    string          `json:"traceId"`
		SpanID     string          `json:"spanId"`
		Parent     string          `json:"parentSpanId,omitempty"`
		Name       string          `json:"name"`
		Kind       int             `json:"kind"`
		Start      string          `json:"startTimeUnixNano"`
		End        string          `json:"endTimeUnixNano"`
		Attributes []wireAttribute `json:"attributes,omitempty"`
		Status     *wireStatus     `json:"status,omitempty"`
	}
	wireStatus struct {
		Code int `json:"code"` // 2: error
	}
	wireAttribute struct {
		Key   string    `json:"key"`
		Value wireValue `json:"value"`
	}
	wireValue struct {
		Text   *string `json:"stringValue,omitempty"`
		Number *string `json:"intValue,omitempty"`
	}
)

// encode is the body of a request with spans.
func (t *Tracer) encode(spans []*Span) ([]byte, error) {
	list := make([]wireSpan, len(spans))
	for i, s := range spans {
		list[i] = t.span(s)
	}
	return json.Marshal(wireRequest{[]wireResourceSpans{{
		Resource: wireResource{t.facts(t.resource)},
		ScopeSpans: []wireScopeSpans{{
			Scope: wireScope{Name: "github.com/deltahook/deltahook", Version: t.version},
			Spans: list,
		}},
	}}})
}

func (t *Tracer) span(s *Span) wireSpan {
	nanos := func(at time.Time) string { return strconv.FormatInt(at.UnixNano(), 10) }
	w := wireSpan{
		TraceID: hex.EncodeToString(s.id.Trace[:]), SpanID: hex.EncodeToString(s.id.Span[:]),
		Name: s.name, Kind: s.kind, Start: nanos(s.start), End: nanos(s.end), Attributes: t.facts(s.attributes),
	}
	if s.parent != [8]byte{} {
		w.Parent = hex.EncodeToString(s.parent[:])
	}
	if s.failed {
		w.Status = &wireStatus{Code: 2}
	}
	return w
}

func (t *Tracer) facts(list []attribute) []wireAttribute {
	facts := make([]wireAttribute, len(list))
	for i, a := range list {
		facts[i].Key = a.key
		if a.numeric {
			number := strconv.FormatInt(a.number, 10)
			facts[i].Value.Number = &number
			continue
		}
		text := a.text
		if t.hide != nil {
			text = t.hide(text)
		}
		text = strings.ToValidUTF8(text[:min(len(text), longestText)], "")
		facts[i].Value.Text = &text
	}
	return facts
}
