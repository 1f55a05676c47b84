package media_test

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/dtmf"
	"mcp/control/media/rtpstream"
	"mcp/control/media/socket"
)

const patience = 20 * time.Second

// phone is a far end on loopback.
type phone struct {
	t    testing.TB
	conn net.PacketConn
	leg  *media.Leg
	next rtpstream.Header
}

func newEngine(t testing.TB) *media.Engine {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	plane := socket.New("test", log)
	e, err := media.NewEngine(media.Config{PortMin: 20000, PortMax: 30000}, plane, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := plane.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// call opens a leg and connects it to a phone of its own.
func call(t testing.TB, s *media.Session, name string, c codec.Codec) *phone {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	leg, err := s.OpenLeg(name, netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	err = leg.Connect(media.FarEnd{
		RTP: conn.LocalAddr().(*net.UDPAddr).AddrPort(), PayloadType: c.PayloadType, Events: 101,
		ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
	}, c)
	if err != nil {
		t.Fatal(err)
	}
	return &phone{t: t, conn: conn, leg: leg, next: rtpstream.Header{Type: c.PayloadType, SSRC: 7}}
}

func (p *phone) says(octet byte) {
	p.t.Helper()
	packet := append(p.next.Append(nil), bytes.Repeat([]byte{octet}, 160)...)
	p.next.Sequence++
	p.next.Timestamp += 160
	if _, err := p.conn.WriteTo(packet, net.UDPAddrFromAddrPort(p.leg.Local())); err != nil {
		p.t.Fatal(err)
	}
}

func (p *phone) hears() (rtpstream.Header, []byte) {
	p.t.Helper()
	buf := make([]byte, 1500)
	if err := p.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	n, _, err := p.conn.ReadFrom(buf)
	if err != nil {
		p.t.Fatal(err)
	}
	h, ok := rtpstream.Parse(buf[:n])
	if !ok {
		p.t.Fatalf("%x is not RTP", buf[:n])
	}
	return h, buf[rtpstream.HeaderLength:n]
}

// TestOneStreamThroughAWholeCall relays, plays, presses keys, transcodes and
// relays again; the caller hears one stream without a gap.
func TestOneStreamThroughAWholeCall(t *testing.T) {
	s := newEngine(t).NewSession("call")
	defer s.Close()
	caller, server, other := call(t, s, "caller", codec.PCMU), call(t, s, "server", codec.PCMU), call(t, s, "other", codec.PCMA)
	var last rtpstream.Header
	var spoken []byte // by the first octet of each packet
	var keys []byte
	var detector dtmf.Detector
	hear := func(packets int) {
		t.Helper()
		for range packets {
			h, payload := caller.hears()
			if len(spoken) > 0 && (h.Sequence != last.Sequence+1 || h.SSRC != last.SSRC || int32(h.Timestamp-last.Timestamp) < 0) {
				t.Errorf("%+v follows %+v", h, last)
			}
			if h.Type == 101 {
				keys = detector.Packet(keys, h.SSRC, h.Timestamp, payload)
			}
			last, spoken = h, append(spoken, payload[0])
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Join(server.leg, caller.leg))
	for range 5 {
		server.says(0x81)
	}
	hear(5)
	clip, err := media.DecodeClip("audio/basic", bytes.Repeat([]byte{0x82}, 800), codec.PCMU)
	must(err)
	playing, err := s.Play(caller.leg, clip)
	must(err)
	server.says(0x83) // unheard
	<-playing.Done()
	must(playing.Err())
	hear(5)
	must(caller.leg.SendDigits(t.Context(), "42"))
	hear(14)
	server.says(0x84)
	hear(1)
	must(s.Part(server.leg, caller.leg))
	must(s.Join(other.leg, caller.leg))
	for range 5 {
		other.says(0x85)
	}
	hear(5)
	transcoded, err := codec.NewTranscoder(codec.PCMA, codec.PCMU)
	must(err)
	want := append(bytes.Repeat([]byte{0x81}, 5), bytes.Repeat([]byte{0x82}, 5)...)
	want = append(want, bytes.Repeat([]byte{4}, 7)...)
	want = append(want, bytes.Repeat([]byte{2}, 7)...)
	want = append(append(want, 0x84), bytes.Repeat([]byte{transcoded[0x85]}, 5)...)
	if !bytes.Equal(spoken, want) || string(keys) != "42" {
		t.Errorf("heard %x and keys %s, want %x", spoken, keys, want)
	}
}

func TestDigitsOverTheWire(t *testing.T) {
	s := newEngine(t).NewSession("call")
	defer s.Close()
	from, to := call(t, s, "from", codec.PCMU), call(t, s, "to", codec.PCMU)
	// The platform presses keys towards a phone, which sends what it gets to another leg.
	sent := make(chan error, 1)
	go func() { sent <- from.leg.SendDigits(t.Context(), "0159*#D") }()
	for range 7 * 7 {
		h, payload := from.hears()
		packet := append(h.Append(nil), payload...)
		for range 2 { // twice each
			if _, err := to.conn.WriteTo(packet, net.UDPAddrFromAddrPort(to.leg.Local())); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	for _, want := range "0159*#D" {
		select {
		case d := <-to.leg.Digits():
			if d.Key != byte(want) {
				t.Errorf("%c, want %c", d.Key, want)
			}
		case <-time.After(patience):
			t.Fatalf("no digit %c", want)
		}
	}
	if len(to.leg.Digits()) != 0 {
		t.Errorf("%d more digits", len(to.leg.Digits()))
	}
}

// TestCallsLeaveNothing has a hundred one after the other and fifty at once.
func TestCallsLeaveNothing(t *testing.T) {
	e := newEngine(t)
	clip, err := media.NewClip(make([]int16, 160), codec.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	// The runtime opens its own files with the first socket.
	short(t, e, clip)
	before := files(t)
	for range 100 {
		short(t, e, clip)
	}
	var working sync.WaitGroup
	for range 50 {
		working.Go(func() { short(t, e, clip) })
	}
	working.Wait()
	if after := files(t); after > before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

// nobody listens on the discard port.
var nobody = netip.MustParseAddrPort("127.0.0.1:9")

func short(t *testing.T, e *media.Engine, clip *media.Clip) {
	s := e.NewSession("call")
	var legs []*media.Leg
	for _, name := range []string{"caller", "server"} {
		l, err := s.OpenLeg(name, netip.MustParseAddr("127.0.0.1"))
		if err != nil {
			t.Error(err)
			return
		}
		far := media.FarEnd{RTP: nobody, Events: -1, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true}
		if err := l.Connect(far, codec.PCMU); err != nil {
			t.Error(err)
		}
		legs = append(legs, l)
	}
	if err := s.Join(legs[0], legs[1]); err != nil {
		t.Error(err)
	}
	b, err := s.Play(legs[0], clip)
	if err != nil {
		t.Error(err)
		return
	}
	if got := s.Close(); len(got) != 2 {
		t.Errorf("%+v", got)
	}
	<-b.Done()
}

func files(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
