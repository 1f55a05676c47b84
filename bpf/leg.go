package bpf

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/cilium/ebpf"

	"mcp/bpf/rawip"
)

// NoType is a payload type that no packet has.
const NoType = 255

// noSource is in the place of a source when a stream was interrupted: NOBODY in types.h.
const noSource = math.MaxUint64

// Leg is one open leg. Methods may be called from any goroutine.
type Leg struct {
	plane *Plane
	local netip.AddrPort
	slot  uint32
	id    uint64

	mu     sync.Mutex // guards what follows
	config LegConfig
	final  *LegStats      // nil: the leg is open
	gone   netip.AddrPort // where RTP went at the end
}

// LegConfig is what a leg does from now on.
type LegConfig struct {
	Far        FarEnd
	RelayTo    *Leg   // audio goes on as this leg's; nil: nowhere
	Copy       bool   // audio goes to the handler of Receive, too
	ClockRate  uint32 // Hz
	FrameTicks uint32 // timestamp units of a frame
	AudioType  uint8
	EventType  uint8 // NoType for none
	NoiseType  uint8 // of comfort noise (RFC 3389), which goes where the audio goes; 0: none
	MaySend    bool
	MayReceive bool
}

// FarEnd says where a leg's packets go to and come from.
type FarEnd struct {
	// RTP and RTCP as signalled. They are the only sources accepted, unless Latch
	// is set. No RTP: the leg is muted both ways. RTCP equal to RTP: the two are
	// multiplexed (RFC 5761).
	RTP, RTCP netip.AddrPort
	// Latch is for how long, after a change of the far end, the leg may learn from
	// arriving RTP where it truly is; it sends nothing until then. Only the
	// addresses of RTP and LatchFrom are believed, at any port. Zero: never.
	Latch     time.Duration
	LatchFrom netip.Addr // where signalling comes from; may be unset
	// MaxRate is the most RTP packets a second that are accepted in the long run;
	// a second's worth may come at once. Zero: no ceiling.
	MaxRate int
	DSCP    uint8 // of what is sent, RFC 2474
}

// Packet is one to send, before its stamp.
type Packet struct {
	PayloadType uint8
	Marker      bool
	Ticks       uint32 // the timeline advances by this much after the packet
	Data        []byte
}

// AddLeg opens a leg, muted. Its stream starts at a random sequence number and
// timestamp, RFC 3550 section 5.1. ErrPortTaken: another leg is open there.
// ErrFull: there is no room for more legs, or legs on more addresses.
func (p *Plane) AddLeg(local netip.AddrPort, ssrc uint32) (*Leg, error) {
	if !local.Addr().IsValid() || local.Addr().IsUnspecified() || local.Port() == 0 || local.Port()%2 != 0 {
		return nil, fmt.Errorf("add leg: %s is not an address with an even port", local)
	}
	entry := relayLeg{Id: rand.Uint64() | 1, Local: endpointOf(local)}
	entry.Config.EventType = NoType
	entry.Config.AudioType = NoType
	entry.Egress.Ssrc = ssrc
	entry.Egress.Place.LastSeq = uint16(rand.Uint32())
	entry.Egress.Place.LastTs = rand.Uint32() // with no ticks yet: where the first packet begins
	slot, err := p.slots.open(&entry)
	if errors.Is(err, ErrFull) {
		p.counts.full.Add(1)
	}
	if err != nil {
		return nil, fmt.Errorf("add leg %s: %w", local, err)
	}
	l := &Leg{plane: p, local: local, slot: slot, id: entry.Id}
	p.mu.Lock()
	p.legs[l.id] = l
	p.mu.Unlock()
	return l, nil
}

// ID tells the leg apart from every other, earlier ones on its port included.
func (l *Leg) ID() uint64 { return l.id }

// Local is the address and port RTP arrives at.
func (l *Leg) Local() netip.AddrPort { return l.local }

// Configure replaces the leg's configuration in one step; its streams go on.
func (l *Leg) Configure(c LegConfig) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != nil {
		return ErrClosed
	}
	if far := c.Far.RTP; far.IsValid() && far.Addr().Unmap().Is4() != l.local.Addr().Unmap().Is4() {
		return fmt.Errorf("configure leg %s: far end %s is of the other IP version", l.local, far)
	}
	if err := l.plane.change(l, relayChangeRequest{Config: configOf(c)}); err != nil {
		return fmt.Errorf("configure leg %s: %w", l.local, err)
	}
	l.plane.noteCopying(l.config.Copy, c.Copy)
	l.config = c
	return nil
}

