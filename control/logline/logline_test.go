package logline

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
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

// noting is a handler that looks at the messages of lines, and wants no more of some.
type noting struct {
	slog.Handler
	content *bool
	seen    *[]string
}

func (n noting) Dismiss(_ context.Context, l slog.Level, message string) bool {
	*n.seen = append(*n.seen, l.String()+" "+message)
	return *n.content
}

func TestLineThatIsDismissedIsNotMade(t *testing.T) {
	var out bytes.Buffer
	var seen []string
	content := true
	log := slog.New(noting{slog.NewTextHandler(&out, nil), &content, &seen})
	Info(log, "call offered")
	if out.Len() != 0 {
		t.Error(out.String())
	}
	content = false
	Info(log, "call ended")
	if want := []string{"INFO call offered", "INFO call ended"}; !slices.Equal(seen, want) {
		t.Errorf("asked about %q, want %q", seen, want)
	}
	if !strings.Contains(out.String(), "call ended") {
		t.Errorf("written: %q", out.String())
	}
}

func BenchmarkInfo(b *testing.B) {
	log, dismissed := slog.New(taking{slog.DiscardHandler}), slog.New(dismissing{taking{slog.DiscardHandler}})
	url := strings.Repeat("http://web/main.vxml", 1)
	b.Run("logline", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Info(log, "page entered", slog.String("url", url))
		}
	})
	b.Run("dismissed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Info(dismissed, "page entered", slog.String("url", url))
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

// dismissing does so at the message.
type dismissing struct{ slog.Handler }

func (dismissing) Dismiss(context.Context, slog.Level, string) bool { return true }
