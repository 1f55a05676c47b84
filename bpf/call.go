package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
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

func isFull(err error) bool {
	return errors.Is(err, unix.E2BIG) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM)
}

func (p *Plane) change(l *Leg, c LegConfig) error {
	req := relayChangeRequest{Local: l.key, LegId: l.id}
	req.Config = relayLegConfig{
		PeerRtp:    endpointOf(c.RTP),
		PeerRtcp:   endpointOf(c.RTCP),
		ClockRate:  c.ClockRate,
		FrameTicks: c.FrameTicks,
		AudioType:  c.AudioType,
		EventType:  c.EventType,
		MaySend:    flag(c.MaySend),
		MayReceive: flag(c.MayReceive),
		CopyToUser: flag(c.Copy),
	}
	if c.RelayTo != nil {
		req.Config.RelayTo, req.Config.RelayToId = c.RelayTo.key, c.RelayTo.id
	}
	ret, err := p.objects.Change.Run(&ebpf.RunOptions{Data: bytesOf(&req)})
	if err != nil {
		return err
	}
	if relayVerdict(ret) != relayVerdictCHANGED {
		return ErrClosed
	}
	return nil
}

// send stamps an RTP packet, given in parts, and sends it.
func (p *Plane) send(l *Leg, req relaySendRequest, rtp ...[]byte) error {
	req.Local, req.LegId = l.key, l.id
	headers := ipv6Length + udpLength
	if l.local.Addr().Unmap().Is4() {
		headers = ipv4Length + udpLength
	}
	const request = int(unsafe.Sizeof(req))
	buf := make([]byte, request+headers, request+headers+256)
	copy(buf, bytesOf(&req))
	for _, part := range rtp {
		buf = append(buf, part...)
	}
	run := ebpf.RunOptions{Data: buf, DataOut: buf}
	ret, err := p.objects.Send.Run(&run)
	if err != nil {
		return fmt.Errorf("send on leg %s: %w", l.local, err)
	}
	if verdict := relayVerdict(ret); verdict != relayVerdictSTAMPED {
		return &DropError{Reason: p.verdictName(verdict)}
	}
	return p.raw.sendIP(run.DataOut[request:])
}

// Measure gives the time the relay spends on a frame, on average. It judges the
// frame repeatedly, each time as it left it the time before.
func (p *Plane) Measure(frame []byte, repeat int) (time.Duration, error) {
	_, average, err := p.objects.Relay.Benchmark(frame, repeat, nil)
	return average, err
}
