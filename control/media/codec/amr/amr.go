// Package amr reads and writes RTP payloads of Adaptive Multi-Rate narrow-band speech
// (RFC 4867 section 4): both of its packings, of one channel, without interleaving and
// without CRCs. It also says in which mode an encoder is to speak. What is in the
// frames is a codec's matter.
package amr

import (
	"errors"
	"fmt"
)

// What a frame is of.
const (
	Samples   = 160 // at 8 kHz: 20 ms
	MaxOctets = 31  // of speech in the highest mode
	MaxFrames = 12  // that are taken of a payload
)

// The types of frames beyond the eight modes of speech, 0 (4.75 kbit/s) to 7
// (12.2 kbit/s): RFC 4867 section 4.3.2 and 3GPP TS 26.101 table 1a.
const (
	HighestMode = 7
	Silence     = 8  // a description of comfort noise (SID)
	NoData      = 15 // nothing was sent, or nothing arrived; as a request: none
)

// bits are those of each type that has any (RFC 4867 table 1, TS 26.101 table 2).
var bits = [...]int{95, 103, 118, 134, 148, 159, 204, 244, 39}

// ErrPayload says that a payload is not one of AMR.
var ErrPayload = errors.New("malformed AMR payload")

// Frame is 20 ms.
type Frame struct {
	Type uint8 // a mode, Silence or NoData
	Good bool  // the Q bit: it was not damaged on its way
	Data [MaxOctets]byte
}

// Octets is how much of Data counts.
func (f *Frame) Octets() int { return (f.bits() + 7) / 8 }

func (f *Frame) bits() int {
	if int(f.Type) >= len(bits) {
		return 0
	}
	return bits[f.Type]
}

// Packet is a payload's contents. Reading into one again allocates nothing.
type Packet struct {
	Request uint8 // the mode that the far end's encoder is to use (CMR), NoData for any
	Frames  []Frame
}

// Read takes a payload apart, octet-aligned or bandwidth-efficient, or says ErrPayload.
func (p *Packet) Read(payload []byte, aligned bool) error {
	in := reader{payload: payload, aligned: aligned}
	p.Request, p.Frames = uint8(in.take(4)), p.Frames[:0]
	in.align()
	for more := true; more; {
		more = in.take(1) == 1
		f := Frame{Type: uint8(in.take(4)), Good: in.take(1) == 1}
		in.align()
		if f.Type > Silence && f.Type != NoData || in.short || len(p.Frames) == MaxFrames {
			return fmt.Errorf("%w: table of contents of %d octets", ErrPayload, len(payload))
		}
		p.Frames = append(p.Frames, f)
	}
	for i := range p.Frames {
		f := &p.Frames[i]
		for n, at := f.bits(), 0; n > 0; n, at = n-8, at+1 {
			f.Data[at] = byte(in.take(min(n, 8)) << (8 - min(n, 8)))
		}
		in.align()
	}
	if in.short {
		return fmt.Errorf("%w: %d frames in %d octets", ErrPayload, len(p.Frames), len(payload))
	}
	return nil
}

// Append writes the payload behind dst.
func (p *Packet) Append(dst []byte, aligned bool) []byte {
	out := writer{dst: dst, aligned: aligned}
	out.put(uint(p.Request), 4)
	out.align()
	for i := range p.Frames {
		f := &p.Frames[i]
		out.put(flag(i < len(p.Frames)-1), 1)
		out.put(uint(f.Type), 4)
		out.put(flag(f.Good), 1)
		out.align()
	}
	for i := range p.Frames {
		f := &p.Frames[i]
		for n, at := f.bits(), 0; n > 0; n, at = n-8, at+1 {
			out.put(uint(f.Data[at])>>(8-min(n, 8)), min(n, 8))
		}
		out.align()
	}
	return out.dst
}

// Count is how many frames a payload is of, by its table of contents; none if that
// is malformed.
func Count(payload []byte, aligned bool) int {
	in := reader{payload: payload, aligned: aligned}
	in.take(4)
	in.align()
	for n := 1; n <= MaxFrames; n++ {
		more, kind := in.take(1) == 1, in.take(4)
		in.take(1)
		in.align()
		if kind > Silence && kind != NoData || in.short {
			break
		}
		if !more {
			return n
		}
	}
	return 0
}

func flag(set bool) uint {
	if set {
		return 1
	}
	return 0
}

// reader takes bits, the most significant first.
type reader struct {
	payload []byte
	at      int // bits
	aligned bool
	short   bool // there were not enough
}

// take takes up to eight bits.
func (r *reader) take(n int) (v uint) {
	if r.at+n > 8*len(r.payload) {
		r.short = true
		return 0
	}
	two := uint(r.payload[r.at/8]) << 8
	if at := r.at/8 + 1; at < len(r.payload) {
		two |= uint(r.payload[at])
	}
	v = two >> (16 - n - r.at%8) & (1<<n - 1)
	r.at += n
	return v
}

func (r *reader) align() {
	if r.aligned {
		r.at = (r.at + 7) &^ 7
	}
}

// writer puts bits, the most significant first, and fills octets up with zeros.
type writer struct {
	dst     []byte
	free    int // bits of the last octet
	aligned bool
}

// put puts up to eight bits.
func (w *writer) put(v uint, n int) {
	for n > 0 {
		if w.free == 0 {
			w.dst, w.free = append(w.dst, 0), 8
		}
		k := min(n, w.free)
		w.free -= k
		n -= k
		w.dst[len(w.dst)-1] |= byte(v >> n & (1<<k - 1) << w.free)
	}
}

func (w *writer) align() {
	if w.aligned {
		w.free = 0
	}
}
