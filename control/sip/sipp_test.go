package sip

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const scenarios = "../../scripts/sipp"

// needTool skips a test for want of a program, except in CI, which must have it.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
}

// callee answers, and takes every re-INVITE.
func patientCallee(ctx context.Context, d *Dialog) {
	if d.Ring(ctx) != nil || d.Answer(ctx, []byte(someSDP)) != nil {
		return
	}
	for {
		select {
		case e, ok := <-d.Events():
			if !ok {
				return
			}
			if re, is := e.(*Reinvite); is {
				_ = re.Accept(ctx, []byte(someSDP))
			}
		case <-ctx.Done():
			return
		}
	}
}

// referredCallee answers, and says of everybody whom it is to call that they did.
func referredCallee(ctx context.Context, d *Dialog) {
	if d.Answer(ctx, []byte(someSDP)) != nil {
		return
	}
	for e := range d.Events() {
		if r, is := e.(*Referral); is && r.Accept(ctx) == nil {
			_ = r.Notify(ctx, 200, "") // the scenario says what is missing
		}
	}
}

// ringingCallee never answers.
func ringingCallee(ctx context.Context, d *Dialog) {
	if d.Ring(ctx) == nil {
		untilOver(ctx, d)
	}
}

func TestSIPpCalls(t *testing.T) {
	needTool(t, "sipp")
	for _, tc := range []struct {
		scenario string // a file, or one that SIPp has built in
		callee   handle
	}{
		{"uac", patientCallee},
		{"uac_basic.xml", patientCallee},
		{"uac_delayed_offer.xml", patientCallee},
		{"uac_bye_immediately.xml", patientCallee},
		{"uac_hold.xml", patientCallee},
		{"uac_cancel.xml", ringingCallee},
		{"uac_hears_bye.xml", hangingUpCallee},
		{"uac_options.xml", patientCallee},
		{"uac_prack.xml", patientCallee},
		{"uac_update.xml", patientCallee},
		{"uac_session_timer.xml", patientCallee},
		{"uac_session_too_short.xml", patientCallee},
		{"uac_refer.xml", referredCallee},
	} {
		for _, mode := range []string{"u1", "t1", "tn"} {
			t.Run(tc.scenario+"/"+mode, func(t *testing.T) {
				a := startAgent(t, tc.callee)
				network := map[byte]string{'u': "udp", 't': "tcp"}[mode[0]]
				runSIPp(t, addrOf(a, network), mode, tc.scenario)
				eventually(t, "every dialog is over", func() bool { return len(a.all()) == 0 })
			})
		}
	}
}

// runSIPp lets SIPp place calls, and fails the test unless every one succeeds.
func runSIPp(t *testing.T, addr, mode, scenario string) {
	t.Helper()
	args := []string{addr, "-i", "127.0.0.1", "-t", mode, "-m", "40", "-r", "100", "-l", "50", "-d", "100",
		"-s", "ivr", "-max_socket", "1000", "-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err", "-error_file", filepath.Join(t.TempDir(), "errors")}
	if strings.HasSuffix(scenario, ".xml") {
		path, err := filepath.Abs(filepath.Join(scenarios, scenario))
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "-sf", path)
	} else {
		args = append(args, "-sn", scenario)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sipp", args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "TERM=dumb")
	out, err := cmd.CombinedOutput()
	if err != nil {
		errors, _ := os.ReadFile(args[len(args)-3])
		t.Fatalf("sipp %s: %v\n%s\n%s", strings.Join(args, " "), err, errors, tail(string(out)))
	}
}

func tail(s string) string {
	if len(s) > 3000 {
		return s[len(s)-3000:]
	}
	return s
}

// TestCallsToSIPp places calls to SIPp's built-in callee.
func TestCallsToSIPp(t *testing.T) {
	needTool(t, "sipp")
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			port := freePort(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			cmd := exec.CommandContext(ctx, "sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", fmt.Sprint(port),
				"-t", network[:1]+"1", "-nostdin", "-timeout", "60s")
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "TERM=dumb")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { cancel(); _ = cmd.Wait() }()
			a := startAgent(t, noCalls)
			to := fmt.Sprintf("sip:x@127.0.0.1:%d;transport=%s", port, network)
			var d *Dialog
			eventually(t, "SIPp answers", func() bool {
				var err error
				d, err = a.Invite(ctx, Outgoing{To: to, Offer: []byte(someSDP)})
				return err == nil
			})
			for range 50 {
				if !contains(string(d.RemoteSDP()), "m=audio") {
					t.Errorf("answer %q", d.RemoteSDP())
				}
				if err := d.Bye(ctx, nil); err != nil {
					t.Fatal(err)
				}
				var err error
				if d, err = a.Invite(ctx, Outgoing{To: to, Offer: []byte(someSDP)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.Bye(ctx, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// freePort finds a port that was free a moment ago, for a program that cannot
// tell which one it was given.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}
