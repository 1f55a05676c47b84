package mrcptest

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/zaf/g711"
	"go.uber.org/goleak"

	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait; the machine may be busy.
const patience = 30 * time.Second

const offerText = `v=0
o=test 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=application 9 TCP/MRCPv2 1
a=setup:active
a=connection:new
a=resource:speechsynth
a=cmid:1
m=application 9 TCP/MRCPv2 1
a=setup:active
a=connection:new
a=resource:speechrecog
a=cmid:1
m=audio %d RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=sendrecv
a=mid:1
`

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// client speaks MRCP by hand.
type client struct {
	t       *testing.T
	server  *Server
	session *Session
	nc      net.Conn
	reader  *wire.Reader
	rtp     *net.UDPConn
	id      uint32
	seq     uint16
}

func newServer(t *testing.T, engine Engine, cfg Config) *Server {
	t.Helper()
	cfg.Timeouts = line.Timeouts{NoInput: 10 * time.Second, Complete: 400 * time.Millisecond, Incomplete: 700 * time.Millisecond, MaxSpeech: 5 * time.Second}
	cfg.LossTimeout = 100 * time.Millisecond
	server, err := NewServer(cfg, engine, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func newClient(t *testing.T, server *Server) *client {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	offer := fmt.Sprintf(offerText, socket.LocalAddr().(*net.UDPAddr).Port)
	_, session, err := server.Answer(crlf(offer), netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close(); _ = nc.Close(); _ = socket.Close() })
	return &client{t: t, server: server, session: session, nc: nc, reader: wire.NewReader(nc, 0), rtp: socket}
}

// send sends a request, "METHOD resource" and header lines; its id is returned.
func (c *client) send(what, body string, fields ...string) uint32 {
	c.t.Helper()
	c.id++
	method, resource, _ := strings.Cut(what, " ")
	m := wire.NewRequest(method, c.id, c.session.ID()+"@"+resource)
	for i := 0; i+1 < len(fields); i += 2 {
		m.Header.Add(fields[i], fields[i+1])
	}
	m.Body = []byte(body)
	c.write(string(m.Append(nil)))
	return c.id
}

func (c *client) write(raw string) {
	c.t.Helper()
	if _, err := c.nc.Write([]byte(raw)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() *wire.Message {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	m, err := c.reader.Read()
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// expect reads a message and wants its start line, {n} standing for the id of
// the n-th request, and header fields in pairs.
func (c *client) expect(start string, fields ...string) *wire.Message {
	c.t.Helper()
	m := c.read()
	if m.String() != start {
		c.t.Errorf("got %q, want %q", m, start)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if got := m.Header.Get(fields[i]); got != fields[i+1] {
			c.t.Errorf("%s: %s is %q, want %q", m, fields[i], got, fields[i+1])
		}
	}
	return m
}

// say sends audio in real time.
func (c *client) say(pcm []int16) {
	c.t.Helper()
	ticker := time.NewTicker(line.Frame)
	defer ticker.Stop()
	for ; len(pcm) >= line.FrameSamples; pcm = pcm[line.FrameSamples:] {
		<-ticker.C
		payload := make([]byte, line.FrameSamples)
		for i := range payload {
			payload[i] = g711.EncodeUlawFrame(pcm[i])
		}
		raw, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: c.seq, SSRC: 7}, Payload: payload}).Marshal()
		if err != nil {
			c.t.Fatal(err)
		}
		c.seq++
		if _, err := c.rtp.WriteToUDPAddrPort(raw, c.session.Media()); err != nil {
			c.t.Fatal(err)
		}
	}
}

const (
	synth = "speechsynth"
	recog = "speechrecog"
	talk  = `<speak version="1.0">` + "a b c d e f g h i j k l m n o p q r s t u v w x y z" + `</speak>`
	gram  = `<grammar/>`
)

func (c *client) speak(body string, fields ...string) uint32 {
	c.t.Helper()
	return c.send("SPEAK "+synth, body, append([]string{"Content-Type", "application/ssml+xml"}, fields...)...)
}

func (c *client) recognize(fields ...string) uint32 {
	c.t.Helper()
	return c.send("RECOGNIZE "+recog, gram, append([]string{"Content-Type", "application/srgs+xml", "Content-Id", "<g@x>"}, fields...)...)
}
