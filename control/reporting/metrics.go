package reporting

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics tell how records fare. Labels come from closed sets.
type metrics struct {
	written *prometheus.CounterVec
	calls   prometheus.Counter // of written: each call counts there
	lost    *prometheus.CounterVec
	failed  prometheus.Counter
	durable prometheus.Histogram
	gauges  []prometheus.Collector
}

func newMetrics(r *Recorder) *metrics {
	m := &metrics{
		written: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_records_written_total", Help: "Records given to the journals, by kind; those of calls once they are durable.",
		}, []string{"kind"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_records_lost_total", Help: "Records that no journal took, by kind.",
		}, []string{"kind"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_call_records_failed_total", Help: "Call records that could not be made durable.",
		}),
		durable: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcp_call_record_durable_seconds", Help: "What a call waited at its end for its record to be durable.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
	}
	m.gauges = []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mcp_reporting_calls_blocked", Help: "1 while new calls are refused because their records could not be kept.",
		}, func() float64 {
			if r.Check(context.Background()) != nil {
				return 1
			}
			return 0
		}),
	}
	for name, j := range map[string]*Journal{"calls": r.calls, "reports": r.reports} {
		m.gauges = append(m.gauges, journalGauges(name, j)...)
	}
	for _, k := range []Kind{KindCall, KindCustom, KindTrace, KindOperations} {
		m.written.WithLabelValues(string(k))
		m.lost.WithLabelValues(string(k))
	}
	m.calls = m.written.WithLabelValues(string(KindCall))
	return m
}

func journalGauges(name string, j *Journal) []prometheus.Collector {
	gauge := func(metric, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: metric, Help: help, ConstLabels: prometheus.Labels{"journal": name},
		}, value)
	}
	return []prometheus.Collector{
		gauge("mcp_reporting_journal_bytes", "What a journal holds.", func() float64 { return float64(j.Usage().Bytes) }),
		gauge("mcp_reporting_journal_limit_bytes", "What a journal may hold.", func() float64 { return float64(j.Usage().Limit) }),
		gauge("mcp_reporting_journal_dropped_bytes", "Deleted for want of room since the start.", func() float64 { return float64(j.Usage().Dropped) }),
		gauge("mcp_reporting_journal_failed", "1 while a journal cannot be written.", func() float64 {
			if j.Err() != nil {
				return 1
			}
			return 0
		}),
	}
}

func (m *metrics) loss(kind Kind, n int) { m.lost.WithLabelValues(string(kind)).Add(float64(n)) }

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.written, m.lost, m.failed, m.durable}, m.gauges...)
}

func (m *metrics) describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

func (m *metrics) collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}
