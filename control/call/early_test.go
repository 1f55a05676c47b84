package call

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"mcp/control/call/secure"
	"mcp/control/media/srtp"
	"mcp/control/reporting"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// early is a called party that begins its handshake before it answers. Of what it sends
// until it is answered, only the first packet arrives.
type early struct {
	t          *testing.T
	us, own    *srtp.Identity
	keyed      chan error
	begun      chan struct{} // the first packet was sent
	once       sync.Once
	sent, back bool // guarded by mu
	mu         sync.Mutex
}

// mayPass tells whether a packet arrives.
func (e *early) mayPass() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	first := !e.sent
	e.sent = true
	return first || e.back
}

// do answers a call, once the first packet is on its way.
func (e *early) do(ctx context.Context, d *sip.Dialog) {
	offer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		e.t.Error(err)
		return
	}
	conn, at := udpSocket(e.t)
	to := offer.Audio.RTP
	guard := srtp.NewGuard(srtp.Wire{
		Far:   func() netip.AddrPort { return to },
		Keyed: func(_ srtp.Profile, err error) { e.keyed <- err },
		Send: func(p []byte, to netip.AddrPort) error {
			if !e.mayPass() {
				return nil
			}
			_, err := conn.WriteToUDPAddrPort(p, to)
			e.once.Do(func() { close(e.begun) })
			return err
		},
	})
	read := make(chan struct{})
	go func() {
		defer close(read)
		var buf [2000]byte
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf[:])
			if err != nil {
				return
			}
			e.mu.Lock()
			e.back = true
			e.mu.Unlock()
			if srtp.IsDTLS(buf[:n]) {
				guard.DTLS(buf[:n], from)
			}
		}
	}()
	e.t.Cleanup(func() { guard.Close(); conn.Close(); <-read })
	if err := guard.Agree(srtp.Agreement{Handshake: srtp.Handshake{
		Identity: e.own, Active: true, Limit: patience, Peer: [4]srtp.Fingerprint{e.us.Fingerprint()}, Profiles: [8]srtp.Profile{srtp.GCM256},
	}}); err != nil {
		e.t.Error(err)
	}
	<-e.begun
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
	who := &early{t: t, us: us, own: identity(t), keyed: make(chan error, 1), begun: make(chan struct{})}
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
		case err := <-who.keyed:
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
