package logexport

import (
	"context"
	"log/slog"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Counter counts lines. It is a prometheus.Collector.
type Counter struct {
	rules  *Rules
	events []prometheus.Counter // by class
	levels map[slog.Level]prometheus.Counter
	lines  *prometheus.CounterVec
	all    *prometheus.CounterVec
}

// NewCounter makes a counter for each class of the rules.
func NewCounter(rules *Rules) *Counter {
	c := &Counter{
		rules:  rules,
		levels: map[slog.Level]prometheus.Counter{},
		all: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_log_events_total", Help: "Lines of the log that belong to a class of trouble.",
		}, []string{"class"}),
		lines: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_log_lines_total", Help: "Lines of the log, by level.",
		}, []string{"level"}),
	}
	for _, class := range rules.classes {
		c.events = append(c.events, c.all.WithLabelValues(class))
	}
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		c.levels[level] = c.lines.WithLabelValues(level.String())
	}
	return c
}

// Count counts a line.
func (c *Counter) Count(l Line) { c.count(l, c.rules.concern(l.Level, l.Message)) }

func (c *Counter) count(l Line, concerned []rule) {
	c.levels[roundDown(l.Level)].Inc()
	c.rules.match(l, concerned, func(class int) { c.events[class].Inc() })
}

// roundDown is the level with a name at or below one.
func roundDown(l slog.Level) slog.Level {
	switch {
	case l >= slog.LevelError:
		return slog.LevelError
	case l >= slog.LevelWarn:
		return slog.LevelWarn
	case l >= slog.LevelInfo:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// Describe implements prometheus.Collector.
func (c *Counter) Describe(out chan<- *prometheus.Desc) {
	c.all.Describe(out)
	c.lines.Describe(out)
}

// Collect implements prometheus.Collector.
func (c *Counter) Collect(out chan<- prometheus.Metric) {
	c.all.Collect(out)
	c.lines.Collect(out)
}

// Handler counts records on their way to another handler.
func (c *Counter) Handler(next slog.Handler) slog.Handler {
	return &handler{next: next, counter: c}
}

// handler keeps the attributes that a logger was given, for the rules.
type handler struct {
	next    slog.Handler
	counter *Counter
	attrs   []slog.Attr // their keys with their groups
	group   string      // of those to come, with a dot behind
}

// Enabled implements slog.Handler: what the rules want is counted even where it is
// not written.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.counter.rules.least || h.next.Enabled(ctx, l)
}

// Handle implements slog.Handler. Attributes are looked at only where a rule may
// want them.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	line := Line{Level: r.Level, Message: r.Message}
	concerned := h.counter.rules.concern(r.Level, r.Message)
	if len(concerned) > 0 {
		line.Attrs = map[string]string{}
		for _, a := range h.attrs {
			put(line.Attrs, "", a)
		}
		r.Attrs(func(a slog.Attr) bool {
			put(line.Attrs, h.group, a)
			return true
		})
	}
	h.counter.count(line, concerned)
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func put(attrs map[string]string, group string, a slog.Attr) {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		for _, inner := range value.Group() {
			put(attrs, group+a.Key+".", inner)
		}
		return
	}
	attrs[group+a.Key] = value.String()
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := *h
	more.next, more.attrs = h.next.WithAttrs(attrs), slices.Clone(h.attrs)
	for _, a := range attrs {
		a.Key = h.group + a.Key
		more.attrs = append(more.attrs, a)
	}
	return &more
}

func (h *handler) WithGroup(name string) slog.Handler {
	more := *h
	more.next = h.next.WithGroup(name)
	if name != "" {
		more.group += name + "."
	}
	return &more
}
