package call

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"mcp/control/call/secure"
	"mcp/control/media/srtp"
	"mcp/control/media/srtp/srtptest"
	"mcp/control/reporting"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// early is a called party that begins its handshake before it answers. Of what it sends
// until it is answered, only the first packet arrives.
type early struct {
	t       *testing.T
	us, own *srtp.Identity
	phone   chan *srtptest.Phone
}

// firstOnly is a socket that loses what is sent before anything has come, but for the
// first packet.
type firstOnly struct {
	*net.UDPConn
	sent, back atomic.Bool
	begun      chan struct{} // the first packet was sent
}

func (s *firstOnly) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if first := !s.sent.Swap(true); first {
		defer close(s.begun)
	} else if !s.back.Load() {
		return len(b), nil
	}
	return s.UDPConn.WriteToUDPAddrPort(b, to)
}

func (s *firstOnly) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := s.UDPConn.ReadFromUDPAddrPort(b)
	s.back.Store(err == nil)
	return n, from, err
}

// do answers a call, once the first packet is on its way.
func (e *early) do(ctx context.Context, d *sip.Dialog) {
	offer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		e.t.Error(err)
		return
	}
	conn, at := udpSocket(e.t)
	socket := &firstOnly{UDPConn: conn, begun: make(chan struct{})}
	phone := srtptest.NewPhone(socket, func() netip.AddrPort { return offer.Audio.RTP }, nil)
	e.t.Cleanup(phone.Close)
	e.phone <- phone
	if err := phone.Agree(srtp.Agreement{Handshake: srtp.Handshake{
		Identity: e.own, Active: true, Limit: patience, Peer: [4]srtp.Fingerprint{e.us.Fingerprint()}, Profiles: [8]srtp.Profile{srtp.GCM256},
	}}); err != nil {
		e.t.Error(err)
	}
	<-socket.begun
	f := e.own.Fingerprint()
	answer, _, err := sdp.Answer(offer, sdp.Local{
		Addr: at, Codecs: sdp.DefaultCodecs(), Events: 101, SessionID: 2, Version: 1,
		Keying: sdp.Keying{DTLS: sdp.DTLS{Setup: "active", Fingerprints: []sdp.Fingerprint{{Hash: f.Hash, Digest: f.Digest}}}},
	})
	if err == nil {
		err = d.Answer(ctx, answer)
	}
	if err != nil {
		e.t.Error(err)
	}
}

// A called party may begin its handshake as soon as it has our offer: what it sends before
// its answer has come is kept, and answered then.
func TestCalledPartyShakesHandsBeforeItAnswers(t *testing.T) {
	us := identity(t)
	who := &early{t: t, us: us, own: identity(t), phone: make(chan *srtptest.Phone, 1)}
	b := newBench(t, Config{SRTP: secure.Policy{Mode: secure.Optional, Profiles: srtp.Profiles(), Identity: us, Limit: patience}}, &scripted{})
	party := b.agent(&callee{do: who.do, ended: make(chan struct{}, 1)}, b.server.log)
	b.server.dialler = b.caller
	b.service.run = func(_ context.Context, c *Call) Ending {
		p, err := c.Dial(Destination{To: "sip:bob@" + party.Addrs()[0].String() + ";transport=tcp", Patience: patience})
		if err != nil {
			t.Error(err)
			return Ending{}
		}
		wait(t, "the answer", p.Answered())
		select {
		case err := <-(<-who.phone).Keyed:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("no handshake")
		}
		p.HangUp()
		<-p.Gone()
		return Ending{Cause: reporting.Completed}
	}
	if _, err := b.dial(offer()); err != nil {
		t.Fatal(err)
	}
	b.record()
	b.empty()
}
