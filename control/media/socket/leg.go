package socket

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"sync"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

// maxPacket is the longest packet that is taken, as by the kernel's plane.
const maxPacket = 1472

// leg implements media.PlaneLeg.
type leg struct {
	plane    *Plane
	id       uint64
	rtp      *net.UDPConn
	rtcp     *net.UDPConn
	receiver media.Receiver
	readers  sync.WaitGroup
	handing  sync.Mutex // the receiver is called from one goroutine at a time
	out      stream

	mu      sync.Mutex // guards what follows
	far     media.FarEnd
	route   media.Route
	ingress rtpstream.Ingress
	stats   media.LegStats
	dropped map[string]uint64
	closed  bool
}

var _ media.PlaneLeg = (*leg)(nil)

// Reasons for refusing a packet, named as the kernel's plane names them.
const (
	dropMuted   = "muted"
	dropSource  = "source"
	dropHeld    = "held"
	dropNotRTP  = "not_rtp"
	dropType    = "type"
	dropLate    = "late"
	dropNoLeg   = "no_leg"
	dropTooLong = "too_long"
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
	far.RTP, far.RTCP = unmap(far.RTP), unmap(far.RTCP)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	l.far = far
	return nil
}

// unmap makes an IPv4 address of an IPv6 one that stands for it.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

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

// Stats implements media.PlaneLeg. Everything passes through userspace here.
func (l *leg) Stats() (media.LegStats, error) {
	l.out.mu.Lock()
	timestamp, at, _ := l.out.egress.Latest()
	l.out.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.RxUser = s.RxPackets
	s.RxLost = l.ingress.Lost()
	s.RxJitter = l.ingress.Jitter(l.far.ClockRate)
	s.Dropped = maps.Clone(l.dropped)
	s.Source = media.Source(l.ingress.Report())
	s.TxTimestamp, s.TxAt = timestamp, at
	return s, nil
}

// Close implements media.PlaneLeg. When it returns, no packet leaves and the
// receiver is not called again.
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
