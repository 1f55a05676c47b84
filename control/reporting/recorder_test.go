package reporting

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"mcp/control/reporting/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// full is a record with every field set.
func full(t testing.TB) *Record {
	t.Helper()
	started := time.Date(2026, 3, 29, 1, 59, 58, 5e6, time.FixedZone("CET", 3600))
	r := Begin("01890a5d-ac96-774b-bcce-b302099a8057", started)
	r.SIPCallID, r.Session, r.Application = "a84b4c76e66710@pc33", "8F6B-01", "http://web/app.vxml?pin=1234"
	r.Parties = Parties{Local: "sip:100@mcp", Remote: "sip:alice@sbc", Request: "sip:100@10.0.0.1:5070"}
	r.Tenant, r.Profile, r.Parties.DNIS, r.Parties.ANI = "1.101", "117", "100", "alice"
	r.Transfers = []Transfer{{Kind: "bridge", To: "sip:200@sbc", Result: "far_end_disconnect", Duration: 4000}}
	r.Recordings = []Recording{{URI: "file:///rec/1.wav", Duration: 2000}}
	r.Progress = []Progress{{Leg: "party-1", Outcome: "machine", Answered: true, Beep: true, After: 2400}}
	r.Media = []Leg{{
		Name: "caller", Codec: "PCMU", Remote: "10.0.0.9:20000",
		Received: Received{
			Packets: 500, Bytes: 86000, Relayed: 480, User: 20, Lost: -1, Jitter: 0.25, RTCP: 3,
			Dropped: map[string]uint64{"wrong-source": 2},
		},
		Sent: Sent{Packets: 499, Bytes: 85828, Relayed: 450},
	}}
	r.Speech = &Speech{Recognitions: 2, Matches: 1, NoMatches: 1, NoInputs: 0, Syntheses: 3, Failures: 0}
	r.Dialogue = &Dialogue{Pages: 2, LastEvent: "connection.disconnect.hangup", Exit: map[string]string{"city": "Ghent"}}
	r.Answer(started.Add(1500 * time.Millisecond))
	r.Finish(started.Add(11500*time.Millisecond), End{Cause: HangUp, By: Caller, SIPStatus: 200, Error: "none"})
	return r
}

// golden pins the JSON: whoever reads records outside this platform relies on it.
const golden = `{"schema":1,"kind":"call","id":"01890a5d-ac96-774b-bcce-b302099a8057","component":"mcp-0","tenant":"1.101",` +
	`"profile":"117","session":"8F6B-01","application":"http://web/app.vxml","sip_call_id":"a84b4c76e66710@pc33",` +
	`"parties":{"local_uri":"sip:100@mcp","remote_uri":"sip:alice@sbc",` +
	`"request_uri":"sip:100@10.0.0.1:5070","dnis":"100","ani":"alice"},` +
	`"started_at":"2026-03-29T00:59:58.005Z","answered_at":"2026-03-29T00:59:59.505Z",` +
	`"ended_at":"2026-03-29T01:00:09.505Z","durations":{"setup_ms":1500,"talk_ms":10000,"total_ms":11500},` +
	`"end":{"cause":"hang-up","by":"caller","sip_status":200,"error":"none"},` +
	`"media":[{"leg":"caller","codec":"PCMU","remote":"10.0.0.9:20000",` +
	`"received":{"packets":500,"bytes":86000,"relayed":480,"user":20,"lost":-1,"jitter_ms":0.25,` +
	`"dropped":{"wrong-source":2},"rtcp":3},"sent":{"packets":499,"bytes":85828,"relayed":450}}],` +
	`"speech":{"recognitions":2,"matches":1,"no_matches":1,"no_inputs":0,"syntheses":3,"failures":0},` +
	`"dialogue":{"pages":2,"last_event":"connection.disconnect.hangup","exit":{"city":"Ghent"}},` +
	`"transfers":[{"kind":"bridge","to":"sip:200@sbc","result":"far_end_disconnect","duration_ms":4000}],` +
	`"recordings":[{"uri":"file:///rec/1.wav","duration_ms":2000}],` +
	`"progress":[{"leg":"party-1","outcome":"machine","answered":true,"beep":true,"after_ms":2400}]}`

