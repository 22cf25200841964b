package configs

import (
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
)

// Tracing is what a collector of OpenTelemetry is told: a span for each poll,
// and for each attempt to deliver.
type Tracing struct {
	// URL of the collector, which takes OTLP over HTTP: http://localhost:4318.
	// /v1/traces is appended to its path. Default: none, and nothing is traced.
	Endpoint string `yaml:"endpoint"`
	// Headers of each request to it. Values are not shown.
	Headers map[string]secret.Text `yaml:"headers"`
	// The share of traces that is told. Default: 100%.
	Sample units.Percent `yaml:"sample"`
	// Time for one request to the collector. Default: 10s.
	Timeout units.Duration `yaml:"timeout"`
}

// longestTracing is the longest that one request to a collector may take.
const longestTracing = time.Minute

// checkTracing reports a collector that cannot be told, and settings that are
// for one where there is none.
func checkTracing(r fault.Report, cfg *Config) {
	s, at := cfg.Tracing, r.At("tracing")
	if s.Endpoint == "" {
		if len(s.Headers) > 0 {
			at.Errorf("no endpoint: the URL of a collector such as http://localhost:4318 is needed")
		}
		for name, e := range cfg.Endpoints {
			if e.Traceparent {
				r.At("endpoints", name, "traceparent").Warnf("nothing is traced, so no header is sent: tracing.endpoint names no collector")
			}
		}
		return
	}
	checkCollector(at.At("endpoint"), s.Endpoint)
	for name, value := range s.Headers {
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			at.At("headers", name).Errorf("%q is not the name of a header", clip(name))
		case !httpguts.ValidHeaderFieldValue(value.Reveal()):
			at.At("headers", name).Errorf("the value has a line end or another control character")
		}
	}
	if s.Sample < 0 || s.Sample > 1 {
		at.At("sample").Errorf("%s is not between 0%% and 100%%", s.Sample)
	}
	if d := s.Timeout.Std(); d < time.Millisecond || d > longestTracing {
		at.At("timeout").Errorf("%s is not between 1ms and %s", s.Timeout, units.Duration(longestTracing))
	}
}

// checkCollector reports what is no URL that can be shown, and appended to.
func checkCollector(r fault.Report, raw string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		r.Errorf("not a URL such as http://localhost:4318: OTLP over HTTP is spoken, not gRPC")
	case u.User != nil:
		r.Errorf("the URL holds a user or a password; put them into tracing.headers")
	case u.RawQuery != "" || u.Fragment != "":
		r.Errorf("the URL has a query or a fragment; a token belongs into tracing.headers")
	}
}
