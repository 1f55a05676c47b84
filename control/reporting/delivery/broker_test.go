package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"

	"mcp/control/reporting"
	"mcp/control/reporting/brokertest"
	"mcp/control/reporting/journal"
	"mcp/control/reporting/reportingtest"
)

// consume has the broker's own Java consumer take n different records, and tells
// how often each came.
func consume(t testing.TB, b *brokertest.Broker, queue string, n int) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	got := map[string]int{}
	err := b.Consume(ctx, "queue://"+queue, func(text string) bool {
		got[recordID(t, text)]++
		return len(got) < n
	})
	if err != nil {
		t.Fatalf("%v after %d records", err, len(got))
	}
	return got
}

// network is a namespace that a broker runs in, across a pair of interfaces.
type network struct {
	t          *testing.T
	name, host string
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace and a file system of its own")
	}
	id := os.Getpid()
	n := &network{t: t, name: fmt.Sprint("records-", id), host: fmt.Sprintf("10.%d.%d.2", 100+id/250%100, id%250)}
	near, far := fmt.Sprint("rep", id), fmt.Sprint("rfa", id)
	n.must("ip", "netns", "add", n.name)
	t.Cleanup(func() { n.must("ip", "netns", "delete", n.name) })
	n.must("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", n.name)
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", near).Run() }) // gone with the namespace, usually
	n.must("ip", "address", "add", strings.TrimSuffix(n.host, "2")+"1/30", "dev", near)
	n.must("ip", "link", "set", near, "up")
	for _, args := range []string{"address add " + n.host + "/30 dev " + far, "link set " + far + " up", "link set lo up"} {
		n.must("ip", append([]string{"-netns", n.name}, strings.Fields(args)...)...)
	}
	return n
}

func (n *network) must(name string, args ...string) {
	n.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		n.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// drop has every packet to the broker vanish, undrop ends it.
func (n *network) drop() {
	for _, rule := range []string{"add table ip lost", "add chain ip lost in { type filter hook input priority 0 ; }", "add rule ip lost in ip daddr " + n.host + " drop"} {
		n.must("ip", append([]string{"netns", "exec", n.name, "nft"}, strings.Fields(rule)...)...)
	}
}

func (n *network) undrop() {
	n.must("ip", "netns", "exec", n.name, "nft", "delete", "table", "ip", "lost")
}

// stage is a broker with all that can go wrong, and a pump that feeds it.
type stage struct {
	t      *testing.T
	broker *brokertest.Broker
	net    *network
	disk   string
	j      *journal.Journal
	pump   *Pump
	fed    atomic.Int64
}

// outage lets records come before, while and after something goes wrong.
func (s *stage) outage(begin, end func()) {
	s.t.Helper()
	s.settled()
	before := value(s.t, s.pump, "mcp_reporting_delivery_failures_total")
	begin()
	until(s.t, "a failed delivery", func() bool { return value(s.t, s.pump, "mcp_reporting_delivery_failures_total") > before })
	until(s.t, "a queue", func() bool { return value(s.t, s.pump, "mcp_reporting_queue_records") > 50 })
	if value(s.t, s.pump, "mcp_reporting_oldest_unsent_seconds") <= 0 {
		s.t.Error("records wait, and have no age")
	}
	end()
	s.settled()
}

// settled waits until delivery has caught up with what had come by now.
func (s *stage) settled() {
	s.t.Helper()
	fed := s.fed.Load()
	until(s.t, "the delivery of what waits", func() bool { return value(s.t, s.pump, "mcp_reporting_delivered_total") >= float64(fed) })
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestNothingIsLostWhateverTheBrokerDoes has records come all the time, at a
// broker that is restarted, killed, paused, cut off and full, and counts with the
// broker's own consumer.
func TestNothingIsLostWhateverTheBrokerDoes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes long")
	}
	net := newNetwork(t)
	s := &stage{t: t, net: net, disk: reportingtest.SmallDisk(t, "64m")}
	s.broker = reportingtest.StartBroker(t, brokertest.Config{Namespace: net.name, Host: net.host, Data: s.disk, User: "ivr", Password: "s3cret"})
	s.j = openJournal(t, t.TempDir(), journal.Config{Hold: true})
	c := Config{Brokers: []string{"tcp://" + s.broker.OpenWire}, User: "ivr", Password: "s3cret", Timeout: 2 * time.Second, Batch: 50}

	wrong := c
	wrong.Password = "wrong"
	s.pump = newPump(t, wrong, s.j)
	stop := run(t, s.pump)
	put(t, s.j, 0, 20)
	until(t, "a refusal", func() bool { return value(t, s.pump, "mcp_reporting_delivery_failures_total") > 2 })
	stop()
	if n := value(t, s.pump, "mcp_reporting_delivered_total"); n != 0 {
		t.Fatalf("%v records delivered with a wrong password", n)
	}

	s.pump = newPump(t, c, s.j)
	stop = run(t, s.pump)
	s.fed.Store(20)
	ctx, enough := context.WithCancel(context.Background())
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			n := int(s.fed.Load())
			put(t, s.j, n, n+3)
			s.fed.Store(int64(n + 3))
		}
	}()
	s.outage(func() { s.must(s.broker.Stop()) }, func() { s.must(s.broker.Restart()) })
	s.outage(func() { s.must(s.broker.Kill()) }, func() { s.must(s.broker.Restart()) })
	s.outage(func() { s.must(s.broker.Pause()) }, func() { s.must(s.broker.Resume()) })
	s.outage(net.drop, net.undrop)
	var ballast string
	s.outage(func() { ballast = reportingtest.Fill(t, s.disk) }, func() {
		s.must(os.Remove(ballast))
		s.must(s.broker.Kill()) // it may have ended itself
		s.must(s.broker.Restart())
	})
	enough()
	<-fed
	s.settled()
	stop()
	n := int(s.fed.Load())
	got := consume(t, s.broker, "mcp.records", n)
	twice := 0
	for i := range n {
		switch times := got[fmt.Sprint("call-", i)]; {
		case times == 0:
			t.Fatalf("record %d of %d never arrived", i, n)
		case times > 1:
			twice++
		}
	}
	t.Logf("%d records, %d of them more than once", n, twice)
	if len(got) != n {
		t.Errorf("%d different records, want %d", len(got), n)
	}
}

