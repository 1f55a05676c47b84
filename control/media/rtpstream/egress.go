// Package rtpstream holds the arithmetic of RTP streams: how a stream that
// leaves stays one stream while its sources change, and what RFC 3550 counts of
// one that arrives. It is the plain-Go twin of the kernel program's stamp.h and
// decide.h, used by the socket plane and as the model the kernel is tested
// against. It knows no sockets and no clock.
package rtpstream

import "time"

// Limits of RFC 3550 appendix A.1, and how far a timestamp may run off the clock.
const (
	maxDropout  = 3000
	maxMisorder = 100
	maxLeap     = 10 // seconds
	lateFor     = 2 * time.Second
)

// Source is who made a packet: a leg that it is relayed from with the SSRC it
// came with, or, as the zero value, the platform itself.
type Source struct {
	Leg  uint64
	SSRC uint32
}

// Stamp is the part of an RTP header that belongs to the stream.
type Stamp struct {
	Sequence  uint16
	Timestamp uint32
	Marker    bool
}

// Egress is the state of a stream towards one far end.
type Egress struct {
	started bool
	source  Source

	last     uint16 // highest sequence number sent
	floor    uint16 // the lowest that the present source may still fill in
	lastTS   uint32 // highest timestamp sent
	nextTS   uint32 // the earliest that a next source may begin with
	lastTime time.Time

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

// Own stamps a packet that the platform made. It is the next of the stream, and
// its timeline advances by ticks.
func (e *Egress) Own(marker bool, ticks uint32, rate int, now time.Time) Stamp {
	s := Stamp{Sequence: e.last + 1, Timestamp: e.nextTS, Marker: marker}
	elapsed := e.elapsed(rate, now)
	if !e.started || e.source != (Source{}) {
		e.change(Source{}, now)
		s.Marker = true
	}
	if s.Marker {
		s.Timestamp = e.resume(elapsed)
	}
	e.floor = s.Sequence
	e.advance(s, ticks, now)
	e.started = true
	return s
}

// Relayed stamps a packet of another stream. Its losses, reordering and pauses
// show; a change or a restart of the source goes on where the stream is. It
// answers false for a packet that comes too late to be sent.
func (e *Egress) Relayed(from Source, in Stamp, ticks uint32, rate int, now time.Time) (Stamp, bool) {
	s := Stamp{Sequence: in.Sequence + e.seqOffset, Timestamp: in.Timestamp + e.tsOffset, Marker: in.Marker}
	elapsed := e.elapsed(rate, now)
	if e.started && from == e.source && e.continues(s, elapsed, rate) {
		if int16(s.Sequence-e.floor) < 0 {
			return Stamp{}, false
		}
		if int16(s.Sequence-e.last) > 0 {
			e.advance(s, ticks, now)
		}
		return s, true
	}
	if e.straggler(from, in.Sequence, now) {
		return Stamp{}, false
	}
	e.change(from, now)
	s = Stamp{Sequence: e.last + 1, Timestamp: e.resume(elapsed), Marker: true}
	e.seqOffset, e.tsOffset = s.Sequence-in.Sequence, s.Timestamp-in.Timestamp
	e.floor = s.Sequence
	e.advance(s, ticks, now)
	e.started = true
	return s, true
}

func (e *Egress) elapsed(rate int, now time.Time) uint32 {
	if !e.started {
		return 0
	}
	return uint32(int64(now.Sub(e.lastTime)) * int64(rate) / int64(time.Second))
}

// resume is where the timeline is by now, and never before the last packet's end.
func (e *Egress) resume(elapsed uint32) uint32 {
	byClock := e.lastTS + elapsed
	if !e.started || int32(byClock-e.nextTS) < 0 {
		return e.nextTS
	}
	return byClock
}

// continues tells whether a packet goes on where the stream is.
func (e *Egress) continues(s Stamp, elapsed uint32, rate int) bool {
	ahead := int16(s.Sequence - e.last)
	if ahead > 0 {
		return ahead < maxDropout && s.Timestamp-e.lastTS <= elapsed+uint32(maxLeap*rate)
	}
	return ahead >= -maxMisorder && e.lastTS-s.Timestamp <= uint32(maxLeap*rate)
}

// straggler tells whether a packet is of the source that was replaced a moment ago.
func (e *Egress) straggler(from Source, sequence uint16, now time.Time) bool {
	ahead := int16(sequence - e.formerSeq)
	return from == e.former && ahead <= 0 && ahead >= -maxMisorder && now.Sub(e.replacedAt) < lateFor
}

func (e *Egress) change(to Source, now time.Time) {
	e.former, e.formerSeq, e.replacedAt = e.source, e.last-e.seqOffset, now
	e.source = to
}

func (e *Egress) advance(s Stamp, ticks uint32, now time.Time) {
	e.last, e.lastTS, e.nextTS, e.lastTime = s.Sequence, s.Timestamp, s.Timestamp+ticks, now
	if s.Sequence-e.floor > 2*maxMisorder {
		e.floor = s.Sequence - 2*maxMisorder
	}
}
