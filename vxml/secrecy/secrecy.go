// Package secrecy keeps what a caller gave in private out of logs, traces and
// records: a list of texts, and what hides them in other texts.
package secrecy

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// Mask stands where a secret stood.
const Mask = "***"

// shortest is the length from which a text is looked for: a shorter one would be
// found in everything, and tells nothing.
const shortest = 3

// most bounds how many secrets are kept, the newest ones.
const most = 256

// Secrets are the secrets of one session. The zero value has none; it is safe
// for concurrent use.
type Secrets struct {
	mu  sync.RWMutex
	all []string // the longest first, so that a part does not spoil the whole
	// brief are those that are too short to be looked for.
	brief []string
}

// Add makes the texts secrets; keys also as they are written without spaces.
func (s *Secrets) Add(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range texts {
		for _, form := range []string{text, strings.ReplaceAll(text, " ", "")} {
			to := &s.all
			if len(form) < shortest {
				to = &s.brief
			}
			if form != "" && !slices.Contains(*to, form) {
				*to = append(*to, form)
			}
		}
	}
	s.all, s.brief = s.all[max(len(s.all)-most, 0):], s.brief[max(len(s.brief)-most, 0):]
	slices.SortStableFunc(s.all, func(a, b string) int { return len(b) - len(a) })
}

// Conceal masks every secret in the text.
func (s *Secrets) Conceal(text string) string {
	if s == nil {
		return text
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, secret := range s.all {
		text = strings.ReplaceAll(text, secret, Mask)
	}
	return text
}

// Value masks every secret in a variable's value, and the value itself where it is one,
// however short.
func (s *Secrets) Value(text string) string {
	s.mu.RLock()
	short := slices.Contains(s.brief, text)
	s.mu.RUnlock()
	if short {
		return Mask
	}
	return s.Conceal(text)
}

func (s *Secrets) none() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.all) == 0
}

// Logger writes to what l writes to, without the secrets: l, where it does already.
func (s *Secrets) Logger(l *slog.Logger) *slog.Logger {
	if h, ok := l.Handler().(handler); ok && h.secrets == s {
		return l
	}
	return slog.New(handler{l.Handler(), s})
}

// handler is a slog.Handler that conceals.
type handler struct {
	slog.Handler
	secrets *Secrets
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if h.secrets.none() {
		return h.Handler.Handle(ctx, r)
	}
	out := slog.NewRecord(r.Time, r.Level, h.secrets.Conceal(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.conceal(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// Dismiss lets the handler behind take note of a line by its message, where that is
// enough for it.
func (h handler) Dismiss(ctx context.Context, l slog.Level, message string) bool {
	d, ok := h.Handler.(interface {
		Dismiss(ctx context.Context, l slog.Level, message string) bool
	})
	return ok && d.Dismiss(ctx, l, h.secrets.Conceal(message))
}

// conceal masks an attribute; what is no plain number, time or truth is looked at
// as the text that it would be written as.
func (h handler) conceal(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindGroup:
		var inner []any
		for _, member := range v.Group() {
			inner = append(inner, h.conceal(member))
		}
		return slog.Group(a.Key, inner...)
	case slog.KindBool, slog.KindDuration, slog.KindTime:
		return a
	default:
		text := v.String()
		if masked := h.secrets.Conceal(text); masked != text {
			return slog.String(a.Key, masked)
		}
		return a
	}
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = h.conceal(a)
	}
	return handler{h.Handler.WithAttrs(masked), h.secrets}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.secrets}
}
