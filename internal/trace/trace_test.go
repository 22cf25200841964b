package trace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/deltahook/deltahook/internal/trace"
)

// traced runs a tracer that tells c, while do makes spans.
func traced(t *testing.T, c http.RoundTripper, o trace.Options, do func(*trace.Tracer)) {
	t.Helper()
	if o.Endpoint == "" {
		o.Endpoint = "http://collector.example:4318"
	}
	o.Transport, o.Sample = c, 1
	tracer, err := trace.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- tracer.Run(ctx) }()
	do(tracer)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSpansAsTheCollectorGetsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{t: t}
		begun := time.Now()
		hide := func(s string) string { return strings.ReplaceAll(s, "s3cr3t", "<secret>") }
		o := trace.Options{
			Endpoint: "http://collector.example/otlp", Header: http.Header{"X-Key": {"k"}}, Version: "1.2", Hide: hide,
		}
		traced(t, c, o, func(tracer *trace.Tracer) {
			poll := tracer.Start("poll")
			poll.Text("source", "a s3cr3t")
			poll.Text("long", "\xff"+strings.Repeat("é", 300))
			time.Sleep(time.Second)
			get := poll.Child("GET")
			get.Asks("GET", &url.URL{Scheme: "https", Host: "api.example", Path: "/path", RawQuery: "q=query", User: url.User("user")})
			get.Answered(503)
			body := get.Body(io.NopCloser(strings.NewReader("{}")))
			time.Sleep(time.Second)
			if err := body.Close(); err != nil {
				t.Error(err)
			}
			if err := body.Close(); err != nil { // twice is once
				t.Error(err)
			}
			poll.End()
		})
		if len(c.spans) != 2 {
			t.Fatalf("%d spans", len(c.spans))
		}
		get, poll := c.spans[0], c.spans[1]
		if !bytes.Equal(get.GetTraceId(), poll.GetTraceId()) || !bytes.Equal(get.GetParentSpanId(), poll.GetSpanId()) || len(poll.GetParentSpanId()) > 0 {
			t.Errorf("the one is not part of the other: %v, %v", get, poll)
		}
		if get.GetKind() != otlp.Span_SPAN_KIND_CLIENT || poll.GetKind() != otlp.Span_SPAN_KIND_INTERNAL {
			t.Errorf("kinds %s and %s", get.GetKind(), poll.GetKind())
		}
		if get.GetStatus().GetCode() != otlp.Status_STATUS_CODE_ERROR || poll.GetStatus().GetCode() != otlp.Status_STATUS_CODE_UNSET {
			t.Errorf("status %s and %s", get.GetStatus(), poll.GetStatus())
		}
		since := func(nanos uint64) time.Duration { return time.Duration(int64(nanos) - begun.UnixNano()) }
		if got := [...]time.Duration{since(poll.GetStartTimeUnixNano()), since(get.GetStartTimeUnixNano()), since(get.GetEndTimeUnixNano())}; got != [...]time.Duration{0, time.Second, 2 * time.Second} {
			t.Errorf("times %v", got)
		}
		want := map[string]any{
			"http.request.method": "GET", "url.scheme": "https", "server.address": "api.example", "server.port": int64(443),
			"http.response.status_code": int64(503), "error.type": "503",
		}
		if diff := cmp.Diff(want, facts(get)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]any{"source": "a <secret>", "long": strings.Repeat("é", 127)}, facts(poll)); diff != "" {
			t.Error(diff)
		}
		if r := c.asked[0]; r.URL.String() != "http://collector.example/otlp/v1/traces" || r.Header.Get("X-Key") != "k" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("asked %s with %v", r.URL, r.Header)
		}
		named := facts(&otlp.Span{Attributes: c.of[0].GetResource().GetAttributes()})
		if diff := cmp.Diff(map[string]any{"service.name": "deltahook", "service.version": "1.2"}, named); diff != "" {
			t.Error(diff)
		}
	})
}

