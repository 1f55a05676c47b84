package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mcp/bpf"
	"mcp/bpf/bpftest"
	"mcp/control/sip/siptest"
)

// asTool tells this test's binary, in the environment, to be the tool itself.
const asTool = "MCP_TEST_AS_TOOL"

func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// serveAs starts mcp serve on the XDP plane, in a namespace, as a plain user with
// capabilities, and gives its log.
func serveAs(t *testing.T, ns *bpftest.NetNS, dir string, caps ...uintptr) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	return serveWith(t, ns, []string{"--media-plane", "xdp"}, []string{"MCP_MEDIA_PINS=" + dir}, caps...)
}

// serveWith starts it with flags and an environment.
func serveWith(t *testing.T, ns *bpftest.NetNS, flags, environ []string, caps ...uintptr) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	const user = 500
	state := t.TempDir()
	for _, d := range []string{filepath.Dir(state), state} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	// By this name the binary is found even where its directory is closed to a user.
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{"mcp", "serve"}, flags...)
	cmd.Env = append(append(os.Environ(), asTool+"=1", "STATE_DIRECTORY="+state), environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}, AmbientCaps: caps}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(log)
}

// TestWhyServeCannotGoOnIsALineOfTheLog starts it on an address that somebody has: whoever
// collects the log finds in its own format why, and once.
func TestWhyServeCannotGoOnIsALineOfTheLog(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "mcp.yaml")
	text := "log: {format: json}\nsip: {listen: ['tcp:" + taken.Addr().String() + "']}\nmedia: {plane: socket}\nhealth: {listen: '', console: {listen: ''}}\n" +
		"application: {trace: ''}\nreporting: {journal: " + dir + "/journal}\nupload: {folder: " + dir + "/recordings}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"mcp", "serve", "--config", file}
	cmd.Env = append(os.Environ(), asTool+"=1", "STATE_DIRECTORY="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var reasons []string
	for line := range strings.Lines(stderr.String()) {
		var said struct{ Level, Error, Advice string }
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		if said.Level == "ERROR" {
			reasons = append(reasons, said.Error)
		}
	}
	if len(reasons) != 1 || !strings.Contains(reasons[0], "sip.listen: ") || !strings.Contains(reasons[0], "address already in use") {
		t.Errorf("reasons: %q", reasons)
	}
}

// until reads a log to the line with all of some words.
func until(t *testing.T, log *bufio.Scanner, words ...string) {
	t.Helper()
	var all []string
	for log.Scan() {
		missing := false
		for _, w := range words {
			missing = missing || !strings.Contains(log.Text(), w)
		}
		if !missing {
			return
		}
		all = append(all, log.Text())
	}
	t.Fatalf("no line says %q:\n%s", words, strings.Join(all, "\n"))
}

// With the plane loaded ahead, mcp serve is a plain user that may send raw packets,
// and no more. Killed and started anew it takes up the plane it left.
func TestServeWithLeastPrivilege(t *testing.T) {
	ns := bpftest.NewNetNS(t)
	dir := bpftest.BPFFS(t) + "/plane"
	if err := os.Chmod(filepath.Dir(dir), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := planeTool(t, ns, "load", "--pins="+dir, "--owner=500"); err != nil {
		t.Fatal(err)
	}
	defer planeTool(t, ns, "unload", "--pins="+dir)
	_, log := serveAs(t, ns, dir)
	until(t, log, "this process lacks", "CAP_NET_RAW")
	for range 2 {
		cmd, log := serveAs(t, ns, dir, unix.CAP_NET_RAW)
		until(t, log, `msg="media plane"`, "mode=xdp-generic")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if s, err := bpf.Inspect(dir); err != nil || !s.Interfaces[0].Attached {
		t.Errorf("%+v, %v", s.Interfaces, err)
	}
}

// With no configuration at all it answers calls on the product's port, over UDP and TCP.
func TestServeWithoutConfiguration(t *testing.T) {
	ns := bpftest.NewNetNS(t)
	_, log := serveWith(t, ns, nil, nil)
	until(t, log, "msg=ready", "tcp:0.0.0.0:5070", "udp:0.0.0.0:5070")
	const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
	for _, network := range []string{"udp", "tcp"} {
		var p *siptest.Peer
		if err := ns.Do(func() error { p = siptest.Dial(t, network, "127.0.0.1:5070"); return nil }); err != nil {
			t.Fatal(err)
		}
		c := siptest.NewCall(p, "sip:anything@127.0.0.1:5070")
		p.Send(c.Request("INVITE").WithSDP(sdp))
		ok := p.Expect("SIP/2.0 200", "SIP/2.0 100")
		c.Establish(ok)
		p.Send(c.Ack(ok))
		p.Send(c.Request("BYE"))
		p.Expect("SIP/2.0 200")
	}
}
