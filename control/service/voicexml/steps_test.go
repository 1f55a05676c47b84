package voicexml

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp/control/reporting"
	"mcp/control/reporting/recent"
	"mcp/vxml"
	"mcp/vxml/sim"
)

// BenchmarkSteps runs a dialogue of ten turns whose steps nobody wants, and with the
// memory that consoles show.
func BenchmarkSteps(b *testing.B) {
	page := filepath.Join(b.TempDir(), "a.vxml")
	text := `<vxml version="2.1"><var name="n" expr="0"/><form><field name="pin" type="digits?length=4"><prompt>Four digits. Turn <value expr="n"/></prompt>
		<filled><assign name="n" expr="n + 1"/><if cond="n == 10"><exit/></if><clear namelist="pin"/></filled></field></form></vxml>`
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	in := vxml.New(vxml.Options{})
	for name, watcher := range map[string]reporting.Watcher{"nobody": nil, "watched": &recent.Calls{}} {
		b.Run(name, func(b *testing.B) {
			r, err := reporting.Open(b.TempDir(), reporting.Config{Interval: -1, Watcher: watcher}, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			b.ReportAllocs()
			for b.Loop() {
				rec := reporting.Begin(time.Now().Format(time.RFC3339Nano), time.Now())
				trail := r.Begin(rec)
				c := sim.New(strings.NewReader(strings.Repeat("dtmf:1234\n", 10)), io.Discard)
				start := vxml.Start{URL: page, Trace: c.Trace}
				if trail.Traces() {
					start.Steps = func(s vxml.Step) { trail.Step(interpreted[s.Kind], s.Text) }
				}
				if out, err := in.Run(context.Background(), start, c); err != nil || out.End != vxml.Exited {
					b.Fatalf("%+v, %v", out, err)
				}
				if watcher != nil {
					watcher.Ended(rec)
				}
			}
		})
	}
}
