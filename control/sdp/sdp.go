// Package sdp reads and writes session descriptions and works out what two of
// them agree on (RFC 4566, RFC 3264), for calls of one audio stream with
// telephone events. It is pure: no sockets, no clocks, no name resolution.
//
// It decides which codec, address, direction and packet time a call's audio has.
// Ports and keys are handed to it. Media other than audio over RTP or SRTP it refuses in
// answers, line by line.
package sdp

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Why two descriptions do not come together.
var (
	ErrMalformed     = errors.New("malformed session description")
	ErrNoAudio       = errors.New("no audio stream that could be used")
	ErrNoCommonCodec = errors.New("no codec in common")
)

// DefaultPtime is how much audio a packet has when nobody says otherwise.
const DefaultPtime = 20 * time.Millisecond

// NoEvents says that there is no payload type for telephone events.
const NoEvents = -1

// NoNoise says that there is no payload type for comfort noise (RFC 3389); PCMU has it.
const NoNoise = 0

// Codec is one audio format of a stream.
type Codec struct {
	Name        string // as registered: "PCMU"
	PayloadType uint8
	ClockRate   int
	// Format is what AMR's fmtp says that bears on its payloads; empty: nothing.
	Format string
}

// narrow is a codec with the clock of telephony.
func narrow(name string, payloadType uint8) Codec {
	return Codec{Name: name, PayloadType: payloadType, ClockRate: 8000}
}

// DefaultCodecs are the two of telephony, mu-law first.
func DefaultCodecs() []Codec {
	return []Codec{narrow("PCMU", 0), narrow("PCMA", 8)}
}

// same says whether two codecs are the same but for the payload type and the format.
func (c Codec) same(other Codec) bool {
	return strings.EqualFold(c.Name, other.Name) && c.ClockRate == other.ClockRate
}

// Direction is which way audio may go, seen from whoever wrote it.
type Direction uint8

// The four directions of RFC 3264; the zero value is the default there, too.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

var directionNames = [...]string{"sendrecv", "sendonly", "recvonly", "inactive"}

// String is the direction's attribute.
func (d Direction) String() string { return directionNames[d&3] }

func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

func directionOf(send, receive bool) Direction {
	switch {
	case send && receive:
		return SendRecv
	case send:
		return SendOnly
	case receive:
		return RecvOnly
	default:
		return Inactive
	}
}

// Session is a parsed description.
type Session struct {
	// Origin is the o= line's value as it came; when a later description of
	// the same dialog has the same, nothing has changed (RFC 3264 section 8).
	Origin string
	// Audio is the first audio stream that could be used, nil when there is none.
	Audio *Audio

	timing string
	media  []media
	chosen int // index in media of Audio
	usable []candidate
}

// Bare tells whether the description is of a session without audio: it has no
// streams at all (RFC 3264 section 5), or all of its audio is at port zero (section
// 8.2). The audio is taken away, or not there yet.
func (s *Session) Bare() bool {
	return len(s.media) == 0 || s.Audio == nil && slices.ContainsFunc(s.media, func(m media) bool {
		return m.kind == "audio" && transports[m.proto]
	})
}

// media is one m= line, kept as it came for the answer to mirror.
type media struct {
	kind, port, proto string
	formats           []string
	mid               string
}

// Audio is what a description says of its audio stream.
type Audio struct {
	RTP netip.AddrPort
	// RTCP is that of a=rtcp (RFC 3605), or else the port above RTP's.
	RTCP   netip.AddrPort
	Mux    bool    // RTP and RTCP may share a port (RFC 5761)
	Codecs []Codec // in the order of preference, unknown ones included
	Events int     // payload type of telephone-event, NoEvents for none
	Ptime  time.Duration
	// Direction accounts for hold in its old form, the address 0.0.0.0.
	Direction Direction
	Keying    Keying
}

// Local is our side of a negotiation.
type Local struct {
	Addr      netip.AddrPort
	Codecs    []Codec // DefaultCodecs when empty
	Events    int     // payload type of telephone-event; zero or less: none
	Noise     bool    // comfort noise is taken from whoever has it, too
	Ptime     time.Duration
	Direction Direction
	Apart     bool // RTP and RTCP have a port each
	// SessionID stays through a dialog, Version rises with every change.
	SessionID, Version uint64
	// Keying protects the stream; an answer to an offer that demands it has it.
	Keying Keying
}

func (l Local) codecs() []Codec {
	if len(l.Codecs) == 0 {
		return DefaultCodecs()
	}
	return l.Codecs
}

func (l Local) ptime() time.Duration {
	if l.Ptime <= 0 {
		return DefaultPtime
	}
	return l.Ptime
}

// Negotiated is what both sides agreed on.
type Negotiated struct {
	Remote netip.AddrPort // where to send; zero while the far end's address is 0.0.0.0
	RTCP   netip.AddrPort // the same as Remote when they share a port (RFC 5761)
	Codec  Codec          // with the payload type to send
	Events int            // payload type to send, NoEvents for none
	Noise  uint8          // payload type of comfort noise, NoNoise for none
	Ptime  time.Duration
	// Send and Receive say what may flow; both are false on full hold.
	Send, Receive bool
}
