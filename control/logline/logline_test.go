package logline

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

func TestLineIsSlogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which stops the clock
		var ours, theirs bytes.Buffer
		for _, attrs := range [][]slog.Attr{nil, {slog.String("from", "sip:ann@h"), slog.Int("status", 200)}, {slog.Group("leg", "name", "caller")}} {
			Info(slog.New(slog.NewTextHandler(&ours, nil)).With("call", 1), "call offered", attrs...)
			slog.New(slog.NewTextHandler(&theirs, nil)).With("call", 1).LogAttrs(t.Context(), slog.LevelInfo, "call offered", attrs...)
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
	url := strings.Repeat("http://web/main.vxml", 1)
	b.Run("logline", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Info(log, "page entered", slog.String("url", url))
		}
	})
	b.Run("slog", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			log.Info("page entered", "url", url)
		}
	})
}

func TestUnwrittenLineMakesNothing(t *testing.T) {
	log, url := slog.New(slog.DiscardHandler), strings.Repeat("u", 8)
	if n := testing.AllocsPerRun(100, func() { Info(log, "page entered", slog.String("url", url)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// taking takes every line and throws it away.
type taking struct{ slog.Handler }

func (taking) Enabled(context.Context, slog.Level) bool { return true }
