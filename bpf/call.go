package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"mcp/bpf/ktime"
	"mcp/bpf/testrun"
)

// The programs userspace calls: change and send. They exist so that a leg is
// changed under its lock and a stream is stamped by one routine only.

const (
	ipv4Length = 20
	ipv6Length = 40
	udpLength  = 8
	rtpLength  = 12
)

func endpointOf(a netip.AddrPort) relayEndpoint {
	if !a.IsValid() {
		return relayEndpoint{}
	}
	return relayEndpoint{Addr: a.Addr().As16(), Port: a.Port()}
}

func addrPortOf(e relayEndpoint) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.Addr).Unmap(), e.Port)
}

// bytesOf views a generated struct as the kernel sees it.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// isEnd tells that a batch was the last one.
func isEnd(err error) bool {
	return errors.Is(err, ebpf.ErrKeyNotExist)
}

func (f FarEnd) trafficClass() uint8 { return f.DSCP << 2 }

// configOf translates a configuration for the programs.
func configOf(c LegConfig) relayLegConfig {
	k := relayLegConfig{
		PeerRtp:      endpointOf(c.Far.RTP),
		PeerRtcp:     endpointOf(c.Far.RTCP),
		LatchMs:      uint32(c.Far.Latch.Milliseconds()),
		ClockRate:    c.ClockRate,
		FrameTicks:   c.FrameTicks,
		AudioType:    c.AudioType,
		EventType:    c.EventType,
		NoiseType:    c.NoiseType,
		MaySend:      flag(c.MaySend),
		MayReceive:   flag(c.MayReceive),
		CopyToUser:   flag(c.Copy),
		TrafficClass: c.Far.trafficClass(),
	}
	if c.Far.LatchFrom.IsValid() {
		k.LatchFrom.Addr = c.Far.LatchFrom.As16()
	}
	if c.Far.MaxRate > 0 {
		k.PacketGapNs = uint32(time.Second) / uint32(c.Far.MaxRate)
	}
	if c.RelayTo != nil {
		k.RelayTo, k.RelayToId = c.RelayTo.slot, c.RelayTo.id
	}
	return k
}

func (p *Plane) change(l *Leg, req relayChangeRequest) error {
	req.Slot, req.LegId = l.slot, l.id
	ret, _, err := testrun.Run(p.calls.Load().Change, testrun.Call{Data: bytesOf(&req)})
	if err != nil {
		return err
	}
	if relayVerdict(ret) != relayVerdictCHANGED {
		return ErrClosed
	}
	return nil
}

// end ends the leg in a slot and gives its place back. The answer has what it carried.
// ErrClosed: it has ended before, and the place may be another's. The program ends a
// leg once, under its lock, so that a place is given back once.
func (p *Plane) end(slot uint32, id uint64, local netip.AddrPort) (relayEndRequest, error) {
	req := relayEndRequest{Slot: slot, LegId: id}
	if err := p.slots.hide(slot, local); err != nil {
		return req, err
	}
	ret, _, err := testrun.Run(p.calls.Load().End, testrun.Call{Data: bytesOf(&req), Out: bytesOf(&req)})
	if err != nil {
		return req, err
	}
	if relayVerdict(ret) != relayVerdictCHANGED {
		return req, ErrClosed
	}
	p.slots.give(slot)
	return req, nil
}

// stats is what a leg that has ended carried.
func (r *relayEndRequest) stats(clockRate uint32, clock ktime.Clock) LegStats {
	entry := relayLeg{Egress: r.Egress, Counts: r.Counts, Ingress: r.Ingress}
	entry.Config.ClockRate = clockRate
	return statsOf(&entry, clock)
}

// send stamps an RTP packet, given in parts, and sends it.
func (p *Plane) send(l *Leg, ticks uint32, rtp ...[]byte) error {
	var buf []byte
	packet, err := p.stamp(&buf, l, ticks, rtp...)
	if err != nil {
		return err
	}
	return p.raw.SendIP(packet)
}

// stamp makes an RTP packet, given in parts, the next of the leg's stream. It
// returns it as a whole IP packet in the buffer, which grows as it must.
func (p *Plane) stamp(buf *[]byte, l *Leg, ticks uint32, rtp ...[]byte) ([]byte, error) {
	req := relaySendRequest{Slot: l.slot, LegId: l.id, Ticks: ticks}
	headers := ipv6Length + udpLength
	if l.local.Addr().Unmap().Is4() {
		headers = ipv4Length + udpLength
	}
	const request = int(unsafe.Sizeof(req))
	if cap(*buf) < request+headers {
		*buf = make([]byte, 0, request+headers+256)
	}
	b := append((*buf)[:0], bytesOf(&req)...)[:request+headers]
	for _, part := range rtp {
		b = append(b, part...)
	}
	*buf = b
	ret, length, err := testrun.Run(p.calls.Load().Send, testrun.Call{Data: b, Out: b})
	if err != nil {
		return nil, fmt.Errorf("send on leg %s: %w", l.local, err)
	}
	if verdict := relayVerdict(ret); verdict != relayVerdictSTAMPED {
		return nil, &DropError{Reason: p.verdictName(verdict)}
	}
	return b[request:length], nil
}
