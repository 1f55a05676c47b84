package caller

import (
	"net/netip"
	"time"

	"github.com/pion/rtp"
	"github.com/zaf/g711"

	"mcp/control/media/rtpstream"
)

// maxPacket is more than any UDP packet of telephony.
const maxPacket = 2048

// strayLimit is how far, in samples, a stream's timeline may be from the clock
// before it is tied to it anew.
const strayLimit = clockRate / 4

// receive runs until the socket is closed.
func (l *line) receive() {
	buffer := make([]byte, maxPacket)
	for {
		n, from, err := l.rtp.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		l.take(buffer[:n], from, time.Now())
	}
}

// receiveReports counts RTCP.
func (l *line) receiveReports() {
	buffer := make([]byte, maxPacket)
	for {
		if _, _, err := l.rtcp.ReadFromUDPAddrPort(buffer); err != nil {
			return
		}
		l.mu.Lock()
		l.reports++
		l.mu.Unlock()
	}
}

// take checks and records one packet.
func (l *line) take(raw []byte, from netip.AddrPort, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var p rtp.Packet
	sender := netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if rtpstream.IsControl(raw) { // RTCP shares the port (RFC 5761)
		if sender == l.remote {
			l.reports++
		}
		return
	}
	if err := p.Unmarshal(raw); err != nil || sender != l.remote {
		l.continuity.Strays++
		return
	}
	isAudio := p.PayloadType == 0
	l.continuity.receive(&p, at, isAudio)
	switch {
	case isAudio:
		l.record(&p, at)
	case int(p.PayloadType) == eventType:
		l.continuity.Events++
	default:
		l.continuity.OtherPayload++
	}
}

// record decodes a packet onto the right track: where its timestamp says,
// unless that has gone astray from the time of arrival.
func (l *line) record(p *rtp.Packet, at time.Time) {
	samples := make([]int16, len(p.Payload))
	for i, b := range p.Payload {
		samples[i] = g711.DecodeUlawFrame(b)
	}
	arrival := int(at.Sub(l.began) * clockRate / time.Second)
	position := l.anchor.at + int(int32(p.Timestamp-l.anchor.timestamp))
	astray := position-arrival > strayLimit || arrival-position > strayLimit
	if l.anchor.ssrc != p.SSRC || astray {
		l.anchor = anchor{ssrc: p.SSRC, timestamp: p.Timestamp, at: arrival}
		position = arrival
	}
	l.recording.Heard = place(l.recording.Heard, position, samples)
	l.ear.hear(samples, at)
}