func open(t *testing.T, dir string) *Recorder {
	t.Helper()
	return openWith(t, dir, Config{Interval: -1})
}

func openWith(t testing.TB, dir string, c Config) *Recorder {
	t.Helper()
	c.Component = "mcp-0"
	r, err := Open(dir, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestRecordIsStoredAsDocumented(t *testing.T) {
	dir := t.TempDir()
	recorder := open(t, dir)
	record := full(t)
	recorder.Begin(record)
	before := *record
	if err := recorder.Record(context.Background(), record); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, *record) {
		t.Error("recording changed the record")
	}
	n := 0
	for s, err := range Read(dir, journal.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if string(s.JSON) != golden {
			t.Errorf("stored\n%s\nwant\n%s", s.JSON, golden)
		}
		again, err := json.Marshal(s.Record)
		if err != nil || !bytes.Equal(again, s.JSON) {
			t.Errorf("read back as %s, %v", again, err)
		}
	}
	if n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestUnansweredCallHasSetupButNoTalk(t *testing.T) {
	start := time.Now()
	r := Begin("id", start)
	r.Finish(start.Add(300*time.Millisecond), End{Cause: Cancelled, By: Caller, SIPStatus: 487})
	if want := (Durations{Setup: 300, Total: 300}); r.Durations != want || r.AnsweredAt != nil {
		t.Errorf("durations %+v", r.Durations)
	}
	b, err := Encode(r)
	if err != nil || strings.Contains(string(b), "answered_at") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestUndecodableRecordIsReportedAndPassed(t *testing.T) {
	dir := t.TempDir()
	recorder := open(t, dir)
	if _, err := recorder.Calls().Append(context.Background(), []byte("not JSON")); err != nil {
		t.Fatal(err)
	}
	if err := recorder.Record(context.Background(), full(t)); err != nil {
		t.Fatal(err)
	}
	var faults, records int
	for s, err := range Read(dir, journal.Position{}) {
		if err != nil {
			faults++
		} else if s.Record.ID == full(t).ID {
			records++
		}
	}
	if faults != 1 || records != 1 {
		t.Errorf("%d faults and %d records", faults, records)
	}
}

func metricsOf(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

// A record is counted as given to a journal, or as lost.
func TestLostIsNotWritten(t *testing.T) {
	recorder := open(t, t.TempDir())
	to := idle(true, new(int))
	to.lost = recorder.metrics.loss
	recorder.put(to, KindTrace, func(e *encoder) { e.fail(io.ErrShortBuffer) }) // which takes no room
	for range 3 {                                                               // for two of which there is room
		recorder.put(to, KindTrace, text("x"))
	}
	got := metricsOf(t, recorder)
	if written, lost := got["mcp_records_written_total trace"], got["mcp_records_lost_total trace"]; written != 2 || lost != 2 {
		t.Errorf("%v written, %v lost", written, lost)
	}
}

func TestRecordsAreCounted(t *testing.T) {
	recorder := open(t, t.TempDir())
	record := full(t)
	trail := recorder.Begin(record)
	recorder.Serve(record)
	trail.Custom("com.genesyslab.var.CallResult", "sale")
	if err := recorder.Record(context.Background(), record); err != nil {
		t.Fatal(err)
	}
	if err := recorder.Check(context.Background()); err != nil {
		t.Errorf("check: %v", err)
	}
	got := metricsOf(t, recorder)
	for name, want := range map[string]float64{
		"mcp_records_written_total call": 1, "mcp_records_written_total custom": 1, "mcp_records_written_total trace": 0,
		"mcp_records_lost_total call": 0, "mcp_call_records_failed_total": 0, "mcp_call_record_durable_seconds": 1,
		"mcp_reporting_calls_blocked": 0, "mcp_reporting_journal_failed calls": 0, "mcp_reporting_journal_limit_bytes calls": 1 << 30,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}
