// Package report makes and reads RTCP (RFC 3550 section 6): what each side of an
// RTP session tells the other of what it sent and what it received.
package report

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/pion/rtcp"
)

// Streams is what has passed between a leg and its far end so far.
type Streams struct {
	Rate int // of the timestamps' clock, Hz

	SentPackets, SentOctets uint64 // octets of payload
	Timestamp               uint32 // of the latest packet sent
	SentAt                  time.Time

	Received uint64 // packets of all sources
	Source   Source
}

// Source is the stream that arrives at present; the fields are those of a
// report block.
type Source struct {
	SSRC    uint32
	Highest uint32 // extended sequence number
	Lost    int64
	Jitter  uint32 // timestamp units
}

// Far is what the far end last told of our stream.
type Far struct {
	At           time.Time
	FractionLost float64 // since its report before
	Lost         int32   // negative: some came twice
	Jitter       time.Duration
	RoundTrip    time.Duration // zero: not known yet
}

// Session is the state of one RTP session's reports. It is not safe for
// concurrent use.
type Session struct {
	ssrc  uint32
	cname string

	made     bool   // a report was made
	sent     uint64 // packets at the latest report
	idle     int    // reports since a packet was sent
	received uint64 // packets at the latest report
	source   Source // at the latest report

	remote   uint32 // SSRC that the latest sender report came from
	remoteAt time.Time
	remoteTS uint32 // the middle of its NTP timestamp
	far      Far
}

// NewSession begins the reports of a stream. The CNAME, of 255 octets at most, says
// which sessions are of one participant (RFC 7022).
func NewSession(ssrc uint32, cname string) *Session {
	return &Session{ssrc: ssrc, cname: cname, idle: 2}
}

// Compound makes the packet that is due now; the last one says good-bye. Who has sent
// nothing so far leaves without a word (RFC 3550 section 6.3.7): the last is empty then.
func (r *Session) Compound(s Streams, now time.Time, last bool) []byte {
	if last && !r.made && s.SentPackets == 0 {
		return nil
	}
	r.made = true
	b := make([]byte, 0, mostOctets+len(r.cname))
	b = r.appendReport(b, s, now)
	b = appendName(b, r.ssrc, r.cname)
	if last {
		b = appendHeader(b, 1, rtcp.TypeGoodbye, 4)
		b = binary.BigEndian.AppendUint32(b, r.ssrc)
	}
	return b
}

// mostOctets is what there is of a compound packet at most beside the name: a
// sender's report with one block, the description's frame and a good-bye.
const mostOctets = 28 + blockLength + 14 + 8

// blockLength is that of a report block (RFC 3550 section 6.4.1).
const blockLength = 24

// appendHeader begins a packet that has so many parts, and octets after the header
// (RFC 3550 section 6.4.1).
func appendHeader(b []byte, parts int, kind rtcp.PacketType, length int) []byte {
	b = append(b, 0x80|uint8(parts), uint8(kind))
	return binary.BigEndian.AppendUint16(b, uint16(length/4))
}

// appendReport appends a sender's if anything was sent since the report before the
// last one, and a receiver's otherwise (RFC 3550 section 6.4).
func (r *Session) appendReport(b []byte, s Streams, now time.Time) []byte {
	blocks := 0
	if s.Received != r.received { // something came since the last report
		blocks = 1
	}
	r.idle++
	if s.SentPackets != r.sent {
		r.sent, r.idle = s.SentPackets, 0
	}
	if r.idle > 1 {
		b = appendHeader(b, blocks, rtcp.TypeReceiverReport, 4+blocks*blockLength)
		b = binary.BigEndian.AppendUint32(b, r.ssrc)
	} else {
		b = appendHeader(b, blocks, rtcp.TypeSenderReport, 24+blocks*blockLength)
		b = binary.BigEndian.AppendUint32(b, r.ssrc)
		b = binary.BigEndian.AppendUint64(b, ntp(now))
		b = binary.BigEndian.AppendUint32(b, s.Timestamp+ticks(now.Sub(s.SentAt), s.Rate))
		b = binary.BigEndian.AppendUint32(b, uint32(s.SentPackets))
		b = binary.BigEndian.AppendUint32(b, uint32(s.SentOctets))
	}
	if blocks > 0 {
		b = r.appendBlock(b, s.Source, now)
		r.received, r.source = s.Received, s.Source
	}
	return b
}

