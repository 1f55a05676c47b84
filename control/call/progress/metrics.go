package progress

import "github.com/prometheus/client_golang/prometheus"

// Registerer is where metrics are registered; prometheus.Registerer is one.
type Registerer = prometheus.Registerer

// metrics counts what became of calls. Labels come from closed sets.
type metrics struct {
	outcomes *prometheus.CounterVec
	time     prometheus.Histogram
}

func newMetrics(reg Registerer) *metrics {
	m := &metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_call_progress_total", Help: "Calls made and analysed, by what was heard of them.",
		}, []string{"outcome"}),
		time: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcp_call_progress_seconds", Help: "From the answer until it was known who has answered.",
			Buckets: prometheus.ExponentialBuckets(0.1, 2, 10),
		}),
	}
	if reg != nil {
		reg.MustRegister(m.outcomes, m.time)
	}
	return m
}

func (m *metrics) found(r Result) {
	m.outcomes.WithLabelValues(string(r.Outcome)).Inc()
	if r.Answered {
		m.time.Observe(r.After.Seconds())
	}
}
