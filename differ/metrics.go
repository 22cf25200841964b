package differ

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	items      *prometheus.GaugeVec
	changes    *prometheus.CounterVec
	events     *prometheus.CounterVec
	ruleErrors *prometheus.CounterVec
	cooled     *prometheus.CounterVec
	foreign    *prometheus.CounterVec
	timers     *prometheus.CounterVec
	held       prometheus.Gauge
}

// newMetrics registers the differ's metrics; a nil r registers none.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		items: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "deltahook_items", Help: "Items remembered of a source."}, []string{"source"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_changes_total", Help: "Changes committed, by kind: created, updated, deleted."}, []string{"source", "change"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_events_total", Help: "Events committed, by type."}, []string{"source", "type"}),
		ruleErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_rule_errors_total", Help: "Rules that could not be evaluated, and so made no event."}, []string{"source", "type"}),
		cooled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_events_cooled_total", Help: "Events that were not made because of their rule's cooldown."}, []string{"source", "type"}),
		foreign: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_watch_foreign_items_total", Help: "Items of a watch key that was not asked for, which were passed over."}, []string{"source"}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "deltahook_held", Help: "Sources, or watch keys of them, whose last answer is held."}),
	}
	m.timers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "deltahook_timers_total", Help: "Times of rules with at that have come, by result: told, untrue, cooldown, error, late.",
	}, []string{"source", "type", "result"})
	if r != nil {
		r.MustRegister(m.items, m.changes, m.events, m.ruleErrors, m.cooled, m.foreign, m.held, m.timers)
	}
	return m
}

// drop drops the series of a source that is gone, or of its rules that the one
// in its place does not have; nil: there is none.
func (m *metrics) drop(before, after *Source) {
	left := map[string]bool{}
	if after != nil {
		for r := range after.reports {
			left[r.event] = true
		}
	}
	for r := range before.reports {
		if !left[r.event] {
			for _, vec := range []*prometheus.CounterVec{m.events, m.ruleErrors, m.cooled} {
				vec.DeleteLabelValues(before.name, r.event)
			}
			for _, result := range []string{timerTold, timerLate, timerUntrue, timerCooling, timerFaulty} {
				m.timers.DeleteLabelValues(before.name, r.event, result)
			}
		}
	}
	if after != nil {
		return
	}
	m.items.DeleteLabelValues(before.name)
	m.foreign.DeleteLabelValues(before.name)
	for _, kind := range []Change{Created, Updated, Deleted} {
		m.changes.DeleteLabelValues(before.name, string(kind))
	}
	for _, kind := range []string{TypeFailing, TypeSourceFailing, TypeSourceStale, TypeSourceRecovered, TypeQuiet, TypeActive, TypeHeld, TypeAuthExpired} {
		m.events.DeleteLabelValues(before.name, kind)
	}
}

// dropSubject drops the series of a subject that is gone.
func (m *metrics) dropSubject(unit string) {
	for _, kind := range []string{TypeEndpointFailing, TypeEndpointPaused, TypeEndpointRecovered, TypeAuthExpired} {
		m.events.DeleteLabelValues(unit, kind)
	}
}
