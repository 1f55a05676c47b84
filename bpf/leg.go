package bpf

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"

	"github.com/cilium/ebpf"
)

// NoType is a payload type that no packet has.
const NoType = 255

// Leg is one open leg. Methods may be called from any goroutine.
type Leg struct {
	plane *Plane
	local netip.AddrPort
	key   relayEndpoint
	id    uint64

	mu     sync.Mutex // guards what follows
	target *Leg
	final  *LegStats
}

// LegConfig is what a leg does from now on.
type LegConfig struct {
	RTP, RTCP  netip.AddrPort // the far end; no RTP: muted both ways
	RelayTo    *Leg           // audio goes on as this leg's; nil: nowhere
	Copy       bool           // audio goes to the handler of Receive, too
	ClockRate  uint32         // Hz
	FrameTicks uint32         // timestamp units of a frame
	AudioType  uint8
	EventType  uint8 // NoType for none
	MaySend    bool
	MayReceive bool
}

// Packet is one to send, before its stamp.
type Packet struct {
	PayloadType uint8
	Marker      bool
	Ticks       uint32 // the timeline advances by this much after the packet
	Data        []byte
}

// AddLeg opens a leg, muted. Its stream starts at a random sequence number and
// timestamp, RFC 3550 section 5.1.
func (p *Plane) AddLeg(local netip.AddrPort, ssrc uint32) (*Leg, error) {
	if !local.Addr().IsValid() || local.Addr().IsUnspecified() || local.Port() == 0 || local.Port()%2 != 0 {
		return nil, fmt.Errorf("open leg: %s is not an address with an even port", local)
	}
	l := &Leg{plane: p, local: local, key: endpointOf(local), id: rand.Uint64() | 1}
	entry := relayLeg{Id: l.id}
	entry.Config.EventType = NoType
	entry.Config.AudioType = NoType
	entry.Egress.Ssrc = ssrc
	entry.Egress.LastSeq = uint16(rand.Uint32())
	entry.Egress.NextTs = rand.Uint32()
	err := p.objects.Legs.Update(&l.key, &entry, ebpf.UpdateNoExist)
	switch {
	case errors.Is(err, ebpf.ErrKeyExist):
		return nil, fmt.Errorf("open leg %s: %w", local, ErrPortTaken)
	case err != nil && isFull(err):
		return nil, fmt.Errorf("open leg %s: %w", local, ErrFull)
	case err != nil:
		return nil, fmt.Errorf("open leg %s: %w", local, err)
	}
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
	if c.RTP.IsValid() && c.RTP.Addr().Unmap().Is4() != l.local.Addr().Unmap().Is4() {
		return fmt.Errorf("configure leg %s: far end %s is of the other IP version", l.local, c.RTP)
	}
	if err := l.plane.change(l, c); err != nil {
		return fmt.Errorf("configure leg %s: %w", l.local, err)
	}
	l.target = c.RelayTo
	return nil
}

// Send sends one packet as the next of the leg's stream. A DropError tells that
// the leg may not send at present.
func (l *Leg) Send(p Packet) error {
	header := [rtpLength]byte{0x80, p.PayloadType & 0x7f}
	if p.Marker {
		header[1] |= 0x80
	}
	return l.send(relaySendRequest{Ticks: p.Ticks}, header[:], p.Data)
}

// sendRelayed sends a packet that arrived on another leg.
func (l *Leg) sendRelayed(source uint64, rtp []byte) error {
	return l.send(relaySendRequest{SourceId: source}, rtp)
}

// send holds the lock, so that packets leave in the order of their stamps.
func (l *Leg) send(req relaySendRequest, rtp ...[]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != nil {
		return ErrClosed
	}
	return l.plane.send(l, req, rtp...)
}

// SendRTCP sends a ready RTCP packet from the port above the leg's own.
func (l *Leg) SendRTCP(to netip.AddrPort, packet []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != nil {
		return ErrClosed
	}
	from := netip.AddrPortFrom(l.local.Addr(), l.local.Port()+1)
	return l.plane.raw.sendUDP(from, to, packet)
}

// Stats reads the leg's counters; those of a closed leg stay as they were.
func (l *Leg) Stats() (LegStats, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != nil {
		return *l.final, nil
	}
	var entry relayLeg
	if err := l.plane.objects.Legs.LookupWithFlags(&l.key, &entry, ebpf.LookupLock); err != nil {
		return LegStats{}, fmt.Errorf("read leg %s: %w", l.local, err)
	}
	return statsOf(&entry), nil
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
	l.target = nil
	var entry relayLeg
	err := l.plane.objects.Legs.LookupAndDeleteWithFlags(&l.key, &entry, ebpf.LookupLock)
	if err != nil {
		return *l.final, fmt.Errorf("close leg %s: %w", l.local, err)
	}
	*l.final = statsOf(&entry)
	return *l.final, nil
}

func (l *Leg) relayTarget() *Leg {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.target
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

// Reset removes legs that no Leg of this process stands for, as a process that
// died left them, and says how many.
func (p *Plane) Reset() (int, error) {
	var key relayEndpoint
	var entry relayLeg
	var stale []relayEndpoint
	for it := p.objects.Legs.Iterate(); it.Next(&key, &entry); {
		if p.leg(entry.Id) == nil {
			stale = append(stale, key)
		}
	}
	for n, key := range stale {
		if err := p.objects.Legs.Delete(&key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return n, fmt.Errorf("remove leg %s: %w", addrPortOf(key), err)
		}
	}
	return len(stale), nil
}
