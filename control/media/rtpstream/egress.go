// Package rtpstream holds the arithmetic of RTP streams: how a stream that
// leaves stays one stream while its sources change, what RFC 3550 counts of one
// that arrives, and who may send it. It is the plain-Go twin of the kernel
// program's stamp.h, gate.h and decide.h, used by the socket plane and as the
// model the kernel is tested against. It knows no sockets and no clock.
package rtpstream

import (
	"math"
	"time"
)

// Limits of RFC 3550 appendix A.1, and how far a timestamp may run off the clock.
const (
	maxDropout  = 3000
	maxMisorder = 100
	maxLeap     = 10 // seconds
	lateFor     = 2 * time.Second
	nobody      = math.MaxUint64 // an id no leg has
)

// Source is who made a packet: a leg that it is relayed from with the SSRC it
// came with, or, as the zero value, the platform itself. Turn counts to whom else
// the leg was routed, and its holds: one that was on hold, routed elsewhere or nowhere
// meanwhile is another source, because what it said there is not lost.
type Source struct {
	Leg  uint64
	SSRC uint32
	Turn uint8
}

// Stamp is the part of an RTP header that belongs to the stream.
type Stamp struct {
	Sequence  uint16
	Timestamp uint32
	Marker    bool
}

// Frame is when a packet leaves and how long it lasts.
type Frame struct {
	Now   time.Time
	Ticks uint32 // of its samples, in units of the timestamp
	Rate  int    // of the timestamp's clock, Hz
}

// Egress is the state of a stream towards one far end.
type Egress struct {
	started bool
	source  Source

	last     uint16    // highest sequence number sent
	floor    uint16    // the lowest that the present source may still fill in
	lastTS   uint32    // highest timestamp sent
	nextTS   uint32    // the earliest that a next source may begin with
	lastTime time.Time // when that left first

	seqOffset uint16 // from the source's numbers to ours
	tsOffset  uint32

	former     Source
	formerSeq  uint16 // the former source's own highest
	replacedAt time.Time
}

// NewEgress begins a stream; its first packet follows sequence and timestamp.
func NewEgress(sequence uint16, timestamp uint32) Egress {
	return Egress{last: sequence, nextTS: timestamp}
}

// ResumeEgress goes on with a stream whose latest packet left elsewhere, at a time.
func ResumeEgress(latest Stamp, at time.Time) Egress {
	return Egress{
		started: true, source: Source{Leg: nobody}, last: latest.Sequence, floor: latest.Sequence,
		lastTS: latest.Timestamp, nextTS: latest.Timestamp + 1, lastTime: at,
	}
}

// Interrupt has the next packet follow as if its source had changed, whoever makes it:
// the far end was not to hear anything for a while.
func (e *Egress) Interrupt() { e.source = Source{Leg: nobody} }

// Latest is the packet of the highest number that left, and when; false: nothing
// has left.
func (e *Egress) Latest() (Stamp, time.Time, bool) {
	return Stamp{Sequence: e.last, Timestamp: e.lastTS}, e.lastTime, e.started
}

// Own stamps a packet that the platform made. It is the next of the stream; one
// with the marker goes on by the clock, others where the one before ended.
func (e *Egress) Own(marker bool, f Frame) Stamp {
	s := Stamp{Sequence: e.last + 1, Timestamp: e.nextTS, Marker: marker}
	if !e.started || e.source != (Source{}) {
		e.change(Source{}, f.Now)
		s.Marker = true
	}
	if s.Marker {
		s.Timestamp = e.resume(f)
	}
	e.floor = s.Sequence
	e.advance(s, f)
	return s
}

// Relayed stamps a packet of another stream. Its losses, reordering and pauses
// show; a change or a restart of the source goes on where the stream is. It
// answers false for a packet that comes too late to be sent.
func (e *Egress) Relayed(from Source, in Stamp, f Frame) (Stamp, bool) {
	s := Stamp{Sequence: in.Sequence + e.seqOffset, Timestamp: in.Timestamp + e.tsOffset, Marker: in.Marker}
	if e.started && from == e.source && e.continues(s, f) {
		if int16(s.Sequence-e.floor) < 0 {
			return Stamp{}, false
		}
		if int16(s.Sequence-e.last) > 0 {
			e.advance(s, f)
		}
		return s, true
	}
	if e.straggler(from, in.Sequence, f.Now) {
		return Stamp{}, false
	}
	e.change(from, f.Now)
	s = Stamp{Sequence: e.last + 1, Timestamp: e.resume(f), Marker: true}
	e.seqOffset, e.tsOffset = s.Sequence-in.Sequence, s.Timestamp-in.Timestamp
	e.floor = s.Sequence
	e.advance(s, f)
	return s, true
}

// LeaveBehind keeps a packet of another stream that is not to leave from being missed:
// its number goes to the next. What its source sent before and comes after that is late.
func (e *Egress) LeaveBehind(from Source, sequence uint16) {
	sequence += e.seqOffset
	ahead := int16(sequence - e.last)
	if !e.started || from != e.source || ahead <= 0 || ahead >= maxDropout || int16(sequence-e.floor) < 0 {
		return
	}
	e.seqOffset--
	e.floor = sequence
}

// ticksOf is a span of time in units of a clock.
func ticksOf(d time.Duration, rate int) int64 { return int64(d) * int64(rate) / int64(time.Second) }

// resume is where the timeline is by now, and never before the last packet's end.
func (e *Egress) resume(f Frame) uint32 {
	if !e.started {
		return e.nextTS
	}
	byClock := e.lastTS + uint32(ticksOf(f.Now.Sub(e.lastTime), f.Rate))
	if int32(byClock-e.nextTS) < 0 {
		return e.nextTS
	}
	return byClock
}

// continues tells whether a packet goes on where the stream is.
func (e *Egress) continues(s Stamp, f Frame) bool {
	ahead := int16(s.Sequence - e.last)
	if ahead <= 0 {
		return ahead >= -maxMisorder && e.lastTS-s.Timestamp <= uint32(maxLeap*f.Rate)
	}
	leap := int64(s.Timestamp - e.lastTS)
	return ahead < maxDropout && leap <= int64(maxLeap*f.Rate)+ticksOf(f.Now.Sub(e.lastTime), f.Rate)
}

// straggler tells whether a packet is of the source that was replaced a moment ago.
func (e *Egress) straggler(from Source, sequence uint16, now time.Time) bool {
	ahead := int16(sequence - e.formerSeq)
	return from.Leg == e.former.Leg && from.SSRC == e.former.SSRC && ahead <= 0 && ahead >= -maxMisorder && now.Sub(e.replacedAt) < lateFor
}

func (e *Egress) change(to Source, now time.Time) {
	e.former, e.formerSeq, e.replacedAt = e.source, e.last-e.seqOffset, now
	e.source = to
}

// advance takes a new highest packet. An event's packets share a timestamp, which the
// first of them left with.
func (e *Egress) advance(s Stamp, f Frame) {
	if !e.started || s.Timestamp != e.lastTS {
		e.lastTime = f.Now
	}
	e.started = true
	e.last, e.lastTS, e.nextTS = s.Sequence, s.Timestamp, s.Timestamp+f.Ticks
	if s.Sequence-e.floor > 2*maxMisorder {
		e.floor = s.Sequence - 2*maxMisorder
	}
}
