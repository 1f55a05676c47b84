package rtpstream

import "encoding/binary"

// HeaderLength is that of RTP's fixed header (RFC 3550 section 5.1).
const HeaderLength = 12

// maxControl and minControl bound the types of RTCP packets, which tell them
// from RTP on a shared port (RFC 5761 section 4).
const (
	minControl       = 192
	maxControl       = 223
	minControlLength = 8
)

const (
	version    = 2
	markerBit  = 0x80
	typeBits   = 0x7f
	sourceBits = 0x0f // the count of contributing sources
)

// Header is what the platform reads and writes of an RTP packet. Version,
// padding, extension and contributing sources stay as they came.
type Header struct {
	Stamp
	Type uint8
	SSRC uint32
}

// Parse reads the header of a packet; false means that it is not RTP.
func Parse(p []byte) (Header, bool) {
	if len(p) < HeaderLength || p[0]>>6 != version || len(p) < HeaderLength+4*int(p[0]&sourceBits) {
		return Header{}, false
	}
	return Header{
		Stamp: Stamp{
			Sequence: binary.BigEndian.Uint16(p[2:]), Timestamp: binary.BigEndian.Uint32(p[4:]),
			Marker: p[1]&markerBit != 0,
		},
		Type: p[1] & typeBits, SSRC: binary.BigEndian.Uint32(p[8:]),
	}, true
}

// Put writes the header over that of a packet, whose first octet it leaves.
func (h Header) Put(p []byte) {
	p[1] = h.Type & typeBits
	if h.Marker {
		p[1] |= markerBit
	}
	binary.BigEndian.PutUint16(p[2:], h.Sequence)
	binary.BigEndian.PutUint32(p[4:], h.Timestamp)
	binary.BigEndian.PutUint32(p[8:], h.SSRC)
}

// Append begins a packet that has nothing but a fixed header.
func (h Header) Append(p []byte) []byte {
	at := len(p)
	p = append(p, version<<6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	h.Put(p[at:])
	return p
}

// IsVersion2 tells whether a packet can be RTP or RTCP at all: STUN and DTLS
// begin with other bits (RFC 7983).
func IsVersion2(p []byte) bool { return len(p) >= minControlLength && p[0]>>6 == version }

// IsControl tells RTCP by its packet type.
func IsControl(p []byte) bool {
	return IsVersion2(p) && p[1] >= minControl && p[1] <= maxControl
}
