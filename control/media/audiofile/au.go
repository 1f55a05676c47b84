package audiofile

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Encodings of AU files.
const (
	auMuLaw    = 1
	auLinear8  = 2
	auLinear16 = 3
	auALaw     = 27
)

// What there is before the samples: at least, and at most.
const (
	auHeader  = 24
	maxHeader = 1 << 20
)

func isAU(data []byte) bool { return len(data) >= auHeader && string(data[:4]) == ".snd" }

// openAU reads the header that Sun's and NeXT's programs write, in network order; the
// samples follow.
func openAU(r *bufio.Reader) (source, error) {
	be := binary.BigEndian
	header := make([]byte, auHeader)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	offset, size, encoding := be.Uint32(header[4:]), be.Uint32(header[8:]), be.Uint32(header[12:])
	f := format{hz: int(be.Uint32(header[16:])), channels: int(be.Uint32(header[20:]))}
	if offset < auHeader || offset > maxHeader || f.channels < 1 || f.channels > 8 || f.hz < minRate || f.hz > maxRate {
		return nil, fmt.Errorf("%w: AU of %d channels at %d Hz from octet %d", ErrUnsupported, f.channels, f.hz, offset)
	}
	switch encoding {
	case auMuLaw:
		f.tag, f.bits = wavMuLaw, 8
	case auALaw:
		f.tag, f.bits = wavALaw, 8
	case auLinear16:
		f.tag, f.bits, f.turn = wavPCM, 16, swap
	case auLinear8:
		f.tag, f.bits, f.turn = wavPCM, 8, shift
	default:
		return nil, fmt.Errorf("%w: AU encoding %d", ErrUnsupported, encoding)
	}
	if _, err := r.Discard(int(offset) - auHeader); err == io.EOF {
		return nil, fmt.Errorf("%w: AU without data", ErrUnsupported)
	} else if err != nil {
		return nil, err
	}
	return newSamples(io.LimitReader(r, int64(size)), f)
}

// swap puts samples of 16 bits into the other order.
func swap(b []byte) {
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
}

// shift makes signed samples of 8 bits what WAV has, unsigned.
func shift(b []byte) {
	for i := range b {
		b[i] ^= 0x80
	}
}
