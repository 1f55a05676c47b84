package selftest

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts self-test calls.
type metrics struct {
	calls *prometheus.CounterVec
	took  prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_selftest_calls_total", Help: "Self-test calls, by outcome: passed, or the stage that failed.",
		}, []string{"outcome"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcp_selftest_seconds", Help: "How long self-test calls take.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2, 8),
		}),
	}
	for _, outcome := range []Stage{passed, Signalling, Media, Dialogue, HangingUp} {
		m.calls.WithLabelValues(string(outcome))
	}
	return m
}

// passed is the outcome of a call that no stage failed.
const passed Stage = "passed"

func (m *metrics) count(err error, took time.Duration) {
	outcome := passed
	var failed *Error
	if errors.As(err, &failed) {
		outcome = failed.Stage
	}
	m.calls.WithLabelValues(string(outcome)).Inc()
	m.took.Observe(took.Seconds())
}

func (m *metrics) describe(ch chan<- *prometheus.Desc) {
	m.calls.Describe(ch)
	m.took.Describe(ch)
}

func (m *metrics) collect(ch chan<- prometheus.Metric) {
	m.calls.Collect(ch)
	m.took.Collect(ch)
}
