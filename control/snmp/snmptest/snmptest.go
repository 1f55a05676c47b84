// Package snmptest runs Net-SNMP's programs for tests: a master agent and a receiver
// of notifications on addresses and in directories of their own.
package snmptest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"
)

// Community is the one that may read; Private may write.
const (
	Community = "public"
	Private   = "private"
)

// patience is how long a program or a value may take to appear on a slow machine.
const patience = 30 * time.Second

// Master is a running snmpd.
type Master struct {
	Addr   string // of SNMP, over UDP
	AgentX string // unix:PATH, for subagents
	TCP    string // tcp:HOST:PORT, for them, too

	t       testing.TB
	dir     string
	process *process
	traps   *output
}

// Start runs an agent and a receiver of its notifications until the test ends. A test
// on a machine without them is skipped.
func Start(t testing.TB) *Master {
	t.Helper()
	for _, name := range []string{"snmpd", "snmptrapd", "snmpwalk"} {
		if _, err := find(name); err != nil {
			t.Skipf("%s is not installed: scripts/setup.sh test installs it", name)
		}
	}
	// The paths of sockets are short; those of tests may not be.
	dir, err := os.MkdirTemp("", "snmp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &Master{t: t, dir: dir, Addr: freeUDP(t), AgentX: "unix:" + filepath.Join(dir, "master"), TCP: "tcp:" + freeTCP(t)}
	receiver := freeUDP(t)
	m.write("snmptrapd.conf", "authCommunity log,execute,net "+Community)
	m.write("snmpd.conf", "agentaddress udp:"+m.Addr, "master agentx",
		"agentXSocket "+strings.TrimPrefix(m.AgentX, "unix:")+","+m.TCP, "agentXTimeout 5",
		"rocommunity "+Community+" 127.0.0.1", "rwcommunity "+Private+" 127.0.0.1",
		"trap2sink "+receiver+" "+Community, "[snmp] clientaddr 127.0.0.1")
	m.traps = m.run("snmptrapd", "-f", "-Lo", "-C", "-c", filepath.Join(dir, "snmptrapd.conf"), "-n", "-On", "-OQ",
		"-F", "%v\n", "udp:"+receiver).output
	m.Restart()
	return m
}

// Restart runs the agent again, or anew after Stop.
func (m *Master) Restart() {
	m.t.Helper()
	m.Stop()
	m.process = m.run("snmpd", "-f", "-Lo", "-C", "-c", filepath.Join(m.dir, "snmpd.conf"), "-I", "-smux")
	Eventually(m.t, "the agent's answer", func() error {
		_, err := m.Get("1.3.6.1.2.1.1.3.0")
		if err != nil {
			return fmt.Errorf("%w: %s", err, m.process.output)
		}
		return nil
	})
}

// Stop ends the agent.
func (m *Master) Stop() {
	if m.process != nil {
		m.process.stop()
		m.process = nil
	}
}

// Get asks the agent for variables.
func (m *Master) Get(names ...string) ([]gosnmp.SnmpPDU, error) {
	client, err := m.dial()
	if err != nil {
		return nil, err
	}
	defer client.Conn.Close()
	answer, err := client.Get(names)
	if err != nil {
		return nil, err
	}
	return answer.Variables, nil
}

func (m *Master) dial() (*gosnmp.GoSNMP, error) {
	host, port, err := net.SplitHostPort(m.Addr)
	if err != nil {
		return nil, err
	}
	client := &gosnmp.GoSNMP{Target: host, Community: Community, Version: gosnmp.Version2c, Timeout: 2 * time.Second}
	if _, err := fmt.Sscan(port, &client.Port); err != nil {
		return nil, err
	}
	return client, client.Connect()
}

// Tool runs one of Net-SNMP's commands, such as snmpwalk, at the agent; mibs is a
// directory of MIB files to know, if not empty.
func (m *Master) Tool(mibs, name string, args ...string) (string, error) {
	path, err := find(name)
	if err != nil {
		return "", err
	}
	command := exec.Command(path, args...)
	command.Env = m.environ()
	if mibs != "" {
		command.Env = append(command.Env, "MIBS=ALL", "MIBDIRS="+mibs)
	}
	said, err := command.CombinedOutput()
	return string(said), err
}

// Traps are the notifications received, a line each: pairs of names and values.
func (m *Master) Traps() []string {
	return strings.FieldsFunc(m.traps.String(), func(r rune) bool { return r == '\n' })
}

// Eventually waits until something holds.
func Eventually(t testing.TB, what string, holds func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (m *Master) write(name string, lines ...string) {
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// environ keeps MIB files and state of the machine out.
func (m *Master) environ() []string {
	return append(os.Environ(), "MIBS=", "SNMP_PERSISTENT_DIR="+filepath.Join(m.dir, "state"), "SNMPCONFPATH="+m.dir)
}

// process is a program that runs until it is stopped.
type process struct {
	command *exec.Cmd
	output  *output
}

func (m *Master) run(name string, args ...string) *process {
	m.t.Helper()
	path, err := find(name)
	if err != nil {
		m.t.Fatal(err)
	}
	p := &process{command: exec.Command(path, args...), output: &output{}}
	p.command.Env = m.environ()
	p.command.Stdout, p.command.Stderr = p.output, p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(p.stop)
	return p
}

func (p *process) stop() {
	if p.command.ProcessState == nil {
		p.command.Process.Kill()
		p.command.Wait()
	}
}

// output is what a program has said so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// find looks where system programs are, too.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", name))
}

func freeUDP(t testing.TB) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}

func freeTCP(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
