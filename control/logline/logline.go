// Package logline writes the lines that every call writes, for half of what they take by
// log/slog's own methods: those look up where in the source they are called, which the
// platform's log does not tell.
package logline

import (
	"context"
	"log/slog"
	"time"
)

// Info is slog.Logger's, with attributes, which make nothing of a line that is not written.
func Info(log *slog.Logger, message string, attrs ...slog.Attr) {
	ctx, h := context.Background(), log.Handler()
	if !h.Enabled(ctx, slog.LevelInfo) {
		return
	}
	r := slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
	r.AddAttrs(attrs...)
	_ = h.Handle(ctx, r) // as slog.Logger does: there is nobody to tell
}
