package delivery

import (
	"io"
	"net"
	"sync"
	"testing"

	"mcp/control/reporting/brokertest"
	"mcp/control/reporting/journal"
	"mcp/control/reporting/reportingtest"
)

// wire is what connections to a broker go through, until it is cut.
type wire struct {
	net.Listener
	to    string
	tasks sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, to: to}
	w.tasks.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.cut()
		w.tasks.Wait()
	})
	return w
}

func (w *wire) accept() {
	for {
		near, err := w.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.to)
		if err != nil {
			near.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, near, far)
		w.mu.Unlock()
		w.tasks.Go(func() { _, _ = io.Copy(near, far); near.Close() })
		w.tasks.Go(func() { _, _ = io.Copy(far, near); far.Close() })
	}
}

// cut ends the connections that there are.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// losesItsConnection has a pump deliver a record, lose its connection while there is
// nothing to deliver, and deliver another: its metric tells of each.
func losesItsConnection(t *testing.T, scheme, address string, c Config) {
	t.Helper()
	j, w := openJournal(t, t.TempDir(), journal.Config{}), newWire(t, address)
	c.Brokers = []string{scheme + "://" + w.Addr().String()}
	p := newPump(t, c, j)
	stop := run(t, p)
	defer stop()
	for n := range 2 {
		put(t, j, n, n+1)
		until(t, "delivery", func() bool { return p.Confirmed() == int64(n+1) })
		if value(t, p, "mcp_reporting_connected") != 1 {
			t.Error("what has delivered is not connected")
		}
		w.cut()
		until(t, "word of the loss", func() bool { return value(t, p, "mcp_reporting_connected") == 0 })
	}
	if n := value(t, p, "mcp_reporting_delivery_failures_total"); n != 0 {
		t.Errorf("%v deliveries failed, over connections known to be lost", n)
	}
}

// A connection that ends while there is nothing to send is known to have ended.
func TestAnIdleConnectionThatIsLostIsNoConnection(t *testing.T) {
	t.Parallel()
	b := reportingtest.StartBroker(t, brokertest.Config{User: "ivr", Password: "s3cret"})
	for scheme, address := range map[string]string{"tcp": b.OpenWire, "stomp": b.STOMP} {
		t.Run(scheme, func(t *testing.T) { losesItsConnection(t, scheme, address, Config{User: "ivr", Password: "s3cret"}) })
	}
}
