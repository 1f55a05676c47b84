package bpf

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mcp/bpf/bpftest"
)

// Tests that need another process start this test's binary anew: what they kill
// is a real process, and what they take privileges from is one, too.

// childRole names, in a child's environment, what it is to do.
const childRole = "BPF_TEST_CHILD"

// children are what a child may be told to do. They print a line when they are
// ready, or the error.
func children() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"relay": relayChild, "step": stepChild, "serve": serveChild, "load": loadChild, "watch": watchChild, "upgrade": upgradeChild,
		"capture": captureChild,
	}
}

// runChild tells whether this process is a child; it has done its work then.
func runChild() bool {
	words := strings.Fields(os.Getenv(childRole))
	if len(words) == 0 {
		return false
	}
	if err := children()[words[0]](words[1:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	return true
}

// child is a process that a test started.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
	in    io.WriteCloser
	end   sync.Once
}

// startChild starts one in a network namespace. With capabilities it is a user of
// no other privilege, else it is root.
func startChild(t *testing.T, ns *bpftest.NetNS, caps []uintptr, role ...string) *child {
	t.Helper()
	// By this name the binary is found even where its directory is closed to a user.
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childRole+"="+strings.Join(role, " "))
	cmd.Stderr = os.Stderr
	if caps != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: plainUser, Gid: plainUser}, AmbientCaps: caps}
	}
	out, err := cmd.StdoutPipe()
	must(t, err)
	in, err := cmd.StdinPipe()
	must(t, err)
	must(t, ns.Do(cmd.Start))
	c := &child{cmd: cmd, lines: bufio.NewReader(out), in: in}
	t.Cleanup(c.kill)
	return c
}

// plainUser is nobody in particular.
const plainUser = 500

// line waits for the child to say something.
func (c *child) line(t *testing.T) string {
	t.Helper()
	s, err := c.lines.ReadString('\n')
	if err != nil {
		t.Fatalf("child ended: %q, %v", s, err)
	}
	return strings.TrimSpace(s)
}

// ready waits for the child to have done what it was told.
func (c *child) ready(t *testing.T) {
	t.Helper()
	if s := c.line(t); s != "ready" {
		t.Fatalf("child says: %s", s)
	}
}

// kill ends the child as kill -9 does and waits for its end.
func (c *child) kill() {
	c.end.Do(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
}

// wait waits for the child to end of itself and returns its last words.
func (c *child) wait(t *testing.T) string {
	t.Helper()
	words, err := io.ReadAll(c.lines)
	must(t, err)
	c.end.Do(func() { _ = c.cmd.Wait() })
	return strings.TrimSpace(string(words))
}

// sleep is for ever.
func sleep() error {
	fmt.Println("ready")
	_, err := io.ReadAll(os.Stdin)
	return err
}

// dieAt makes a hook that ends this process at a step as kill -9 does.
func dieAt(step string) func(string) {
	return func(s string) {
		if s == step {
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
			select {}
		}
	}
}

var errStepMissed = errors.New("the step was not reached")

// stepChild loads, upgrades or unloads, and dies at a step.
func stepChild(args []string) error {
	verb, dir := args[0], args[1]
	hook := dieAt(strings.ReplaceAll(args[2], "_", " "))
	var err error
	switch verb {
	case "load":
		_, err = load(Config{Dir: dir}.withDefaults(), hook)
	case "upgrade":
		spec, e := loadRelay()
		if e != nil {
			return e
		}
		_, err = (&upgrade{dir: dir, reached: hook}).run(spec)
	case "unload":
		err = unload(dir, hook)
	}
	return errors.Join(err, errStepMissed)
}

// loadChild loads a plane and does not hold it.
func loadChild(args []string) error {
	if _, _, err := Install(Config{Dir: args[0]}); err != nil {
		return err
	}
	return sleep()
}

// upgradeChild upgrades a plane.
func upgradeChild(args []string) error {
	if _, err := Upgrade(args[0]); err != nil {
		return err
	}
	return sleep()
}

// watchChild holds a plane and prints what is logged of its interfaces.
func watchChild(args []string) error {
	p, err := Open(args[0])
	if err != nil {
		return err
	}
	p.LogTo(slog.New(slog.NewTextHandler(os.Stdout, nil)))
	if err := p.Receive(func(Event) {}); err != nil {
		return err
	}
	return sleep()
}
