package rtpstream

import (
	"net/netip"
	"time"
)

const (
	burst    = time.Second            // packets held up for so long may arrive at once
	rtcpGap  = 50 * time.Millisecond  // far below the interval of RFC 3550 section 6.2
	ssrcHold = 100 * time.Millisecond // a source that sent within this time is alive
)

// Refusal says why a packet is not taken or not sent, in the words of the
// kernel program's verdicts. The zero value: it is.
type Refusal string

// Refusals by a Gate.
const (
	Muted     Refusal = "muted"     // the far end is not known
	Unlatched Refusal = "unlatched" // nor is its true address yet
	WrongFrom Refusal = "source"    // not from the far end's address and port
	WrongType Refusal = "type"      // neither the audio's nor the events' payload type
	WrongSSRC Refusal = "ssrc"      // another source while the present one is alive
	Probation Refusal = "probation" // the first of a new source: the next one in sequence proves it
	TooMany   Refusal = "rate"      // more than the ceiling
	Held      Refusal = "held"      // the direction attribute forbids it
)

// Peer is the far end as a Gate is told of it.
type Peer struct {
	RTP, RTCP netip.AddrPort // as signalled; no RTP: muted both ways
	Latch     time.Duration  // how long the true source may be learned; 0: never
	LatchFrom netip.Addr     // it may be there, too: where signalling comes from
	Gap       time.Duration  // the shortest between packets that a sender may keep up; 0: no ceiling
	Receive   bool
}

// Arrival is an RTP packet that arrived.
type Arrival struct {
	Header
	From   netip.AddrPort
	Wanted bool // its payload type is the audio's or the events'
	Now    time.Time
}

// Gate says who may send to a leg, and where the leg sends to. By default the
// address and port that was signalled, and nobody else. Where a leg may learn its
// far end (symmetric RTP, RFC 4961), it does so once, in a short window, from an
// address that was signalled, and sends nothing before; only a new offer or
// answer opens the window again. It is the plain-Go twin of gate.h.
type Gate struct {
	peer      Peer
	far       netip.AddrPort // as signalled, or as learned; zero: not known yet
	until     time.Time      // it may be learned until then
	rtp, rtcp ceiling
	candidate candidate

	ssrc    uint32    // of the present source
	heard   time.Time // its latest packet; zero: none yet
	renewed bool      // the far end was signalled anew: any source may be next
}

// Connect takes what was signalled. Another far end, or another way to learn it,
// starts over.
func (g *Gate) Connect(p Peer, now time.Time) {
	before := g.peer
	g.peer = p
	if p.RTP == before.RTP && p.Latch == before.Latch && p.LatchFrom == before.LatchFrom {
		return
	}
	g.far, g.until, g.candidate, g.renewed = p.RTP, time.Time{}, candidate{}, true
	if p.Latch > 0 && p.RTP.IsValid() {
		g.far, g.until = netip.AddrPort{}, now.Add(p.Latch)
	}
}

// Far is where RTP goes to, and why to nowhere. Whoever stays unheard until the
// window closes is where signalling said.
func (g *Gate) Far(now time.Time) (netip.AddrPort, Refusal) {
	switch {
	case !g.peer.RTP.IsValid():
		return netip.AddrPort{}, Muted
	case g.far.IsValid():
		return g.far, ""
	case now.Before(g.until):
		return netip.AddrPort{}, Unlatched
	}
	return g.peer.RTP, ""
}

// FarRTCP is where RTCP goes to, and whether it shares RTP's port (RFC 5761).
// From a far end that was learned it is expected, as usual, one port above RTP.
func (g *Gate) FarRTCP(now time.Time) (to netip.AddrPort, shared bool, why Refusal) {
	far, why := g.Far(now)
	shared = g.peer.RTCP == g.peer.RTP
	switch {
	case why != "" || shared:
		return far, shared, why
	case far != g.peer.RTP:
		return netip.AddrPortFrom(far.Addr(), far.Port()+1), false, ""
	}
	return g.peer.RTCP, false, ""
}

// Heard is when the latest packet of the present source arrived.
func (g *Gate) Heard() time.Time { return g.heard }