// Over a connection: nothing but what the configuration names is asked.
func TestCollectorOnLoopback(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	c := &collector{t: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, _ := c.RoundTrip(r)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	defer server.Close()
	traced(t, nil, trace.Options{Endpoint: server.URL}, func(tracer *trace.Tracer) { tracer.Start("poll").End() })
	if c.count() != 1 {
		t.Errorf("%d spans came", c.count())
	}
}

// Nothing is allocated where nothing is traced.
func TestOff(t *testing.T) {
	var tracer *trace.Tracer
	u, body := &url.URL{Host: "x"}, io.NopCloser(strings.NewReader(""))
	n := testing.AllocsPerRun(100, func() {
		s := tracer.Start("poll")
		ctx := trace.With(t.Context(), s)
		child := trace.From(ctx).Child("GET")
		child.Asks("GET", u)
		child.Answered(200)
		if child.Body(body) != body {
			t.Error("another body")
		}
		s.Text("a", "b")
		s.Number("c", 1_000_000)
		s.Fail("x")
		s.End()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if p := tracer.Parent(trace.ID{}); p != "" || tracer.Sent("attempt", trace.ID{}, time.Now()) != nil {
		t.Errorf("it traces: %q", p)
	}
	if err := tracer.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// A share of traces is told, and the receiver hears which.
func TestSample(t *testing.T) {
	for share, want := range map[float64][2]int{0: {0, 0}, 0.25: {2200, 2800}, 1: {10_000, 10_000}, 2: {10_000, 10_000}} {
		tracer, err := trace.New(trace.Options{Endpoint: "http://x", Sample: share})
		if err != nil {
			t.Fatal(err)
		}
		var started, sent int
		for i := range 10_000 {
			if tracer.Start("poll") != nil {
				started++
			}
			id := trace.Of(fmt.Sprint("evt_", i), "1")
			span, flag := tracer.Sent("attempt", id, time.Now()), "00"
			if span != nil {
				sent, flag = sent+1, "01"
			}
			if got, want := tracer.Parent(id), fmt.Sprintf("00-%x-%x-%s", id.Trace, id.Span, flag); got != want {
				t.Fatalf("traceparent %s, want %s", got, want)
			}
		}
		for _, n := range []int{started, sent} {
			if n < want[0] || n > want[1] {
				t.Errorf("share %v: %d of 10000", share, n)
			}
		}
	}
	a, again, other, elsewhere := trace.Of("evt", "1"), trace.Of("evt", "1"), trace.Of("evt", "2"), trace.Of("another", "1")
	if a != again || a.Trace != other.Trace || a.Span == other.Span || a.Trace == elsewhere.Trace || a.Span == elsewhere.Span {
		t.Errorf("ids %v %v %v %v", a, again, other, elsewhere)
	}
}

// A collector that is away is tried again, logged once, and loses what it must.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		metrics := prometheus.NewPedanticRegistry()
		away := time.Now().Add(40 * time.Second)
		c := &collector{t: t, answer: func(*http.Request) (*http.Response, error) {
			if time.Now().Before(away) {
				return nil, errors.New("connection refused")
			}
			return says(200, ""), nil
		}}
		o := trace.Options{Metrics: metrics, Logger: slog.New(slog.NewTextHandler(&log, nil)), Endpoint: "http://collector.example/s3cr3t"}
		traced(t, c, o, func(tracer *trace.Tracer) {
			for range 60 {
				tracer.Start("poll").End()
				time.Sleep(time.Second)
			}
		})
		var waits []time.Duration
		for i, at := range c.at[1:6] {
			waits = append(waits, at.Sub(c.at[i]))
		}
		// Four waits, then the next batch, at once: it waited long enough.
		want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 0}
		if diff := cmp.Diff(want, waits); diff != "" {
			t.Error(diff)
		}
		if n := strings.Count(log.String(), "traces are not taken"); n != 1 || strings.Count(log.String(), "taken by the collector again") != 1 {
			t.Errorf("logged:\n%s", log.String())
		}
		if strings.Contains(log.String(), "s3cr3t") {
			t.Errorf("the URL is shown: %s", log.String())
		}
		lost := 60 - c.count()
		if lost < 5 || lost > 40 {
			t.Errorf("%d of 60 were lost", lost)
		}
		measured(t, metrics, c.count(), "failed", lost)
	})
}

