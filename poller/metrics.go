package poller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Results of a poll beside the classes of failure.
const (
	resultOK         = "ok"
	resultUnmodified = "unmodified"
	resultNotOK      = "not_ok" // of ClassOK, whose own word is that of success
)

// results are all that a poll may end with.
var results = []string{
	resultOK, resultUnmodified, string(ClassRequest), string(ClassNetwork), string(ClassRefused), string(ClassTimeout),
	string(ClassRedirect), string(ClassAuth), string(ClassStatus), string(ClassTooLarge), string(ClassFormat), string(ClassRequire),
	resultNotOK, string(ClassItems), string(ClassPages), string(ClassCursor), string(ClassLimit), string(ClassStore),
}

// metrics are the poller's.
type metrics struct {
	polls    *prometheus.CounterVec
	duration prometheus.Histogram
	lateness prometheus.Histogram
	sources  prometheus.Gauge
	failing  prometheus.Gauge
	fails    *prometheus.GaugeVec
	answered *prometheus.GaugeVec
}

// newMetrics registers the metrics at r; nil registers none. It panics where
// they are registered there already.
func newMetrics(r prometheus.Registerer) *metrics {
	with := promauto.With(r)
	return &metrics{
		polls: with.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_polls_total",
			Help: "Polls that ended, by source and result: ok, unmodified (304), or the class of failure (not_ok for that of response.ok).",
		}, []string{"source", "result"}),
		duration: with.NewHistogram(prometheus.HistogramOpts{
			Name:    "deltahook_poll_duration_seconds",
			Help:    "Time from the start of a poll until its answer was taken in or it failed.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		lateness: with.NewHistogram(prometheus.HistogramOpts{
			Name:    "deltahook_poll_lateness_seconds",
			Help:    "Time from when a poll was due until it started.",
			Buckets: []float64{.005, .01, .02, .05, .1, .25, .5, 1, 5, 30, 60, 300},
		}),
		sources: with.NewGauge(prometheus.GaugeOpts{
			Name: "deltahook_sources",
			Help: "Sources that are polled.",
		}),
		failing: with.NewGauge(prometheus.GaugeOpts{
			Name: "deltahook_sources_failing",
			Help: "Sources whose last poll failed.",
		}),
		fails: with.NewGaugeVec(prometheus.GaugeOpts{
			Name: "deltahook_source_failing",
			Help: "1 where the last poll of the source failed (with watch keys: where the last two did, or all keys fail), otherwise 0.",
		}, []string{"source"}),
		answered: with.NewGaugeVec(prometheus.GaugeOpts{
			Name: "deltahook_source_last_success_timestamp_seconds",
			Help: "When a poll of the source last succeeded, since the start.",
		}, []string{"source"}),
	}
}

// succeeded counts a poll whose answer was taken in.
func (m *metrics) succeeded(source, result string, took time.Duration) {
	m.polled(source, result, took)
	m.answered.WithLabelValues(source).SetToCurrentTime()
}

// failed counts a poll that failed.
func (m *metrics) failed(source string, class Class, took time.Duration) {
	m.polled(source, resultOf(class), took)
}

// resultOf is the result of a poll that failed.
func resultOf(class Class) string {
	if class == ClassOK {
		return resultNotOK
	}
	return string(class)
}

// fail notes whether a source fails.
func (m *metrics) fail(source string, fails bool) {
	value := 0.
	if fails {
		value = 1
	}
	m.fails.WithLabelValues(source).Set(value)
}

func (m *metrics) polled(source, result string, took time.Duration) {
	m.polls.WithLabelValues(source, result).Inc()
	m.duration.Observe(took.Seconds())
}
