package spans

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// exportTime bounds one exchange with the collector, repetitions included.
const exportTime = 10 * time.Second

// exporter tells once of a collector that takes nothing, and once that it does again.
type exporter struct {
	sdk.SpanExporter
	url     string
	log     *slog.Logger
	failing atomic.Bool
	gone    context.Context
	abandon context.CancelFunc // gives up what is under way

	counter             *prometheus.CounterVec
	ended, sent, failed prometheus.Counter
}

func newExporter(inner sdk.SpanExporter, url string, log *slog.Logger) *exporter {
	e := &exporter{SpanExporter: inner, url: url, log: log}
	e.gone, e.abandon = context.WithCancel(context.Background())
	e.counter = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mcp_trace_spans_total", Help: "Spans of calls' traces: ended, and of these sent or failed to be; others wait or were dropped.",
	}, []string{"outcome"})
	e.ended, e.sent, e.failed = e.counter.WithLabelValues("ended"), e.counter.WithLabelValues("sent"), e.counter.WithLabelValues("failed")
	return e
}

// ExportSpans implements the SDK's SpanExporter. It returns no error: what becomes of
// spans is counted and logged here.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.gone, cancel)()
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.failed.Add(float64(len(spans)))
		if !e.failing.Swap(true) {
			e.log.Warn("traces do not reach the collector; they are dropped until they do", "url", e.url, "error", err)
		}
		return nil
	}
	e.sent.Add(float64(len(spans)))
	if e.failing.Swap(false) {
		e.log.Info("traces reach the collector again", "url", e.url)
	}
	return nil
}

// ended counts spans on their way to what sends them.
type ended struct {
	count func()
	sdk.SpanProcessor
}

// OnEnd implements the SDK's SpanProcessor.
func (e ended) OnEnd(s sdk.ReadOnlySpan) {
	e.count()
	e.SpanProcessor.OnEnd(s)
}

// Describe implements prometheus.Collector.
func (t *Tracer) Describe(ch chan<- *prometheus.Desc) { t.export.counter.Describe(ch) }

// Collect implements prometheus.Collector.
func (t *Tracer) Collect(ch chan<- prometheus.Metric) { t.export.counter.Collect(ch) }
