package openwire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/reporting/brokertest"
	"mcp/control/reporting/reportingtest"
)

// stage is the broker that the tests of this package share: starting one takes
// seconds.
type stage struct {
	start  sync.Once
	broker *brokertest.Broker
	dir    string
	err    error
}

var shared stage

// quick is what the connector for it takes for silence.
const quick = 600 * time.Millisecond

func sharedBroker(t *testing.T) *brokertest.Broker {
	t.Helper()
	shared.start.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "openwire"); shared.err != nil {
			return
		}
		c := brokertest.Config{Dir: shared.dir, User: "ivr", Password: "s3cret", TLS: true}
		for version := minVersion; version <= maxVersion; version++ {
			c.Options = append(c.Options, fmt.Sprintf("wireFormat.version=%d", version))
		}
		c.Options = append(c.Options, fmt.Sprintf("wireFormat.maxInactivityDuration=%[1]d&wireFormat.maxInactivityDurationInitalDelay=%[1]d", quick.Milliseconds()))
		shared.broker, shared.err = brokertest.Start(c)
	})
	if errors.Is(shared.err, brokertest.ErrMissing) {
		t.Skip(shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.broker
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.broker != nil {
		if err := errors.Join(shared.broker.Kill(), os.RemoveAll(shared.dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// login is how the shared broker is met at an address.
func login(address string) Config { return Config{Address: address, User: "ivr", Password: "s3cret"} }

func dial(t testing.TB, c Config) *Conn {
	t.Helper()
	conn, err := Dial(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// texts makes messages that differ, with what Java writes unlike others in them.
func texts(destination string, from, to int) (out []Message) {
	for i := from; i < to; i++ {
		out = append(out, Message{
			Destination: destination, Type: "call", Correlation: fmt.Sprint("corr-", i), Time: time.UnixMilli(1700000000123),
			Properties: map[string]any{"number": int32(i), "long": int64(i) << 40, "flag": i%2 == 0, "text": "é€𝄞"},
			Text:       fmt.Sprintf("message %d é€𝄞 \x00 end", i),
		})
	}
	return out
}

func mustSend(t testing.TB, c *Conn, messages []Message) {
	t.Helper()
	if err := c.Send(context.Background(), messages); err != nil {
		t.Fatal(err)
	}
}

// consume takes n messages with the broker's own consumer.
func consume(t testing.TB, b *brokertest.Broker, destination string, n int) (got []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	err := b.Consume(ctx, destination, func(text string) bool {
		got = append(got, text)
		return len(got) < n
	})
	if err != nil {
		t.Fatalf("%v after %d messages", err, len(got))
	}
	return got
}

func TestJavaReadsWhatIsSent(t *testing.T) {
	b := sharedBroker(t)
	pem, err := os.ReadFile(b.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	plain := dial(t, login(b.OpenWire))
	secure := dial(t, Config{Address: b.OpenWireTLS, User: "ivr", Password: "s3cret", TLS: &tls.Config{RootCAs: roots}})
	mustSend(t, plain, texts("records", 0, 1))
	mustSend(t, plain, texts("records", 1, 300))
	mustSend(t, secure, texts("queue://records", 300, 305))
	mustSend(t, secure, nil)
	got := consume(t, b, "queue://records", 305)
	for i, text := range got {
		if want := fmt.Sprintf("message %d é€𝄞 \x00 end", i); text != want {
			t.Fatalf("message %d is %q, want %q", i, text, want)
		}
	}
	if plain.Broker() != "localhost" {
		t.Errorf("broker calls itself %q", plain.Broker())
	}
	t.Run("wrong password", func(t *testing.T) {
		_, err := Dial(context.Background(), Config{Address: b.OpenWire, User: "ivr", Password: "wrong"})
		var refused *Exception
		if !errors.As(err, &refused) || refused.Class != "java.lang.SecurityException" {
			t.Errorf("%v", err)
		}
	})
	t.Run("certificate that is not trusted", func(t *testing.T) {
		_, err := Dial(context.Background(), Config{Address: b.OpenWireTLS, TLS: &tls.Config{RootCAs: x509.NewCertPool()}})
		var unknown *tls.CertificateVerificationError
		if !errors.As(err, &unknown) {
			t.Errorf("%v", err)
		}
	})
}

func TestEveryVersionIsSpoken(t *testing.T) {
	b := sharedBroker(t)
	const versions = maxVersion - minVersion + 1
	for i := range versions {
		c := dial(t, login(b.More[i]))
		if c.version != int32(minVersion+i) {
			t.Errorf("version %d, want %d", c.version, minVersion+i)
		}
		mustSend(t, c, texts("versions", 5*i, 5*i+4))
		mustSend(t, c, texts("versions", 5*i+4, 5*i+5))
	}
	for i, text := range consume(t, b, "queue://versions", 5*versions) {
		if !strings.HasPrefix(text, fmt.Sprintf("message %d ", i)) {
			t.Errorf("message %d is %q", i, text)
		}
	}
}

func TestSilenceIsFilledOnBothSides(t *testing.T) {
	b := sharedBroker(t)
	c := dial(t, login(b.More[len(b.More)-1]))
	if c.config.Inactivity != quick {
		t.Fatalf("inactivity %s", c.config.Inactivity)
	}
	// The broker's own monitor ends a connection that keeps silent: this one has
	// to outlive a few of its times.
	for range 5 {
		select {
		case <-c.Done():
			t.Fatalf("the connection ended: %v", c.failure)
		case <-time.After(quick):
		}
	}
	mustSend(t, c, texts("silence", 0, 1))
	if err := b.Pause(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if !errors.Is(c.failure, ErrSilent) {
		t.Errorf("paused broker: %v", c.failure)
	}
	if err := c.Send(context.Background(), texts("silence", 1, 3)); !errors.Is(err, ErrSilent) {
		t.Errorf("send after the end: %v", err)
	}
	if err := b.Resume(); err != nil {
		t.Fatal(err)
	}
}

func TestKilledBrokerFailsWhatWaits(t *testing.T) {
	b := sharedBroker(t)
	c := dial(t, login(b.OpenWire))
	mustSend(t, c, texts("killed", 0, 10))
	if err := b.Pause(); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error)
	go func() { sent <- c.Send(context.Background(), texts("killed", 10, 20)) }()
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err == nil {
		t.Error("a killed broker has confirmed")
	}
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	mustSend(t, dial(t, login(b.OpenWire)), texts("killed", 10, 20))
	got := consume(t, b, "queue://killed", 20)
	if !strings.HasPrefix(got[9], "message 9 ") || !strings.HasPrefix(got[19], "message 19 ") {
		t.Errorf("%q", got)
	}
}

func TestFullBrokerRefuses(t *testing.T) {
	b := reportingtest.StartBroker(t, brokertest.Config{Store: "8 mb", FailWhenFull: true})
	c := dial(t, Config{Address: b.OpenWire})
	big := texts("records", 0, 8)
	for i := range big {
		big[i].Text = strings.Repeat("x", 100_000)
	}
	var err error
	confirmed := 0
	for i := 0; i < 50 && err == nil; i++ {
		if err = c.Send(context.Background(), big); err == nil {
			confirmed += len(big)
		}
	}
	var full *Exception
	if !errors.As(err, &full) || full.Class != "javax.jms.ResourceAllocationException" {
		t.Fatalf("after %d messages: %v", confirmed, err)
	}
	if got := consume(t, b, "queue://records", confirmed); len(got) != confirmed {
		t.Errorf("%d of %d", len(got), confirmed)
	}
}

// tap relays connections and keeps what both sides say.
type tap struct {
	listener net.Listener
	target   string

	mu   sync.Mutex
	said [2]bytes.Buffer // by the client, by the broker
	wg   sync.WaitGroup
}

func newTap(t *testing.T, target string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{listener: l, target: target}
	p.wg.Go(p.serve)
	return p
}

func (p *tap) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			return
		}
		p.wg.Go(func() { p.copy(broker, client, 0) })
		p.wg.Go(func() { p.copy(client, broker, 1) })
	}
}

func (p *tap) copy(to, from net.Conn, side int) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		p.said[side].Write(buf[:n])
		p.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// frames ends the tap and returns what one side said, cut into frames.
func (p *tap) frames(side int) (out [][]byte) {
	p.listener.Close()
	p.wg.Wait()
	r := bufio.NewReader(&p.said[side])
	for {
		size, err := r.Peek(4)
		if err != nil {
			return out
		}
		b := make([]byte, 4+binary.BigEndian.Uint32(size))
		if _, err := io.ReadFull(r, b); err != nil {
			return out
		}
		out = append(out, b)
	}
}

// TestFramesAreThoseOfTheBrokersOwnClient reads every frame that a Java client
// and the broker exchange, and writes it again byte for byte.
func TestFramesAreThoseOfTheBrokersOwnClient(t *testing.T) {
	b := sharedBroker(t)
	java := newTap(t, b.OpenWire)
	url := fmt.Sprintf("tcp://%s?wireFormat.tightEncodingEnabled=false&wireFormat.cacheEnabled=false&wireFormat.stackTraceEnabled=false", java.listener.Addr())
	if err := b.Produce(context.Background(), "queue://frames", url, 3); err != nil {
		t.Fatal(err)
	}
	ours := newTap(t, b.OpenWire)
	c := dial(t, login(ours.listener.Addr().String()))
	mustSend(t, c, texts("frames", 0, 3))
	_ = c.Close()
	seen := map[byte]int{}
	for _, side := range [][][]byte{java.frames(0), java.frames(1), ours.frames(0), ours.frames(1)} {
		for _, want := range side {
			cmd, err := parse(maxVersion, want[4:])
			if err != nil {
				t.Fatalf("%v in %q", err, want)
			}
			seen[cmd.kind()]++
			if got, err := frame(maxVersion, cmd); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%T: wrote %q, %v; the other end %q", cmd, got, err, want)
			}
		}
	}
	for _, kind := range []byte{
		typeWireFormatInfo, typeBrokerInfo, typeConnectionInfo, typeSessionInfo, typeProducerInfo, typeTransactionInfo,
		typeTextMessage, typeResponse, typeShutdown,
	} {
		if seen[kind] == 0 {
			t.Errorf("no command of type %d was exchanged: %v", kind, seen)
		}
	}
}
