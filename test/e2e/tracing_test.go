package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/deltahook/deltahook/test/loopback"
)

// spans is a collector.
type spans struct {
	URL    string
	server *httptest.Server

	mu  sync.Mutex
	raw strings.Builder
	all []span
}

type span struct {
	TraceID, SpanID, ParentSpanID, Name string
	Attributes                          []struct {
		Key   string
		Value struct{ StringValue, IntValue string }
	}
}

func newSpans(t *testing.T) *spans {
	t.Helper()
	c := &spans{}
	c.server = loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the daemon is gone
		}
		var said struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []span } }
		}
		if err := json.Unmarshal(body, &said); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Team") != "parcels" {
			t.Errorf("%s %v: %v: %s", r.URL, r.Header, err, body)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.Write(body)
		c.all = append(c.all, said.ResourceSpans[0].ScopeSpans[0].Spans...)
		_, _ = io.WriteString(w, "{}")
	})
	t.Cleanup(c.server.Close)
	c.URL = c.server.URL
	return c
}

// named are the spans of a name, with an attribute that has this value.
func (c *spans) named(name, key, value string) (some []span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.all {
		if s.Name == name && (key == "" || s.of(key) == value) {
			some = append(some, s)
		}
	}
	return some
}

func (s span) of(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.StringValue + a.Value.IntValue
		}
	}
	return ""
}

func tracedBy(c *spans, hooks *receiver, url string) string {
	text := strings.Replace(configured(hooks, oneSource(url+"/path?q=query", "@every 1s")), "retry:", "traceparent: true, retry:", 1)
	return fmt.Sprintf("tracing: {endpoint: \"%s\", headers: {X-Team: parcels}}\n", c.URL) + text
}

// A collector is told of polls and attempts, and the receiver of the attempt's
// span; what was done last is told before the daemon ends.
func TestTracing(t *testing.T) {
	t.Parallel()
	c, hooks, dir := newSpans(t), newReceiver(t, nil), t.TempDir()
	url, set, _ := values(t, `{"v":1}`)
	write(t, dir, "deltahook.yaml", tracedBy(c, hooks, url))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(`{"v":2}`)
	sent := hooks.next(t)
	if n := d.metric(t, "deltahook_spans_dropped_total"); n != 0 {
		t.Errorf("%v spans are dropped", n)
	}
	d.signal(t, syscall.SIGTERM)
	if status := d.exit(t, patience); status != 0 {
		t.Errorf("it ended with status %d", status)
	}
	changed := c.named("poll", "deltahook.changes", "1")
	if len(changed) != 1 || changed[0].of("deltahook.source") != "s" || changed[0].of("deltahook.events") != "1" ||
		changed[0].of("deltahook.items") != "1" || changed[0].of("deltahook.result") != "ok" {
		t.Fatalf("polls that found a change: %+v", changed)
	}
	for _, name := range []string{"GET", "take"} {
		var parts int
		for _, s := range c.named(name, "", "") {
			if s.ParentSpanID == changed[0].SpanID && s.TraceID == changed[0].TraceID {
				parts++
			}
		}
		if parts != 1 {
			t.Errorf("%d spans %s are part of the poll", parts, name)
		}
	}
	attempts := c.named("attempt", "deltahook.event", sent.ID)
	if len(attempts) != 1 || attempts[0].of("deltahook.result") != "delivered" || attempts[0].of("http.response.status_code") != "200" {
		t.Fatalf("attempts: %+v", attempts)
	}
	if got, want := sent.Header.Get("Traceparent"), "00-"+attempts[0].TraceID+"-"+attempts[0].SpanID+"-01"; got != want {
		t.Errorf("the receiver heard %s, want %s", got, want)
	}
	for _, s := range []string{"/path", "query", "/hook", whsec} {
		if strings.Contains(c.raw.String(), s) {
			t.Errorf("%s is told", s)
		}
	}
}

// A collector that goes, and one that hangs, harm nothing.
func TestTracingWithoutCollector(t *testing.T) {
	t.Parallel()
	gone := &spans{URL: "http://" + loopback.Nobody}
	release := make(chan struct{})
	hanging := loopback.NewServer(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() {
		close(release)
		hanging.Close()
	})
	for name, collector := range map[string]*spans{"gone": gone, "hanging": {URL: hanging.URL}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hooks, dir := newReceiver(t, nil), t.TempDir()
			url, set, _ := values(t, `{"v":1}`)
			write(t, dir, "deltahook.yaml", tracedBy(collector, hooks, url))
			d := start(t, binary(t), dir, "run")
			d.says(t, d.stderr, "first answer remembered")
			if name == "gone" {
				d.says(t, d.stderr, "traces are not taken by the collector")
			}
			set(`{"v":2}`)
			if got, want := line(t, hooks.next(t)), `s.updated s 1 {"v":1} -> {"v":2}`; got != want {
				t.Errorf("told %s, want %s", got, want)
			}
			begun := time.Now()
			d.signal(t, syscall.SIGTERM)
			if status := d.exit(t, patience); status != 0 {
				t.Errorf("it ended with status %d", status)
			}
			if took := time.Since(begun); took > 20*time.Second { // 5 s, and some for a busy machine
				t.Errorf("it ended after %s", took)
			}
			if n := strings.Count(d.stderr.String(), "traces are not taken"); n != 1 {
				t.Errorf("that is logged %d times", n)
			}
		})
	}
}

// Without tracing nobody is told, whatever the environment says.
func TestTracingOff(t *testing.T) {
	t.Parallel()
	c, hooks, dir := newSpans(t), newReceiver(t, nil), t.TempDir()
	url, set, _ := values(t, `{"v":1}`)
	text := tracedBy(c, hooks, url)
	write(t, dir, "deltahook.yaml", text[strings.Index(text, "\n"):])
	d := startEnv(t, binary(t), dir, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_TRACES_EXPORTER=otlp"}, "run")
	d.says(t, d.stderr, "tracing.endpoint names no collector")
	d.says(t, d.stderr, "first answer remembered")
	set(`{"v":2}`)
	if parent := hooks.next(t).Header.Get("Traceparent"); parent != "" {
		t.Errorf("the receiver heard %s", parent)
	}
	d.signal(t, syscall.SIGTERM)
	if status := d.exit(t, patience); status != 0 || c.raw.Len() > 0 {
		t.Errorf("status %d, told %s", status, c.raw.String())
	}
}
