package socket

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

// read takes packets from one of the leg's sockets until the leg closes.
func (l *leg) read(conn *net.UDPConn, take func(p []byte, from netip.AddrPort, now time.Time)) {
	var buf [maxPacket + 1]byte
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			l.plane.log.Debug("read media socket", "local", conn.LocalAddr(), "error", err)
			continue
		}
		take(buf[:n], unmap(from), time.Now())
	}
}

// media takes what came to the RTP port. RTCP may share it (RFC 5761).
func (l *leg) media(p []byte, from netip.AddrPort, now time.Time) {
	h, ok := rtpstream.Parse(p)
	switch {
	case l.unfit(p):
	case rtpstream.IsControl(p):
		l.control(p, from, now)
	case !ok:
		l.drop(dropNotRTP)
	default:
		l.audio(p, h, from, now)
	}
}

// reports takes what came to the RTCP port.
func (l *leg) reports(p []byte, from netip.AddrPort, now time.Time) {
	switch {
	case l.unfit(p):
	case rtpstream.IsControl(p):
		l.control(p, from, now)
	default:
		l.drop(dropNotRTP)
	}
}

func (l *leg) unfit(p []byte) bool {
	switch {
	case !rtpstream.IsVersion2(p):
		l.drop(dropNotRTP)
	case len(p) > maxPacket:
		l.drop(dropTooLong)
	default:
		return false
	}
	return true
}

// audio takes an RTP packet on its way: to the receiver, to another leg, or both.
func (l *leg) audio(p []byte, h rtpstream.Header, from netip.AddrPort, now time.Time) {
	route, event, reason := l.judge(h, from, len(p), now)
	if reason != "" {
		l.drop(reason)
		return
	}
	if l.receiver != nil && (event || route.Copy) {
		l.handing.Lock()
		l.receiver.RTP(p, now)
		l.handing.Unlock()
	}
	if event || route.To == nil {
		return
	}
	if err := route.To.(*leg).relay(p, h, l.id, now); err != nil {
		l.unsent(err)
	}
}

// unsent counts a packet that did not leave, by relay or by Send.
func (l *leg) unsent(err error) {
	if reason, ok := errors.AsType[refusal](err); ok {
		l.drop(string(reason))
		return
	}
	l.plane.log.Debug("send RTP", "error", err)
}

// judge checks and counts an RTP packet, in the kernel plane's order.
func (l *leg) judge(h rtpstream.Header, from netip.AddrPort, size int, now time.Time) (_ media.Route, event bool, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.far.RTP.IsValid():
		return l.route, false, dropMuted
	case from != l.far.RTP:
		return l.route, false, dropSource
	case !l.far.Receive:
		return l.route, false, dropHeld
	}
	l.ingress.Packet(h.SSRC, h.Sequence)
	event = l.far.Events >= 0 && int(h.Type) == l.far.Events
	if !event && h.Type != l.far.PayloadType {
		return l.route, false, dropType
	}
	l.stats.RxPackets++
	l.stats.RxBytes += uint64(size)
	if !event {
		l.ingress.Audio(h.Timestamp, l.far.ClockRate, now)
	}
	return l.route, event, ""
}

// control judges one RTCP packet: it comes from its own port, or from RTP's
// where the far end shares one.
func (l *leg) control(p []byte, from netip.AddrPort, now time.Time) {
	l.mu.Lock()
	far := l.far
	accepted := far.RTP.IsValid() && (from == far.RTCP || from == far.RTP)
	if accepted {
		l.stats.RTCP++
	}
	l.mu.Unlock()
	switch {
	case !far.RTP.IsValid():
		l.drop(dropMuted)
	case !accepted:
		l.drop(dropSource)
	case l.receiver != nil:
		l.handing.Lock()
		l.receiver.RTCP(p, now)
		l.handing.Unlock()
	}
}

func (l *leg) drop(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped[reason]++
}
