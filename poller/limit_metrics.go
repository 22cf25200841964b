package poller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// limitMetrics are the metrics of the limits that sources name. They are read
// when they are asked for.
type limitMetrics struct{ *Poller }

var (
	limitWaiting = prometheus.NewDesc("deltahook_limit_waiting", "Polls that are due and wait for their limit.", []string{"limit"}, nil)
	limitUsed    = prometheus.NewDesc("deltahook_limit_used_total", "Requests made on a limit.", []string{"limit"}, nil)
	quotaLeft    = prometheus.NewDesc("deltahook_limit_quota_left", "Requests that are left today (UTC) of a limit's quota.", []string{"limit"}, nil)
)

// Describe is prometheus.Collector's.
func (limitMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- limitWaiting
	out <- limitUsed
	out <- quotaLeft
}

// Collect is prometheus.Collector's.
func (p limitMetrics) Collect(out chan<- prometheus.Metric) {
	var all []prometheus.Metric // out is not waited for under the lock
	p.mu.Lock()
	now := time.Now()
	for name, g := range p.limits {
		l := g.limit
		all = append(all, prometheus.MustNewConstMetric(limitWaiting, prometheus.GaugeValue, float64(len(g.line)), name),
			prometheus.MustNewConstMetric(limitUsed, prometheus.CounterValue, float64(l.before+l.budget.Total()), name))
		if !l.settings.Quota.IsZero() {
			all = append(all, prometheus.MustNewConstMetric(quotaLeft, prometheus.GaugeValue, float64(l.budget.Left(now)), name))
		}
	}
	p.mu.Unlock()
	for _, m := range all {
		out <- m
	}
}
