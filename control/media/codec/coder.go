package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gotranspile/g722"
	"github.com/thesyncim/gopus"

	"mcp/control/media/codec/gsm"
)

// ErrUnknown says that the platform cannot code a format.
var ErrUnknown = errors.New("unknown codec")

// Encoder makes payloads of one stream. It is used by one goroutine.
type Encoder interface {
	// Encode appends the payload of one frame of linear samples at the codec's
	// SampleRate.
	Encode(dst []byte, pcm []int16) ([]byte, error)
}

// Decoder reads payloads of one stream. It is used by one goroutine.
type Decoder interface {
	// Decode appends the linear samples of a payload, at the codec's SampleRate.
	Decode(dst []int16, payload []byte) ([]int16, error)
}

// NewEncoder makes an Encoder, or says ErrUnknown.
func NewEncoder(c Codec) (Encoder, error) {
	switch {
	case c.Same(PCMU), c.Same(PCMA):
		encode, err := c.encoder()
		return lawEncoder(encode), err
	case c.Same(G722):
		return &g722Encoder{g722.NewEncoder(g722.Rate64000, 0)}, nil
	case c.Same(Opus):
		return newOpusEncoder()
	case c.Same(GSM):
		return &gsmEncoder{}, nil
	case c.Same(G729) && hasG729:
		return newG729Encoder()
	case c.alike(AMR) && hasAMR:
		return newAMREncoder(c)
	case c.Name == L16.Name && c.Known():
		return linear{}, nil
	}
	return nil, fmt.Errorf("encode %s at %d Hz: %w", c.Name, c.ClockRate, ErrUnknown)
}

// NewDecoder makes a Decoder, or says ErrUnknown.
func NewDecoder(c Codec) (Decoder, error) {
	switch {
	case c.Same(PCMU), c.Same(PCMA):
		return newLawDecoder(c)
	case c.Same(G722):
		return &g722Decoder{g722.NewDecoder(g722.Rate64000, 0)}, nil
	case c.Same(Opus):
		d, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(Wideband, 1))
		return &opusDecoder{decoder: d}, err
	case c.Same(GSM):
		return &gsmDecoder{}, nil
	case c.Same(G729) && hasG729:
		return newG729Decoder()
	case c.alike(AMR) && hasAMR:
		return newAMRDecoder(c)
	case c.Name == L16.Name && c.Known():
		return linear{}, nil
	}
	return nil, fmt.Errorf("decode %s at %d Hz: %w", c.Name, c.ClockRate, ErrUnknown)
}

// lawEncoder encodes either law of G.711.
type lawEncoder func(int16) uint8

func (e lawEncoder) Encode(dst []byte, pcm []int16) ([]byte, error) {
	for _, s := range pcm {
		dst = append(dst, e(s))
	}
	return dst, nil
}

// lawDecoder decodes either law of G.711 by its table.
type lawDecoder [256]int16

func newLawDecoder(c Codec) (Decoder, error) {
	decode, err := c.decoder()
	if err != nil {
		return nil, err
	}
	var d lawDecoder
	for i := range d {
		d[i] = decode(uint8(i))
	}
	return &d, nil
}

func (d *lawDecoder) Decode(dst []int16, payload []byte) ([]int16, error) {
	for _, b := range payload {
		dst = append(dst, d[b])
	}
	return dst, nil
}

// linear codes L16: 16 bits in network order (RFC 3551 section 4.5.11).
type linear struct{}

func (linear) Encode(dst []byte, pcm []int16) ([]byte, error) {
	for _, s := range pcm {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s))
	}
	return dst, nil
}

func (linear) Decode(dst []int16, payload []byte) ([]int16, error) {
	for ; len(payload) >= 2; payload = payload[2:] {
		dst = append(dst, int16(binary.BigEndian.Uint16(payload)))
	}
	return dst, nil
}

type g722Encoder struct{ encoder *g722.Encoder }

// Encode makes an octet of two samples.
func (e *g722Encoder) Encode(dst []byte, pcm []int16) ([]byte, error) {
	if len(pcm) < 2 {
		return dst, nil
	}
	at := len(dst)
	dst = append(dst, make([]byte, len(pcm)/2)...)
	return dst[:at+e.encoder.Encode(dst[at:], pcm[:len(pcm)&^1])], nil
}

type g722Decoder struct{ decoder *g722.Decoder }

func (d *g722Decoder) Decode(dst []int16, payload []byte) ([]int16, error) {
	if len(payload) == 0 {
		return dst, nil
	}
	at := len(dst)
	dst = append(dst, make([]int16, 2*len(payload))...)
	return dst[:at+d.decoder.Decode(dst[at:], payload)], nil
}

type gsmEncoder struct{ encoder gsm.Encoder }

// Encode encodes whole frames of 20 ms.
func (e *gsmEncoder) Encode(dst []byte, pcm []int16) ([]byte, error) {
	if len(pcm)%gsm.Samples != 0 {
		return dst, fmt.Errorf("encode GSM: %d samples are not whole frames", len(pcm))
	}
	for ; len(pcm) > 0; pcm = pcm[gsm.Samples:] {
		dst = e.encoder.Append(dst, pcm)
	}
	return dst, nil
}

type gsmDecoder struct{ decoder gsm.Decoder }

// Decode decodes whole frames, and ends at the first that is none.
func (d *gsmDecoder) Decode(dst []int16, payload []byte) ([]int16, error) {
	for ; len(payload) >= gsm.Octets; payload = payload[gsm.Octets:] {
		var err error
		if dst, err = d.decoder.Append(dst, payload); err != nil {
			return dst, fmt.Errorf("decode: %w", err)
		}
	}
	return dst, nil
}
