// Package media carries a call's audio. A call describes what it wants as a
// graph of legs and sources; a pure function plans it; a Plane carries it: in
// the kernel where it can, on sockets where it must.
package media

import (
	"errors"
	"net/netip"
	"time"

	"mcp/control/media/srtp"
)

// Plane carries RTP between legs. The XDP plane does so in the kernel, the
// socket plane in Go. Both behave alike; they differ in cost.
type Plane interface {
	// Mode is "xdp-native", "xdp-generic" or "socket"; Reason says in a sentence why.
	Mode() string
	Reason() string
	// Open starts a leg. It fails when the local port is taken or the plane is full.
	Open(LegConfig) (PlaneLeg, error)
	// Close closes what legs remain.
	Close() error
}

// PlaneLeg is one open leg of a Plane. Methods may be called from any goroutine.
type PlaneLeg interface {
	Sender
	// Connect sets or replaces what is known of the far end. The outgoing
	// stream goes on: same SSRC, next sequence number.
	Connect(FarEnd) error
	// Route sets where arriving audio goes.
	Route(Route) error
	Stats() (LegStats, error)
	// Close ends the leg and tells what it carried. Before it gives up the way to the
	// far end it tells last, unless that is nil, which may still SendRTCP. It is
	// idempotent.
	Close(last func(LegStats)) (LegStats, error)
}

// ErrInsecure is what a Plane answers that cannot protect packets.
var ErrInsecure = errors.New("media plane has no SRTP")

// ErrUnlatched is what sending answers while the far end's true address is not
// known yet.
var ErrUnlatched = errors.New("far end's address is not learned yet")

// Sender sends what userspace makes to a leg's far end.
type Sender interface {
	// Send sends one packet as the next of the leg's outgoing stream. The plane
	// stamps SSRC, sequence number and timestamp so that the stream stays
	// continuous whatever was relayed before. Comfort noise bears no marker, though its
	// timestamp is that of a packet with one (RFC 3389 section 4).
	Send(Payload) error
	// SendRTCP sends a ready RTCP packet to the far end.
	SendRTCP([]byte) error
}

// LegConfig describes a leg when it opens.
type LegConfig struct {
	// Local is where RTP arrives; its port is even, RTCP arrives one above.
	Local netip.AddrPort
	// SSRC of the outgoing stream; the first sequence number and timestamp are
	// random, as RFC 3550 section 5.1 asks.
	SSRC uint32
	// Call and Role say whose the leg is, to operators and to the next process.
	Call, Role string
	// After is where the stream is that the leg's outgoing one goes on; nil: it begins.
	After *Place
	// Receiver gets what comes to userspace. It is called from one goroutine of
	// the plane at a time per leg, must not block, and does not keep the bytes.
	Receiver Receiver
}

// Place is where an outgoing stream is: the stamp of its latest packet, and when
// that left.
type Place struct {
	Sequence  uint16
	Timestamp uint32
	At        time.Time
}

// FarEnd is what SDP told of the other side.
type FarEnd struct {
	// RTP is where it receives, and the only source accepted. The zero value
	// mutes the leg in both directions.
	RTP         netip.AddrPort
	RTCP        netip.AddrPort // zero: RTP's port plus one
	PayloadType uint8          // of audio, both ways
	Events      int            // payload type of telephone-event, -1 for none
	Noise       uint8          // payload type of comfort noise (RFC 3389); 0: none
	ClockRate   int            // Hz
	Ptime       time.Duration
	// Latch is for how long after a change of the far end the leg may learn from
	// arriving RTP where it truly is (symmetric RTP, RFC 4961); only the addresses
	// of RTP and LatchFrom, where signalling comes from, are believed. The leg
	// sends nothing until then. Zero: never.
	Latch     time.Duration
	LatchFrom netip.Addr
	DSCP      uint8 // of what is sent, RFC 2474
	// Secure is how packets are protected (SRTP); nil: not at all. Planes that
	// cannot refuse it.
	Secure *srtp.Agreement
	// Send and Receive are false where the direction attribute (hold) forbids it.
	Send, Receive bool
}

// sparePackets is how many times the packets of its ptime a far end may send:
// room for telephone-events beside the audio and for clocks that differ.
const sparePackets = 4

// MaxRate is the most RTP packets a second that a plane accepts in the long run;
// a second's worth may come at once. Zero: no ceiling, for want of a ptime.
func (f FarEnd) MaxRate() int {
	if f.Ptime <= 0 {
		return 0
	}
	return int(sparePackets * time.Second / min(f.Ptime, 20*time.Millisecond))
}

// Route says where a leg's arriving audio goes, and comfort noise with it, as the
// payload type that To agreed. telephone-event and RTCP always go to the Receiver, but
// for those packets of an event that say the same as one before.
type Route struct {
	To   PlaneLeg // relayed into this leg's outgoing stream; nil: nowhere
	Copy bool     // audio also goes to the Receiver
}

// Receiver takes packets that reach userspace.
type Receiver interface {
	RTP(p []byte, at time.Time)  // a whole RTP packet
	RTCP(p []byte, at time.Time) // a whole compound RTCP packet
}

// Keyed is a Receiver that wants to know how the far end's handshake ends that makes
// the keys of a protected leg (RFC 5764): with a profile, or with an error, after
// which nothing will be heard. It must not block.
type Keyed interface {
	Keyed(srtp.Profile, error)
}

// Payload is one packet to send, before its stream's stamp.
type Payload struct {
	PayloadType uint8
	Marker      bool
	Samples     uint32 // the timeline advances by this much after the packet
	Data        []byte
}

// LegStats counts what a leg carried. Directions are the platform's view: Rx
// from the far end, Tx towards it.
type LegStats struct {
	RxPackets, RxBytes uint64 // accepted RTP
	RxRelayed          uint64 // of those, relayed by the plane without entering userspace
	RxUser             uint64 // of those, handed to userspace
	RxLost             int64  // expected minus received, RFC 3550 A.3
	RxJitter           time.Duration
	RxAt               time.Time // of the latest accepted RTP packet; zero: none yet
	TxPackets, TxBytes uint64
	TxRelayed          uint64            // of those, relayed from another leg without entering userspace
	RTCP               uint64            // RTCP packets received
	Dropped            map[string]uint64 // refused packets by reason, such as overrun

	Source Source // what arrives at present
	Tx     Place  // the latest packet that left; the zero value: none has
}

// overrun is why a plane refuses packets that userspace is to see and does not take in
// time.
const overrun = "overrun"

// Source is what receiver reports tell of an arriving stream (RFC 3550 section
// 6.4.1). Reports are the business of userspace, whoever carries the packets.
type Source struct {
	SSRC    uint32
	Highest uint32 // extended sequence number
	Lost    int64  // of this source
	Jitter  uint32 // timestamp units
}
