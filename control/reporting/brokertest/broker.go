// Package brokertest runs a real Apache ActiveMQ broker, Debian's package
// activemq, on loopback ports of its own with a configuration and data of its
// own, for tests, benchmarks and demonstrations. It can be stopped, killed,
// paused and started again on the same ports and data.
package brokertest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	home = "/usr/share/activemq"
	jar  = home + "/bin/activemq.jar"
	// startTimeout is generous: a machine may be busy with other things.
	startTimeout = 2 * time.Minute
)

// ErrMissing says that the broker is not installed.
var ErrMissing = errors.New("ActiveMQ is not installed (Debian: activemq, default-jre-headless)")

// Config says how the broker is to run.
type Config struct {
	Dir            string   // of configuration and data; it must exist
	Data           string   // of data; default: in Dir
	User, Password string   // empty: anyone may connect
	Store          string   // most that is stored, such as "64 mb"; default 1 gb
	FailWhenFull   bool     // refuse producers when full, instead of letting them wait
	Options        []string // a further OpenWire connector for each, such as "wireFormat.version=9"
	Host           string   // address to listen on; default 127.0.0.1
	TLS            bool     // also listen with TLS; the certificate is in Broker.Certificate
	Namespace      string   // network namespace to run in; default: the caller's
	Java           []string // further options of the Java machine, such as -XX:TieredStopAtLevel=4
}

// Broker is a broker that runs, or ran.
type Broker struct {
	OpenWire    string   // host:port
	OpenWireTLS string   // host:port, with Config.TLS
	STOMP       string   // host:port
	More        []string // host:port of the connectors for Config.Options
	Certificate string   // PEM file, with Config.TLS

	config Config
	cmd    *exec.Cmd
	log    tail
	ended  chan struct{}
}

// Start starts a broker and returns once it takes connections.
func Start(config Config) (*Broker, error) {
	if _, err := os.Stat(jar); err != nil {
		return nil, ErrMissing
	}
	if _, err := exec.LookPath("java"); err != nil {
		return nil, ErrMissing
	}
	if config.Host == "" {
		config.Host = "127.0.0.1"
	}
	if config.Data == "" {
		config.Data = filepath.Join(config.Dir, "data")
	}
	b := &Broker{config: config, More: make([]string, len(config.Options))}
	if config.TLS {
		if err := b.makeCertificate(); err != nil {
			return nil, err
		}
	}
	return b, b.Restart()
}

// Restart starts a broker that has ended, on the ports and data it had.
func (b *Broker) Restart() error {
	if err := b.writeConfig(); err != nil {
		return fmt.Errorf("start broker: %w", err)
	}
	cmd := b.java("start", "xbean:file:"+filepath.Join(b.config.Dir, "activemq.xml"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start broker: %w", err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start broker: %w", err)
	}
	b.cmd, b.ended = cmd, make(chan struct{})
	ready := make(chan struct{})
	go b.follow(out, ready)
	select {
	case <-ready:
		return nil
	case <-b.ended:
		return fmt.Errorf("broker ended at its start:\n%s", b.log.String())
	case <-time.After(startTimeout):
		return errors.Join(fmt.Errorf("broker did not start:\n%s", b.log.String()), b.Kill())
	}
}

// java is the broker's program with some of its commands.
func (b *Broker) java(args ...string) *exec.Cmd {
	base := []string{
		"java", "-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Djava.io.tmpdir=" + b.config.Dir, "-Dactivemq.home=" + home, "-Dactivemq.base=" + b.config.Dir,
		"-Dactivemq.conf=" + b.config.Dir, "-Dlog4j.configuration=file:" + filepath.Join(b.config.Dir, "log4j.properties"),
	}
	base = append(append(base, b.config.Java...), "-jar", jar)
	if b.config.Namespace != "" {
		base = append([]string{"ip", "netns", "exec", b.config.Namespace}, base...)
	}
	cmd := exec.Command(base[0], append(base[1:], args...)...)
	cmd.Dir = b.config.Dir
	// The broker dies with the process that started it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// follow reads the broker's log: it tells the ports and when all is open.
func (b *Broker) follow(out io.Reader, ready chan struct{}) {
	lines := bufio.NewScanner(out)
	started := sync.OnceFunc(func() { close(ready) })
	at := ""
	for lines.Scan() {
		line := lines.Text()
		b.log.add(line)
		if _, uri, ok := strings.Cut(line, "Listening for connections at: "); ok {
			at = addressOf(uri, b.config.Host)
		}
		if fields := strings.Fields(line); len(fields) == 4 && fields[1] == "Connector" && fields[3] == "started" {
			b.listening(fields[2], at)
		}
		if strings.Contains(line, "Apache ActiveMQ") && strings.Contains(line, ") started") {
			started()
		}
	}
	_ = b.cmd.Wait() // killed, more often than not
	close(b.ended)
}

// addressOf is a connector's host and port; the log may tell the host by name.
func addressOf(uri, host string) string {
	_, address, _ := strings.Cut(uri, "://")
	address, _, _ = strings.Cut(address, "?")
	_, port, _ := net.SplitHostPort(address)
	return net.JoinHostPort(host, port)
}

func (b *Broker) listening(connector, address string) {
	switch connector {
	case "openwire":
		b.OpenWire = address
	case "ssl":
		b.OpenWireTLS = address
	case "stomp":
		b.STOMP = address
	default:
		var i int
		if _, err := fmt.Sscanf(connector, "more%d", &i); err == nil {
			b.More[i] = address
		}
	}
}

// Pause stops the broker's process without ending it, Resume lets it go on.
func (b *Broker) Pause() error  { return b.cmd.Process.Signal(syscall.SIGSTOP) }
func (b *Broker) Resume() error { return b.cmd.Process.Signal(syscall.SIGCONT) }

// Kill ends the broker at once, Stop in order. Both return once it is gone.
func (b *Broker) Kill() error { return b.end(syscall.SIGKILL) }
func (b *Broker) Stop() error { return b.end(syscall.SIGTERM) }

func (b *Broker) end(signal syscall.Signal) error {
	select {
	case <-b.ended:
		return nil
	default:
	}
	if err := b.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end broker: %w", err)
	}
	<-b.ended
	return nil
}

// Log is the end of what the broker has logged.
func (b *Broker) Log() string { return b.log.String() }

// tail keeps the last lines of a log.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	t.lines = t.lines[max(0, len(t.lines)-200):]
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
