package main

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
)

// record appends a record of a call that ended.
func record(t *testing.T, j *reporting.Journal, id, from string) {
	t.Helper()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	r := reporting.Begin(id, start)
	r.Parties = reporting.Parties{Local: "sip:100@mcp", Remote: from}
	r.Answer(start.Add(time.Second))
	r.Finish(start.Add(3500*time.Millisecond), reporting.End{Cause: reporting.HangUp, By: reporting.Caller, SIPStatus: 200})
	if err := reporting.NewRecorder(j).Record(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func openJournal(t *testing.T) (string, *reporting.Journal) {
	t.Helper()
	dir := t.TempDir()
	j, err := reporting.Open(dir, reporting.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return dir, j
}

// runCDR runs the command as a shell would.
func runCDR(args ...string) (out, warnings string, err error) {
	var o, w strings.Builder
	cmd := cdrCommand()
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
	if err != nil || !strings.HasPrefix(out, `{"schema":1,"id":"call-2"`) || strings.Count(out, "\n") != 1 {
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
	b[len(b)/2] ^= 1
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
	v := recordViewer{dir: dir, last: 1, out: pw, warnings: io.Discard}
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
