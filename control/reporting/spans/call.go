package spans

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"mcp/control/reporting"
)

// part is what a call has one of at a time.
type part int

// The parts. The later ones are within the earlier.
const (
	whole part = iota
	setup
	turn
	prompt
	input
	recognition
	parts
)

var partNames = [parts]string{"call", "INVITE", "turn", "prompt", "input", "recognition"}

// call is a call that is traced.
type call struct {
	tracer  *Tracer
	mu      sync.Mutex
	open    [parts]trace.Span // nil: there is none now
	ctx     [parts]context.Context
	form    string // that the dialogue is in
	engine  string // that listens
	content bool
	over    bool // nothing is added any more
}

// begin begins the trace of a call.
func (t *Tracer) begin(ctx context.Context, r *reporting.Record) *call {
	c := &call{tracer: t, content: t.config.Content}
	attrs := []attribute.KeyValue{
		semconv.NetworkProtocolName("sip"), attribute.String("mcp.call.id", r.ID), attribute.String("mcp.sip.call_id", r.SIPCallID),
	}
	for key, value := range map[attribute.Key]string{"mcp.session": r.Session, "mcp.tenant": r.Tenant, "mcp.profile": r.Profile} {
		if value != "" {
			attrs = append(attrs, key.String(value))
		}
	}
	if c.content {
		attrs = append(attrs, attribute.String("mcp.sip.from", r.Parties.Remote), attribute.String("mcp.sip.to", r.Parties.Local))
	}
	c.ctx[whole], c.open[whole] = t.tracer.Start(ctx, partNames[whole], trace.WithTimestamp(r.StartedAt),
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...))
	c.start(setup, r.StartedAt)
	return c
}

// start begins a part, and ends the one before.
func (c *call) start(p part, at time.Time, attrs ...attribute.KeyValue) {
	c.finish(p, at)
	within := c.ctx[whole]
	if p > turn && c.open[turn] != nil {
		within = c.ctx[turn]
	}
	c.ctx[p], c.open[p] = c.tracer.tracer.Start(within, partNames[p], trace.WithTimestamp(at), trace.WithAttributes(attrs...))
}

// finish ends a part, if there is one.
func (c *call) finish(p part, at time.Time, attrs ...attribute.KeyValue) {
	if span := c.open[p]; span != nil {
		span.SetAttributes(attrs...)
		span.End(trace.WithTimestamp(at))
		c.open[p] = nil
	}
}

// innermost is the span of a part, or of the nearest that it is within.
func (c *call) innermost(p part) trace.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.within(p)
}

func (c *call) within(p part) trace.Span {
	for ; p > whole; p-- {
		if c.open[p] != nil {
			return c.open[p]
		}
	}
	return c.open[whole]
}

// happened takes what a recorder's watcher is shown.
func (c *call) happened(e *reporting.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	switch e.Kind {
	case reporting.KindShown: // spans say it already
	case reporting.KindCustom:
		c.note(turn, e, c.contents(e.Text))
	default:
		if move, known := moves[reporting.Step(e.Name)]; known {
			move(c, e)
		}
	}
}

// note adds an event to a part, or what it is within.
func (c *call) note(p part, e *reporting.Event, attrs ...attribute.KeyValue) {
	valid := attrs[:0]
	for _, a := range attrs {
		if a.Valid() {
			valid = append(valid, a)
		}
	}
	c.within(p).AddEvent(e.Name, trace.WithTimestamp(e.At), trace.WithAttributes(valid...))
}

// text is an attribute with a text that is nobody's.
func text(s string) attribute.KeyValue {
	if s == "" {
		return attribute.KeyValue{}
	}
	return attribute.String("mcp.text", s)
}

// contents is an attribute with what was said, or nothing.
func (c *call) contents(s string) attribute.KeyValue {
	if !c.content {
		return attribute.KeyValue{}
	}
	return text(s)
}

// message is an attribute with the first line of a SIP message, without whom it is for
// unless that is asked for.
func (c *call) message(line string) attribute.KeyValue {
	if !c.content {
		for _, scheme := range []string{" sip:", " sips:", " tel:"} {
			line, _, _ = strings.Cut(line, scheme)
		}
	}
	return attribute.String("mcp.message", line)
}

// end ends the trace.
func (c *call) end(r *reporting.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for p := parts - 1; p > whole; p-- {
		c.finish(p, r.EndedAt)
	}
	root := c.open[whole]
	root.SetAttributes(
		attribute.String("mcp.end.cause", string(r.End.Cause)), attribute.String("mcp.end.by", string(r.End.By)),
		attribute.Int("mcp.sip.status", r.End.SIPStatus), attribute.String("mcp.sip.call_id", r.SIPCallID),
		attribute.Int("mcp.transfers", len(r.Transfers)), attribute.Int("mcp.recordings", len(r.Recordings)),
	)
	if r.Application != "" {
		root.SetAttributes(attribute.String("mcp.application", r.Application))
	}
	for _, l := range r.Media {
		if l.Name == "caller" {
			root.SetAttributes(attribute.String("mcp.media.codec", l.Codec), attribute.Int64("mcp.media.lost", l.Received.Lost),
				attribute.Float64("mcp.media.jitter_ms", l.Received.Jitter), attribute.Float64("mcp.media.mos", l.Received.MOS))
		}
	}
	if r.End.By == reporting.Fault || r.End.Error != "" {
		root.SetAttributes(semconv.ErrorTypeKey.String(string(r.End.Cause)))
		root.SetStatus(codes.Error, c.reason(r.End.Error))
	}
	root.End(trace.WithTimestamp(r.EndedAt))
}

// reason is an error's text, in which a page's own words may be.
func (c *call) reason(s string) string {
	if !c.content {
		return ""
	}
	return s
}
