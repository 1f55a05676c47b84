package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A configuration that changes is taken up on SIGHUP as far as it can be; the log tells
// each key, and one with faults changes nothing.
func TestServeTakesUpItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mcp.yaml")
	write := func(text string) {
		t.Helper()
		fixed := "sip: {listen: ['tcp:127.0.0.1:0']}\nmedia: {interfaces: [lo]}\nhealth: {listen: '', console: {listen: ''}}\n" +
			"reporting: {journal: " + dir + "/journal}\nupload: {folder: " + dir + "/recordings}\n"
		if err := os.WriteFile(file, []byte(fixed+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"mcp", "serve", "--config", file, "--media-plane", "socket"}
	cmd.Env = append(os.Environ(), asTool+"=1", "STATE_DIRECTORY="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that panics cleans nothing up
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	log := bufio.NewScanner(stderr)
	hangUp := func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	until(t, log, "msg=ready")
	write("calls: {rates: 5}\n")
	hangUp()
	until(t, log, "configuration not taken up", "calls.rates: unknown key; the nearest known key is calls.rate")
	write("log: {level: debug}\ncalls: {rate: 5}\napplication: {numbers: {'1': 'http://a/'}}\nconferences: {max: 7}\n")
	hangUp()
	until(t, log, "configuration changed", "key=calls.rate", "from=0", "to=5")
	until(t, log, "configuration changed", "key=application.numbers")
	until(t, log, "in force at the next start", "key=conferences.max", "to=7")
	until(t, log, "configuration changed", "key=log.level", "from=info", "to=debug")
	until(t, log, "configuration taken up", "changes=4") // what the command line says has not changed
	write("log: {level: debug}\ncalls: {rate: 5}\napplication: {numbers: {'1': 'http://a/'}}\n")
	hangUp()
	until(t, log, "changed back to what is in force", "key=conferences.max", "from=7", "to=0")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, log, "stopped")
}
