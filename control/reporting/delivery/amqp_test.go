package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"mcp/control/reporting/journal"
)

const rabbitServer = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// startRabbit starts RabbitMQ with its plug-in for AMQP 1.0 and returns where it
// listens: Debian's ActiveMQ has no connector for that protocol.
func startRabbit(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(rabbitServer); err != nil {
		t.Skip("RabbitMQ is not installed (Debian: rabbitmq-server)")
	}
	dir := t.TempDir()
	ports := freePorts(t, 3)
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	files := map[string]string{"plugins": "[rabbitmq_amqp1_0].", "rabbit.conf": "listeners.tcp.1 = " + address + "\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(rabbitServer)
	cmd.Env = append(os.Environ(), "HOME="+dir, "ERL_EPMD_ADDRESS=127.0.0.1", fmt.Sprint("ERL_EPMD_PORT=", ports[1]),
		fmt.Sprintf("RABBITMQ_NODENAME=records%d@localhost", os.Getpid()), fmt.Sprint("RABBITMQ_DIST_PORT=", ports[2]),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}", "RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
		"RABBITMQ_MNESIA_BASE="+dir, "RABBITMQ_LOG_BASE="+dir, "RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbit.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"))
	// A group of its own: the server is a script that starts others.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		// Its port mapper is a daemon, and ends only once no node is known to it.
		until(t, "the end of the port mapper", func() bool {
			return exec.Command("epmd", "-port", fmt.Sprint(ports[1]), "-kill").Run() == nil
		})
		if t.Failed() {
			log, _ := os.ReadFile(out.Name())
			t.Logf("%s", log)
		}
	})
	until(t, "the broker's start", func() bool {
		conn, err := amqp.Dial(context.Background(), "amqp://"+address, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("guest", "guest")})
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	})
	return address
}

func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func TestAMQP(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a broker")
	}
	address := startRabbit(t)
	j := openJournal(t, t.TempDir(), journal.Config{})
	put(t, j, 0, 700)
	c := Config{Brokers: []string{"amqp://" + address}, User: "guest", Password: "wrong", Queue: "/queue/records", Timeout: 10 * time.Second}
	p := newPump(t, c, j)
	stop := run(t, p)
	until(t, "a refusal", func() bool { return value(t, p, "mcp_reporting_delivery_failures_total") > 0 })
	stop()
	c.Password = "guest"
	p = newPump(t, c, j)
	stop = run(t, p)
	until(t, "delivery", func() bool { return p.Confirmed() >= 700 })
	stop()
	got := takeAMQP(t, address, 700)
	for i := range 700 {
		if m := got[fmt.Sprint("call-", i)]; m == nil || m.ApplicationProperties["kind"] != "call" || m.Header == nil || !m.Header.Durable {
			t.Fatalf("record %d: %+v", i, m)
		}
	}
	c.Queue = "/queue/idle"
	losesItsConnection(t, "amqp", address, c)
}

// takeAMQP takes so many different records, with the library's own receiver.
func takeAMQP(t *testing.T, address string, n int) map[string]*amqp.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	got := map[string]*amqp.Message{}
	for len(got) < n {
		if ctx.Err() != nil {
			t.Fatalf("after two minutes there are %d records of %d", len(got), n)
		}
		takeSome(ctx, t, address, n, got)
	}
	return got
}

// stall is after how long without a message a receiver is opened anew.
const stall = 3 * time.Second

// takeSome takes records until there are so many, or none comes any more. What is not
// accepted the broker gives to the next receiver.
func takeSome(ctx context.Context, t *testing.T, address string, n int, got map[string]*amqp.Message) {
	t.Helper()
	conn, err := amqp.Dial(ctx, "amqp://"+address, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("guest", "guest")})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The credit is given once for all: the plug-in may lose count of more of it.
	receiver, err := session.NewReceiver(ctx, "/amq/queue/records", &amqp.ReceiverOptions{Credit: -1})
	if err == nil {
		err = receiver.IssueCredit(uint32(n))
	}
	if err != nil {
		t.Fatal(err)
	}
	for len(got) < n {
		waiting, cancel := context.WithTimeout(ctx, stall)
		m, err := receiver.Receive(waiting, nil)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
		if err == nil {
			err = receiver.AcceptMessage(ctx, m)
		}
		if err != nil {
			t.Fatal(errors.Join(fmt.Errorf("after %d records", len(got)), err))
		}
		text, _ := m.Value.(string)
		got[recordID(t, text)] = m
	}
}
