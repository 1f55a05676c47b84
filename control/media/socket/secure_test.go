package socket

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/alloctest"
	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
)

// phone is a far end that speaks SRTP.
type phone struct {
	testing.TB
	conn   *net.UDPConn
	at     netip.AddrPort
	agreed srtp.Agreement // as the leg has it
	in     srtp.Inbound
	out    srtp.Outbound
	next   rtpstream.Header
}

func newPhone(t testing.TB, profile srtp.Profile) *phone {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	f := &phone{TB: t, conn: conn, at: conn.LocalAddr().(*net.UDPAddr).AddrPort(), next: rtpstream.Header{SSRC: 77}}
	f.rekey(profile)
	return f
}

// rekey makes keys for both directions.
func (f *phone) rekey(profile srtp.Profile) {
	f.Helper()
	var err error
	if f.agreed.Send, err = srtp.RandomKey(profile); err != nil {
		f.Fatal(err)
	}
	if f.agreed.Receive, err = srtp.RandomKey(profile); err != nil {
		f.Fatal(err)
	}
	f.must(f.in.Rekey(f.agreed.Send))
	f.must(f.out.Rekey(f.agreed.Receive))
}

func (f *phone) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// far is what was agreed with the phone; RTCP shares RTP's port.
func (f *phone) far() media.FarEnd {
	agreed := f.agreed
	return media.FarEnd{
		RTP: f.at, RTCP: f.at, Events: 101, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true, Secure: &agreed,
	}
}

// wire is the next packet of the phone's stream.
func (f *phone) wire(payload []byte) []byte {
	f.Helper()
	p := append(f.next.Append(make([]byte, 0, 12+len(payload)+srtp.Overhead)), payload...)
	f.next.Sequence++
	f.next.Timestamp += 160
	out, err := f.out.RTP(p)
	f.must(err)
	return out
}

// hear is the next packet that arrives, without its protection.
func (f *phone) hear() []byte {
	f.Helper()
	var buf [2000]byte
	f.must(f.conn.SetReadDeadline(time.Now().Add(20 * time.Second)))
	n, _, err := f.conn.ReadFromUDPAddrPort(buf[:])
	f.must(err)
	plain, err := f.in.RTP(buf[:n])
	f.must(err)
	return plain
}

// secured is a plane, a leg of it towards each phone, and audio from the first to
// the second.
func secured(t testing.TB, phones ...*phone) []*leg {
	t.Helper()
	p := New("test", slog.New(slog.DiscardHandler))
	t.Cleanup(func() { p.Close() })
	var legs []*leg
	for _, f := range phones {
		l := open(t, p).(*leg)
		f.must(l.Connect(f.far()))
		legs = append(legs, l)
	}
	if len(legs) == 2 {
		phones[0].must(legs[0].Route(media.Route{To: legs[1]}))
	}
	return legs
}

func audio() []byte {
	p := make([]byte, 160)
	rand.Read(p)
	return p
}

// TestTranscrypts relays between two legs with keys and profiles of their own, and
// on from one key to the next without a break in the stream.
func TestTranscrypts(t *testing.T) {
	a, b := newPhone(t, srtp.AES128SHA80), newPhone(t, srtp.GCM256)
	legs := secured(t, a, b)
	now := time.Now()
	var last rtpstream.Header
	for i := range 60 {
		if i == 30 {
			a.rekey(srtp.GCM128)
			a.must(legs[0].Connect(a.far()))
			b.rekey(srtp.AES256SHA80)
			b.must(legs[1].Connect(b.far()))
		}
		said := audio()
		now = now.Add(20 * time.Millisecond)
		legs[0].media(a.wire(said), a.at, now)
		heard := b.hear()
		h, _ := rtpstream.Parse(heard)
		if !bytes.Equal(heard[12:], said) {
			t.Fatalf("packet %d: heard something else", i)
		}
		if i > 0 && (h.Sequence != last.Sequence+1 || h.SSRC != last.SSRC || h.Timestamp != last.Timestamp+160) {
			t.Fatalf("packet %d: %+v follows %+v", i, h, last)
		}
		last = h
	}
}

