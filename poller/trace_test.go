package poller_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/trace"
	"github.com/deltahook/deltahook/poller"
)

// collected is what a collector was told: a line for each span, below that of
// which it is a part.
type collected struct {
	mu  sync.Mutex
	raw strings.Builder
	all []toldSpan
}

type toldSpan struct {
	SpanID, ParentSpanID, Name string
	Start                      json.Number `json:"startTimeUnixNano"`
	Attributes                 []struct {
		Key   string
		Value struct{ StringValue, IntValue string }
	}
	Status struct{ Code int }
}

func (c *collected) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var said struct {
		ResourceSpans []struct{ ScopeSpans []struct{ Spans []toldSpan } }
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	c.all = append(c.all, said.ResourceSpans[0].ScopeSpans[0].Spans...)
	return reply(200, "{}")
}

func (c *collected) lines(parent string) (lines []string) {
	slices.SortStableFunc(c.all, func(a, b toldSpan) int { return strings.Compare(a.Start.String(), b.Start.String()) })
	for _, s := range c.all {
		if s.ParentSpanID != parent {
			continue
		}
		line := s.Name
		for _, a := range s.Attributes {
			line += fmt.Sprintf(" %s=%s", a.Key, a.Value.StringValue+a.Value.IntValue)
		}
		if s.Status.Code != 0 {
			line += " failed"
		}
		lines = append(lines, line)
		for _, part := range c.lines(s.SpanID) {
			lines = append(lines, "- "+part)
		}
	}
	return lines
}

// tracer is one that tells c until the test ends it.
func (c *collected) tracer(t *testing.T) (tracer *trace.Tracer, end func()) {
	t.Helper()
	tracer, err := trace.New(trace.Options{Endpoint: "http://collector.example", Transport: c, Sample: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = tracer.Run(ctx) })
	return tracer, func() {
		stop()
		running.Wait()
	}
}

// A poll is a span, and so is each of its requests; what an answer's taker adds
// is the poll's.
func TestTraces(t *testing.T) {
	for name, c := range map[string]struct {
		api  func(*http.Request) (*http.Response, error)
		want []string
	}{
		"an answer": {ok, []string{
			"poll deltahook.source=s deltahook.items=3 deltahook.result=ok http.response.status_code=200 deltahook.pages=1",
			"- GET http.request.method=GET url.scheme=https server.address=x.example server.port=8443 http.response.status_code=200",
			"- take",
		}},
		"no connection": {func(*http.Request) (*http.Response, error) {
			return nil, errors.New("https://x.example/s3cr3t: refused")
		}, []string{
			"poll deltahook.source=s deltahook.result=network error.type=network failed",
			"- GET http.request.method=GET url.scheme=https server.address=x.example server.port=8443 error.type=network failed",
		}},
		"an error": {func(*http.Request) (*http.Response, error) { return reply(503, "s3cr3t") }, []string{
			"poll deltahook.source=s deltahook.result=status error.type=status failed",
			"- GET http.request.method=GET url.scheme=https server.address=x.example server.port=8443 http.response.status_code=503 error.type=503 failed",
		}},
		"a redirect": {func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "y.example" {
				return ok(r)
			}
			return reply(302, "", "Location", "https://y.example/s3cr3t?s3cr3t")
		}, []string{
			"poll deltahook.source=s deltahook.items=3 deltahook.result=ok http.response.status_code=200 deltahook.pages=1",
			"- GET http.request.method=GET url.scheme=https server.address=x.example server.port=8443 http.response.status_code=302",
			"- GET http.request.method=GET url.scheme=https server.address=y.example server.port=443 http.response.status_code=200",
			"- take",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told collected
				tracer, end := told.tracer(t)
				slow := func(r *http.Request) (*http.Response, error) {
					time.Sleep(time.Millisecond) // spans are told apart by their times
					return c.api(r)
				}
				p := poller.New([]*poller.Source{tracedSource(t, slow)}, nil, &sink{refer: func(ctx context.Context, _ *poller.Answer) error {
					trace.From(ctx).Number("deltahook.items", 3)
					return nil
				}}, poller.Options{Tracer: tracer})
				run(t, p, time.Second)
				end()
				if diff := cmp.Diff(c.want, told.lines("")); diff != "" {
					t.Error(diff)
				}
				if strings.Contains(told.raw.String(), "s3cr3t") {
					t.Errorf("a path or a query is told: %s", told.raw.String())
				}
			})
		})
	}
}

func tracedSource(t *testing.T, api roundTripper) *poller.Source {
	t.Helper()
	s, err := poller.NewSource("s", poller.Settings{
		Schedule: "@hourly", Request: poller.RequestSettings{URL: "https://x.example:8443/s3cr3t?q=s3cr3t"},
	}, poller.ResponseSettings{}, poller.NewClientOver(api, poller.ClientOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What could not be taken in is a failure of the poll; watch keys are counted,
// and not named.
func TestTracesOfWatchKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told collected
		tracer, end := told.tracer(t)
		s, err := poller.NewSource("w", poller.Settings{
			Schedule: "@hourly", Request: poller.RequestSettings{URL: "https://x.example/", JSON: "{{ keys }}"},
			Watch: poller.WatchSettings{Keys: []string{"s3cr3t", "k1"}, Batch: 2},
		}, poller.ResponseSettings{}, poller.NewClientOver(roundTripper(ok), poller.ClientOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		full := &sink{refer: func(context.Context, *poller.Answer) error { return poller.Failf(poller.ClassStore, "s3cr3t") }}
		p := poller.New([]*poller.Source{s}, nil, full, poller.Options{Tracer: tracer})
		run(t, p, time.Hour)
		end()
		want := "poll deltahook.source=w deltahook.watch_keys=2 deltahook.result=store error.type=store http.response.status_code=200 deltahook.pages=1 failed"
		if lines := told.lines(""); len(lines) == 0 || lines[0] != want {
			t.Errorf("told %s", strings.Join(lines, "\n"))
		}
		if strings.Contains(told.raw.String(), "s3cr3t") {
			t.Errorf("a key or an error's text is told: %s", told.raw.String())
		}
	})
}
