package call

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcp/control/call/secure"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
	"mcp/control/media/srtp/srtptest"
	"mcp/control/sdp"
	"mcp/control/sip/siptest"
)

// stats are those of the call's legs.
func (p *telephony) stats() (all []media.LegStats) {
	for _, l := range p.bench.engine.Legs() {
		all = append(all, l.Stats)
	}
	return all
}

// echo has callers hear themselves until they hang up, by way of a leg in the clear.
func echo(ctx context.Context, c *Call) Ending {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		return Ending{Err: err}
	}
	var mirror sync.WaitGroup
	defer mirror.Wait()
	defer conn.Close()
	mirror.Go(func() {
		var buf [2000]byte
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf[:])
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort(buf[:n], from) // of a leg that may have ended
		}
	})
	leg, err := c.session.OpenLeg("mirror", loopback)
	if err != nil {
		return Ending{Err: err}
	}
	far := media.FarEnd{
		RTP: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Events: -1, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
	}
	err = errors.Join(leg.Connect(far, codec.PCMU), c.session.Join(c.Caller(), leg), c.session.Join(leg, c.Caller()))
	if err != nil {
		return Ending{Err: err}
	}
	return untilHungUp(ctx, c)
}

// telephony is a far end with SRTP, whose words come back.
type telephony struct {
	*testing.T
	bench *bench
	call  *siptest.Call
	phone *srtptest.Phone
	conn  *net.UDPConn
	at    netip.AddrPort
	to    atomic.Pointer[netip.AddrPort]
	next  rtpstream.Header
	heard chan []byte
}

func newTelephony(t *testing.T, b *bench) *telephony {
	t.Helper()
	p := &telephony{T: t, bench: b, heard: make(chan []byte, 1000)}
	p.conn, p.at = udpSocket(t)
	p.to.Store(new(netip.AddrPort))
	// Not far from where sequence numbers wrap, which they are to do in the call.
	p.next = rtpstream.Header{SSRC: 77, Stamp: rtpstream.Stamp{Sequence: 65515}}
	p.phone = srtptest.NewPhone(p.conn, func() netip.AddrPort { return *p.to.Load() }, func(payload []byte) {
		select {
		case p.heard <- bytes.Clone(payload):
		default:
		}
	})
	t.Cleanup(p.phone.Close)
	return p
}

// offer is the phone's description.
func (p *telephony) offer(direction sdp.Direction, k sdp.Keying) string {
	return string(sdp.Offer(sdp.Local{
		Addr: p.at, Codecs: sdp.DefaultCodecs()[:1], Events: 101, Ptime: 20 * time.Millisecond,
		Direction: direction, SessionID: 1, Version: 1, Keying: k,
	}))
}

// agree takes an answer.
func (p *telephony) agree(answer string, ours srtp.Agreement) {
	p.Helper()
	s, err := sdp.Parse([]byte(answer))
	if err != nil || s.Audio == nil {
		p.Fatalf("%v\n%s", err, answer)
	}
	p.to.Store(&s.Audio.RTP)
	if ours.Handshake.Identity == nil {
		if ours.Receive, err = srtp.NewKey(ours.Send.Profile(), []byte(keyOf(p.T, answer)), srtp.KeyOptions{}); err != nil {
			p.Fatal(err)
		}
	}
	if err := p.phone.Agree(ours); err != nil {
		p.Fatal(err)
	}
}

// reinvite offers anew.
func (p *telephony) reinvite(offer string, ours srtp.Agreement) {
	p.Helper()
	p.call.Peer.Send(p.call.Request("INVITE").WithSDP(offer))
	ok := p.call.Peer.Expect("SIP/2.0 200", "SIP/2.0 100")
	p.call.Peer.Send(p.call.Ack(ok))
	p.agree(body(ok), ours)
}

// say says one packet, which may get lost.
func (p *telephony) say(n uint64, lost bool) {
	p.Helper()
	b := append(p.next.Append(make([]byte, 0, 300)), bytes.Repeat([]byte{0x55}, 160)...)
	binary.BigEndian.PutUint64(b[12:], n)
	p.next.Sequence++
	p.next.Timestamp += 160
	wire, err := p.phone.Out().RTP(b)
	if err != nil {
		p.Fatal(err)
	}
	if lost {
		return
	}
	if _, err := p.conn.WriteToUDPAddrPort(wire, *p.to.Load()); err != nil {
		p.Fatal(err)
	}
}

