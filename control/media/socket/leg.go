package socket

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
)

// maxPacket is the longest packet that is taken, as by the kernel's plane.
const maxPacket = 1472

// leg implements media.PlaneLeg.
type leg struct {
	plane *Plane
	id    uint64
	sockets
	receiver media.Receiver
	readers  sync.WaitGroup
	handing  sync.Mutex // the receiver is called from one goroutine at a time
	out      stream
	security

	mu sync.Mutex // guards what follows
	agreement
	gate    rtpstream.Gate
	route   routing
	ingress rtpstream.Ingress
	stats   media.LegStats
	closed  bool
}

// agreement is what was agreed with the far end.
type agreement struct {
	far         media.FarEnd
	interrupted bool // nothing has left since the far end was to hear nothing
}

// routing is where arriving audio goes.
type routing struct {
	media.Route
	turn uint8 // counts to whom else it was routed, and its holds
}

func (r *routing) change(to media.Route) {
	if to.To != nil && to.To != r.To {
		r.turn++
	}
	r.Route = to
}

// security is how the leg's packets are protected.
type security struct {
	guard atomic.Pointer[srtp.Guard] // nil: everything is in the clear
	early []early                    // of handshakes; guarded by the leg's mu
}

// sockets are those of a leg's two ports.
type sockets struct{ rtp, rtcp *net.UDPConn }

var _ media.PlaneLeg = (*leg)(nil)

// Reasons for refusing a packet beside those of its gate, named as the kernel's
// plane names them.
const (
	notRTP  rtpstream.Refusal = "not_rtp"
	late    rtpstream.Refusal = "late"
	noLeg   rtpstream.Refusal = "no_leg"
	tooLong rtpstream.Refusal = "too_long"
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
	far.RTP, far.RTCP, far.LatchFrom = unmap(far.RTP), unmap(far.RTCP), far.LatchFrom.Unmap()
	if far.RTP.IsValid() && far.RTP.Addr().Is4() != l.isIPv4() {
		return fmt.Errorf("connect leg: far end %s is of the other IP version", far.RTP)
	}
	if err := l.agree(far); err != nil {
		return err
	}
	if err := l.protect(far.Secure); err != nil {
		return fmt.Errorf("connect leg: %w", err)
	}
	return nil
}

// agree takes where the far end is.
func (l *leg) agree(far media.FarEnd) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if err := l.markLocked(far.DSCP); err != nil {
		return err
	}
	if far.Receive && !l.far.Receive {
		l.route.turn++
	}
	l.interrupted = l.interrupted || speaks(far) && !speaks(l.far)
	l.far = far
	l.gate.Connect(peerOf(far), time.Now())
	return nil
}

// speaks tells whether a far end is to hear anything, once its address is known.
func speaks(far media.FarEnd) bool { return far.Send && far.RTP.IsValid() }

func peerOf(far media.FarEnd) rtpstream.Peer {
	p := rtpstream.Peer{RTP: far.RTP, RTCP: far.RTCP, Latch: far.Latch, LatchFrom: far.LatchFrom, Receive: far.Receive}
	if n := far.MaxRate(); n > 0 {
		p.Gap = time.Second / time.Duration(n)
	}
	return p
}

func (l *leg) isIPv4() bool { return l.rtp.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Is4() }

// markLocked sets the traffic class of what is sent.
func (l *leg) markLocked(dscp uint8) error {
	if dscp == l.far.DSCP {
		return nil
	}
	level, option := syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS
	if l.isIPv4() {
		level, option = syscall.IPPROTO_IP, syscall.IP_TOS
	}
	for _, conn := range []*net.UDPConn{l.rtp, l.rtcp} {
		raw, err := conn.SyscallConn()
		if err != nil {
			return fmt.Errorf("set DSCP: %w", err)
		}
		var refused error
		err = raw.Control(func(fd uintptr) { refused = syscall.SetsockoptInt(int(fd), level, option, int(dscp)<<2) })
		if err = errors.Join(err, refused); err != nil {
			return fmt.Errorf("set DSCP: %w", err)
		}
	}
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
	l.route.change(r)
	return nil
}

// Stats implements media.PlaneLeg. Everything passes through userspace here.
func (l *leg) Stats() (media.LegStats, error) {
	l.out.mu.Lock()
	latest, at, _ := l.out.egress.Latest()
	l.out.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.RxUser = s.RxPackets
	s.RxLost = l.ingress.Lost()
	s.RxJitter = l.ingress.Jitter(l.far.ClockRate)
	s.RxAt = l.gate.Heard()
	s.Dropped = maps.Clone(s.Dropped)
	s.Source = media.Source(l.ingress.Report())
	s.Tx = media.Place{Sequence: latest.Sequence, Timestamp: latest.Timestamp, At: at}
	return s, nil
}

// Close implements media.PlaneLeg. When it returns, no packet leaves and the
// receiver is not called again.
func (l *leg) Close(last func(media.LegStats)) (media.LegStats, error) {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	var err error
	if !closed {
		if last != nil {
			stats, _ := l.Stats()
			last(stats)
		}
		l.plane.forget(l)
		err = errors.Join(l.rtp.Close(), l.rtcp.Close())
	}
	l.readers.Wait()
	if g := l.guard.Load(); g != nil {
		g.Close()
	}
	stats, _ := l.Stats()
	return stats, err
}
