package audiofile

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// mp3Frames makes a stream of layer III that the decoder reads: it knows no MPEG-2.5,
// and of MPEG-2 it miscounts the padding at 22.05 kHz and mishears frames so short that
// they borrow from many before. Each of their frames becomes one of MPEG-2 at its
// highest bitrate without padding. Its data begins at the end of the frame before, as
// far as that has room, so that a long one fits. Rate is the true one.
type mp3Frames struct {
	r     *bufio.Reader
	rate  int
	kept  []byte // main data of the frames so far that may be borrowed from
	frame []byte // the last one, whose end may still be filled
	free  int    // octets of that
	out   []byte
	err   error // what ended the stream
}

// What ISO/IEC 13818-3 and the extension to lower rates have.
const (
	mpeg25       = 0 // in the two bits of the version
	mpeg2        = 2
	layer3       = 1
	mostBits     = 14  // the index of the highest bitrate, 160 kbit/s
	mostBorrowed = 255 // octets
	mp3Header    = 4
)

var (
	lowBitrates = [15]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160} // kbit/s
	lowRates    = [3]int{22050, 24000, 16000}
)

// lowHeader is that of a frame of MPEG-2 or 2.5.
type lowHeader uint32

// lowFrame reads a header, and tells whether it is one.
func lowFrame(data []byte) (lowHeader, bool) {
	if len(data) < mp3Header {
		return 0, false
	}
	h := lowHeader(binary.BigEndian.Uint32(data))
	v := h.version()
	return h, h>>21 == 0x7ff && (v == mpeg2 || v == mpeg25) && h>>17&3 == layer3 && h.bitrate() > 0 && h>>10&3 != 3
}

func (h lowHeader) version() int { return int(h >> 19 & 3) }

func (h lowHeader) checked() bool { return h>>16&1 == 0 }

// bitrate is in bit/s; 0: free, or none.
func (h lowHeader) bitrate() int {
	if i := int(h >> 12 & 0xf); i < len(lowBitrates) {
		return lowBitrates[i] * 1000
	}
	return 0
}

func (h lowHeader) rate() int {
	rate := lowRates[h>>10&3]
	if h.version() == mpeg25 {
		return rate / 2
	}
	return rate
}

func (h lowHeader) size() int { return 72*h.bitrate()/h.rate() + int(h>>9&1) }

// side is the length of the side information.
func (h lowHeader) side() int {
	if h>>6&3 == 3 {
		return 9 // one channel
	}
	return 17
}

// alone is the header of the frame that takes its place. The lower rates but the
// lowest divide the spectrum as 16 kHz does.
func (h lowHeader) alone() lowHeader {
	if h.version() == mpeg25 {
		h = h&^(3<<10) | mpeg2<<19 | 2<<10
	}
	return h&^(0xf<<12|1<<9) | mostBits<<12 | 1<<16
}

// readableMP3 is a file as the decoder reads it, and its rate; 0: what the decoder says.
func readableMP3(r *bufio.Reader) (io.Reader, int, error) {
	if err := skipTag(r); err != nil {
		return nil, 0, err
	}
	head, err := r.Peek(mp3Header)
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	first, ok := lowFrame(head)
	switch {
	case !ok:
		return struct{ io.Reader }{r}, 0, nil // a Seeker would be read to its end
	case first.rate() == Rate:
		return nil, 0, fmt.Errorf("%w: MP3 at 8 kHz", ErrUnsupported)
	}
	return &mp3Frames{r: r, rate: first.rate()}, first.rate(), nil
}

// skipTag leaves out an ID3v2 tag.
func skipTag(r *bufio.Reader) error {
	head, err := r.Peek(10)
	if len(head) < 10 || string(head[:3]) != "ID3" {
		if err == io.EOF {
			return nil
		}
		return err
	}
	size := 10
	for i, b := range head[6:10] {
		size += int(b&0x7f) << (7 * (3 - i))
	}
	if _, err := r.Discard(size); err != io.EOF {
		return err
	}
	return nil
}

// data is the length of a frame's main data by its side information, in octets.
func (h lowHeader) data(side []byte) int {
	const (
		each   = 63 // bits that a channel has
		length = 12 // of them, the first: its part of the main data
	)
	at, channels := 10, 2 // bits
	if len(side) == 9 {
		at, channels = 9, 1
	}
	bits := 0
	for range channels {
		word := uint32(side[at/8])<<16 | uint32(side[at/8+1])<<8 | uint32(side[at/8+2])
		bits += int(word >> (24 - length - at%8) & (1<<length - 1))
		at += each
	}
	return (bits + 7) / 8
}

// Read implements io.Reader. What it gives is one frame behind.
func (f *mp3Frames) Read(p []byte) (int, error) {
	for len(f.out) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		if f.err = f.next(); f.err != nil {
			f.out, f.frame = f.frame, nil
		}
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

// next reads a frame, or an octet that belongs to none.
func (f *mp3Frames) next() error {
	head, err := f.r.Peek(mp3Header)
	if err != nil {
		return err
	}
	h, ok := lowFrame(head)
	if !ok || h.rate() != f.rate {
		_, err := f.r.Discard(1)
		return err
	}
	body := make([]byte, h.size())
	if _, err := io.ReadFull(f.r, body); err != nil {
		return brokenOff(err)
	}
	f.take(h, body[mp3Header:])
	return nil
}

// take finds a frame's data. One whose loan is missing is silent.
func (f *mp3Frames) take(h lowHeader, body []byte) {
	if h.checked() {
		body = body[min(2, len(body)):]
	}
	n := h.side()
	if len(body) < n {
		return
	}
	side, own := append([]byte(nil), body[:n]...), body[n:]
	at := len(f.kept) - int(side[0])
	f.kept = append(f.kept, own...)
	var main []byte
	if at >= 0 {
		main = f.kept[at:]
		main = main[:min(len(main), h.data(side))]
	} else {
		clear(side)
	}
	f.add(h.alone(), side, main)
	if over := len(f.kept) - mostBorrowed; over > 0 {
		f.kept = f.kept[:copy(f.kept, f.kept[over:])]
	}
}

// add appends a frame: what it has before it goes out.
func (f *mp3Frames) add(h lowHeader, side, main []byte) {
	before := min(len(main), f.free, mostBorrowed)
	copy(f.frame[len(f.frame)-before:], main)
	f.out = f.frame
	main = main[before:]
	side[0] = byte(before)
	f.frame = binary.BigEndian.AppendUint32(make([]byte, 0, h.size()), uint32(h))
	f.frame = append(f.frame, side...)
	room := h.size() - len(f.frame)
	main = main[:min(len(main), room)]
	f.free = room - len(main)
	f.frame = append(append(f.frame, main...), make([]byte, f.free)...)
}