// appendBlock appends what came of the source that there is at present.
func (r *Session) appendBlock(b []byte, is Source, now time.Time) []byte {
	var fraction uint8
	if r.source.SSRC == is.SSRC && r.received > 0 {
		expected, lost := is.Highest-r.source.Highest, is.Lost-r.source.Lost
		if expected > 0 && lost > 0 {
			fraction = uint8(min(lost*256/int64(expected), 255))
		}
	}
	var told, delay uint32
	if r.remote == is.SSRC && !r.remoteAt.IsZero() {
		told, delay = r.remoteTS, ticks(now.Sub(r.remoteAt), 1<<16)
	}
	b = binary.BigEndian.AppendUint32(b, is.SSRC)
	b = binary.BigEndian.AppendUint32(b, uint32(fraction)<<24|uint32(min(max(is.Lost, 0), 0x7fffff)))
	b = binary.BigEndian.AppendUint32(b, is.Highest)
	b = binary.BigEndian.AppendUint32(b, is.Jitter)
	b = binary.BigEndian.AppendUint32(b, told)
	return binary.BigEndian.AppendUint32(b, delay)
}

// appendName appends a source description of the name alone (RFC 3550 section 6.5):
// its list ends with one to four octets of zero, so that the packet has whole words.
func appendName(b []byte, ssrc uint32, name string) []byte {
	zeros := 4 - (2+len(name))%4
	b = appendHeader(b, 1, rtcp.TypeSourceDescription, 4+2+len(name)+zeros)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	b = append(b, uint8(rtcp.SDESCNAME), uint8(len(name)))
	b = append(b, name...)
	return append(b, make([]byte, zeros)...)
}

// Take reads a compound packet of the far end.
func (r *Session) Take(packet []byte, rate int, now time.Time) error {
	packets, err := rtcp.Unmarshal(packet)
	if err != nil {
		return fmt.Errorf("read RTCP: %w", err)
	}
	switch packets[0].(type) {
	case *rtcp.SenderReport, *rtcp.ReceiverReport:
	default:
		return errors.New("read RTCP: a compound packet begins with a report") // RFC 3550 section 6.1
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			if r.received == 0 || p.SSRC == r.source.SSRC {
				r.remote, r.remoteAt, r.remoteTS = p.SSRC, now, uint32(p.NTPTime>>16)
			}
			r.told(p.Reports, rate, now)
		case *rtcp.ReceiverReport:
			r.told(p.Reports, rate, now)
		}
	}
	return nil
}

// told keeps what a report says of our stream.
func (r *Session) told(blocks []rtcp.ReceptionReport, rate int, now time.Time) {
	for _, b := range blocks {
		if b.SSRC != r.ssrc || rate <= 0 {
			continue
		}
		trip := r.far.RoundTrip
		if b.LastSenderReport != 0 {
			// RFC 3550 section 6.4.1; clocks that are set meanwhile may make it negative.
			elapsed := int32(uint32(ntp(now)>>16) - b.LastSenderReport - b.Delay)
			trip = time.Duration(max(elapsed, 0)) * time.Second >> 16
		}
		r.far = Far{
			At: now, FractionLost: float64(b.FractionLost) / 256, Lost: signed(b.TotalLost),
			Jitter: time.Duration(b.Jitter) * time.Second / time.Duration(rate), RoundTrip: trip,
		}
	}
}

// signed is a number of 24 bits with its sign.
func signed(n uint32) int32 { return int32(n<<8) >> 8 }

// Far tells what the far end last reported; false: nothing yet.
func (r *Session) Far() (Far, bool) { return r.far, !r.far.At.IsZero() }

// epoch is NTP's, in seconds before Unix's.
const epoch = 2208988800

// ntp is a time as NTP writes it: seconds and 2^-32 seconds.
func ntp(t time.Time) uint64 {
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// ticks is a span of time in units of a clock.
func ticks(d time.Duration, rate int) uint32 {
	return uint32(int64(d/time.Second)*int64(rate) + int64(d%time.Second)*int64(rate)/int64(time.Second))
}
