package emitter

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapeTime bounds how long one scrape may read the queue.
const scrapeTime = 2 * time.Second

// meters are the emitter's metrics. Labels are endpoints' names and the fixed
// results, so their number is bounded by the configuration.
type meters struct {
	attempts *prometheus.CounterVec
	took     *prometheus.HistogramVec
	delay    prometheus.Histogram
	damaged  *prometheus.GaugeVec
	unmade   *prometheus.CounterVec
	expired  *prometheus.CounterVec
	arrived  *prometheus.GaugeVec
}

// results are the values of the label "result", by what Judge made of it.
var results = map[State]string{Delivered: "delivered", Waiting: "retry", Dead: "dead"}

func newMeters() *meters {
	return &meters{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_attempts_total",
			Help: "Attempts to deliver, by endpoint and result: delivered, retry, dead.",
		}, []string{"endpoint", "result"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "deltahook_attempt_duration_seconds",
			Help:    "Time from the start of an attempt to the end of its answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60},
		}, []string{"endpoint"}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "deltahook_delivery_delay_seconds",
			Help:    "Time from the commit of an event to its delivery.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30, 60, 300, 1800, 3600, 21600, 86400},
		}),
		unmade: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_payload_errors_total",
			Help: "Payloads that could not be made: dead letters from the start.",
		}, []string{"endpoint"}),
		expired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deltahook_deliveries_expired_total",
			Help: "Deliveries that were not sent because they were older than the endpoint's ttl.",
		}, []string{"endpoint"}),
		arrived: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "deltahook_endpoint_last_delivery_timestamp_seconds",
			Help: "When the endpoint last took a delivery, since the start.",
		}, []string{"endpoint"}),
		damaged: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "deltahook_deliveries_damaged",
			Help: "Deliveries whose records are damaged: most found at once since the start.",
		}, []string{"endpoint"}),
	}
}

// register adds the metrics, and what the queue says of the endpoints of e, to r.
func (m *meters) register(r prometheus.Registerer, e *Emitter) {
	r.MustRegister(m.attempts, m.took, m.delay, m.damaged, m.unmade, m.expired, m.arrived, backlog{e})
}

func (m *meters) count(endpoint string, o Outcome) {
	m.attempts.WithLabelValues(endpoint, results[o.Verdict.State]).Inc()
	m.took.WithLabelValues(endpoint).Observe(o.Attempt.Took.Seconds())
	if o.Verdict.State == Delivered {
		end := o.Attempt.At.Add(o.Attempt.Took)
		m.delay.Observe(max(0, end.Sub(o.Delivery.Created)).Seconds())
		m.arrived.WithLabelValues(endpoint).Set(float64(end.UnixMilli()) / 1000)
	}
}

// backlog asks the queue at each scrape. An endpoint that it can't tell of is
// left out of that scrape.
type backlog struct{ of *Emitter }

var (
	waitingDesc = prometheus.NewDesc("deltahook_deliveries_waiting", "Deliveries in the queue.", []string{"endpoint"}, nil)
	deadDesc    = prometheus.NewDesc("deltahook_dead_letters", "Dead letters kept.", []string{"endpoint"}, nil)
	stateDesc   = prometheus.NewDesc("deltahook_endpoint_state",
		"1 for the state that the endpoint is in: ok, failing, paused or disabled.", []string{"endpoint", "state"}, nil)
)

// conditions are the values of the label "state".
var conditions = []Condition{ConditionOK, ConditionFailing, ConditionPaused, ConditionDisabled}

// Describe names the metrics.
func (b backlog) Describe(ch chan<- *prometheus.Desc) {
	ch <- waitingDesc
	ch <- deadDesc
	ch <- stateDesc
}

// Collect reads the queue.
func (b backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	for name, o := range b.of.all() {
		s, err := b.of.queue.Endpoint(ctx, name)
		if err != nil {
			continue
		}
		ch <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(s.Waiting), name)
		ch <- prometheus.MustNewConstMetric(deadDesc, prometheus.GaugeValue, float64(s.Dead), name)
		now := s.Condition()
		if o.endpoint.disabled {
			now = ConditionDisabled
		}
		for _, c := range conditions {
			is := 0.
			if c == now {
				is = 1
			}
			ch <- prometheus.MustNewConstMetric(stateDesc, prometheus.GaugeValue, is, name, string(c))
		}
	}
}
