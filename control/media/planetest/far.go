package planetest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

// farEnd is an RTP session's other side: two sockets and a stream to send.
type farEnd struct {
	bench     *bench
	leg       *leg
	rtp, rtcp net.PacketConn
	next      rtpstream.Header // of the next packet that say sends
}

func (b *bench) farEnd(h Host) *farEnd {
	b.Helper()
	f := &farEnd{bench: b, rtp: b.listen(h), rtcp: b.listen(h)}
	f.next.SSRC, f.next.Sequence, f.next.Timestamp = rand.Uint32(), uint16(rand.Uint32()), rand.Uint32()
	return f
}

func (b *bench) listen(h Host) net.PacketConn {
	b.Helper()
	conn, err := h.Listen("udp", netip.AddrPortFrom(h.Addr, 0).String())
	b.must(err)
	b.Cleanup(func() { conn.Close() })
	return conn
}

// agreed is what offer and answer would have told of the far end.
func (f *farEnd) agreed(audio uint8) media.FarEnd {
	f.next.Type = audio
	return media.FarEnd{
		RTP: addrOf(f.rtp), RTCP: addrOf(f.rtcp), PayloadType: audio, Events: eventType,
		ClockRate: rate, Ptime: ptime, Send: true, Receive: true,
	}
}

func addrOf(c net.PacketConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// say sends the next packet of the far end's stream and returns it.
func (f *farEnd) say(payload []byte) packet {
	f.bench.Helper()
	p := append(f.next.Append(nil), payload...)
	f.next.Sequence++
	f.next.Timestamp += ticks
	f.send(p)
	return packet{p}
}

// sayUntil goes on saying, a packet each frame, until the listener hears one: a
// new source has to prove itself first.
func (f *farEnd) sayUntil(listener *farEnd) packet {
	f.bench.Helper()
	heard, done := make(chan packet, 1), time.NewTicker(ptime)
	defer done.Stop()
	go func() {
		defer close(heard) // unheard: hear has failed the test
		heard <- listener.hear()
	}()
	for {
		f.say(someAudio(ticks))
		select {
		case p, ok := <-heard:
			if !ok {
				f.bench.FailNow()
			}
			return p
		case <-done.C:
		}
	}
}

func (f *farEnd) send(p []byte) { f.bench.Helper(); f.from(f.rtp, p, f.leg.local) }

// control sends an RTCP packet from one of the far end's sockets.
func (f *farEnd) control(from net.PacketConn, p []byte) {
	f.bench.Helper()
	f.from(from, p, netip.AddrPortFrom(f.leg.local.Addr(), f.leg.local.Port()+1))
}

func (f *farEnd) from(conn net.PacketConn, p []byte, to netip.AddrPort) {
	f.bench.Helper()
	_, err := conn.WriteTo(p, net.UDPAddrFromAddrPort(to))
	f.bench.must(err)
}

// hear is the next RTP packet that arrives. It is of the leg's stream and comes
// from the leg's port.
func (f *farEnd) hear() packet {
	f.bench.Helper()
	p, from := f.read(f.rtp)
	if _, ok := rtpstream.Parse(p); !ok || from != f.leg.local {
		f.bench.Fatalf("heard %x from %s, want RTP from %s", p, from, f.leg.local)
	}
	if got := (packet{p}).header().SSRC; got != f.leg.ssrc {
		f.bench.Fatalf("SSRC is %x, the stream's is %x", got, f.leg.ssrc)
	}
	return packet{p}
}

func (f *farEnd) read(conn net.PacketConn) ([]byte, netip.AddrPort) {
	f.bench.Helper()
	buf := make([]byte, 2048)
	f.bench.must(conn.SetReadDeadline(time.Now().Add(patience)))
	n, from, err := conn.ReadFrom(buf)
	f.bench.must(err)
	at := from.(*net.UDPAddr).AddrPort()
	return buf[:n], netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// packet is an RTP packet.
type packet struct{ bytes []byte }

func (p packet) header() rtpstream.Header { h, _ := rtpstream.Parse(p.bytes); return h }
func (p packet) payload() []byte          { return p.bytes[rtpstream.HeaderLength:] }

// sameContent tells whether two packets differ in nothing but their stamps.
func (p packet) sameContent(q packet) bool {
	return p.bytes[0] == q.bytes[0] && bytes.Equal(p.payload(), q.payload())
}

func someAudio(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	return p
}

// inbox is a receiver that keeps what it gets.
type inbox struct{ audio, control chan []byte }

func newInbox() inbox { return inbox{make(chan []byte, 1000), make(chan []byte, 1000)} }

func (i inbox) RTP(p []byte, _ time.Time)  { i.audio <- bytes.Clone(p) }
func (i inbox) RTCP(p []byte, _ time.Time) { i.control <- bytes.Clone(p) }

// received is the next packet that the leg's receiver got.
func (l *leg) received(from <-chan []byte) []byte {
	l.bench.Helper()
	select {
	case p := <-from:
		return p
	case <-time.After(patience):
		l.bench.Fatal("nothing came to the receiver")
		return nil
	}
}

// nothing fails when the receiver got something.
func (l *leg) nothing(from <-chan []byte) {
	l.bench.Helper()
	select {
	case p := <-from:
		l.bench.Errorf("the receiver got %x", p)
	default:
	}
}
