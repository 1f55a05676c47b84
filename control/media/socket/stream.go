package socket

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
)

// stream is what leaves a leg. Its lock is held from a packet's stamp until the
// packet has left, so that packets leave in the order of their stamps.
type stream struct {
	mu     sync.Mutex
	conn   *net.UDPConn
	ssrc   uint32
	egress rtpstream.Egress
	buf    [maxPacket + srtp.Overhead]byte
}

// refused says why a packet may not leave.
type refused struct{ why rtpstream.Refusal }

func (r refused) Error() string { return "packet not sent: " + string(r.why) }

// Is tells the refusals apart that media knows.
func (r refused) Is(target error) bool {
	return (r.why == rtpstream.Unlatched || r.why == unkeyed) && target == media.ErrUnlatched
}

// destination tells what was agreed and where a packet goes that leaves now, or why it
// may not. The stream is locked.
func (l *leg) destination(now time.Time) (media.FarEnd, netip.AddrPort, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	to, why := l.gate.Far(now)
	switch {
	case l.closed:
		why = noLeg
	case why == "" && !l.far.Send:
		why = rtpstream.Held
	}
	if why != "" {
		return l.far, to, refused{why}
	}
	if l.interrupted {
		l.interrupted = false
		l.out.egress.Interrupt()
	}
	return l.far, to, nil
}

// origin says where a packet that is relayed came from.
type origin struct {
	leg   uint64
	turn  uint8
	event bool
	noise bool
	now   time.Time
}

// Send implements media.PlaneLeg.
func (l *leg) Send(p media.Payload) error {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	now := time.Now()
	far, to, err := l.destination(now)
	if err == nil && rtpstream.HeaderLength+len(p.Data) > maxPacket {
		err = refused{tooLong}
	}
	if err != nil {
		l.unsent(err)
		return err
	}
	f := rtpstream.Frame{Now: now, Ticks: p.Samples, Rate: far.ClockRate}
	h := rtpstream.Header{Stamp: l.out.egress.Own(p.Marker, f), Type: p.PayloadType, SSRC: l.out.ssrc}
	h.Marker = h.Marker && !isNoise(far, h.Type)
	return l.leaveLocked(append(h.Append(l.out.buf[:0]), p.Data...), to)
}

// relay sends another leg's packet on in this one's stream.
func (l *leg) relay(p []byte, h rtpstream.Header, from origin) error {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	far, to, err := l.destination(from.now)
	if err != nil {
		return err
	}
	source := rtpstream.Source{Leg: from.leg, SSRC: h.SSRC, Turn: from.turn}
	kind, agreed := kindOf(far, from)
	if !agreed {
		l.out.egress.LeaveBehind(source, h.Sequence)
		return refused{rtpstream.WrongType}
	}
	ticks := uint32(int64(far.Ptime) * int64(far.ClockRate) / int64(time.Second))
	f := rtpstream.Frame{Now: from.now, Ticks: ticks, Rate: far.ClockRate}
	s, ok := l.out.egress.Relayed(source, h.Stamp, f)
	if !ok {
		return refused{late}
	}
	s.Marker = s.Marker && !from.noise // RFC 3389 section 4
	out := l.out.buf[:copy(l.out.buf[:], p)]
	rtpstream.Header{Stamp: s, Type: kind, SSRC: l.out.ssrc}.Put(out)
	return l.leaveLocked(out, to)
}

// withhold keeps another leg's packet that is not to leave from being missed.
func (l *leg) withhold(h rtpstream.Header, from origin) {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	l.out.egress.LeaveBehind(rtpstream.Source{Leg: from.leg, SSRC: h.SSRC, Turn: from.turn}, h.Sequence)
}

// kindOf is the payload type that was agreed with a far end for what is relayed; false:
// none was.
func kindOf(far media.FarEnd, from origin) (kind uint8, agreed bool) {
	if from.noise {
		return far.Noise, far.Noise != 0
	}
	return far.PayloadType, true
}

func (l *leg) leaveLocked(p []byte, to netip.AddrPort) error {
	wire, err := l.seal(p)
	if err != nil {
		return err
	}
	if _, err := l.out.conn.WriteToUDPAddrPort(wire, to); err != nil {
		return fmt.Errorf("packet not sent: %w", err)
	}
	l.mu.Lock()
	l.stats.TxPackets++
	l.stats.TxBytes += uint64(len(p))
	l.mu.Unlock()
	return nil
}

// SendRTCP implements media.PlaneLeg.
func (l *leg) SendRTCP(packet []byte) error {
	l.mu.Lock()
	to, shared, why := l.gate.FarRTCP(time.Now())
	l.mu.Unlock()
	if why != "" {
		return refused{why}
	}
	conn := l.rtcp
	if shared {
		conn = l.rtp
	}
	wire, err := l.sealControl(packet)
	if err != nil {
		return err
	}
	_, err = conn.WriteToUDPAddrPort(wire, to)
	return err
}
