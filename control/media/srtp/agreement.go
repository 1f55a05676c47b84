package srtp

import "errors"

// Agreement is how two sides protect a stream. Agreements are compared: one that is
// equal to that in force changes nothing, of another what differs begins anew.
type Agreement struct {
	// Send and Receive are the keys that signalling itself has brought (RFC 4568).
	Send, Receive Key
}

// Guard protects what a leg sends and takes protection off what it receives, as
// was agreed last.
type Guard struct {
	in     Inbound
	out    Outbound
	agreed Agreement
}

// NewGuard begins with an agreement.
func NewGuard(a Agreement) (*Guard, error) {
	g := &Guard{}
	return g, g.Agree(a)
}

// Agree takes another agreement; one at a time.
func (g *Guard) Agree(a Agreement) error {
	var err error
	if a.Receive != g.agreed.Receive {
		err = g.in.Rekey(a.Receive)
	}
	if a.Send != g.agreed.Send {
		err = errors.Join(err, g.out.Rekey(a.Send))
	}
	if err == nil {
		g.agreed = a
	}
	return err
}

// In is for what arrives, Out for what is sent.
func (g *Guard) In() *Inbound { return &g.in }

// Out is for what is sent.
func (g *Guard) Out() *Outbound { return &g.out }

// Profile is what packets are protected with; empty: nothing yet.
func (a Agreement) Profile() Profile { return a.Send.Profile() }
