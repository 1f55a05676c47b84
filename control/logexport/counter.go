package logexport

import (
	"log/slog"

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
