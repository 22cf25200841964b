package trace_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// collector takes spans as one of OpenTelemetry does: what is not OTLP is a
// failure of the test.
type collector struct {
	t      *testing.T
	answer func(r *http.Request) (*http.Response, error) // nil: it takes all

	mu    sync.Mutex
	at    []time.Time // of requests
	asked []*http.Request
	raw   strings.Builder
	spans []*otlp.Span
	of    []*otlp.ResourceSpans
}

// ids are written in hexadecimal by OTLP, and in base64 by Protocol Buffers.
var ids = regexp.MustCompile(`"(traceId|spanId|parentSpanId)":"([^"]*)"`)

func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.asked = append(c.at, time.Now()), append(c.asked, r)
	if c.answer != nil {
		if resp, err := c.answer(r); err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
	}
	c.take(body)
	if c.answer != nil {
		return c.answer(r)
	}
	return says(200, `{"partialSuccess":{}}`), nil
}

func (c *collector) take(body []byte) {
	c.raw.Write(body)
	converted := ids.ReplaceAllFunc(body, func(pair []byte) []byte {
		parts := ids.FindSubmatch(pair)
		id, err := hex.DecodeString(string(parts[2]))
		if want := map[int]string{16: "traceId", 8: "spanId parentSpanId"}[len(id)]; err != nil || !strings.Contains(want, string(parts[1])) {
			c.t.Errorf("no id: %s", pair)
		}
		return fmt.Appendf(nil, `"%s":"%s"`, parts[1], base64.StdEncoding.EncodeToString(id))
	})
	var data otlp.TracesData // as ExportTraceServiceRequest
	if err := protojson.Unmarshal(converted, &data); err != nil {
		c.t.Errorf("no OTLP: %v: %s", err, body)
		return
	}
	for _, r := range data.GetResourceSpans() {
		c.of = append(c.of, r)
		for _, s := range r.GetScopeSpans() {
			c.spans = append(c.spans, s.GetSpans()...)
		}
	}
}

func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.spans)
}

func says(status int, text string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Header: h, Body: io.NopCloser(strings.NewReader(text)),
	}
}

// facts are the attributes of a span, by key.
func facts(s *otlp.Span) map[string]any {
	all := map[string]any{}
	for _, a := range s.GetAttributes() {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			all[a.GetKey()] = v.IntValue
		}
	}
	return all
}
