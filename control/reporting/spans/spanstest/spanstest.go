// Package spanstest stands in for an OpenTelemetry collector: it takes OTLP over HTTP as
// the official generated messages have it, and keeps the spans.
package spanstest

import (
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"sync"

	collected "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector is an http.Handler that keeps the spans it is sent. Its zero value is ready.
type Collector struct {
	// Fault may answer in the collector's place.
	Fault func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	spans    []Span
	resource map[string]any
}

// Span is a span, with its ids in hexadecimal digits.
type Span struct {
	*otlp.Span
	Trace, ID, Within string
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.Fault != nil && c.Fault(w, r) {
		return
	}
	if r.URL.Path != "/v1/traces" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not a request of OTLP/HTTP for traces", http.StatusBadRequest)
		return
	}
	var export collected.ExportTraceServiceRequest
	if err := read(r, &export); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.keep(&export)
	answer, err := proto.Marshal(&collected.ExportTraceServiceResponse{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer) // whoever sent has gone
}

func read(r *http.Request, into proto.Message) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unpacked
	}
	all, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return proto.Unmarshal(all, into)
}

func (c *Collector) keep(export *collected.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range export.ResourceSpans {
		c.resource = values(r.Resource.Attributes)
		for _, s := range r.ScopeSpans {
			for _, span := range s.Spans {
				c.spans = append(c.spans, Span{span, hex.EncodeToString(span.TraceId), hex.EncodeToString(span.SpanId), hex.EncodeToString(span.ParentSpanId)})
			}
		}
	}
}

// Spans are those that have come, by the time that they began, and the longer first.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.spans)
	slices.SortStableFunc(out, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano), cmp.Compare(b.EndTimeUnixNano, a.EndTimeUnixNano))
	})
	return out
}

// Resource is what the sender said of itself.
func (c *Collector) Resource() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resource
}

// Values are a span's attributes.
func (s Span) Values() map[string]any { return values(s.Attributes) }

// Notes are the names of what happened within a span.
func (s Span) Notes() (names []string) {
	for _, e := range s.Events {
		names = append(names, e.Name)
	}
	return names
}

func values(attributes []*common.KeyValue) map[string]any {
	out := map[string]any{}
	for _, a := range attributes {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			out[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			out[a.Key] = v.IntValue
		case *common.AnyValue_BoolValue:
			out[a.Key] = v.BoolValue
		case *common.AnyValue_DoubleValue:
			out[a.Key] = v.DoubleValue
		}
	}
	return out
}
