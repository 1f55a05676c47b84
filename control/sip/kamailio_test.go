package sip

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// proxyConfig is a proxy that takes UDP, relays over TCP and stays in the path:
// one call then has two Record-Routes, of different transports.
const proxyConfig = `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
tcp_children=2
tcp_connection_lifetime=60
listen=udp:127.0.0.1:%[1]d
listen=tcp:127.0.0.1:%[1]d
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "siputils.so"
modparam("rr", "enable_double_rr", 2)
request_route {
	if (method == "CANCEL") {
		if (t_check_trans()) t_relay();
		exit;
	}
	if (has_totag()) {
		if (loose_route()) t_relay();
		else if (method == "ACK") { if (t_check_trans()) t_relay(); }
		else sl_send_reply("404", "Not here");
		exit;
	}
	record_route();
	$ru = "sip:ivr@%[2]s;transport=tcp";
	t_relay();
}
`

// TestCallsThroughKamailio has SIPp call through a proxy that record-routes, so
// that ACK, BYE and re-INVITE find their way by the route set alone; one kind of
// call is hung up by the agent. (CANCEL is not among them: the proxy's processes
// may swap its 200 and the 487, which SIPp does not forgive.)
func TestCallsThroughKamailio(t *testing.T) {
	needTool(t, "kamailio")
	needTool(t, "sipp")
	for scenario, callee := range map[string]handle{
		"uac_basic.xml":           patientCallee,
		"uac_delayed_offer.xml":   patientCallee,
		"uac_bye_immediately.xml": patientCallee,
		"uac_hold.xml":            patientCallee,
		"uac_hears_bye.xml":       hangingUpCallee,
	} {
		t.Run(scenario, func(t *testing.T) {
			a := startAgent(t, callee)
			runSIPp(t, startKamailio(t, addrOf(a, "tcp")), "u1", scenario)
			eventually(t, "every dialog is over", func() bool { return len(a.all()) == 0 })
		})
	}
}

// hangingUpCallee answers and hangs up.
func hangingUpCallee(ctx context.Context, d *Dialog) {
	if d.Answer(ctx, []byte(someSDP)) == nil {
		_ = d.Bye(ctx, nil)
	}
}

// startKamailio runs the proxy in front of an address until the test ends, and
// returns its own.
func startKamailio(t *testing.T, behind string) string {
	t.Helper()
	port := freePort(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, proxyConfig, port, behind), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("kamailio", "-f", config, "-DD", "-E", "-Y", dir, "-P", filepath.Join(dir, "pid"), "-m", "32", "-M", "4")
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if len(exited) == 0 {
			<-exited
		}
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("kamailio:\n%s", tail(string(text)))
		}
	})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	eventually(t, "kamailio listens", func() bool {
		if len(exited) > 0 {
			t.Fatal("kamailio does not start")
		}
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return addr
}
