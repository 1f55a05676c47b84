package upload

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what was uploaded and shows what waits. It is the Uploader's
// prometheus.Collector.
type metrics struct {
	parts []prometheus.Collector

	uploaded, octets prometheus.Counter
	failed           *prometheus.CounterVec
}

func newMetrics(u *Uploader) *metrics {
	m := &metrics{
		uploaded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_upload_recordings_total", Help: "Recordings that their destination has.",
		}),
		octets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_upload_bytes_total", Help: "Their octets, without metadata.",
		}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_upload_failures_total", Help: "Tries that failed: to be made again, or refused for good.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{"retried", "refused"} {
		m.failed.WithLabelValues(outcome)
	}
	m.parts = []prometheus.Collector{m.uploaded, m.octets, m.failed,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mcp_upload_pending_recordings", Help: "Finished recordings that wait.",
		}, func() float64 { n, _ := u.Pending(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mcp_upload_oldest_seconds", Help: "For how long the oldest of them has waited.",
		}, func() float64 { _, age := u.Pending(); return age.Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mcp_upload_free_ratio", Help: "How much of the recordings' file system is free, 0 to 1.",
		}, func() float64 {
			free, err := freeShare(u.cfg.Folder)
			if err != nil {
				return 0
			}
			return free
		}),
	}
	return m
}

// Pending is how many recordings wait, and the oldest for how long.
func (u *Uploader) Pending() (n int, oldest time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range u.tasks {
		oldest = max(oldest, time.Since(t.ended))
	}
	return len(u.tasks), oldest
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, p := range m.parts {
		p.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, p := range m.parts {
		p.Collect(out)
	}
}
