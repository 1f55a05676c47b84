package audiofile

import (
	"encoding/binary"
	"fmt"
)

// Encodings of AU files.
const (
	auMuLaw    = 1
	auLinear8  = 2
	auLinear16 = 3
	auALaw     = 27
)

func isAU(data []byte) bool { return len(data) >= 24 && string(data[:4]) == ".snd" }

// decodeAU reads what Sun's and NeXT's programs write: a header in network order,
// then the samples.
func decodeAU(data []byte) ([]int16, error) {
	be := binary.BigEndian
	offset, size, encoding := be.Uint32(data[4:]), be.Uint32(data[8:]), be.Uint32(data[12:])
	f := &format{rate: int(be.Uint32(data[16:])), channels: int(be.Uint32(data[20:]))}
	if offset < 24 || uint64(offset) > uint64(len(data)) || f.channels < 1 || f.channels > 8 || f.rate < minRate || f.rate > maxRate {
		return nil, fmt.Errorf("%w: AU of %d channels at %d Hz from octet %d", ErrUnsupported, f.channels, f.rate, offset)
	}
	body := data[offset:]
	body = body[:min(uint64(size), uint64(len(body)))]
	switch encoding {
	case auMuLaw:
		f.tag, f.bits = wavMuLaw, 8
	case auALaw:
		f.tag, f.bits = wavALaw, 8
	case auLinear16:
		f.tag, f.bits = wavPCM, 16
		body = swapped(body)
	case auLinear8:
		f.tag, f.bits = wavPCM, 8
		body = shifted(body)
	default:
		return nil, fmt.Errorf("%w: AU encoding %d", ErrUnsupported, encoding)
	}
	return f.decode(body)
}

// swapped are samples of 16 bits in the other order.
func swapped(b []byte) []byte {
	out := make([]byte, len(b)&^1)
	for i := 0; i < len(out); i += 2 {
		out[i], out[i+1] = b[i+1], b[i]
	}
	return out
}

// shifted are signed samples of 8 bits as WAV has them, unsigned.
func shifted(b []byte) []byte {
	out := make([]byte, len(b))
	for i, v := range b {
		out[i] = v ^ 0x80
	}
	return out
}
