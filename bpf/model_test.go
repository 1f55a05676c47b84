package bpf

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"mcp/bpf/rawip"
)

// The model says in plain Go what the relay does with a frame: it is written
// from the RFCs and the comments in include/, not from the programs, and shares
// no code with them. Time is an interval, because nobody knows when exactly the
// program looked at its clock; where the answer depends on more than that, the
// model says that it cannot tell.
type model struct {
	legs map[netip.AddrPort]*modelLeg
}

// modelLeg is what the model keeps of a leg.
type modelLeg struct {
	id           uint64
	local, far   netip.AddrPort
	farRTCP      netip.AddrPort
	to           *modelLeg
	toMAC, myMAC [6]byte
	class        byte
	audio, event byte
	noise        byte // 0: none
	copied       bool
	in           modelIngress
	out          modelEgress
}

type modelIngress struct {
	seen           bool
	ssrc           uint32
	at             span
	candidate      uint32
	candidateSeq   uint16
	candidateKnown bool
	told           string // of an event, by what matters of it; empty: nothing
}

type modelEgress struct {
	ssrc                uint32
	seq                 uint16
	ts, next            uint32
	at                  span
	started             bool
	source, former      uint64
	sourceSSRC, wasSSRC uint32
	wasSeq              uint16
	replaced            span
	seqOffset, floor    uint16
	tsOffset            uint32
}

// span is a time that is not known exactly, in nanoseconds.
type span struct{ from, to uint64 }

// outcome is what the model expects; a packet that leaves has a timestamp in a
// range when it depends on the clock.
type outcome struct {
	verdict string
	unsure  bool // the clock decides
	frame   []byte
	sender  *modelLeg
	tsRange uint32 // how much later than in frame the timestamp may be
}

const (
	second    = uint64(1e9)
	clockRate = 8000
)

// judge follows a frame that was given to the relay at a time.
func (m *model) judge(frame []byte, at span) outcome {
	p, verdict := dissect(frame)
	if verdict != "" {
		return outcome{verdict: verdict}
	}
	leg := m.legs[netip.AddrPortFrom(p.dst.Addr(), p.dst.Port()&^1)]
	switch {
	case leg == nil:
		return outcome{verdict: "pass_not_leg"}
	case len(p.payload) < 8 || p.payload[0]>>6 != 2:
		return outcome{verdict: "drop_not_rtp"}
	case len(p.payload) > 1472:
		return outcome{verdict: "drop_too_long"}
	case p.payload[1] >= 192 && p.payload[1] <= 223:
		if p.src == leg.far || p.src == leg.farRTCP {
			return outcome{verdict: "to_user"}
		}
		return outcome{verdict: "drop_source"}
	case p.dst.Port()%2 == 1, len(p.payload) < 12+4*int(p.payload[0]&15):
		return outcome{verdict: "drop_not_rtp"}
	case p.src != leg.far:
		return outcome{verdict: "drop_source"}
	}
	return leg.audioArrives(p, at)
}

func (l *modelLeg) audioArrives(p datagram, at span) outcome {
	r := rtpOf(p.payload)
	if verdict, unsure := l.in.admit(r, at); verdict != "" || unsure {
		return outcome{verdict: verdict, unsure: unsure}
	}
	event, noise := r.kind == l.event, l.noise != 0 && r.kind == l.noise
	if event && l.to != nil {
		l.to.out.leaveBehind(r, l.id)
	}
	switch {
	case !event && !noise && r.kind != l.audio:
		return outcome{verdict: "drop_type"}
	case event && !l.in.tell(p.payload):
		return outcome{verdict: "repeated"}
	case event, l.to == nil && l.copied:
		return outcome{verdict: "to_user"}
	case l.to == nil:
		return outcome{verdict: "unrouted"}
	}
	as := l.to.audio
	if noise {
		as = l.to.noise
	}
	if as == 0 && noise {
		l.to.out.leaveBehind(r, l.id)
		return outcome{verdict: "drop_type"} // nothing was agreed for it there
	}
	s, o := l.to.out.take(r, l.id, at)
	if o.verdict != "" || o.unsure {
		return o
	}
	s.marker = s.marker && !noise // RFC 3389 section 4
	o.verdict, o.sender = "relayed", l.to
	o.frame = l.to.leave(p, s, as)
	if len(o.frame)-len(p.padding) > 14+1500 {
		// It does not fit the MTU, which is the stack's business. Its timestamp, when
		// the clock decides, is then not seen here, and nothing can be told of what follows.
		o.verdict, o.unsure = "handed", o.tsRange > 0
	}
	return o
}