func TestFailOverAndEveryProtocolOfTheBroker(t *testing.T) {
	t.Parallel()
	b := reportingtest.StartBroker(t, brokertest.Config{User: "ivr", Password: "s3cret"})
	j := openJournal(t, t.TempDir(), journal.Config{})
	c := Config{User: "ivr", Password: "s3cret", Queue: "openwire"}
	c.Brokers = []string{"tcp://127.0.0.1:1", "tcp://" + b.OpenWire}
	// The broker looks for what a selector wants among the first messages only.
	if _, err := j.Append(context.Background(), []byte(`{"schema":1,"kind":"custom","id":"custom-1","tenant":"1.101","name":"com.genesyslab.var.CallResult","text":"é€𝄞"}`)); err != nil {
		t.Fatal(err)
	}
	put(t, j, 0, 1200)
	for _, tt := range []struct{ name, scheme, address string }{{"openwire", "tcp", b.OpenWire}, {"stomp", "stomp", b.STOMP}} {
		t.Run(tt.name, func(t *testing.T) {
			c.Queue, c.Brokers = tt.name, []string{"tcp://127.0.0.1:1", tt.scheme + "://" + tt.address}
			p := newPump(t, c, j)
			stop := run(t, p)
			until(t, "delivery", func() bool { return value(t, p, "mcp_reporting_delivered_total") >= 1201 })
			stop()
			if err := j.SetDelivered(journal.Position{}); err != nil { // for the next protocol
				t.Fatal(err)
			}
			selected(t, b, tt.name)
			for id, times := range consume(t, b, tt.name, 1200) {
				if times != 1 {
					t.Errorf("%s came %d times", id, times)
				}
			}
		})
	}
}

// selected takes what a selector asks for, with a client and a broker that nobody
// here wrote.
func selected(t *testing.T, b *brokertest.Broker, queue string) {
	t.Helper()
	conn, err := stomp.Dial("tcp", b.STOMP, stomp.ConnOpt.Login("ivr", "s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.MustDisconnect()
	sub, err := conn.Subscribe("/queue/"+queue, stomp.AckClient,
		stomp.SubscribeOpt.Header("selector", "kind = 'custom' AND tenant = '1.101' AND label LIKE 'com.genesyslab.%' AND JMSType = 'custom'"))
	if err != nil {
		t.Fatal(err)
	}
	m := <-sub.C
	if m.Err != nil {
		t.Fatal(m.Err)
	}
	var e reporting.Event
	if err := json.Unmarshal(m.Body, &e); err != nil || e.ID != "custom-1" || e.Text != "é€𝄞" {
		t.Errorf("selected %s, %v", m.Body, err)
	}
	if err := conn.Ack(m); err != nil {
		t.Fatal(err)
	}
	if err := sub.Unsubscribe(); err != nil {
		t.Error(err)
	}
}
