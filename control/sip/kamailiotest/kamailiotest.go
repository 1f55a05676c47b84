// Package kamailiotest runs Kamailio, a proxy of another hand, where a Resource Manager
// stands: in front of an agent and in the path of all its calls.
package kamailiotest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// config is a proxy that takes UDP and TCP and stays in the path. What is for itself it
// relays over TCP to the agent behind it; a caller who comes over UDP then has two
// Record-Routes, of different transports. What an agent sends through it goes on as its
// Request-URI says.
const config = `#!KAMAILIO
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
	loose_route();
	if (uri == myself) $du = "sip:%[2]s;transport=tcp";
	t_relay();
}
`

// patience is how long a test waits for the proxy; generous, for slow machines.
const patience = 30 * time.Second

// Start runs the proxy on a port of 127.0.0.1, in front of the agent at an address,
// until the test ends, and returns where it listens. Where Kamailio is not installed
// the test is skipped, and fails in CI.
func Start(t testing.TB, port int, behind string) (addr string) {
	t.Helper()
	if _, err := exec.LookPath("kamailio"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, port, behind), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("kamailio", "-f", file, "-DD", "-E", "-Y", dir, "-P", filepath.Join(dir, "pid"), "-m", "32", "-M", "4")
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-exited
		log.Close()
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("kamailio:\n%s", text[max(0, len(text)-3000):])
		}
	})
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	awaitListener(t, addr, exited)
	return addr
}

func awaitListener(t testing.TB, addr string, exited <-chan struct{}) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-exited:
			t.Fatal("kamailio does not start")
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("kamailio does not listen")
		}
	}
}
