package socket

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtp"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

// maxPacket is the longest datagram that is read; voice packets are far shorter.
const maxPacket = 2048

// leg implements media.PlaneLeg.
type leg struct {
	plane    *Plane
	id       uint64
	rtp      *net.UDPConn
	rtcp     *net.UDPConn
	receiver media.Receiver
	ssrc     uint32
	readers  sync.WaitGroup

	handing sync.Mutex // the receiver is called from one goroutine at a time

	mu      sync.Mutex
	far     media.FarEnd
	route   media.Route
	ingress rtpstream.Ingress
	egress  rtpstream.Egress
	stats   media.LegStats
	dropped map[string]uint64
	closed  bool
}

// Reasons for refusing a packet, named as the kernel's plane names them.
const (
	dropMuted  = "muted"
	dropSource = "source"
	dropHeld   = "held"
	dropNotRTP = "not_rtp"
	dropType   = "type"
	dropLate   = "late"
	dropNoLeg  = "no_leg"
)

var errClosed = errors.New("leg is closed")

// Connect implements media.PlaneLeg.
func (l *leg) Connect(far media.FarEnd) error {
	if far.RTP.IsValid() && far.ClockRate <= 0 {
		return errors.New("connect leg: no clock rate")
	}
	if far.RTP.IsValid() && !far.RTCP.IsValid() {
		far.RTCP = netip.AddrPortFrom(far.RTP.Addr(), far.RTP.Port()+1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	l.far = far
	return nil
}

// Route implements media.PlaneLeg.
func (l *leg) Route(r media.Route) error {
	if r.To != nil {
		if to, ok := r.To.(*leg); !ok || to.plane != l.plane {
			return errors.New("route leg: the other leg is of another plane")
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	l.route = r
	return nil
}

// Send implements media.PlaneLeg.
func (l *leg) Send(p media.Payload) error {
	l.mu.Lock()
	far, err := l.mayLeaveLocked()
	if err != nil {
		l.mu.Unlock()
		return err
	}
	s := l.egress.Own(p.Marker, p.Samples, far.ClockRate, time.Now())
	l.mu.Unlock()
	return l.write(far, s, p.PayloadType, p.Data)
}

// mayLeaveLocked tells where packets go, or why they may not.
func (l *leg) mayLeaveLocked() (media.FarEnd, error) {
	switch {
	case l.closed:
		return l.far, errClosed
	case !l.far.RTP.IsValid():
		return l.far, errors.New("packet not sent: " + dropMuted)
	case !l.far.Send:
		return l.far, errors.New("packet not sent: " + dropHeld)
	}
	return l.far, nil
}

// write sends one packet with its stamp.
func (l *leg) write(far media.FarEnd, s rtpstream.Stamp, payloadType uint8, payload []byte) error {
	packet := rtp.Packet{Header: rtp.Header{
		Version: 2, Marker: s.Marker, PayloadType: payloadType,
		SequenceNumber: s.Sequence, Timestamp: s.Timestamp, SSRC: l.ssrc,
	}, Payload: payload}
	var buf [maxPacket]byte
	n, err := packet.MarshalTo(buf[:])
	if err != nil {
		return fmt.Errorf("packet not sent: %w", err)
	}
	if _, err := l.rtp.WriteToUDPAddrPort(buf[:n], far.RTP); err != nil {
		return fmt.Errorf("packet not sent: %w", err)
	}
	l.mu.Lock()
	l.stats.TxPackets++
	l.stats.TxBytes += uint64(n)
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

// Stats implements media.PlaneLeg. Everything passes through userspace here.
func (l *leg) Stats() (media.LegStats, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.RxUser = s.RxPackets
	s.RxLost = l.ingress.Lost()
	s.RxJitter = l.ingress.Jitter(l.far.ClockRate)
	s.Dropped = maps.Clone(l.dropped)
	return s, nil
}

// Close implements media.PlaneLeg.
func (l *leg) Close() (media.LegStats, error) {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	var err error
	if !closed {
		l.plane.forget(l)
		err = errors.Join(l.rtp.Close(), l.rtcp.Close())
	}
	l.readers.Wait()
	stats, _ := l.Stats()
	return stats, err
}
