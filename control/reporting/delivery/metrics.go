package delivery

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics tell how the delivery of one journal fares.
type metrics struct {
	delivered prometheus.Counter
	failures  prometheus.Counter
	broken    prometheus.Counter
	connected prometheus.Gauge
	duration  prometheus.Histogram
	gauges    []prometheus.Collector
	appended  func() int64

	mu     sync.Mutex
	oldest time.Time // of the records that are being sent; zero: none wait
	known  int64     // records to be delivered since the start, and before it
	done   int64     // delivered since the start
}

// newMetrics makes the metrics of a journal; appended counts what comes to it.
func newMetrics(name string, appended func() int64) *metrics {
	labels := prometheus.Labels{"journal": name}
	counter := func(metric, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: metric, Help: help, ConstLabels: labels})
	}
	m := &metrics{
		delivered: counter("mcp_reporting_delivered_total", "Records that a broker has confirmed; some may come twice."),
		failures:  counter("mcp_reporting_delivery_failures_total", "Attempts to connect or to send that failed."),
		broken:    counter("mcp_reporting_unreadable_total", "Places of the journal that could not be delivered."),
		connected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mcp_reporting_connected", Help: "1 while a broker is connected.", ConstLabels: labels,
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcp_reporting_batch_seconds", Help: "Until a broker had confirmed a batch.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
	}
	m.appended = appended
	m.gauges = []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mcp_reporting_oldest_unsent_seconds", Help: "Age of the oldest record that a broker has not confirmed; 0: there is none.",
			ConstLabels: labels,
		}, m.age),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mcp_reporting_queue_records", Help: "Records that no broker has confirmed.", ConstLabels: labels,
		}, func() float64 { return float64(m.backlog()) }),
	}
	return m
}

// found notes how many records waited at the start, besides those that come.
func (m *metrics) found(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = n
}

// waiting notes of when the record is that is to be sent next; zero: none waits.
func (m *metrics) waiting(since time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.oldest = since
}

func (m *metrics) sent(n int, took time.Duration) {
	m.delivered.Add(float64(n))
	m.duration.Observe(took.Seconds())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += int64(n)
}

// backlog is how many records wait.
func (m *metrics) backlog() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(0, m.known+m.appended()-m.done)
}

func (m *metrics) confirmed() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done
}

func (m *metrics) age() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.oldest.IsZero() {
		return 0
	}
	return max(0, time.Since(m.oldest).Seconds())
}

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.delivered, m.failures, m.broken, m.connected, m.duration}, m.gauges...)
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
