package trace

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Why spans were dropped.
const (
	droppedFull    = "full"    // too many waited
	droppedRefused = "refused" // the collector does not want them
	droppedFailed  = "failed"  // it did not take them, tried often enough
)

type metrics struct {
	sent prometheus.Counter
	lost *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	with := promauto.With(r)
	m := metrics{
		sent: with.NewCounter(prometheus.CounterOpts{
			Name: "deltahook_spans_exported_total",
			Help: "Spans that the collector took.",
		}),
		lost: with.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_spans_dropped_total",
			Help: "Spans that it did not, by reason: full (too many waited), refused (by the collector), failed (it could not be reached).",
		}, []string{"reason"}),
	}
	for _, reason := range []string{droppedFull, droppedRefused, droppedFailed} {
		m.lost.WithLabelValues(reason)
	}
	return m
}

func (m metrics) dropped(reason string, n int) { m.lost.WithLabelValues(reason).Add(float64(n)) }
