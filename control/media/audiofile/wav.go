package audiofile

import (
	"encoding/binary"
	"fmt"

	"mcp/control/media/codec"
	"mcp/control/media/resample"
)

// Formats of WAV files (RFC 2361).
const (
	wavPCM        = 1
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xfffe
)

func isWAV(data []byte) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WAVE"
}

// decodeWAV walks the chunks. One whose length says more than there is ends
// with the file: so it is with streams written before their length was known.
func decodeWAV(data []byte) ([]int16, error) {
	var f *format
	for rest := data[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[8:]
		body := rest[:min(size, uint64(len(rest)))]
		switch id {
		case "fmt ":
			var err error
			if f, err = parseFormat(body); err != nil {
				return nil, err
			}
		case "data":
			if f == nil {
				return nil, fmt.Errorf("%w: WAV with data before its format", ErrUnsupported)
			}
			return f.decode(body)
		}
		rest = rest[min(size+size%2, uint64(len(rest))):]
	}
	return nil, fmt.Errorf("%w: WAV without data", ErrUnsupported)
}

// format is how a file holds its samples.
type format struct {
	tag, channels, bits int
	rate                int
}

func parseFormat(b []byte) (*format, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("%w: WAV format of %d octets", ErrUnsupported, len(b))
	}
	f := &format{
		tag:      int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == wavExtensible && len(b) >= 26 {
		f.tag = int(binary.LittleEndian.Uint16(b[24:])) // the first field of the sub-format's GUID
	}
	if f.channels < 1 || f.channels > 8 || f.rate < minRate || f.rate > maxRate {
		return nil, fmt.Errorf("%w: WAV of %d channels at %d Hz", ErrUnsupported, f.channels, f.rate)
	}
	return f, nil
}

func (f *format) decode(data []byte) ([]int16, error) {
	samples, err := f.samples(data)
	if err != nil {
		return nil, err
	}
	return resample.Whole(mono(samples, f.channels), f.rate, Rate), nil
}

func (f *format) samples(data []byte) ([]int16, error) {
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
	return nil, fmt.Errorf("%w: WAV format %d of %d bits", ErrUnsupported, f.tag, f.bits)
}

// mono is the mean of the channels.
func mono(in []int16, channels int) []int16 {
	if channels == 1 {
		return in
	}
	out := make([]int16, len(in)/channels)
	for i := range out {
		sum := 0
		for _, s := range in[i*channels : (i+1)*channels] {
			sum += int(s)
		}
		out[i] = int16(sum / channels)
	}
	return out
}
