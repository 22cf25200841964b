package bolt

import (
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are those of an open file. A label is the name of an endpoint.
type metrics struct {
	took       prometheus.Histogram
	failed     prometheus.Counter
	superseded *prometheus.CounterVec
}

// newMetrics registers the metrics of the file at path; a nil r registers none.
// writes says whether the last that was to be written was.
func newMetrics(r prometheus.Registerer, path string, writes func() bool) *metrics {
	with := promauto.With(r)
	if r != nil {
		r.MustRegister(&space{path})
	}
	with.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "deltahook_store_writable",
		Help: "1 where the last that was to be written was, 0 from the first transaction that the disk refused.",
	}, func() float64 {
		if writes() {
			return 1
		}
		return 0
	})
	return &metrics{
		took: with.NewHistogram(prometheus.HistogramOpts{
			Name:    "deltahook_store_commit_duration_seconds",
			Help:    "Time of one transaction, which several commits may share, with its fsync.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		failed: with.NewCounter(prometheus.CounterOpts{
			Name: "deltahook_store_commit_failures_total",
			Help: "Transactions that the disk refused.",
		}),
		superseded: with.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_deliveries_superseded_total",
			Help: "Deliveries that were not sent because a later update of their item took their place.",
		}, []string{"endpoint"}),
	}
}

// committed counts a transaction that was to be written, and what it superseded
// at the endpoints; err is the disk's.
func (m *metrics) committed(took time.Duration, superseded map[string]int, err error) {
	m.took.Observe(took.Seconds())
	if err != nil {
		m.failed.Inc()
		return
	}
	for endpoint, n := range superseded {
		m.superseded.WithLabelValues(endpoint).Add(float64(n))
	}
}

// space asks at each scrape how large the file is, and what is left of its
// disk. What cannot be told is left out of that scrape.
type space struct{ path string }

var (
	sizeDesc = prometheus.NewDesc("deltahook_store_size_bytes", "Size of the store's file.", nil, nil)
	freeDesc = prometheus.NewDesc("deltahook_store_disk_free_bytes", "What this user may still write where the store's file is.", nil, nil)
)

// Describe names the metrics.
func (s *space) Describe(ch chan<- *prometheus.Desc) {
	ch <- sizeDesc
	ch <- freeDesc
}

// Collect asks the disk.
func (s *space) Collect(ch chan<- prometheus.Metric) {
	if info, err := os.Stat(s.path); err == nil {
		ch <- prometheus.MustNewConstMetric(sizeDesc, prometheus.GaugeValue, float64(info.Size()))
	}
	if free, known, err := freeSpace(filepath.Dir(s.path)); err == nil && known {
		ch <- prometheus.MustNewConstMetric(freeDesc, prometheus.GaugeValue, float64(free))
	}
}
