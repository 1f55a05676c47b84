package siprec

import "github.com/prometheus/client_golang/prometheus"

// metrics counts recording sessions.
type metrics struct {
	active prometheus.Gauge
	ended  *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		active: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_recording_sessions_active", Help: "Calls that recording servers are recording."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_recording_sessions_total",
			Help: "Calls to recording servers, by how they ended: completed with the recorded call, lost before, failed to begin.",
		}, []string{"end"}),
	}
	for _, end := range []string{"completed", "lost", "failed"} {
		m.ended.WithLabelValues(end)
	}
	return m
}

// Describe implements prometheus.Collector.
func (c *Client) Describe(ch chan<- *prometheus.Desc) {
	c.metrics.active.Describe(ch)
	c.metrics.ended.Describe(ch)
}

// Collect implements prometheus.Collector.
func (c *Client) Collect(ch chan<- prometheus.Metric) {
	c.metrics.active.Collect(ch)
	c.metrics.ended.Collect(ch)
}