// admit locks the source: RFC 3550 A.1 with two packets of probation for a new
// source, which the present one must have left silent for 100 ms.
func (i *modelIngress) admit(r rtpHeader, at span) (verdict string, unsure bool) {
	if i.seen && r.ssrc != i.ssrc {
		silent := second / 10
		switch {
		case at.to-i.at.from < silent:
			return "drop_ssrc", false
		case at.from < i.at.to || at.from-i.at.to < silent:
			return "", true
		case !i.candidateKnown || i.candidate != r.ssrc || i.candidateSeq != r.seq:
			i.candidateKnown, i.candidate, i.candidateSeq = true, r.ssrc, r.seq+1
			return "drop_probation", false
		}
		i.candidateKnown = false
	}
	if r.ssrc != i.ssrc {
		i.told = ""
	}
	i.seen, i.ssrc, i.at = true, r.ssrc, at
	return "", false
}

// tell tells whether a packet of telephone-event says anything new: RFC 4733 section
// 2.3 has the event, its end and its duration.
func (i *modelIngress) tell(rtp []byte) bool {
	if len(rtp) != 16 || rtp[0] != 0x80 {
		i.told = ""
		return true
	}
	says := fmt.Sprintf("%x %x %v %v", rtp[4:8], rtp[12], rtp[13] > 127, rtp[14] == 255 && rtp[15] == 255)
	was := i.told
	i.told = says
	return says != was
}

type stampedAs struct {
	seq    uint16
	ts     uint32
	marker bool
}

// take gives a packet its place in the outgoing stream.
func (e *modelEgress) take(r rtpHeader, source uint64, at span) (stampedAs, outcome) {
	s := stampedAs{seq: r.seq + e.seqOffset, ts: r.ts + e.tsOffset, marker: r.marker}
	if e.started && e.source == source && e.sourceSSRC == r.ssrc {
		on, unsure := e.goesOn(s, at)
		if unsure {
			return s, outcome{unsure: true}
		}
		if on {
			if int16(s.seq-e.floor) < 0 {
				return s, outcome{verdict: "drop_late"}
			}
			if int16(s.seq-e.seq) > 0 {
				e.advance(s, at)
			}
			return s, outcome{}
		}
	}
	behind := int16(r.seq - e.wasSeq)
	if source == e.former && r.ssrc == e.wasSSRC && behind <= 0 && behind >= -100 {
		if at.from-e.replaced.to >= 2*second || at.to-e.replaced.from >= 2*second {
			return s, outcome{unsure: true}
		}
		return s, outcome{verdict: "drop_late"}
	}
	e.former, e.wasSSRC, e.wasSeq, e.replaced = e.source, e.sourceSSRC, e.seq-e.seqOffset, at
	e.source, e.sourceSSRC = source, r.ssrc
	early, late := e.byClock(at)
	s = stampedAs{seq: e.seq + 1, ts: early, marker: true}
	e.seqOffset, e.tsOffset, e.floor = s.seq-r.seq, s.ts-r.ts, s.seq
	e.advance(s, at)
	return s, outcome{tsRange: late - early}
}

// leaveBehind has the next packet of the present source take the place of one that does
// not leave: an RTP translator that drops packets must not make them look lost.
func (e *modelEgress) leaveBehind(r rtpHeader, source uint64) {
	place := r.seq + e.seqOffset
	ahead := int16(place - e.seq)
	if e.started && e.source == source && e.sourceSSRC == r.ssrc && ahead > 0 && ahead < 3000 && int16(place-e.floor) >= 0 {
		e.seqOffset--
		e.floor = place
	}
}

