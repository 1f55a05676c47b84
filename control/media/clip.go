package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"mime"
	"strings"

	"mcp/control/media/codec"
)

// clipRate is the sample rate of everything that is played, in Hz.
const clipRate = 8000

// Clip is a recording ready to be sent: encoded once, shared by all calls.
type Clip struct {
	codec   codec.Codec
	payload []byte // one octet a sample
}

// Samples is the clip's length at 8 kHz.
func (c *Clip) Samples() int { return len(c.payload) }

// NewClip encodes linear samples at 8 kHz.
func NewClip(pcm []int16, to codec.Codec) (*Clip, error) {
	payload, err := to.Encode(pcm)
	if err != nil {
		return nil, err
	}
	return &Clip{codec: to, payload: payload}, nil
}

// ErrUnsupportedAudio says that a recording is of a type that cannot be played.
var ErrUnsupportedAudio = errors.New("unsupported audio")

// DecodeClip makes a clip of a file: WAV (linear of 8 or 16 bits, either law of
// G.711, any sample rate, any number of channels) or headerless G.711. What the
// file is counts more than what its server says: a RIFF header is believed.
func DecodeClip(mediaType string, data []byte, to codec.Codec) (*Clip, error) {
	pcm, err := decodeAudio(mediaType, data)
	if err != nil {
		return nil, err
	}
	return NewClip(pcm, to)
}

func decodeAudio(mediaType string, data []byte) ([]int16, error) {
	if len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WAVE" {
		return decodeWAV(data)
	}
	base, params, err := mime.ParseMediaType(mediaType)
	if err != nil {
		base = strings.ToLower(mediaType)
	}
	if rate := params["rate"]; rate != "" && rate != "8000" {
		return nil, fmt.Errorf("%w: %s", ErrUnsupportedAudio, mediaType)
	}
	switch base {
	case "audio/basic", "audio/pcmu", "audio/x-mulaw", "audio/ulaw":
		return codec.PCMU.Decode(data)
	case "audio/x-alaw-basic", "audio/pcma", "audio/x-alaw":
		return codec.PCMA.Decode(data)
	}
	return nil, fmt.Errorf("%w: %s is neither WAV nor G.711", ErrUnsupportedAudio, mediaType)
}

// Formats of WAV files (RFC 2361).
const (
	wavPCM        = 1
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xfffe
)

type wavFormat struct {
	tag, channels, bits int
	rate                int
}

func decodeWAV(data []byte) ([]int16, error) {
	var format *wavFormat
	for rest := data[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), int(binary.LittleEndian.Uint32(rest[4:8]))
		body := rest[8:]
		if size < 0 || size > len(body) { // a stream that was written without knowing its length
			size = len(body)
		}
		switch id {
		case "fmt ":
			f, err := parseWAVFormat(body[:size])
			if err != nil {
				return nil, err
			}
			format = f
		case "data":
			if format == nil {
				return nil, fmt.Errorf("%w: WAV with data before its format", ErrUnsupportedAudio)
			}
			return format.decode(body[:size])
		}
		rest = body[min(size+size%2, len(body)):]
	}
	return nil, fmt.Errorf("%w: WAV without data", ErrUnsupportedAudio)
}

func parseWAVFormat(b []byte) (*wavFormat, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("%w: WAV format of %d octets", ErrUnsupportedAudio, len(b))
	}
	f := &wavFormat{
		tag:      int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == wavExtensible && len(b) >= 26 {
		f.tag = int(binary.LittleEndian.Uint16(b[24:]))
	}
	if f.channels < 1 || f.channels > 8 || f.rate < 4000 || f.rate > 192000 {
		return nil, fmt.Errorf("%w: WAV of %d channels at %d Hz", ErrUnsupportedAudio, f.channels, f.rate)
	}
	return f, nil
}

func (f *wavFormat) decode(data []byte) ([]int16, error) {
	samples, err := f.samples(data)
	if err != nil {
		return nil, err
	}
	return resample(mono(samples, f.channels), f.rate, clipRate), nil
}

func (f *wavFormat) samples(data []byte) ([]int16, error) {
	switch {
	case f.tag == wavPCM && f.bits == 16:
		out := make([]int16, len(data)/2)
		for i := range out {
			out[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
		}
		return out, nil
	case f.tag == wavPCM && f.bits == 8:
		out := make([]int16, len(data))
		for i, b := range data {
			out[i] = (int16(b) - 128) << 8
		}
		return out, nil
	case f.tag == wavMuLaw && f.bits == 8:
		return codec.PCMU.Decode(data)
	case f.tag == wavALaw && f.bits == 8:
		return codec.PCMA.Decode(data)
	}
	return nil, fmt.Errorf("%w: WAV format %d of %d bits", ErrUnsupportedAudio, f.tag, f.bits)
}

func mono(in []int16, channels int) []int16 {
	if channels == 1 {
		return in
	}
	out := make([]int16, len(in)/channels)
	for i := range out {
		sum := 0
		for c := range channels {
			sum += int(in[i*channels+c])
		}
		out[i] = int16(sum / channels)
	}
	return out
}
