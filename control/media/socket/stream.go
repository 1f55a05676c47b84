package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

// stream is what leaves a leg. Its lock is held from a packet's stamp until the
// packet has left, so that packets leave in the order of their stamps.
type stream struct {
	mu     sync.Mutex
	conn   *net.UDPConn
	ssrc   uint32
	egress rtpstream.Egress
	buf    [maxPacket]byte
}

// refusal says why a packet may not leave.
type refusal string

func (r refusal) Error() string { return "packet not sent: " + string(r) }

// destination tells where packets go, or why they may not.
func (l *leg) destination() (media.FarEnd, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return l.far, refusal(dropNoLeg)
	case !l.far.RTP.IsValid():
		return l.far, refusal(dropMuted)
	case !l.far.Send:
		return l.far, refusal(dropHeld)
	}
	return l.far, nil
}

// Send implements media.PlaneLeg.
func (l *leg) Send(p media.Payload) error {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	far, err := l.destination()
	if err == nil && rtpstream.HeaderLength+len(p.Data) > maxPacket {
		err = refusal(dropTooLong)
	}
	if err != nil {
		l.unsent(err)
		return err
	}
	f := rtpstream.Frame{Now: time.Now(), Ticks: p.Samples, Rate: far.ClockRate}
	h := rtpstream.Header{Stamp: l.out.egress.Own(p.Marker, f), Type: p.PayloadType, SSRC: l.out.ssrc}
	return l.leaveLocked(append(h.Append(l.out.buf[:0]), p.Data...), far.RTP)
}

// relay sends another leg's packet on in this one's stream.
func (l *leg) relay(p []byte, h rtpstream.Header, from uint64, now time.Time) error {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	far, err := l.destination()
	if err != nil {
		return err
	}
	ticks := uint32(int64(far.Ptime) * int64(far.ClockRate) / int64(time.Second))
	f := rtpstream.Frame{Now: now, Ticks: ticks, Rate: far.ClockRate}
	s, ok := l.out.egress.Relayed(rtpstream.Source{Leg: from, SSRC: h.SSRC}, h.Stamp, f)
	if !ok {
		return refusal(dropLate)
	}
	out := l.out.buf[:copy(l.out.buf[:], p)]
	rtpstream.Header{Stamp: s, Type: far.PayloadType, SSRC: l.out.ssrc}.Put(out)
	return l.leaveLocked(out, far.RTP)
}

func (l *leg) leaveLocked(p []byte, to netip.AddrPort) error {
	if _, err := l.out.conn.WriteToUDPAddrPort(p, to); err != nil {
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
	to := l.far.RTCP
	l.mu.Unlock()
	if !to.IsValid() {
		return errors.New("send RTCP: the far end is not known")
	}
	_, err := l.rtcp.WriteToUDPAddrPort(packet, to)
	return err
}
