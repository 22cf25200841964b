package poller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// open readies the limits that the sources of jobs name: what is used of them, where it is
// stored, and their metrics.
func (p *Poller) open(o Options, jobs []*job) {
	now := time.Now()
	for _, j := range jobs {
		l := j.source.limit
		if l == nil || p.limits[l.name] != nil {
			continue
		}
		p.limits[l.name] = l
		if p.ledger != nil {
			l.budget.Keep(o.Usage[l.name], p.owe, now)
		}
		p.watch(j.gate, o.Metrics)
	}
}

// watch registers the metrics of a limit at r; nil registers none. They are
// read when they are asked for.
func (p *Poller) watch(g *gate, r prometheus.Registerer) {
	with, label := promauto.With(r), prometheus.Labels{"limit": g.limit.name}
	with.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "deltahook_limit_waiting", ConstLabels: label,
		Help: "Polls that are due and wait for their limit.",
	}, func() float64 {
		p.mu.Lock()
		defer p.mu.Unlock()
		return float64(len(g.line))
	})
	with.NewCounterFunc(prometheus.CounterOpts{
		Name: "deltahook_limit_used_total", ConstLabels: label,
		Help: "Requests made on a limit.",
	}, func() float64 { return float64(g.limit.budget.Total()) })
	if !g.limit.settings.Quota.IsZero() {
		with.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "deltahook_limit_quota_left", ConstLabels: label,
			Help: "Requests that are left today (UTC) of a limit's quota.",
		}, func() float64 { return float64(g.limit.budget.Left(time.Now())) })
	}
}
