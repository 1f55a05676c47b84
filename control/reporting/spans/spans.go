// Package spans makes OpenTelemetry traces of calls out of what a recorder's watcher is
// shown, so that consoles and traces tell the same, and sends them to a collector over
// OTLP/HTTP. What web servers are asked for calls is traced as it happens, and they are
// told of the trace (W3C Trace Context).
//
// A call's trace has the call's own id, without the hyphens, unless whoever sent the call
// has begun one. Its spans are
//
//	call NAME           all of it; NAME is the service, such as voicexml
//	  INVITE            until the call is up, or refused
//	  turn              the visit of a form item
//	    prompt          from its beginning to its end, or to the barge-in
//	    input           from listening to what was understood
//	    recognition     what an engine was asked to listen for
//	  GET, POST         a request to a web server
//
// HTTP spans, the resource and errors have the names of the semantic conventions; for
// SIP, speech and dialogues there are none, and the names are our own, below "mcp.".
// Nothing in a trace was given in private. What was said, keyed, played or logged, and
// who called whom, is left out unless it is asked for.
//
// Nobody waits for a collector: what it does not take is dropped and counted.
package spans

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"mcp/control/reporting"
)

// Config says what is traced and where it goes.
type Config struct {
	// URL takes traces: http://collector:4318/v1/traces.
	URL string
	// Client carries them.
	Client *http.Client
	// Ratio is the share of the calls that are traced, 0 to 1. Calls that come with a
	// trace are traced if it is recorded.
	Ratio float64
	// Content puts into traces what was said, keyed, played and logged, and who called
	// whom.
	Content bool
	// Silent keeps the trace from web servers.
	Silent bool
	// Instance is the platform's own name.
	Instance string
}

// Tracer makes traces. It implements reporting.Watcher and prometheus.Collector, and is
// safe for concurrent use.
type Tracer struct {
	config    Config
	threshold uint64
	provider  *sdk.TracerProvider
	tracer    trace.Tracer
	export    *exporter

	mu    sync.Mutex
	calls map[string]*call // those that are traced and up
}

// The bounds on what waits for the collector, and for how long it is waited at the end.
const (
	queue    = 8192 // spans
	delay    = 2 * time.Second
	patience = 3 * time.Second
)

// New makes a Tracer. Close must follow.
func New(config Config, log *slog.Logger) (*Tracer, error) {
	inner, err := otlptracehttp.New(context.Background(),
		otlptracehttp.WithEndpointURL(config.URL), otlptracehttp.WithHTTPClient(config.Client),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithTimeout(exportTime),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 5 * time.Second, MaxElapsedTime: exportTime}))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	t := &Tracer{config: config, threshold: threshold(config.Ratio), export: newExporter(inner, config.URL, log), calls: map[string]*call{}}
	t.provider = sdk.NewTracerProvider(
		sdk.WithSpanProcessor(ended{t.export.ended.Inc, sdk.NewBatchSpanProcessor(t.export,
			sdk.WithMaxQueueSize(queue), sdk.WithBatchTimeout(delay), sdk.WithExportTimeout(2*exportTime))}),
		sdk.WithSampler(sdk.AlwaysSample()), sdk.WithIDGenerator(identities{}),
		sdk.WithResource(resource.NewWithAttributes(semconv.SchemaURL,
			semconv.ServiceName("mcp"), semconv.ServiceInstanceID(config.Instance), semconv.HostName(config.Instance))),
	)
	t.tracer = t.provider.Tracer("mcp", trace.WithSchemaURL(semconv.SchemaURL))
	return t, nil
}

// Close sends what is waiting, if the collector takes it soon.
func (t *Tracer) Close() error {
	defer time.AfterFunc(patience, t.export.abandon).Stop()
	return t.provider.Shutdown(context.Background())
}

// randomness is what is drawn by lot of a trace's id: the last seven bytes, as W3C Trace
// Context level 2 has it, and as it is in a UUID of version 7.
func randomness(id trace.TraceID) (r uint64) {
	for _, b := range id[9:] {
		r = r<<8 | uint64(b)
	}
	return r
}

// threshold is what a trace's randomness stays below in a share of the traces.
func threshold(ratio float64) uint64 { return uint64(math.Round(ratio * (1 << 56))) }

// context is what a call's trace begins with; false: the call is not traced.
func (t *Tracer) context(r *reporting.Record) (context.Context, bool) {
	if r.Parent != "" {
		carrier := propagation.MapCarrier{"traceparent": r.Parent}
		ctx := propagation.TraceContext{}.Extract(context.Background(), carrier)
		if parent := trace.SpanContextFromContext(ctx); parent.IsValid() {
			return ctx, parent.IsSampled()
		}
	}
	var id trace.TraceID
	if n, err := hex.Decode(id[:], []byte(strings.ReplaceAll(r.ID, "-", ""))); err != nil || n != len(id) || !id.IsValid() {
		return nil, false
	}
	return context.WithValue(context.Background(), identity{}, id), randomness(id) < t.threshold
}

// Begun implements reporting.Watcher.
func (t *Tracer) Begun(r *reporting.Record) func(*reporting.Event) {
	ctx, sampled := t.context(r)
	if !sampled {
		return nil
	}
	c := t.begin(ctx, r)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[r.ID] = c
	return c.happened
}

// Ended implements reporting.Watcher.
func (t *Tracer) Ended(r *reporting.Record) {
	t.mu.Lock()
	c := t.calls[r.ID]
	delete(t.calls, r.ID)
	t.mu.Unlock()
	if c != nil {
		c.end(r)
	}
}

// find is a call that is traced, or nil.
func (t *Tracer) find(id string) *call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls[id]
}
