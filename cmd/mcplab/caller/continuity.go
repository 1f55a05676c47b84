package caller

import (
	"time"

	"github.com/pion/rtp"
)

// Continuity checks that what arrives is one RTP stream: one SSRC, no hole in
// the sequence, a timestamp that only goes forward. Lost counts per SSRC what
// RFC 3550 appendix A.3 counts.
type Continuity struct {
	SSRCs        []uint32 `json:"ssrcs"`
	Packets      int      `json:"packets"`
	Lost         int      `json:"lost"`
	Reordered    int      `json:"reordered"`
	Duplicates   int      `json:"duplicates"`
	Backwards    int      `json:"timestamp_backwards"` // in-order packets whose timestamp did not advance
	Markers      int      `json:"markers"`
	Events       int      `json:"telephone_events"`
	OtherPayload int      `json:"other_payload_types"`
	Strays       int      `json:"strays"` // from an address that was not negotiated
	JitterMS     float64  `json:"jitter_ms"`
	LongestGapMS float64  `json:"longest_gap_ms"` // between arrivals

	stream  *stream
	jitter  float64 // in timestamp units
	arrived time.Time
}

// stream is the state of the SSRC being received.
type stream struct {
	first, highest uint32 // extended sequence numbers
	timestamp      uint32
	transit        float64
	seen           map[uint32]struct{} // extended numbers received, to tell late from twice
	lostBefore     int                 // of streams before this one
}

// receive takes the next packet as it arrived. A packet that is not audio counts
// in the sequence, but repeats its event's timestamp.
func (c *Continuity) receive(p *rtp.Packet, at time.Time, isAudio bool) {
	c.Packets++
	if p.Marker {
		c.Markers++
	}
	if !c.arrived.IsZero() {
		c.LongestGapMS = max(c.LongestGapMS, float64(at.Sub(c.arrived))/float64(time.Millisecond))
	}
	c.arrived = at
	if len(c.SSRCs) == 0 || c.SSRCs[len(c.SSRCs)-1] != p.SSRC {
		c.begin(p, at)
		return
	}
	c.follow(p, at, isAudio)
	c.Lost = c.stream.lostBefore + int(c.stream.highest-c.stream.first) + 1 - len(c.stream.seen)
	c.JitterMS = c.jitter / clockRate * 1000
}

// begin starts a stream of a new SSRC.
func (c *Continuity) begin(p *rtp.Packet, at time.Time) {
	// Half the range above zero leaves room for packets from before the first.
	first := uint32(1<<16) + uint32(p.SequenceNumber)
	c.stream = &stream{
		first: first, highest: first, timestamp: p.Timestamp, transit: transit(p, at),
		seen: map[uint32]struct{}{first: {}}, lostBefore: c.Lost,
	}
	c.SSRCs = append(c.SSRCs, p.SSRC)
}

func (c *Continuity) follow(p *rtp.Packet, at time.Time, isAudio bool) {
	s := c.stream
	number := s.highest + uint32(int32(int16(p.SequenceNumber-uint16(s.highest))))
	if _, twice := s.seen[number]; twice {
		c.Duplicates++
		return
	}
	s.seen[number] = struct{}{}
	now := transit(p, at)
	difference := now - s.transit
	if difference < 0 {
		difference = -difference
	}
	s.transit = now
	if number < s.highest {
		c.Reordered++
		s.first = min(s.first, number)
		return
	}
	// A step of the timeline where the source paused says nothing of the network.
	if p.Timestamp == s.timestamp+frameSamples {
		c.jitter += (difference - c.jitter) / 16
	}
	if isAudio && int32(p.Timestamp-s.timestamp) <= 0 {
		c.Backwards++
	}
	s.highest, s.timestamp = number, p.Timestamp
}

// transit is RFC 3550's R - S, in timestamp units.
func transit(p *rtp.Packet, at time.Time) float64 {
	return float64(at.UnixMicro()%1e9)*clockRate/1e6 - float64(p.Timestamp)
}

// Faults lists in words what is wrong with the stream; none when it is whole.
func (c *Continuity) Faults() []string {
	var faults []string
	for _, fault := range []struct {
		is   bool
		text string
	}{
		{c.Packets == 0, "no RTP arrived"},
		{len(c.SSRCs) > 1, "the SSRC changed"},
		{c.Lost != 0, "packets were lost"},
		{c.Reordered != 0, "packets were reordered"},
		{c.Duplicates != 0, "packets came twice"},
		{c.Backwards != 0, "the timestamp did not advance"},
		{c.Strays != 0, "packets came from an address that was not negotiated"},
		{c.OtherPayload != 0, "a payload type arrived that was not negotiated"},
	} {
		if fault.is {
			faults = append(faults, fault.text)
		}
	}
	return faults
}
