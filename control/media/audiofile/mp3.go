package audiofile

import (
	"bufio"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"
)

// isMP3 knows an ID3 tag or the sync of a frame of layer III.
func isMP3(data []byte) bool {
	return len(data) >= 4 && (string(data[:3]) == "ID3" || data[0] == 0xff && data[1]&0xe6 == 0xe2)
}

// mp3Audio is MP3: MPEG-1, MPEG-2 and MPEG-2.5, but for the lowest rate of the latter,
// 8 kHz, whose bands are like those of no rate that the decoder knows.
type mp3Audio struct {
	decoder *mp3.Decoder
	hz      int
	buf     [8192]byte
	kept    int // octets in buf
}

func openMP3(r *bufio.Reader) (_ source, err error) {
	defer func() { err = broken(recover(), err) }()
	in, rate, err := readableMP3(r)
	if err != nil {
		return nil, err
	}
	d, err := mp3.NewDecoder(in)
	if err != nil {
		return nil, fmt.Errorf("%w: MP3: %w", ErrUnsupported, err)
	}
	if rate == 0 {
		rate = d.SampleRate()
	}
	if rate < minRate || rate > maxRate {
		return nil, fmt.Errorf("%w: MP3 at %d Hz", ErrUnsupported, rate)
	}
	return &mp3Audio{decoder: d, hz: rate}, nil
}

// broken is a panic of the decoder, which indexes by what broken files say.
func broken(panicked any, err error) error {
	if panicked != nil {
		return fmt.Errorf("%w: broken MP3: %v", ErrUnsupported, panicked)
	}
	return err
}

func (l *mp3Audio) rate() int { return l.hz }

// next implements source. The decoder makes two channels of one.
func (l *mp3Audio) next() (pcm []int16, err error) {
	defer func() { err = broken(recover(), err) }()
	const both = 4 // octets of a sample
	for l.kept < both {
		n, err := l.decoder.Read(l.buf[l.kept:])
		l.kept += n
		if err != nil && l.kept < both {
			return nil, unread(err)
		}
	}
	f := format{tag: wavPCM, channels: 2, bits: 16}
	whole := l.buf[:l.kept-l.kept%both]
	pcm, err = f.linear(whole)
	l.kept = copy(l.buf[:], l.buf[len(whole):l.kept])
	return mono(pcm, 2), err
}

// unread says why no more is decoded: the file has ended, or cannot be read from here on.
func unread(err error) error {
	if brokenOff(err) == io.EOF {
		return io.EOF
	}
	return fmt.Errorf("%w: MP3: %w", ErrUnsupported, err)
}
