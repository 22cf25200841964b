// Package trace tells a collector of OpenTelemetry what was done, and how long
// it took: spans, sent by OTLP over HTTP, in JSON.
//
//	Start -> Set -> End -> queue -> batch -> POST …/v1/traces
//
// A nil *Tracer and a nil *Span are ready for use and do nothing: whoever is
// traced need not ask whether it is. Nothing of the environment is read.
//
// The standards are OTLP 1.x (https://opentelemetry.io/docs/specs/otlp/) and
// Trace Context (https://www.w3.org/TR/trace-context/).
package trace

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Bounds of what waits for the collector.
const (
	mostWaiting = 2048 // spans; those that end beyond it are dropped
	mostInBatch = 512
	longestText = 256 // bytes of a text; the rest is cut off

	gatherFor = 5 * time.Second // from a span's end until it is sent, unless a batch is full before
	flushFor  = 5 * time.Second // at the end, for all that waits
)

// Options is what a tracer may be told.
type Options struct {
	Endpoint string        // URL of the collector; /v1/traces is appended to its path
	Header   http.Header   // of each request to it
	Timeout  time.Duration // for one request; 0: 10 s
	Sample   float64       // the share of traces that is told; 1 or more: all, 0: none
	Version  string        // of this program

	Transport http.RoundTripper     // makes the requests; nil: its own, to any address
	Hide      func(string) string   // cuts secrets out of texts; nil: there are none
	Logger    *slog.Logger          // where is told that the collector takes nothing; nil: nowhere
	Metrics   prometheus.Registerer // nil: nothing is measured
}

// Tracer makes spans and sends them. It is safe for concurrent use; make it
// with New. What has ended waits until Run sends it.
type Tracer struct {
	client   *http.Client
	url      string
	header   http.Header
	timeout  time.Duration
	bound    uint64 // of the last 63 bits of a trace's id: those below are told
	resource []attribute
	version  string
	hide     func(string) string
	log      *slog.Logger
	metrics  metrics

	full    chan struct{} // capacity 1: there is a whole batch
	mu      sync.Mutex
	waiting []*Span
	ended   bool // nobody sends any more
}

// New makes a tracer. The error is about Endpoint, and does not quote it.
func New(o Options) (*Tracer, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the collector's URL does not begin with http:// or https:// and a host")
	}
	t := &Tracer{
		url: u.JoinPath("v1", "traces").String(), header: http.Header{}, timeout: cmp.Or(o.Timeout, 10*time.Second),
		version: o.Version, hide: o.Hide, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
		bound: boundOf(o.Sample), metrics: newMetrics(o.Metrics), full: make(chan struct{}, 1),
		resource: []attribute{{key: "service.name", text: "deltahook"}, {key: "service.version", text: o.Version}},
	}
	if o.Header != nil {
		t.header = o.Header.Clone()
	}
	t.header.Set("Content-Type", "application/json")
	t.header.Set("User-Agent", "Deltahook/"+o.Version)
	t.client = &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if o.Transport == nil {
		t.client.Transport = &http.Transport{ // without a proxy of the environment
			ForceAttemptHTTP2: true, MaxIdleConns: 1, MaxConnsPerHost: 1, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: t.timeout, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return t, nil
}

// boundOf makes a bound of a share, so that the share of all numbers of 63 bits
// is below.
func boundOf(share float64) uint64 {
	switch {
	case share >= 1:
		return 1 << 63
	case share <= 0:
		return 0
	}
	return uint64(share * (1 << 63))
}

// samples says whether a trace is told. That follows from its id alone, so all
// of a trace is told or nothing.
func (t *Tracer) samples(id ID) bool {
	return t != nil && binary.BigEndian.Uint64(id.Trace[8:])>>1 < t.bound
}

// Start begins a trace with its first span; nil: it is not told.
func (t *Tracer) Start(name string) *Span {
	if t == nil {
		return nil
	}
	id := newID()
	if !t.samples(id) {
		return nil
	}
	return &Span{tracer: t, id: id, name: name, kind: internal, start: time.Now()}
}

// Sent begins a span, of a request that was sent at start, whose identity is
// known; nil: its trace is not told.
func (t *Tracer) Sent(name string, id ID, start time.Time) *Span {
	if !t.samples(id) {
		return nil
	}
	return &Span{tracer: t, id: id, name: name, kind: client, start: start}
}

// Parent is the header traceparent of a request that the span of id is about;
// "": nothing is traced. The receiver is told whether the trace is.
func (t *Tracer) Parent(id ID) string {
	if t == nil {
		return ""
	}
	return id.traceparent(t.samples(id))
}

// queue takes in a span that has ended.
func (t *Tracer) queue(s *Span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || len(t.waiting) == mostWaiting {
		t.metrics.dropped(droppedFull, 1)
		return
	}
	t.waiting = append(t.waiting, s)
	if len(t.waiting) >= mostInBatch {
		select {
		case t.full <- struct{}{}:
		default:
		}
	}
}

// batch takes what is sent at once.
func (t *Tracer) batch() []*Span {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(t.waiting), mostInBatch)
	taken := t.waiting[:n:n]
	if t.waiting = t.waiting[n:]; len(t.waiting) == 0 {
		t.waiting = nil
	}
	return taken
}
