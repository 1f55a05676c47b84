package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mcp/control/node"
	"mcp/control/reporting"
	"mcp/control/reporting/journal"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// Environment variables that make the test's program a platform that is going to
// be killed: where its journals are, and its application.
const (
	victimJournal     = "MCP_TEST_VICTIM_JOURNAL"
	victimApplication = "MCP_TEST_VICTIM_APPLICATION"
)

// TestVictim is no test but a platform that serves until it is killed. It logs to
// its standard output.
func TestVictim(t *testing.T) {
	if os.Getenv(victimJournal) == "" {
		t.Skip("it is run by another test")
	}
	c := node.Defaults()
	c.SIP.Listen = []string{"tcp:127.0.0.1:0"}
	c.Media.Plane, c.Health.Listen, c.Health.Console.Listen, c.Upload.Folder = "socket", "127.0.0.1:0", "", t.TempDir()
	c.Reporting.Journal, c.Application.Default = os.Getenv(victimJournal), os.Getenv(victimApplication)
	t.Error(node.Run(t.Context(), c, nil, slog.New(slog.NewTextHandler(os.Stdout, nil))))
}

// victim is such a platform.
type victim struct {
	t   *testing.T
	cmd *exec.Cmd
	log *bufio.Scanner
}

func newVictim(t *testing.T, journal, application string) *victim {
	t.Helper()
	v := &victim{t: t, cmd: exec.Command(os.Args[0], "-test.run=TestVictim$")}
	v.cmd.Env = append(os.Environ(), victimJournal+"="+journal, victimApplication+"="+application)
	out, err := v.cmd.StdoutPipe()
	if err == nil {
		err = v.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	v.log = bufio.NewScanner(out)
	t.Cleanup(v.kill)
	return v
}

// until reads the log to the line with a message and returns what it says of a key.
func (v *victim) until(msg, key string) string {
	v.t.Helper()
	for v.log.Scan() {
		line := v.log.Text()
		if strings.Contains(line, "msg="+msg) || strings.Contains(line, `msg="`+msg+`"`) {
			_, rest, _ := strings.Cut(line, " "+key+"=")
			value, _, _ := strings.Cut(rest, " ")
			return strings.Trim(value, `"[]`)
		}
	}
	v.t.Fatalf("the platform ended without saying %q", msg)
	return ""
}

// kill ends the platform in the middle of whatever it does.
func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
}

// TestCallsOfAKilledPlatformHaveRecords kills the platform with calls up: the next
// one writes their records, once.
func TestCallsOfAKilledPlatformHaveRecords(t *testing.T) {
	const up = 3
	dir, web := t.TempDir(), newPages(t)
	web.page("/long.vxml", `<property name="inputmodes" value="dtmf"/><property name="timeout" value="300s"/><form><field name="f" type="digits"/></form>`)
	v := newVictim(t, dir, web.server.URL+"/long.vxml")
	target := "sip:ivr@" + strings.TrimPrefix(v.until("ready", "sip"), "tcp:") + ";transport=tcp"
	agent := serveAgent(t, sip.Nobody{})
	want := map[string]bool{}
	local := sdp.Local{
		Addr: netip.MustParseAddrPort("127.0.0.1:9"), Codecs: []sdp.Codec{{Name: "PCMU", ClockRate: 8000}},
		Events: eventsNone, Direction: sdp.SendRecv, SessionID: 1, Version: 1,
	}
	for range up {
		d, err := agent.Invite(t.Context(), sip.Outgoing{To: target, Offer: sdp.Offer(local)})
		if err != nil {
			t.Fatal(err)
		}
		want[d.CallID()] = true
	}
	await(t, "the calls to be noted", func() bool { return answered(t, dir) == up })
	v.kill()
	for range 2 { // the second one finds nothing left to do
		r := newRig(t, func(c *node.Config) { c.Reporting.Journal = dir })
		for n := range up {
			rec := r.record(n + 1)
			if !want[rec.SIPCallID] || rec.End.Cause != reporting.Interrupted || rec.End.By != reporting.Fault ||
				rec.End.Error == "" || rec.AnsweredAt == nil || !strings.HasSuffix(rec.Application, "/long.vxml") {
				t.Errorf("record %+v", rec)
			}
		}
		r.end()
		if n := len(r.records()); n != up {
			t.Errorf("%d records", n)
		}
	}
}

// answered is how many calls are noted to be up, of a platform that may be running.
func answered(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	for e, err := range journal.Read(filepath.Join(dir, "up"), journal.Position{}) {
		var damage *journal.DamageError
		if err != nil && !errors.As(err, &damage) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(e.Data, []byte(`"answered_at"`)) {
			n++
		}
	}
	return n
}
