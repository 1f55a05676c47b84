package cdr

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp/control/reporting"
)

// record appends a record of a call that ended.
func record(t *testing.T, j *reporting.Recorder, id, from string) {
	t.Helper()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	r := reporting.Begin(id, start)
	r.Parties = reporting.Parties{Local: "sip:100@mcp", Remote: from, DNIS: "100"}
	r.Tenant, r.Application = "1.101", "http://web/app"
	trail := j.Begin(r)
	j.Serve(r)
	trail.Custom("com.genesyslab.var.CallResult", "=HYPERLINK(1)")
	trail.Step("incall_begin", "")
	r.Answer(start.Add(time.Second))
	r.Finish(start.Add(3500*time.Millisecond), reporting.End{Cause: reporting.HangUp, By: reporting.Caller, SIPStatus: 200})
	if err := j.Record(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func openJournal(t *testing.T) (string, *reporting.Recorder) {
	t.Helper()
	dir := t.TempDir()
	j, err := reporting.Open(dir, reporting.Config{Trace: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return dir, j
}

// runCDR runs the command as a shell would.
func runCDR(args ...string) (out, warnings string, err error) {
	var o, w strings.Builder
	cmd := Command(func(string) (string, error) { return "", errors.New("no configuration") })
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&o)
	cmd.SetErr(&w)
	err = cmd.Execute()
	return o.String(), w.String(), err
}

func TestCDRListShowsATable(t *testing.T) {
	dir, j := openJournal(t)
	record(t, j, "call-1", "sip:alice@sbc")
	record(t, j, "call-2", "sip:\x1b[31mbob@sbc")
	out, _, err := runCDR("list", "--dir", dir)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "STARTED") {
		t.Fatalf("%s", out)
	}
	if got := strings.Join(strings.Fields(lines[1]), " "); got != "2026-01-02 03:04:05 2.5s hang-up caller 200 sip:alice@sbc sip:100@mcp call-1" {
		t.Error(got)
	}
	if !strings.Contains(lines[2], "sip:?[31mbob@sbc") {
		t.Errorf("control characters reach the terminal: %q", lines[2])
	}
}

func TestCDRListAsJSONIsWhatWasStored(t *testing.T) {
	dir, j := openJournal(t)
	record(t, j, "call-1", "sip:alice@sbc")
	record(t, j, "call-2", "sip:bob@sbc")
	out, _, err := runCDR("list", "--dir", dir, "--json", "--last", "1")
	if err != nil || !strings.HasPrefix(out, `{"schema":1,"kind":"call","id":"call-2"`) || strings.Count(out, "\n") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCDRListReportsDamageAndGoesOn(t *testing.T) {
	dir, j := openJournal(t)
	for _, id := range []string{"call-1", "call-2", "call-3"} {
		record(t, j, id, "sip:alice@sbc")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, []byte(`"id":"call-2"`))+8] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, warnings, err := runCDR("list", "--dir", dir)
	if err == nil || !strings.Contains(warnings, "damaged") || !strings.Contains(out, "call-1") || !strings.Contains(out, "call-3") {
		t.Errorf("%v\n%s\n%s", err, warnings, out)
	}
}

func TestCDRListOfNothingIsAnError(t *testing.T) {
	if _, _, err := runCDR("list", "--dir", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that does not exist was listed")
	}
}

func TestCDRFollowShowsCallsAsTheyEnd(t *testing.T) {
	dir, j := openJournal(t)
	record(t, j, "call-1", "sip:alice@sbc")
	pr, pw := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	v := viewer{dir: dir, format: "table", last: 1, out: pw, warnings: io.Discard, filter: filter{kinds: allKinds[:1]}}
	done := make(chan error, 1)
	go func() { done <- v.follow(ctx) }()
	lines := make(chan string)
	go func() {
		defer close(lines)
		buf := make([]byte, 4096)
		for {
			n, err := pr.Read(buf)
			if err != nil {
				return
			}
			lines <- string(buf[:n])
		}
	}()
	for _, want := range []string{"STARTED", "call-1"} {
		if got := <-lines; !strings.Contains(got, want) {
			t.Errorf("%q, want %s", got, want)
		}
	}
	record(t, j, "call-2", "sip:bob@sbc")
	if got := <-lines; !strings.Contains(got, "call-2") {
		t.Errorf("%q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	pw.Close()
	for range lines {
	}
}

func TestCDRFiltersSelect(t *testing.T) {
	dir, j := openJournal(t)
	record(t, j, "call-1", "sip:alice@sbc")
	record(t, j, "call-2", "sip:bob@sbc")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args string
		want int
	}{
		{"", 2},
		{"--from sip:bob@sbc", 1},
		{"--from sip:*", 2},
		{"--from alice*", 0},
		{"--dnis 100 --tenant 1.101 --application http://web/* --cause hang-up", 2},
		{"--cause refused", 0},
		{"--id call-1", 1},
		{"--since 2026-01-02", 2},
		{"--since 2026-01-02T03:04:06", 0},
		{"--until 2026-01-02T03:04:06", 2},
		{"--ended-since 2026-01-02T03:04:08 --ended-until 2026-01-02T03:04:09", 2},
		{"--ended-until 2026-01-02T03:04:08", 0},
		{"--kind custom", 2},
		{"--kind custom --label com.genesyslab.var.CallResult --call call-2", 1},
		{"--kind trace --since 1h", 2},
		{"--kind call,custom,trace", 6},
		{"--kind operations", 1},
		{"--kind all", 7},
		{"--kind all --last 3", 3},
	}
	for _, tt := range tests {
		out, _, err := runCDR(append([]string{"list", "--dir", dir, "--json"}, strings.Fields(tt.args)...)...)
		if n := strings.Count(out, "\n"); err != nil || n != tt.want {
			t.Errorf("%s: %d records, %v; want %d\n%s", tt.args, n, err, tt.want, out)
		}
		if out, _, err = runCDR(append([]string{"list", "--dir", dir}, strings.Fields(tt.args)...)...); err != nil || strings.Contains(out, "%!") {
			t.Errorf("%s: %v\n%s", tt.args, err, out)
		}
	}
	for _, args := range []string{"--kind none", "--since yesterday", "--format xml", "--format csv --kind all"} {
		if _, _, err := runCDR(append([]string{"list", "--dir", dir}, strings.Fields(args)...)...); err == nil {
			t.Errorf("%s was accepted", args)
		}
	}
}

func TestCDRExportsCSV(t *testing.T) {
	dir, j := openJournal(t)
	record(t, j, "call-1", "=cmd|'/c calc'!A1")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		kind, column, want string
	}{
		{"call", "remote_uri", "'=cmd|'/c calc'!A1"}, {"call", "talk_ms", "2500"}, {"call", "component", ""},
		{"custom", "text", "'=HYPERLINK(1)"}, {"custom", "tenant", "1.101"}, {"trace", "name", "incall_begin"},
		{"operations", "arrived", "1"},
	} {
		file := filepath.Join(t.TempDir(), "out.csv")
		if _, warnings, err := runCDR("export", "--dir", dir, "--format", "csv", "--kind", tt.kind, file); err != nil || !strings.Contains(warnings, "1 records written") {
			t.Fatal(err, warnings)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatal(err, rows)
		}
		for i, title := range rows[0] {
			if title == tt.column && rows[1][i] != tt.want {
				t.Errorf("%s of %s is %q, want %q", tt.column, tt.kind, rows[1][i], tt.want)
			}
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".export*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	if _, _, err := runCDR("export", "--dir", dir, filepath.Join(t.TempDir(), "no", "such", "folder")); err == nil {
		t.Error("a file in no folder was written")
	}
}
