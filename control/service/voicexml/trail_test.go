package voicexml

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mcp/control/reporting"
	"mcp/control/reporting/journal"
	"mcp/vxml"
	"mcp/vxml/secrecy"
)

func TestPrivateInputReachesNoRecord(t *testing.T) {
	dir := t.TempDir()
	r, err := reporting.Open(dir, reporting.Config{Trace: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	rec := reporting.Begin("call-1", time.Now())
	trail := r.Begin(rec)
	var secrets secrecy.Secrets
	secrets.Add("4711")
	custom(trail, &secrets, vxml.PageLog{Label: "com.genesyslab.var.CustomVar", Text: "pin=4711 city=Ghent"})
	custom(trail, &secrets, vxml.PageLog{Text: "a log without a label is no event"})
	rec.Dialogue = dialogue(vxml.Outcome{Namelist: vxml.Namelist{Values: map[string]any{"pin": "4711"}}, Result: "4711"}, secrets.Conceal)
	rec.Finish(time.Now(), reporting.End{Cause: reporting.Completed})
	if err := r.Record(context.Background(), rec); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	var events []string
	for s, err := range reporting.Read(dir, journal.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(s.JSON), "4711") {
			t.Errorf("private input in %s", s.JSON)
		}
		if s.Event != nil {
			events = append(events, s.Event.Text)
		}
	}
	if len(events) != 1 || events[0] != "pin="+secrecy.Mask+" city=Ghent" {
		t.Errorf("events %q", events)
	}
}
