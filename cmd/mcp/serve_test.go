package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mcp/bpf"
	"mcp/bpf/bpftest"
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

// serveAs starts mcp serve in a namespace as a plain user with capabilities, and
// gives its log.
func serveAs(t *testing.T, ns *bpftest.NetNS, dir string, caps ...uintptr) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	const user = 500
	state := t.TempDir()
	if err := os.Chmod(state, 0o777); err != nil {
		t.Fatal(err)
	}
	// By this name the binary is found even where its directory is closed to a user.
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"mcp", "serve", "--media-plane", "xdp"}
	cmd.Env = append(os.Environ(), asTool+"=1", "MCP_MEDIA_PINS="+dir, "STATE_DIRECTORY="+state)
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
	for _, d := range []string{filepath.Dir(filepath.Dir(dir)), filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
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
