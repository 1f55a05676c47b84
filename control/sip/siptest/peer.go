// Package siptest is a SIP peer for tests that speaks in bytes: it sends what
// it is told and shows what came, over a real socket, and knows no more of SIP
// than how a message is divided into lines. It shares no code with the agent.
package siptest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for a message before it fails; generous,
// for slow machines.
const patience = 20 * time.Second

// Peer is one socket that speaks SIP.
type Peer struct {
	t       testing.TB
	network string
	conn    net.Conn       // TCP
	packet  net.PacketConn // UDP
	to      net.Addr       // UDP: where Send goes
	inbox   chan Message
	reader  sync.WaitGroup

	mu           sync.Mutex // guards what follows
	acknowledged map[string]bool
}

// Dial makes a peer that speaks to an address over "tcp" or "udp". It is closed
// when the test ends.
func Dial(t testing.TB, network, addr string) *Peer {
	t.Helper()
	p := &Peer{t: t, network: network, inbox: make(chan Message, 1000)}
	var err error
	if network == "tcp" {
		p.conn, err = net.Dial("tcp", addr)
	} else {
		local := "127.0.0.1:0"
		if strings.HasPrefix(addr, "[") {
			local = "[::1]:0"
		}
		p.packet, err = net.ListenPacket("udp", local)
		if err == nil {
			p.to, err = net.ResolveUDPAddr("udp", addr)
		}
	}
	if err != nil {
		t.Fatalf("dial %s %s: %v", network, addr, err)
	}
	p.start()
	return p
}

// DialTLS is Dial over TLS.
func DialTLS(t testing.TB, addr string, cfg *tls.Config) *Peer {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatalf("dial tls %s: %v", addr, err)
	}
	return Adopt(t, conn)
}

// Listen makes a UDP peer that sends to whoever it heard from last.
func Listen(t testing.TB) *Peer {
	t.Helper()
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Peer{t: t, network: "udp", packet: packet, inbox: make(chan Message, 1000)}
	p.start()
	return p
}

// Adopt makes a peer of an accepted connection, over TCP unless it is one of TLS.
func Adopt(t testing.TB, conn net.Conn) *Peer {
	p := &Peer{t: t, network: "tcp", conn: conn, inbox: make(chan Message, 1000)}
	if _, secured := conn.(*tls.Conn); secured {
		p.network = "tls"
	}
	p.start()
	return p
}

func (p *Peer) start() {
	if p.conn != nil {
		p.reader.Go(p.readStream)
	} else {
		p.reader.Go(p.readPackets)
	}
	p.t.Cleanup(p.Close)
}

// Close closes the socket without a word, and forgets what nobody has looked at.
func (p *Peer) Close() {
	if p.conn != nil {
		p.conn.Close()
	} else {
		p.packet.Close()
	}
	for range p.inbox {
	}
	p.reader.Wait()
}

// Network is "tcp" or "udp".
func (p *Peer) Network() string { return p.network }

// Addr is the peer's own address.
func (p *Peer) Addr() string {
	if p.conn != nil {
		return p.conn.LocalAddr().String()
	}
	return p.packet.LocalAddr().String()
}

// Raw sends bytes as they are.
func (p *Peer) Raw(data string) {
	p.t.Helper()
	var err error
	if p.conn != nil {
		_, err = io.WriteString(p.conn, data)
	} else {
		_, err = p.packet.WriteTo([]byte(data), p.to)
	}
	if err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// Send sends a message.
func (p *Peer) Send(m Message) {
	p.t.Helper()
	if strings.HasPrefix(m.Start, "ACK ") {
		p.acknowledge(m)
	}
	p.Raw(m.String())
}

func (p *Peer) acknowledge(ack Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.acknowledged == nil {
		p.acknowledged = map[string]bool{}
	}
	p.acknowledged[exchange(ack)] = true
}

// stray tells whether a message is the answer to an INVITE, sent again before its
// ACK had arrived, as it is where that took longer than T1.
func (p *Peer) stray(m Message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return m.Status() >= 200 && strings.HasSuffix(m.Get("CSeq"), " INVITE") && p.acknowledged[exchange(m)]
}

// exchange is what an INVITE's final responses and their ACK have in common.
func exchange(m Message) string {
	number, _, _ := strings.Cut(m.Get("CSeq"), " ")
	return m.Get("Call-ID") + " " + m.Get("To") + " " + number
}

// Next returns the next message, and fails the test if none comes.
func (p *Peer) Next() Message {
	p.t.Helper()
	m, ok := p.Within(patience)
	if !ok {
		p.t.Fatalf("no message within %v", patience)
	}
	return m
}

// Within returns the next message if one comes in time.
func (p *Peer) Within(d time.Duration) (Message, bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case m, ok := <-p.inbox:
		return m, ok
	case <-timer.C:
		return Message{}, false
	}
}

// Expect returns the next message whose start line begins with a prefix, such
// as "SIP/2.0 200" or "BYE", skipping 100 Trying, what else is to be skipped, and
// answers to INVITEs that Send has sent the ACK of; any other message fails the test.
func (p *Peer) Expect(prefix string, skip ...string) Message {
	p.t.Helper()
	skip = append(skip, "SIP/2.0 100")
	for {
		m := p.Next()
		if p.stray(m) {
			continue
		}
		if strings.HasPrefix(m.Start, prefix) {
			return m
		}
		if !hasAnyPrefix(m.Start, skip) {
			p.t.Fatalf("want %q, got:\n%s", prefix, m)
		}
	}
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// Closed waits until the far end closes the connection.
func (p *Peer) Closed() bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case _, ok := <-p.inbox:
			if !ok {
				return true
			}
		case <-timer.C:
			return false
		}
	}
}

func (p *Peer) readPackets() {
	defer close(p.inbox)
	buf := make([]byte, 65535)
	for {
		n, from, err := p.packet.ReadFrom(buf)
		if err != nil {
			return
		}
		if p.to == nil {
			p.to = from
		}
		if m, ok := Parse(string(buf[:n])); ok {
			p.inbox <- m
		}
	}
}

func (p *Peer) readStream() {
	defer close(p.inbox)
	r := bufio.NewReader(p.conn)
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		p.inbox <- m
	}
}

func readMessage(r *bufio.Reader) (Message, error) {
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return Message{}, err
		}
		if line == "\r\n" {
			if head.Len() == 0 {
				continue
			}
			break
		}
		head.WriteString(line)
	}
	m, ok := Parse(head.String() + "\r\n")
	if !ok {
		return m, fmt.Errorf("no message: %q", head.String())
	}
	n, err := strconv.Atoi(m.Get("Content-Length"))
	if err != nil {
		return m, err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	m.Body = string(body)
	return m, err
}
