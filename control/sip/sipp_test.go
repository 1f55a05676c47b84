package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/control/sip/digest"
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
				t.Parallel()
				network := map[byte]string{'u': "udp", 't': "tcp"}[mode[0]]
				a := startAgent(t, tc.callee, func(c *Config) {
					if network == "tcp" {
						c.T1 = 4 * defaultT1 // SIPp takes a repeated response over TCP for one too many
					}
				})
				runSIPp(t, addrOf(a, network), mode, tc.scenario)
				eventually(t, "every dialog is over", func() bool { return len(a.all()) == 0 })
			})
		}
	}
}

// runSIPp lets SIPp place calls, and fails the test unless every one succeeds.
func runSIPp(t *testing.T, addr, mode, scenario string) {
	t.Helper()
	args := []string{addr, "-t", mode, "-m", "40", "-r", "100", "-l", "50", "-d", "100", "-s", "ivr", "-max_socket", "1000"}
	if strings.HasSuffix(scenario, ".xml") {
		args = append(args, "-sf", pathOf(t, scenario))
	} else {
		args = append(args, "-sn", scenario)
	}
	sipp(t, args...)
}

// pathOf is where a scenario is from everywhere.
func pathOf(t *testing.T, scenario string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(scenarios, scenario))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// sipp runs SIPp to its end, and fails the test unless it is content.
func sipp(t *testing.T, args ...string) {
	t.Helper()
	args = append(args, "-i", "127.0.0.1", "-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err", "-error_file")
	var err error
	var complaint string
	for range 10 {
		if complaint, err = attempt(t, args); err == nil {
			return
		}
		if !strings.Contains(complaint, "Unable to listen main socket") {
			break // others that look for a free port at the same time may find the same
		}
	}
	t.Errorf("sipp %s: %v\n%s", strings.Join(args, " "), err, complaint)
}

func attempt(t *testing.T, args []string) (complaint string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	file := filepath.Join(dir, "errors")
	cmd := exec.CommandContext(ctx, "sipp", append(slices.Clip(args), file)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=dumb")
	out, err := cmd.CombinedOutput()
	errors, _ := os.ReadFile(file)
	return string(errors) + tail(string(out)), err
}

func tail(s string) string {
	if len(s) > 3000 {
		return s[len(s)-3000:]
	}
	return s
}

// glaringCallee answers, and changes the session at once.
func glaringCallee(ctx context.Context, d *Dialog) {
	if d.Answer(ctx, []byte(someSDP)) != nil {
		return
	}
	_, _ = d.Reinvite(ctx, Change{Offer: []byte(otherSDP)}) // the scenario says what is missing
	untilOver(ctx, d)
}

// TestSIPpFailures has callers do what is wrong, or late, or lose what was sent.
func TestSIPpFailures(t *testing.T) {
	needTool(t, "sipp")
	udp, tcp, both := []string{"u1"}, []string{"t1"}, []string{"u1", "t1"}
	for _, tc := range []struct {
		scenario string
		modes    []string
		callee   handle
		config   func(*Config)
	}{
		{"uac_extension.xml", both, noCalls, nil},
		{"uac_body.xml", both, noCalls, nil},
		{"uac_no_dialog.xml", both, noCalls, nil},
		{"uac_register.xml", both, noCalls, nil},
		{"uac_scheme.xml", both, noCalls, nil},
		{"uac_no_ack.xml", udp, answerAndWait, hasty},
		{"uac_no_prack.xml", udp, ringingCallee, hasty},
		{"uac_lossy.xml", udp, answerAndWait, asPatient},
		{"uac_late_cancel.xml", both, answerAndWait, nil},
		{"uac_crossing_bye.xml", both, hangingUpCallee, nil},
		{"uac_glare.xml", both, glaringCallee, nil},
		{"uac_expires.xml", tcp, answerAndWait, brief},
	} {
		for _, mode := range tc.modes {
			t.Run(tc.scenario+"/"+mode, func(t *testing.T) {
				t.Parallel()
				config := tc.config
				if config == nil {
					config = func(*Config) {}
				}
				a := startAgent(t, tc.callee, config)
				network := map[string]string{"u1": "udp", "t1": "tcp"}[mode]
				sipp(t, addrOf(a, network), "-t", mode, "-m", "10", "-r", "50", "-d", "50", "-s", "ivr", "-sf", pathOf(t, tc.scenario))
				eventually(t, "every dialog is over", func() bool { return len(a.all()) == 0 })
			})
		}
	}
}

// TestSIPpFarEnds calls far ends that answer, each in its own way, or do not.
func TestSIPpFarEnds(t *testing.T) {
	needTool(t, "sipp")
	rejected := func(status int) func(error) bool {
		return func(err error) bool {
			var r *RejectedError
			return errors.As(err, &r) && r.Status == status
		}
	}
	answered := func(err error) bool { return err == nil }
	for _, tc := range []struct {
		name, scenario string
		patience       time.Duration
		fine           func(error) bool
	}{
		{"busy", "uas_busy.xml", 0, rejected(486)},
		{"silent", "uas_silent.xml", 0, func(err error) bool { return err != nil }},
		{"rings", "uas_rings.xml", 300 * time.Millisecond, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) || rejected(487)(err) }},
		{"forks", "uas_forks.xml", 0, answered},
		{"forks late", "uas_forks_late.xml", 0, answered},
		{"moved", "uas_moved.xml", 0, rejected(302)},
		{"demands an extension", "uas_extension_required.xml", 0, rejected(421)},
		{"too many hops", "uas_too_many_hops.xml", 0, rejected(483)},
		{"fails", "uas_fails.xml", 0, rejected(500)},
		{"declines", "uas_declines.xml", 0, rejected(603)},
		{"challenges", "uas_challenges.xml", 0, answered},
		{"longer session", "uas_longer_session.xml", 0, answered},
		{"reliable", "uas_reliable.xml", 0, answered},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			config := func(c *Config) {
				c.Credentials = digest.Credentials{{Realm: "gvp", User: "mcp", Password: "secret"}}
				if tc.name == "silent" {
					hasty(c)
				}
			}
			port := freePort(t)
			var far sync.WaitGroup
			far.Go(func() {
				sipp(t, "-p", fmt.Sprint(port), "-t", "u1", "-m", "1", "-sf", pathOf(t, tc.scenario))
			})
			defer far.Wait()
			eventually(t, "SIPp listens", func() bool {
				sockets, _ := os.ReadFile("/proc/net/udp")
				return contains(string(sockets), fmt.Sprintf("0100007F:%04X ", port))
			})
			a := startAgent(t, noCalls, config)
			ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(tc.patience, 30*time.Second))
			defer cancel()
			d, err := a.Invite(ctx, Outgoing{To: fmt.Sprintf("sip:x@127.0.0.1:%d;transport=udp", port), Offer: []byte(someSDP)})
			if !tc.fine(err) {
				t.Errorf("%v", err)
			}
			switch {
			case err != nil:
			case tc.name == "forks late": // which hangs up itself
				untilOver(ctx, d)
			default:
				if err := d.Bye(t.Context(), nil); err != nil {
					t.Errorf("BYE: %v", err)
				}
			}
		})
	}
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
