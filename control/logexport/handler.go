package logexport

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// Handler counts records on their way to another handler.
func (c *Counter) Handler(next slog.Handler) slog.Handler {
	return &handler{root: next, counter: c}
}

// handler keeps what a logger was given, for the rules and for when it first writes:
// most loggers of a call never do.
type handler struct {
	counter *Counter
	root    slog.Handler // that of the logger without attributes and groups
	outer   *handler     // nil: this is that logger's
	attrs   []slog.Attr  // beside those of outer
	opened  string       // the group opened beside those of outer, if any
	group   string       // all groups, each with a dot behind

	once sync.Once // guards next
	next slog.Handler
}

// Enabled implements slog.Handler: what the rules want is counted even where it is
// not written.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.counter.rules.least || h.root.Enabled(ctx, l)
}

// Handle implements slog.Handler. Attributes are looked at only where a rule may
// want them.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	line := Line{Level: r.Level, Message: r.Message}
	concerned := h.counter.rules.concern(r.Level, r.Message)
	if len(concerned) > 0 {
		line.Attrs = map[string]string{}
		h.collect(line.Attrs)
		r.Attrs(func(a slog.Attr) bool {
			put(line.Attrs, h.group, a)
			return true
		})
	}
	h.counter.count(line, concerned)
	if !h.root.Enabled(ctx, r.Level) {
		return nil
	}
	return h.writer().Handle(ctx, r)
}

// Dismiss counts a line that is not written and whose attributes no rule wants; false:
// it is another.
func (h *handler) Dismiss(ctx context.Context, l slog.Level, message string) bool {
	if h.root.Enabled(ctx, l) || len(h.counter.rules.concern(l, message)) > 0 {
		return false
	}
	h.counter.count(Line{Level: l}, nil)
	return true
}

// collect gathers the attributes of the logger.
func (h *handler) collect(into map[string]string) {
	if h.outer != nil {
		h.outer.collect(into)
	}
	for _, a := range h.attrs {
		put(into, h.group, a)
	}
}

// writer is the handler that writes what the logger was given, too.
func (h *handler) writer() slog.Handler {
	h.once.Do(func() {
		switch {
		case h.outer == nil:
			h.next = h.root
		case len(h.attrs) > 0:
			h.next = h.outer.writer().WithAttrs(slices.Clone(h.attrs)) // the slice is the handler's then
		default:
			h.next = h.outer.writer().WithGroup(h.opened)
		}
	})
	return h.next
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

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return &handler{counter: h.counter, root: h.root, outer: h, attrs: attrs, group: h.group}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{counter: h.counter, root: h.root, outer: h, opened: name, group: h.group + name + "."}
}
