package e2e

import (
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

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
)

// managerConfig is a proxy in the Resource Manager's place: callers come to it over TCP,
// and so do the platform's own calls, with it as their route. It stays in the path of
// both.
const managerConfig = `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
tcp_children=2
listen=tcp:127.0.0.1:%[1]d
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "siputils.so"
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

// TestBehindKamailio has callers come through a proxy, and the platform call through it:
// two in a conference, and one who is bridged to another, hear each other.
func TestBehindKamailio(t *testing.T) {
	if _, err := exec.LookPath("kamailio"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("kamailio is not installed")
		}
		t.Skip("kamailio is not installed")
	}
	front := freePort(t)
	r := newRig(t, func(c *node.Config) {
		c.SIP.Routes = []string{fmt.Sprintf("sip:127.0.0.1:%d;transport=tcp", front)}
	})
	startManager(t, front, strings.TrimPrefix(r.sip, "tcp:"))
	through := func(user string) string { return fmt.Sprintf("sip:%s@127.0.0.1:%d;transport=tcp", user, front) }

	b := newBob(t, "say hum 700 400ms; wait 300ms")
	r.transferring(`<transfer name="t" type="bridge" dest="` + b.uri() + `" connecttimeout="5s">`)
	summary, err := r.dial(t.Context(), through("ivr"), "hear; say hum 400 400ms; await")
	if err != nil {
		t.Fatal(err)
	}
	heardBob := b.last()
	if got := heard(summary); !slices.Equal(got, []float64{700}) {
		t.Errorf("the caller heard %v", tones(summary))
	}
	if got := heard(heardBob); !slices.Equal(got, []float64{400}) {
		t.Errorf("bob heard %v", tones(heardBob))
	}
	if told, _ := r.told(); told != "far_end_disconnect" {
		t.Errorf("the page told %q", told)
	}

	scripts := []string{"wait 600ms; say hum 400 400ms; wait 1500ms", "wait 1200ms; say hum 700 400ms; wait 900ms"}
	summaries := make([]*caller.Summary, len(scripts))
	var calls sync.WaitGroup
	for i, script := range scripts {
		calls.Go(func() {
			var err error
			if summaries[i], err = r.dial(t.Context(), through("conf=Sales"), script); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if t.Failed() {
		return
	}
	for i, want := range []float64{700, 400} {
		if got := heard(summaries[i]); !slices.Equal(got, []float64{want}) {
			t.Errorf("caller %d heard %v", i, tones(summaries[i]))
		}
	}
	r.nothingLeft()
}

// TestKernelBehindKamailio runs it again on the XDP plane, where what the two of the
// bridge say must not enter userspace.
func TestKernelBehindKamailio(t *testing.T) {
	passOnKernel(t, "^TestBehindKamailio$", "TestBehindKamailio")
}

// startManager runs the proxy until the test ends.
func startManager(t *testing.T, port int, platform string) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, managerConfig, port, platform), 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd := exec.Command("kamailio", "-f", config, "-DD", "-E", "-Y", dir, "-P", filepath.Join(dir, "pid"), "-m", "32", "-M", "4")
	cmd.Stdout, cmd.Stderr, cmd.Dir = &log, &log, dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("kamailio:\n%s", log.String())
		}
	})
	await(t, "kamailio to listen", func() bool {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}
