// Package logline writes the lines that every call writes, for half of what they take by
// log/slog's own methods: those look up where in the source they are called, which the
// platform's log does not tell.
package logline

import (
	"context"
	"log/slog"
	"time"
)

// dismisser is a handler for which the message of a line may be enough.
type dismisser interface {
	// Dismiss takes note of a line of which the handler wants to know no more; false:
	// it wants the whole line.
	Dismiss(ctx context.Context, level slog.Level, message string) bool
}

// Info is slog.Logger's, with attributes, which make nothing of a line that is not written.
func Info(log *slog.Logger, message string, attrs ...slog.Attr) {
	ctx, h := context.Background(), log.Handler()
	if !h.Enabled(ctx, slog.LevelInfo) {
		return
	}
	if d, ok := h.(dismisser); ok && d.Dismiss(ctx, slog.LevelInfo, message) {
		return
	}
	r := slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
	r.AddAttrs(attrs...)
	_ = h.Handle(ctx, r) // as slog.Logger does: there is nobody to tell
}
