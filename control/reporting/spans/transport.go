package spans

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"mcp/control/reporting"
)

// transport traces what is asked of web servers for calls.
type transport struct {
	tracer *Tracer
	next   http.RoundTripper
}

// Transport traces the requests that another carries for calls that are traced, and
// tells their servers; of a nil Tracer it is the other.
func (t *Tracer) Transport(next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	return &transport{t, next}
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := t.tracer.find(reporting.CallOf(r.Context()))
	if c == nil || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return t.next.RoundTrip(r)
	}
	ctx, span := t.tracer.tracer.Start(trace.ContextWithSpan(r.Context(), c.innermost(turn)), method(r.Method),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(asked(r)...))
	if !t.tracer.config.Silent {
		r = r.Clone(ctx)
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		span.SetAttributes(semconv.ErrorType(err))
		span.SetStatus(codes.Error, failure(err))
		span.End()
		return resp, err
	}
	span.SetAttributes(semconv.HTTPResponseStatusCode(resp.StatusCode))
	if resp.StatusCode >= http.StatusBadRequest {
		span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(resp.StatusCode)))
		span.SetStatus(codes.Error, "")
	}
	resp.Body = &body{ReadCloser: resp.Body, span: span}
	return resp, nil
}

// method is a request's method as span names and attributes have it: no unknown ones.
func method(m string) string {
	known := []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
	if slices.Contains(known, m) {
		return m
	}
	return "HTTP"
}

// asked describes a request, without the parts of its URL that may be private.
func asked(r *http.Request) []attribute.KeyValue {
	public := url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path, RawPath: r.URL.RawPath}
	attrs := []attribute.KeyValue{semconv.URLFull(public.String()), semconv.ServerAddress(r.URL.Hostname())}
	if m := method(r.Method); m == "HTTP" {
		attrs = append(attrs, semconv.HTTPRequestMethodOther)
	} else {
		attrs = append(attrs, semconv.HTTPRequestMethodKey.String(m))
	}
	port, err := strconv.Atoi(r.URL.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[r.URL.Scheme]
	}
	return append(attrs, semconv.ServerPort(port))
}

// failure says why there was no answer, without the URL.
func failure(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Error()
	}
	return err.Error()
}

// body ends a request's span once its answer is read.
type body struct {
	io.ReadCloser
	span trace.Span
	once sync.Once
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.once.Do(func() { b.span.End() })
	return b.ReadCloser.Close()
}
