package socket

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
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
	if srtp.IsDTLS(p) {
		l.handshake(p, from, now)
		return
	}
	if l.unfit(p) {
		return
	}
	p, genuine := l.open(p, from, now)
	if !genuine {
		return
	}
	h, ok := rtpstream.Parse(p)
	switch {
	case rtpstream.IsControl(p):
		l.control(p, from, now)
	case !ok:
		l.drop(notRTP)
	default:
		l.audio(p, h, from, now)
	}
}

// reports takes what came to the RTCP port.
func (l *leg) reports(p []byte, from netip.AddrPort, now time.Time) {
	switch {
	case l.unfit(p):
	case !rtpstream.IsControl(p):
		l.drop(notRTP)
	default:
		if p, genuine := l.open(p, from, now); genuine {
			l.control(p, from, now)
		}
	}
}

func (l *leg) unfit(p []byte) bool {
	switch {
	case !rtpstream.IsVersion2(p):
		l.drop(notRTP)
	case len(p) > maxPacket:
		l.drop(tooLong)
	default:
		return false
	}
	return true
}

// audio takes an RTP packet on its way: to the receiver, to another leg, or both.
func (l *leg) audio(p []byte, h rtpstream.Header, from netip.AddrPort, now time.Time) {
	route, o, why := l.judge(h, from, len(p), now)
	if why != "" {
		l.drop(why)
		return
	}
	if l.receiver != nil && (o.event || route.Copy) {
		l.handing.Lock()
		l.receiver.RTP(p, now)
		l.handing.Unlock()
	}
	to, _ := route.To.(*leg)
	switch {
	case to == nil:
	case o.event:
		to.withhold(h, o)
	default:
		if err := to.relay(p, h, o); err != nil {
			l.unsent(err)
		}
	}
}

// unsent counts a packet that did not leave, by relay or by Send.
func (l *leg) unsent(err error) {
	if r, ok := errors.AsType[refused](err); ok {
		l.drop(r.why)
		return
	}
	l.plane.log.Debug("send RTP", "error", err)
}

// judge checks and counts an RTP packet, in the kernel plane's order.
func (l *leg) judge(h rtpstream.Header, from netip.AddrPort, size int, now time.Time) (media.Route, origin, rtpstream.Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := origin{
		leg: l.id, turn: l.route.turn, now: now,
		event: l.far.Events >= 0 && int(h.Type) == l.far.Events, noise: isNoise(l.far, h.Type),
	}
	wanted := o.event || o.noise || h.Type == l.far.PayloadType
	if why := l.gate.RTP(rtpstream.Arrival{Header: h, From: from, Wanted: wanted, Now: now}); why != "" {
		return l.route.Route, o, why
	}
	l.ingress.Packet(h.SSRC, h.Sequence)
	if !wanted {
		return l.route.Route, o, rtpstream.WrongType
	}
	l.stats.RxPackets++
	l.stats.RxBytes += uint64(size)
	if !o.event {
		l.ingress.Audio(h.Timestamp, l.far.ClockRate, now)
	}
	return l.route.Route, o, ""
}

func isNoise(far media.FarEnd, kind uint8) bool { return far.Noise != 0 && kind == far.Noise }

// control judges one RTCP packet.
func (l *leg) control(p []byte, from netip.AddrPort, now time.Time) {
	l.mu.Lock()
	why := l.gate.RTCP(from, now)
	if why == "" {
		l.stats.RTCP++
	}
	l.mu.Unlock()
	switch {
	case why != "":
		l.drop(why)
	case l.receiver != nil:
		l.handing.Lock()
		l.receiver.RTCP(p, now)
		l.handing.Unlock()
	}
}

func (l *leg) drop(why rtpstream.Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Dropped[string(why)]++
}
