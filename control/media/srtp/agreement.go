package srtp

import (
	"errors"
	"net/netip"
	"sync"
)

// Agreement is how two sides protect a stream: with keys that signalling itself has
// brought (RFC 4568), or by a handshake that makes them. Agreements are compared:
// of one that differs from that in force, what differs begins anew.
type Agreement struct {
	Send, Receive Key
	Handshake     Handshake
}

// Guard protects what a leg sends and takes protection off what it receives, as
// was agreed last.
type Guard struct {
	in   Inbound
	out  Outbound
	wire Wire

	mu          sync.Mutex // guards what follows
	agreed      Agreement
	association *association // nil: there is none
}

// NewGuard makes one without keys. Close it.
func NewGuard(w Wire) *Guard { return &Guard{wire: w} }

// Agree takes another agreement. Keys are good until the next are used.
func (g *Guard) Agree(a Agreement) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	if a.Receive != g.agreed.Receive && a.Receive != (Key{}) {
		err = g.in.Rekey(a.Receive)
	}
	if a.Send != g.agreed.Send && a.Send != (Key{}) {
		err = errors.Join(err, g.out.Rekey(a.Send))
	}
	if err != nil {
		return err
	}
	if a.Handshake != g.agreed.Handshake {
		g.disassociateLocked()
		if a.Handshake.Identity != nil {
			g.association = associate(a.Handshake, g.wire, g.keyed)
		}
	}
	g.agreed = a
	return nil
}

// keyed takes the keys of a handshake.
func (g *Guard) keyed(send, receive Key) error {
	return errors.Join(g.in.Rekey(receive), g.out.Rekey(send))
}

// DTLS takes a packet of a handshake from where the far end may be, and may change it.
func (g *Guard) DTLS(p []byte, from netip.AddrPort) {
	g.mu.Lock()
	a := g.association
	g.mu.Unlock()
	if a != nil {
		a.take(p, from)
	}
}

// In takes protection off what arrives.
func (g *Guard) In() *Inbound { return &g.in }

// Out protects what is sent.
func (g *Guard) Out() *Outbound { return &g.out }

// Profile is what packets are protected with; empty: there are no keys yet.
func (g *Guard) Profile() Profile {
	g.out.mu.Lock()
	defer g.out.mu.Unlock()
	return g.out.profile
}

// Close ends a handshake that goes on, and waits. The keys stay.
func (g *Guard) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.disassociateLocked()
}

func (g *Guard) disassociateLocked() {
	if g.association != nil {
		g.association.close()
		g.association = nil
	}
}
