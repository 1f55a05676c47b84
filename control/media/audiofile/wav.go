package audiofile

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"mcp/control/media/codec"
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

// openWAV walks the chunks as far as the data. Data whose length says more than there is
// ends with the file: so it is with streams written before their length was known.
func openWAV(r *bufio.Reader) (source, error) {
	if _, err := r.Discard(12); err != nil {
		return nil, err
	}
	var f *format
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); brokenOff(err) == io.EOF {
			return nil, fmt.Errorf("%w: WAV without data", ErrUnsupported)
		} else if err != nil {
			return nil, err
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		body := io.LimitReader(r, size+size%2)
		switch string(head[:4]) {
		case "fmt ":
			const longest = 40 // of those with an extension
			b, err := io.ReadAll(io.LimitReader(body, min(size, longest)))
			if err != nil {
				return nil, err
			}
			if f, err = parseFormat(b); err != nil {
				return nil, err
			}
		case "data":
			if f == nil {
				return nil, fmt.Errorf("%w: WAV with data before its format", ErrUnsupported)
			}
			return newSamples(io.LimitReader(r, size), *f)
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return nil, err
		}
	}
}

// format is how a file holds its samples.
type format struct {
	tag, channels, bits int
	hz                  int
	turn                func([]byte) // makes of samples what WAV has; nil: they are
}

func parseFormat(b []byte) (*format, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("%w: WAV format of %d octets", ErrUnsupported, len(b))
	}
	f := &format{
		tag:      int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		hz:       int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == wavExtensible && len(b) >= 26 {
		f.tag = int(binary.LittleEndian.Uint16(b[24:])) // the first field of the sub-format's GUID
	}
	if f.channels < 1 || f.channels > 8 || f.hz < minRate || f.hz > maxRate {
		return nil, fmt.Errorf("%w: WAV of %d channels at %d Hz", ErrUnsupported, f.channels, f.hz)
	}
	return f, nil
}

// samples are read from a file as they come.
type samples struct {
	format
	r    io.Reader
	buf  []byte
	kept int // octets in buf that are no whole sample of all channels yet
}

// atOnce is how many samples of a channel are read at once.
const atOnce = 2048

func newSamples(r io.Reader, f format) (source, error) {
	if _, err := f.linear(nil); err != nil {
		return nil, err
	}
	return &samples{format: f, r: r, buf: make([]byte, f.channels*f.bits/8*atOnce)}, nil
}

func (s *samples) rate() int { return s.hz }

func (s *samples) next() ([]int16, error) {
	size := s.channels * s.bits / 8
	for s.kept < size {
		n, err := s.r.Read(s.buf[s.kept:])
		s.kept += n
		if err != nil && s.kept < size {
			return nil, brokenOff(err)
		}
	}
	whole := s.buf[:s.kept-s.kept%size]
	if s.turn != nil {
		s.turn(whole)
	}
	pcm, err := s.linear(whole)
	s.kept = copy(s.buf, s.buf[len(whole):s.kept])
	return mono(pcm, s.channels), err
}

func (f *format) linear(data []byte) ([]int16, error) {
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
