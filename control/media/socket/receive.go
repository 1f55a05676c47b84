package socket

import (
	"net/netip"
	"time"

	"github.com/pion/rtp"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

func (l *leg) readRTP() {
	buf := make([]byte, maxPacket)
	for {
		n, from, err := l.rtp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if l.isClosed() {
				return
			}
			continue // an ICMP error of a packet sent before
		}
		l.arrived(buf[:n], unmap(from), time.Now())
	}
}

func (l *leg) readRTCP() {
	buf := make([]byte, maxPacket)
	for {
		n, from, err := l.rtcp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if l.isClosed() {
				return
			}
			continue
		}
		if p := buf[:n]; isRTCP(p) {
			l.control(p, unmap(from), time.Now())
		} else {
			l.drop(dropNotRTP)
		}
	}
}

func (l *leg) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// isRTCP tells a control packet by its type (RFC 5761 section 4).
func isRTCP(p []byte) bool {
	return len(p) >= 8 && p[0]>>6 == 2 && p[1] >= 192 && p[1] <= 223
}

// arrived judges one packet that came to the RTP port.
func (l *leg) arrived(p []byte, from netip.AddrPort, now time.Time) {
	if isRTCP(p) {
		l.control(p, from, now)
		return
	}
	var h rtp.Header
	n, err := h.Unmarshal(p)
	if err != nil || h.Version != 2 {
		l.drop(dropNotRTP)
		return
	}
	l.mu.Lock()
	reason := l.judgeLocked(&h, from, len(p), now)
	far, route := l.far, l.route
	l.mu.Unlock()
	if reason != "" {
		l.drop(reason)
		return
	}
	event := far.Events >= 0 && int(h.PayloadType) == far.Events
	if event || route.Copy {
		l.hand(func() { l.receiver.RTP(p, now) })
	}
	if !event && route.To != nil {
		l.relay(route.To.(*leg), &h, unpadded(&h, p[n:]), now)
	}
}

// unpadded takes off the padding, whose last octet says how much there is.
func unpadded(h *rtp.Header, payload []byte) []byte {
	if !h.Padding || len(payload) == 0 {
		return payload
	}
	return payload[:max(0, len(payload)-int(payload[len(payload)-1]))]
}

// judgeLocked checks, in the kernel plane's order, and counts.
func (l *leg) judgeLocked(h *rtp.Header, from netip.AddrPort, size int, now time.Time) string {
	switch {
	case !l.far.RTP.IsValid():
		return dropMuted
	case from != l.far.RTP:
		return dropSource
	case !l.far.Receive:
		return dropHeld
	}
	l.ingress.Packet(h.SSRC, h.SequenceNumber)
	event := l.far.Events >= 0 && int(h.PayloadType) == l.far.Events
	if !event && h.PayloadType != l.far.PayloadType {
		return dropType
	}
	l.stats.RxPackets++
	l.stats.RxBytes += uint64(size)
	if !event {
		l.ingress.Audio(h.Timestamp, l.far.ClockRate, now)
	}
	return ""
}

// relay sends a packet on in another leg's stream.
func (l *leg) relay(to *leg, h *rtp.Header, payload []byte, now time.Time) {
	to.mu.Lock()
	far, err := to.mayLeaveLocked()
	if err != nil {
		reason := dropMuted
		switch {
		case to.closed:
			reason = dropNoLeg
		case far.RTP.IsValid():
			reason = dropHeld
		}
		to.mu.Unlock()
		l.drop(reason)
		return
	}
	ticks := uint32(int64(far.Ptime) * int64(far.ClockRate) / int64(time.Second))
	in := rtpstream.Stamp{Sequence: h.SequenceNumber, Timestamp: h.Timestamp, Marker: h.Marker}
	s, ok := to.egress.Relayed(rtpstream.Source{Leg: l.id, SSRC: h.SSRC}, in, ticks, far.ClockRate, now)
	to.mu.Unlock()
	if !ok {
		l.drop(dropLate)
		return
	}
	if err := to.write(far, s, far.PayloadType, payload); err != nil {
		l.plane.log.Debug("relay", "error", err)
	}
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
	default:
		l.hand(func() { l.receiver.RTCP(p, now) })
	}
}

// hand gives a packet to the receiver, if there is one.
func (l *leg) hand(give func()) {
	if l.receiver == nil {
		return
	}
	l.handing.Lock()
	defer l.handing.Unlock()
	give()
}

func (l *leg) drop(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped[reason]++
}

var _ media.PlaneLeg = (*leg)(nil)