// measured compares the metrics; all that was lost was for one reason.
func measured(t *testing.T, r prometheus.Gatherer, sent int, reason string, lost int) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = int(m.GetCounter().GetValue())
		}
	}
	const dropped = "deltahook_spans_dropped_total "
	want := map[string]int{dropped + "failed": 0, dropped + "full": 0, dropped + "refused": 0, "deltahook_spans_exported_total": sent}
	if lost > 0 {
		want[dropped+reason] = lost
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersOfTheCollector(t *testing.T) {
	for name, c := range map[string]struct {
		answer       []*http.Response
		asked, taken int
		reason       string
		after        time.Duration // from the first request to the last
	}{
		"taken":          {[]*http.Response{says(200, "")}, 1, 3, "", 0},
		"in part":        {[]*http.Response{says(200, `{"partialSuccess":{"rejectedSpans":"2","errorMessage":"s3cr3t"}}`)}, 1, 1, "refused", 0},
		"by a number":    {[]*http.Response{says(200, `{"partialSuccess":{"rejectedSpans":2}}`)}, 1, 1, "refused", 0},
		"more than all":  {[]*http.Response{says(200, `{"partialSuccess":{"rejectedSpans":"9999999"}}`)}, 1, 0, "refused", 0},
		"refused":        {[]*http.Response{says(400, "")}, 1, 0, "refused", 0},
		"a redirect":     {[]*http.Response{says(307, "", "Location", "http://elsewhere.example/")}, 1, 0, "refused", 0},
		"busy":           {[]*http.Response{says(503, "", "Retry-After", "20"), says(200, "")}, 2, 3, "", 20 * time.Second},
		"busy for years": {[]*http.Response{says(429, "", "Retry-After", "99999999"), says(200, "")}, 2, 3, "", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				metrics := prometheus.NewPedanticRegistry()
				var log bytes.Buffer
				var at []time.Time
				answer := roundTripper(func(*http.Request) (*http.Response, error) {
					at = append(at, time.Now())
					return c.answer[len(at)-1], nil
				})
				traced(t, answer, trace.Options{Metrics: metrics, Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(tracer *trace.Tracer) {
					for range 3 {
						tracer.Start("poll").End()
					}
					time.Sleep(time.Minute)
				})
				if len(at) != c.asked || at[len(at)-1].Sub(at[0]) != c.after {
					t.Errorf("asked at %v", at)
				}
				measured(t, metrics, c.taken, c.reason, 3-c.taken)
				if c.taken < 3 && !strings.Contains(log.String(), "traces are not taken") || strings.Contains(log.String(), "s3cr3t") {
					t.Errorf("logged %s", log.String())
				}
			})
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What waits is bounded, and sent in batches; who makes spans never waits.
func TestManySpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := prometheus.NewPedanticRegistry()
		c := &collector{t: t}
		hanging := roundTripper(func(r *http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second)
			return c.RoundTrip(r)
		})
		begun := time.Now()
		traced(t, hanging, trace.Options{Metrics: metrics}, func(tracer *trace.Tracer) {
			for range 512 { // a batch is sent at once
				tracer.Start("poll").End()
			}
			synctest.Wait()
			for range 3000 {
				tracer.Start("poll").End()
			}
			if !time.Now().Equal(begun) {
				t.Error("who makes spans waited")
			}
			time.Sleep(time.Minute)
		})
		if c.count() != 512+2048 || len(c.at) != 5 || c.at[0].Sub(begun) != 3*time.Second {
			t.Errorf("%d spans in %d requests, the first at %v", c.count(), len(c.at), c.at[0].Sub(begun))
		}
		measured(t, metrics, 512+2048, "full", 3000-2048)
	})
}

// The end waits 5 s at most for a collector that hangs, and loses nothing of
// one that does not.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := prometheus.NewPedanticRegistry()
		hanging := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		var stopped time.Time
		traced(t, hanging, trace.Options{Metrics: metrics, Timeout: time.Minute}, func(tracer *trace.Tracer) {
			for range 2000 {
				tracer.Start("poll").End()
			}
			stopped = time.Now()
		})
		if took := time.Since(stopped); took != 5*time.Second {
			t.Errorf("the end took %s", took)
		}
		measured(t, metrics, 0, "failed", 2000)
		c := &collector{t: t}
		traced(t, c, trace.Options{}, func(tracer *trace.Tracer) {
			for range 2000 {
				tracer.Start("poll").End()
			}
		})
		if c.count() != 2000 {
			t.Errorf("%d of 2000 came", c.count())
		}
	})
}

func TestNoCollector(t *testing.T) {
	for _, text := range []string{"", "localhost:4318", "grpc://s3cr3t:4317", "http://", "http://\x7f/s3cr3t"} {
		if _, err := trace.New(trace.Options{Endpoint: text}); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
