package main

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/trace"
)

// newTracer is that of the configuration; nil: it names no collector, and
// nothing is traced.
func newTracer(s configs.Tracing, log *slog.Logger, redactor *secret.Redactor, r prometheus.Registerer) (*trace.Tracer, error) {
	if s.Endpoint == "" {
		return nil, nil //nolint:nilnil // it is ready for use
	}
	header := http.Header{}
	for name, value := range s.Headers {
		header.Set(name, value.Reveal())
	}
	return trace.New(trace.Options{
		Endpoint: s.Endpoint, Header: header, Timeout: s.Timeout.Std(), Sample: float64(s.Sample),
		Version: version, Hide: redactor.Text, Logger: log, Metrics: r,
	})
}
