package logline

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
)

func TestLineIsSlogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which stops the clock
		var ours, theirs bytes.Buffer
		for _, args := range [][]any{nil, {"from", "sip:ann@h", "status", 200}, {slog.Group("leg", "name", "caller")}, {"odd"}} {
			Info(slog.New(slog.NewTextHandler(&ours, nil)).With("call", 1), "call offered", args...)
			slog.New(slog.NewTextHandler(&theirs, nil)).With("call", 1).Info("call offered", args...)
		}
		if ours.String() != theirs.String() || ours.Len() == 0 {
			t.Errorf("ours:\n%stheirs:\n%s", ours.String(), theirs.String())
		}
	})
}

func TestLevelIsHeeded(t *testing.T) {
	var out bytes.Buffer
	Info(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})), "call offered")
	if out.Len() != 0 {
		t.Error(out.String())
	}
}

func BenchmarkInfo(b *testing.B) {
	log := slog.New(taking{slog.DiscardHandler})
	for name, info := range map[string]func(string, ...any){
		"logline": func(m string, args ...any) { Info(log, m, args...) }, "slog": log.Info,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				info("page entered", "url", "http://web/main.vxml")
			}
		})
	}
}

// taking takes every line and throws it away.
type taking struct{ slog.Handler }

func (taking) Enabled(context.Context, slog.Level) bool { return true }
