package emitter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/trace"
)

// collected is what a collector was told: a line for each span.
type collected struct {
	mu      sync.Mutex
	raw     strings.Builder
	lines   []string
	parents []string // what their traceparents are
}

func (c *collected) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var said struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []struct {
					TraceID, SpanID, Name string
					Kind                  int
					Start                 int64 `json:"startTimeUnixNano,string"`
					End                   int64 `json:"endTimeUnixNano,string"`
					Attributes            []struct {
						Key   string
						Value struct{ StringValue, IntValue string }
					}
					Status struct{ Code int }
				}
			}
		}
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, s := range said.ResourceSpans[0].ScopeSpans[0].Spans {
		line := fmt.Sprintf("%s %d %s", s.Name, s.Kind, time.Duration(s.End-s.Start))
		for _, a := range s.Attributes {
			line += " " + a.Value.StringValue + a.Value.IntValue
		}
		if s.Status.Code != 0 {
			line += " failed"
		}
		c.lines = append(c.lines, line)
		c.parents = append(c.parents, fmt.Sprintf("00-%s-%s-01", s.TraceID, s.SpanID))
	}
	return status(200, 0)(r)
}

// tracing runs b with an endpoint shop, for a while.
func (c *collected) tracing(t *testing.T, b *bench, s emitter.Settings, share float64, a time.Duration) {
	t.Helper()
	tracer, err := trace.New(trace.Options{Endpoint: "http://collector.example", Transport: c, Sample: share})
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "https://shop.example/hooks/s3cr3t?q=s3cr3t"
	e, err := emitter.NewEndpoint("shop", s, emitter.EndpointOptions{Transport: b.wire, Tracer: tracer})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = tracer.Run(ctx) })
	b.run(t, []*emitter.Endpoint{e}, emitter.Options{})
	time.Sleep(a)
	b.stop()
	stop()
	running.Wait()
}

// An attempt is a span, which the receiver is told where it wants to be; all of
// an event are in one trace.
func TestTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		var parents []string
		b.wire.set("shop.example", func(r *http.Request) (*http.Response, error) {
			parents = append(parents, r.Header.Get("Traceparent"))
			switch len(parents) {
			case 1:
				return status(503, 2*time.Millisecond)(r)
			case 2:
				<-r.Context().Done()
				return nil, r.Context().Err()
			case 4:
				return status(400, time.Millisecond)(r)
			}
			return status(200, time.Millisecond)(r)
		})
		b.queue.add("shop", "a", 1)
		b.queue.add("shop", "a", 2)
		s := unsigned
		s.Traceparent, s.Retry.Schedule, s.Concurrency = true, everySecond(3), 1
		var told collected
		told.tracing(t, b, s, 1, time.Minute)
		const where = " POST https shop.example 443 shop shipments "
		want := []string{
			"attempt 3 2ms" + where + "evt_shop_a_1  1 1 retry 503 503 failed",
			"attempt 3 20s" + where + "evt_shop_a_1  1 2 retry timeout failed",
			"attempt 3 1ms" + where + "evt_shop_a_1  1 3 delivered 200",
			"attempt 3 1ms" + where + "evt_shop_a_2  2 1 dead 400 400 failed",
		}
		if diff := cmp.Diff(want, told.lines); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(told.parents, parents); diff != "" {
			t.Errorf("the receiver heard of other spans: %s", diff)
		}
		of := func(i int) string { return strings.Split(parents[i], "-")[1] }
		if of(0) != of(1) || of(1) != of(2) || of(2) == of(3) || parents[0] == parents[1] {
			t.Errorf("traces %q", parents)
		}
		if strings.Contains(told.raw.String(), "s3cr3t") {
			t.Errorf("a path or a query is told: %s", told.raw.String())
		}
	})
}

// Where a trace is not told the receiver hears that, and without the setting or
// a collector it hears nothing.
func TestTraceparent(t *testing.T) {
	for name, c := range map[string]struct {
		asked bool
		share float64
		want  string
	}{"not told": {true, 0, "00"}, "told": {true, 1, "01"}, "not asked for": {false, 1, ""}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				var parent string
				b.wire.set("shop.example", func(r *http.Request) (*http.Response, error) {
					parent = r.Header.Get("Traceparent")
					return status(200, 0)(r)
				})
				b.queue.add("shop", "a", 1)
				s := unsigned
				s.Traceparent = c.asked
				var told collected
				told.tracing(t, b, s, c.share, time.Second)
				if n := len(told.lines); n != int(c.share) {
					t.Errorf("%d spans", n)
				}
				if parts := strings.Split(parent, "-"); parts[len(parts)-1] != c.want {
					t.Errorf("traceparent %q", parent)
				}
			})
		})
	}
	b := newBench()
	var header http.Header
	b.wire.set("shop", func(r *http.Request) (*http.Response, error) {
		header = r.Header
		return status(200, 0)(r)
	})
	s := unsigned
	s.Traceparent = true
	if a := (endpoints{"shop": s}).build(t, b.wire)[0].Send(t.Context(), emitter.Delivery{Event: "evt"}); a.Status != 200 || header.Get("Traceparent") != "" {
		t.Errorf("without a collector: %+v, %v", a, header)
	}
}

// A test event is traced as well.
func TestTraceOfTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told collected
		tracer, err := trace.New(trace.Options{Endpoint: "http://collector.example", Transport: &told, Sample: 1})
		if err != nil {
			t.Fatal(err)
		}
		var parent string
		answer := func(r *http.Request) (*http.Response, error) {
			parent = r.Header.Get("Traceparent")
			return status(200, 0)(r)
		}
		w := newWire()
		w.set("shop", answer)
		e, err := emitter.NewEndpoint("shop", emitter.Settings{URL: "https://shop", Signature: "none", Traceparent: true}, emitter.EndpointOptions{Transport: w, Tracer: tracer})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Try(t.Context(), "hello"); err != nil {
			t.Fatal(err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := tracer.Run(ended); err != nil {
			t.Fatal(err)
		}
		if len(told.parents) != 1 || told.parents[0] != parent || !strings.Contains(told.lines[0], " delivered 200") {
			t.Errorf("told %q %q, the receiver heard %q", told.lines, told.parents, parent)
		}
	})
}
