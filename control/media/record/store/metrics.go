package store

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/media/record"
	"mcp/control/media/record/cms"
)

// metrics counts recordings.
type metrics struct {
	active  prometheus.Gauge
	ended   *prometheus.CounterVec
	refused *prometheus.CounterVec
	missing prometheus.Counter
}

func newMetrics() metrics {
	m := metrics{
		active: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_recordings_active", Help: "Recordings being made."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_recordings_total", Help: "Recordings that ended, by how.",
		}, []string{"end"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_recordings_refused_total", Help: "Recordings that could not begin, by reason; none of them is in the clear.",
		}, []string{"reason"}),
		missing: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_recordings_missing_seconds_total", Help: "Audio that could not be written in time, silence in recordings.",
		}),
	}
	for _, reason := range []string{"certificate", "format", "id", "file"} {
		m.refused.WithLabelValues(reason)
	}
	return m
}

func (m metrics) refuse(err error) {
	reason := "file"
	switch {
	case errors.Is(err, cms.ErrCertificate):
		reason = "certificate"
	case errors.Is(err, record.ErrFormat):
		reason = "format"
	case errors.Is(err, ErrID):
		reason = "id"
	}
	m.refused.WithLabelValues(reason).Inc()
}

func (m metrics) finished(r record.Result, err error) {
	m.active.Dec()
	end := r.End
	if err != nil {
		end = record.Failed
	}
	m.ended.WithLabelValues(string(end)).Inc()
	m.missing.Add(r.Missing.Seconds())
}

func (m metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.active, m.ended, m.refused, m.missing}
}

// Describe implements prometheus.Collector.
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range s.metrics.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	for _, c := range s.metrics.all() {
		c.Collect(ch)
	}
}
