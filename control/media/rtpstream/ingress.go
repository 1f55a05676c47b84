package rtpstream

import "time"

// Ingress counts a stream that arrives (RFC 3550 appendix A.1, A.3 and A.8),
// without probation: the source's address is checked before.
type Ingress struct {
	seen       bool
	ssrc       uint32
	max        uint16
	base       uint32
	cycles     uint32
	received   int64
	lostBefore int64 // of the sources before the present one
	badNext    uint16
	bad        bool

	timed     bool // a packet's transit time is known
	lastTS    uint32
	lastTime  time.Time
	jitterX16 uint32 // timestamp units, scaled by 16
}

// Packet counts one packet.
func (i *Ingress) Packet(ssrc uint32, sequence uint16) {
	ahead := sequence - i.max
	switch {
	case !i.seen || ssrc != i.ssrc:
		i.restart(ssrc, sequence)
	case ahead < maxDropout:
		if sequence < i.max {
			i.cycles += 1 << 16
		}
		i.max, i.bad = sequence, false
	case ahead <= 1<<16-maxMisorder:
		if !i.bad || sequence != i.badNext {
			i.badNext, i.bad = sequence+1, true
			return
		}
		// Two in a row from far away: the source has restarted, with the one before.
		i.restart(ssrc, sequence-1)
		i.received = 1
		if sequence == 0 {
			i.cycles = 1 << 16
		}
		i.max = sequence
	}
	i.received++
}

func (i *Ingress) restart(ssrc uint32, sequence uint16) {
	i.lostBefore = i.Lost()
	if ssrc != i.ssrc {
		i.jitterX16 = 0
	}
	i.seen, i.ssrc, i.base, i.max = true, ssrc, uint32(sequence), sequence
	i.cycles, i.received, i.bad, i.timed = 0, 0, false, false
}

// Lost is how many packets were expected and did not come; negative when some
// came twice.
func (i *Ingress) Lost() int64 { return i.lostBefore + i.lost() }

// lost is of the present source.
func (i *Ingress) lost() int64 {
	if !i.seen {
		return 0
	}
	return int64(i.cycles) + int64(i.max) - int64(i.base) + 1 - i.received
}

// Report is what a receiver report tells of the present source (RFC 3550
// section 6.4.1).
type Report struct {
	SSRC    uint32
	Highest uint32 // extended sequence number
	Lost    int64
	Jitter  uint32 // timestamp units
}

// Report tells of the present source.
func (i *Ingress) Report() Report {
	return Report{SSRC: i.ssrc, Highest: i.cycles + uint32(i.max), Lost: i.lost(), Jitter: i.jitterX16 >> 4}
}

// Audio takes an audio packet's timestamp into the jitter. Events repeat their
// timestamp and would spoil it, and so would a source that sets its clock anew: it
// would seem to shake for minutes.
func (i *Ingress) Audio(timestamp uint32, rate int, now time.Time) {
	d := int32(ticksOf(now.Sub(i.lastTime), rate)) - int32(timestamp-i.lastTS)
	if off := uint32(max(d, -d)); i.timed && off <= uint32(maxLeap*rate) {
		i.jitterX16 += off - (i.jitterX16+8)>>4
	}
	i.timed, i.lastTS, i.lastTime = true, timestamp, now
}

// Jitter is the interarrival jitter.
func (i *Ingress) Jitter(rate int) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(i.jitterX16) * time.Second / 16 / time.Duration(rate)
}