// goesOn tells whether a stamp is near the stream's place.
func (e *modelEgress) goesOn(s stampedAs, at span) (on, unsure bool) {
	const leap = 10 * clockRate
	ahead, by := int16(s.seq-e.seq), s.ts-e.ts
	if ahead <= 0 {
		return ahead >= -100 && -by <= leap, false
	}
	if ahead >= 3000 || by <= leap {
		return ahead < 3000, false
	}
	least, most := ticksBetween(e.at.to, at.from), ticksBetween(e.at.from, at.to)
	return by <= leap+least, by > leap+least && by <= leap+most
}

// byClock is where the timeline may be now, never before the last packet's end.
func (e *modelEgress) byClock(at span) (early, late uint32) {
	if !e.started {
		return e.next, e.next
	}
	early = e.ts + ticksBetween(e.at.to, at.from)
	late = e.ts + ticksBetween(e.at.from, at.to)
	if int32(early-e.next) < 0 {
		early = e.next
	}
	if int32(late-e.next) < 0 {
		late = e.next
	}
	return early, late
}

func ticksBetween(from, to uint64) uint32 {
	if to < from {
		return 0
	}
	return uint32((to - from) * clockRate / second)
}

func (e *modelEgress) advance(s stampedAs, at span) {
	if !e.started || s.ts != e.ts {
		e.at = at
	}
	e.seq, e.ts, e.next, e.started = s.seq, s.ts, s.ts+frameTicks, true
	if s.seq-e.floor > 0x4000 {
		e.floor = s.seq - 200
	}
}

// adopt takes over the timestamp that the program chose by its clock.
func (e *modelEgress) adopt(ts uint32) {
	e.tsOffset += ts - e.ts
	e.ts, e.next = ts, ts+frameTicks
}

// leave builds the frame that leaves as a payload type from nothing but the payload.
func (l *modelLeg) leave(p datagram, s stampedAs, as byte) []byte {
	rtp := append([]byte{}, p.payload...)
	rtp[1] = as
	if s.marker {
		rtp[1] |= 0x80
	}
	binary.BigEndian.PutUint16(rtp[2:], s.seq)
	binary.BigEndian.PutUint32(rtp[4:], s.ts)
	binary.BigEndian.PutUint32(rtp[8:], l.out.ssrc)
	udp := binary.BigEndian.AppendUint16(nil, l.local.Port())
	udp = binary.BigEndian.AppendUint16(udp, l.far.Port())
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(rtp)))
	udp = append(udp, 0, 0)
	udp = append(udp, rtp...)
	binary.BigEndian.PutUint16(udp[6:], p.checksumAfter(l.local.Addr(), l.far.Addr(), udp))
	frame := append(append([]byte{}, l.toMAC[:]...), l.myMAC[:]...)
	if l.local.Addr().Is4() {
		frame = append(frame, 8, 0)
	} else {
		frame = append(frame, 0x86, 0xdd)
	}
	frame = append(frame, rawip.Header(l.local.Addr(), l.far.Addr(), l.class, len(udp))...)
	return append(append(frame, udp...), p.padding...)
}

// checksumAfter is what the sender would have written: what was wrong stays as
// wrong as it was, what was left to hardware is filled in, and what was left out
// stays out where IP allows it.
func (p datagram) checksumAfter(src, dst netip.Addr, udp []byte) uint16 {
	after := uint64(^rawip.Checksum(pseudoOf(src, dst, len(udp)), udp))
	before := ^rawip.Checksum(pseudoOf(p.src.Addr(), p.dst.Addr(), len(p.udp)), p.udp[:6], []byte{0, 0}, p.udp[8:])
	seed := rawip.Checksum(pseudoOf(p.src.Addr(), p.dst.Addr(), len(p.udp)))
	switch {
	case p.check == 0 && src.Is4():
		return 0
	case p.check == 0, p.check == seed && p.check != before && !(p.check == 0xffff && before == 0):
		return rawip.NeverZero(uint16(after))
	}
	// One's complement: the error that came is the error that leaves.
	sum := uint64(p.check) + after + uint64(^before)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return rawip.NeverZero(uint16(sum))
}

func pseudoOf(src, dst netip.Addr, length int) []byte {
	b := append(src.AsSlice(), dst.AsSlice()...)
	b = append(b, 0, 17)
	return binary.BigEndian.AppendUint16(b, uint16(length))
}