// Send sends one packet as the next of the leg's stream. A DropError tells that
// the leg may not send at present. Packets leave in the order of their stamps.
func (l *Leg) Send(p Packet) error {
	header := p.header()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != nil {
		return ErrClosed
	}
	return l.plane.send(l, p.Ticks, header[:], p.Data)
}

// header is the packet's RTP header before its stamp.
func (p *Packet) header() [rtpLength]byte {
	h := [rtpLength]byte{0x80, p.PayloadType & 0x7f}
	if p.Marker {
		h[1] |= 0x80
	}
	return h
}

// SendRTCP sends a ready RTCP packet to the far end: from the port above the
// leg's own, or from its own when RTP and RTCP are multiplexed. A DropError tells
// that the leg does not know where to. A closed leg may still say what it carried:
// to where its far end was.
func (l *Leg) SendRTCP(packet []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, to, err := l.rtcpPath()
	if err != nil {
		return err
	}
	whole, err := rawip.UDP(from, to, l.config.Far.trafficClass(), packet)
	if err != nil {
		return err
	}
	l.plane.show(l, whole)
	return l.plane.raw.SendIP(whole)
}

// Far is where RTP goes: as signalled, or as learned; of a closed leg, where it went.
// It is invalid while that is not known.
func (l *Leg) Far() (netip.AddrPort, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.farLocked()
}

func (l *Leg) farLocked() (netip.AddrPort, error) {
	if l.final != nil {
		return l.gone, nil
	}
	entry, err := l.read()
	if err != nil {
		return netip.AddrPort{}, err
	}
	return portOrNone(entry.farEnd(l.plane.clock.Now())), nil
}

// rtcpPath says between which ports RTCP travels. From a far end that was learned
// it is expected, as usual, one port above RTP.
func (l *Leg) rtcpPath() (from, to netip.AddrPort, err error) {
	signalled := l.config.Far
	muxed := signalled.RTCP == signalled.RTP
	from, to = netip.AddrPortFrom(l.local.Addr(), l.local.Port()+1), signalled.RTCP
	if muxed {
		from = l.local
	}
	if signalled.Latch > 0 {
		far, err := l.farLocked()
		if err != nil {
			return from, to, err
		}
		if !far.IsValid() {
			return from, to, &DropError{Reason: l.plane.verdictName(relayVerdictDROP_UNLATCHED)}
		}
		if muxed {
			to = far
		} else if far != signalled.RTP {
			to = netip.AddrPortFrom(far.Addr(), far.Port()+1)
		}
	}
	if !to.IsValid() {
		return from, to, &DropError{Reason: l.plane.verdictName(relayVerdictDROP_MUTED)}
	}
	return from, to, nil
}

// read copies the leg's entry under its lock.
func (l *Leg) read() (*relayLeg, error) {
	var entry relayLeg
	if err := l.plane.objects.Legs.LookupWithFlags(l.slot, &entry, ebpf.LookupLock); err != nil {
		return nil, fmt.Errorf("read leg %s: %w", l.local, err)
	}
	return &entry, nil
}

// Stats reads the leg's counters; those of a closed leg stay as they were.
func (l *Leg) Stats() (LegStats, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != nil {
		return *l.final, nil
	}
	entry, err := l.read()
	if err != nil {
		return LegStats{}, err
	}
	return statsOf(entry, l.plane.clock), nil
}

// Close ends the leg and tells what it carried. It is idempotent.
func (l *Leg) Close() (LegStats, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != nil {
		return *l.final, nil
	}
	l.plane.forget(l.id)
	l.final = &LegStats{}
	l.config.RelayTo = nil
	l.plane.noteCopying(l.config.Copy, false)
	ended, err := l.plane.end(l.slot, l.id, l.local)
	if err != nil {
		return *l.final, fmt.Errorf("close leg %s: %w", l.local, err)
	}
	l.gone = portOrNone(ended.FarRtp)
	*l.final = ended.stats(l.config.ClockRate, l.plane.clock)
	return *l.final, nil
}

func (p *Plane) forget(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.legs, id)
}

func (p *Plane) leg(id uint64) *Leg {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.legs[id]
}