// talks speaks until some of what is said has come back. What is said around the
// wrap of the sequence numbers gets lost, once the key has been used: who has heard
// nothing with it cannot know that they have wrapped (RFC 3711 section 3.3.1).
func (p *telephony) talks(when string) {
	p.Helper()
	said, back := uint64(time.Now().UnixNano()), 0
	first := said
	for deadline := time.Now().Add(patience); back < 15; said++ {
		p.say(said, back > 2 && (p.next.Sequence > 65530 || p.next.Sequence < 3))
		select {
		case heard := <-p.heard:
			if n := binary.BigEndian.Uint64(heard); n >= first && n <= said {
				back++
			}
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.Fatalf("%s: %d packets of %d came back; the leg: %+v", when, back, said-first, p.stats())
		}
	}
}

// TestProtectedAudioGoesOn holds a call, resumes it, wraps its sequence numbers
// and changes key, profile and source: what the caller says comes back throughout.
func TestProtectedAudioGoesOn(t *testing.T) {
	b := newBench(t, required(), &scripted{run: echo})
	p := newTelephony(t, b)
	keying := func(profile srtp.Profile) (sdp.Keying, srtp.Agreement) {
		k, err := srtp.RandomKey(profile)
		if err != nil {
			t.Fatal(err)
		}
		line := sdp.Crypto{Tag: 1, Suite: string(profile), Secret: k.Secret()}
		return sdp.Keying{Transport: "RTP/SAVP", Crypto: []sdp.Crypto{line}}, srtp.Agreement{Send: k}
	}
	k, ours := keying(srtp.AES128SHA80)
	offer := p.offer(sdp.SendRecv, k)
	p.call = dialRaw(t, b, offer)
	p.reinvite(offer, ours) // the answer again
	p.talks("at first")
	p.talks("around the wrap")
	for _, profile := range []srtp.Profile{srtp.AES128SHA80, srtp.GCM128, srtp.AES256SHA32} {
		p.reinvite(p.offer(sdp.SendOnly, k), ours)
		p.reinvite(p.offer(sdp.SendRecv, k), ours)
		p.talks("resumed")
		k, ours = keying(profile)
		p.reinvite(p.offer(sdp.SendRecv, k), ours)
		p.talks(fmt.Sprintf("with another key for %s", profile))
		p.next.SSRC++
		p.talks("from another source")
	}
	p.call.Peer.Send(p.call.Request("BYE"))
	p.call.Peer.Expect("SIP/2.0 200")
	if r := b.record(); r.Media[0].SRTP != string(srtp.AES256SHA32) || r.Media[0].SRTPKeys != "sdes" {
		t.Errorf("%+v", r.Media)
	}
	b.empty()
}

// TestHandshakesAgainInACall has a caller come back with another certificate, and
// with another association under the same one.
func TestHandshakesAgainInACall(t *testing.T) {
	us := identity(t)
	b := newBench(t, Config{SRTP: secure.Policy{
		Mode: secure.Required, Profiles: srtp.Profiles(), Identity: us, Limit: patience,
	}}, &scripted{run: echo})
	p := newTelephony(t, b)
	// Far from where they wrap: until the platform has a handshake's keys, too, it hears
	// nothing with them.
	p.next.Sequence = 1000
	step := func(setup, id string, own *srtp.Identity, turn int) (string, srtp.Agreement) {
		f := own.Fingerprint()
		k := sdp.Keying{Transport: "UDP/TLS/RTP/SAVP", DTLS: sdp.DTLS{Setup: setup, ID: id, Fingerprints: []sdp.Fingerprint{{Hash: f.Hash, Digest: f.Digest}}}}
		return p.offer(sdp.SendRecv, k), srtp.Agreement{Handshake: srtp.Handshake{
			Identity: own, Active: setup == "active", Peer: [4]srtp.Fingerprint{us.Fingerprint()}, Profiles: [8]srtp.Profile{srtp.GCM256}, Limit: patience, Turn: turn,
		}}
	}
	first, second := identity(t), identity(t)
	offer, ours := step("active", "", first, 0)
	p.call = dialRaw(t, b, offer)
	p.reinvite(offer, ours)
	for _, next := range []struct {
		setup, id string
		own       *srtp.Identity
	}{{"passive", "", second}, {"active", "", second}, {"active", "a23456789012345678901", second}, {"active", "b23456789012345678901", second}} {
		if err := <-p.phone.Keyed; err != nil {
			t.Fatal(err)
		}
		p.talks("before " + next.setup + " " + next.id)
		offer, ours = step(next.setup, next.id, next.own, ours.Handshake.Turn+1)
		p.reinvite(offer, ours)
	}
	if err := <-p.phone.Keyed; err != nil {
		t.Fatal(err)
	}
	p.talks("after the last handshake")
	p.call.Peer.Send(p.call.Request("BYE"))
	p.call.Peer.Expect("SIP/2.0 200")
	if r := b.record(); r.Media[0].SRTP != string(srtp.GCM256) || r.Media[0].SRTPKeys != "dtls" {
		t.Errorf("%+v", r.Media)
	}
	b.empty()
}