// TestControlIsProtected has reports go both ways under SRTCP.
func TestControlIsProtected(t *testing.T) {
	a := newPhone(t, srtp.AES128SHA32)
	l := secured(t, a)[0]
	receiver := []byte{0x80, 201, 0, 1, 0, 0, 0, 77}
	a.must(l.SendRTCP(receiver))
	var buf [200]byte
	n, _, err := a.conn.ReadFromUDPAddrPort(buf[:])
	a.must(err)
	if plain, err := a.in.RTCP(buf[:n]); err != nil || !bytes.Equal(plain, receiver) || n < len(receiver)+14 {
		t.Errorf("%x, %v", buf[:n], err)
	}
	protected, err := a.out.RTCP(append(make([]byte, 0, 100), receiver...))
	a.must(err)
	l.media(bytes.Clone(protected), a.at, time.Now())
	l.media(bytes.Clone(protected), a.at, time.Now())
	l.reports(receiver, a.at, time.Now())
	if s, _ := l.Stats(); s.RTCP != 1 || s.Dropped["srtp_replay"] != 1 || s.Dropped["srtp_tag"] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestForgeriesByTheMillion sends what has a wrong tag, from everywhere, before the
// far end is known and after: nothing is relayed, nothing is learned, and the leg
// goes on.
func TestForgeriesByTheMillion(t *testing.T) {
	const each = 500_000
	a, b := newPhone(t, srtp.AES128SHA80), newPhone(t, srtp.AES128SHA80)
	legs := secured(t, a, b)
	far := a.far()
	far.RTP, far.RTCP, far.Latch = netip.AddrPortFrom(a.at.Addr(), 9), netip.AddrPortFrom(a.at.Addr(), 9), time.Hour
	a.must(legs[0].Connect(far))
	now := time.Now()
	forge := func(n int) {
		p := rtpstream.Header{SSRC: uint32(n % 3000)}.Append(make([]byte, 0, 200))
		p = append(p, make([]byte, 170)...)
		for i := range n {
			rtpstream.Header{Stamp: rtpstream.Stamp{Sequence: uint16(i)}, SSRC: uint32(i % 3000)}.Put(p)
			from := a.at
			if i%2 == 0 {
				from = netip.AddrPortFrom(a.at.Addr(), uint16(i))
			}
			legs[0].media(p, from, now)
		}
	}
	forge(each)
	if _, why := legs[0].gate.Far(now); why != rtpstream.Unlatched {
		t.Fatalf("the forger was learned: %q", why)
	}
	say := func() []byte {
		said := audio()
		now = now.Add(20 * time.Millisecond)
		legs[0].media(a.wire(said), a.at, now)
		return said
	}
	say() // the first of a source proves it
	said := say()
	if heard := b.hear(); !bytes.Equal(heard[12:], said) {
		t.Error("heard something else")
	}
	forge(each)
	said = say()
	if heard := b.hear(); !bytes.Equal(heard[12:], said) {
		t.Error("heard something else after the second half")
	}
	s, _ := legs[0].Stats()
	if refused := s.Dropped["srtp_tag"] + s.Dropped["srtp_replay"]; refused != 2*each || s.RxPackets != 2 {
		t.Errorf("%+v", s)
	}
	if s, _ := legs[1].Stats(); s.TxPackets != 2 {
		t.Errorf("%d packets left", s.TxPackets)
	}
	if far, _ := legs[0].gate.Far(now); far != a.at {
		t.Errorf("the far end is held to be at %s", far)
	}
}

// TestClearIsNotTaken refuses plain RTP where SRTP was agreed, and takes it again
// once that has ended.
func TestClearIsNotTaken(t *testing.T) {
	a := newPhone(t, srtp.AES128SHA80)
	l := secured(t, a)[0]
	plain := append(rtpstream.Header{SSRC: 5}.Append(nil), audio()...)
	l.media(bytes.Clone(plain), a.at, time.Now())
	if s, _ := l.Stats(); s.RxPackets != 0 || s.Dropped["srtp_tag"] != 1 {
		t.Errorf("%+v", s)
	}
	far := a.far()
	far.Secure = nil
	a.must(l.Connect(far))
	l.media(plain, a.at, time.Now())
	if s, _ := l.Stats(); s.RxPackets != 1 {
		t.Errorf("%+v", s)
	}
}

func TestProtectedPacketsDoNotAllocate(t *testing.T) {
	for _, profile := range srtp.Profiles() {
		a, b := newPhone(t, profile), newPhone(t, profile)
		legs := secured(t, a, b)
		now, wires, at := time.Now(), make([][]byte, 300), 0
		for i := range wires {
			wires[i] = bytes.Clone(a.wire(make([]byte, 160)))
		}
		n := alloctest.PerRun(200, func() {
			now = now.Add(20 * time.Millisecond)
			legs[0].media(wires[at], a.at, now)
			at++
		})
		if s, _ := legs[1].Stats(); n != 0 || s.TxPackets < 200 {
			t.Errorf("%s: %v allocations a packet, %d left", profile, n, s.TxPackets)
		}
	}
}

// BenchmarkForgery is what a packet with a wrong tag costs a leg.
func BenchmarkForgery(b *testing.B) {
	for _, profile := range srtp.Profiles() {
		b.Run(string(profile), func(b *testing.B) {
			a := newPhone(b, profile)
			l := secured(b, a)[0]
			good := bytes.Clone(a.wire(audio()))
			l.media(bytes.Clone(good), a.at, time.Now())
			good[3] = 9
			wire, now := make([]byte, len(good)), time.Now()
			b.ReportAllocs()
			for b.Loop() {
				l.media(wire[:copy(wire, good)], a.at, now)
			}
		})
	}
}

// TestHandshakeBeforeTheAnswer has a far end begin before it is known: what it sent
// once is answered when signalling has told who it is, and what others sent is not.
func TestHandshakeBeforeTheAnswer(t *testing.T) {
	ours, theirs := identity(t), identity(t)
	a, other := newPhone(t, srtp.AES128SHA80), newPhone(t, srtp.AES128SHA80)
	p := New("test", slog.New(slog.DiscardHandler))
	t.Cleanup(func() { p.Close() })
	l := open(t, p).(*leg)
	hello := func(from *phone, own *srtp.Identity) {
		g := srtp.NewGuard(srtp.Wire{
			Far: func() netip.AddrPort { return from.at }, Keyed: func(srtp.Profile, error) {},
			Send: func(p []byte, _ netip.AddrPort) error { l.media(bytes.Clone(p), from.at, time.Now()); return nil },
		})
		h := srtp.Handshake{Identity: own, Active: true, Limit: time.Minute, Profiles: [8]srtp.Profile{srtp.AES128SHA80}}
		a.must(g.Agree(srtp.Agreement{Handshake: h}))
		for deadline := time.Now().Add(20 * time.Second); !kept(l, from.at); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no hello is kept")
			}
		}
		g.Close()
	}
	hello(other, identity(t))
	hello(a, theirs)
	far := a.far()
	far.Secure = &srtp.Agreement{Handshake: srtp.Handshake{
		Identity: ours, Limit: time.Minute, Peer: [4]srtp.Fingerprint{theirs.Fingerprint()}, Profiles: [8]srtp.Profile{srtp.AES128SHA80},
	}}
	a.must(l.Connect(far))
	var buf [2000]byte
	a.must(a.conn.SetReadDeadline(time.Now().Add(20 * time.Second)))
	n, _, err := a.conn.ReadFromUDPAddrPort(buf[:])
	a.must(err)
	if !srtp.IsDTLS(buf[:n]) || buf[13] != 3 {
		t.Errorf("no HelloVerifyRequest: %x", buf[:n])
	}
	if s, _ := l.Stats(); s.Dropped["source"] == 0 {
		t.Errorf("the other's hello was taken: %+v", s)
	}
}

// kept tells whether the latest packet that is kept came from somebody.
func kept(l *leg, from netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.early) > 0 && l.early[len(l.early)-1].from == from
}

// TestEarlyPacketsAreBounded keeps a few that came before it is known from whom.
func TestEarlyPacketsAreBounded(t *testing.T) {
	p := New("test", slog.New(slog.DiscardHandler))
	t.Cleanup(func() { p.Close() })
	l := open(t, p).(*leg)
	for range 3 * maxEarly {
		l.media([]byte{22, 0xfe, 0xfd}, netip.MustParseAddrPort("127.0.0.1:9"), time.Now())
	}
	if s, _ := l.Stats(); len(l.early) != maxEarly || s.Dropped["not_rtp"] != 2*maxEarly {
		t.Errorf("%d are kept: %+v", len(l.early), s)
	}
}

func identity(t *testing.T) *srtp.Identity {
	t.Helper()
	i, err := srtp.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}