// RTP judges an RTP packet by its source. Its type is judged only where the far
// end is learned: afterwards one of a wrong type still shows that the source is alive.
func (g *Gate) RTP(p Arrival) Refusal {
	if why := g.checkSource(p); why != "" {
		return why
	}
	if !g.rtp.allows(g.peer.Gap, p.Now) {
		return TooMany
	}
	if !g.peer.Receive {
		return Held
	}
	if why := g.checkSSRC(p); why != "" {
		return why
	}
	g.renewed, g.ssrc, g.heard = false, p.SSRC, p.Now
	return ""
}

// Plausible tells whether the far end may be where a packet comes from, before it
// is known whether the packet is genuine. Nothing is learned.
func (g *Gate) Plausible(from netip.AddrPort, now time.Time) Refusal {
	far, why := g.Far(now)
	host := from.Addr() == g.peer.RTP.Addr() || from.Addr() == g.peer.LatchFrom
	switch {
	case why == Unlatched && host:
		return ""
	case why == Unlatched:
		return WrongFrom
	case why != "":
		return why
	case from == far, from == g.peer.RTCP, g.peer.Latch > 0 && from.Addr() == far.Addr():
		return ""
	}
	return WrongFrom
}

func (g *Gate) checkSource(p Arrival) Refusal {
	far, why := g.Far(p.Now)
	switch {
	case why == Unlatched:
		return g.latch(p)
	case why != "":
		return why
	case far != p.From:
		return WrongFrom
	}
	return ""
}

// latch learns the far end from the second packet of a source that may be it.
func (g *Gate) latch(p Arrival) Refusal {
	if a := p.From.Addr(); a != g.peer.RTP.Addr() && a != g.peer.LatchFrom {
		return WrongFrom
	}
	if !p.Wanted {
		return WrongType
	}
	if !g.candidate.proves(p) {
		return Probation
	}
	g.far = p.From
	return ""
}

// checkSSRC lets one address send as one source at a time. Another one takes over
// when the present one has fallen silent and two packets in sequence have come,
// or at once when the far end was signalled anew.
func (g *Gate) checkSSRC(p Arrival) Refusal {
	switch {
	case p.SSRC == g.ssrc || g.heard.IsZero() || g.renewed:
		return ""
	case p.Now.Sub(g.heard) < ssrcHold:
		return WrongSSRC
	case g.candidate.proves(p):
		return ""
	}
	return Probation
}

// RTCP judges an RTCP packet. It comes from the signalled port, or from RTP's
// when the two are multiplexed (RFC 5761); from a learned far end, from RTP's port
// or the next one.
func (g *Gate) RTCP(from netip.AddrPort, now time.Time) Refusal {
	far, why := g.Far(now)
	if why != "" {
		return why
	}
	other := g.peer.RTCP
	if g.peer.Latch > 0 {
		other = netip.AddrPortFrom(far.Addr(), far.Port()+1)
	}
	switch {
	case from != far && from != other:
		return WrongFrom
	case !g.rtcp.allows(rtcpGap, now):
		return TooMany
	}
	return ""
}

// ceiling on packets: a bucket that fills by one packet in a gap.
type ceiling struct {
	paid time.Time // when the packets so far would be due at the ceiling's rate
}

func (c *ceiling) allows(gap time.Duration, now time.Time) bool {
	switch {
	case gap <= 0:
		return true
	case c.paid.Sub(now) > burst:
		return false
	case c.paid.Before(now):
		c.paid = now
	}
	c.paid = c.paid.Add(gap)
	return true
}

// candidate is a new source that has to prove itself.
type candidate struct {
	from  netip.AddrPort
	ssrc  uint32
	next  uint16 // sequence number that it must go on with
	valid bool
}

// proves tells whether this is the packet that proves a new source: RFC 3550
// appendix A.1 with MIN_SEQUENTIAL of 2.
func (c *candidate) proves(p Arrival) bool {
	if *c == (candidate{p.From, p.SSRC, p.Sequence, true}) {
		*c = candidate{}
		return true
	}
	*c = candidate{p.From, p.SSRC, p.Sequence + 1, true}
	return false
}
