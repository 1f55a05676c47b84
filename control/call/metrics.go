package call

import (
	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/reporting"
)

// Registerer is where metrics are registered; prometheus.Registerer is one.
type Registerer = prometheus.Registerer

// metrics counts calls. Labels come from closed sets, never from the wire.
type metrics struct {
	ended      *prometheus.CounterVec
	refused    *prometheus.CounterVec
	unrecorded prometheus.Counter
	duration   prometheus.Histogram
	setup      prometheus.Histogram
}

func newMetrics(reg Registerer, active func() int) *metrics {
	m := &metrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_calls_ended_total", Help: "Calls that ended, by cause.",
		}, []string{"cause"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_calls_over_limit_total", Help: "Calls refused for want of capacity, by cause.",
		}, []string{"cause"}),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_calls_unrecordable_total", Help: "Calls refused because their records could not be kept.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcp_call_duration_seconds", Help: "From answer to end.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 13),
		}),
		setup: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcp_call_setup_seconds", Help: "From INVITE to answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
	}
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcp_calls_active", Help: "Calls being served.",
	}, func() float64 { return float64(active()) })
	if reg != nil {
		reg.MustRegister(m.ended, m.refused, m.unrecorded, m.duration, m.setup, up)
	}
	return m
}

func (m *metrics) end(r *reporting.Record) {
	m.ended.WithLabelValues(string(r.End.Cause)).Inc()
	if r.AnsweredAt != nil {
		m.setup.Observe(float64(r.Durations.Setup) / 1000)
		m.duration.Observe(float64(r.Durations.Talk) / 1000)
	}
}
