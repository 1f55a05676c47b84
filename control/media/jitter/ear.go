package jitter

import (
	"sync/atomic"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/resample"
)

// Ear makes frames at one rate of a leg's audio, whatever its codec. It is the
// listener at a tap.
type Ear struct {
	rate  int
	inner atomic.Pointer[hearing]
}

// NewEar makes an Ear for frames at a rate in Hz.
func NewEar(rate int) *Ear { return &Ear{rate: rate} }

// hearing is an Ear as long as the codec stays.
type hearing struct {
	codec   codec.Codec
	buffer  *Buffer
	convert *resample.Stream // nil: the rates are the same
	pulled  []int16
	fifo    []int16
}

// Audio implements media.Listener. What cannot be decoded is not heard.
func (e *Ear) Audio(h media.Heard) {
	in := e.inner.Load()
	if in == nil || !in.codec.Same(h.Codec) {
		buffer, err := New(h.Codec)
		if err != nil {
			return
		}
		in = &hearing{codec: h.Codec, buffer: buffer}
		if from := h.Codec.SampleRate(); from != e.rate {
			in.convert, in.pulled = resample.New(from, e.rate), make([]int16, from/50)
		}
		e.inner.Store(in)
	}
	in.buffer.Put(Packet{SSRC: h.SSRC, Timestamp: h.Timestamp, Sequence: h.Sequence, Payload: h.Payload})
}

// Pull fills dst with what is to be heard next, and tells whether it is more than
// silence. One call at a time.
func (e *Ear) Pull(dst []int16) bool {
	in := e.inner.Load()
	switch {
	case in == nil:
		clear(dst)
		return false
	case in.convert == nil:
		return in.buffer.Pull(dst)
	}
	return in.pull(dst)
}

// Held is how many samples of what was heard wait to be pulled, at the frames' rate. It
// is not called beside Pull.
func (e *Ear) Held() int {
	in := e.inner.Load()
	switch {
	case in == nil:
		return 0
	case in.convert == nil:
		return in.buffer.Held()
	}
	return in.buffer.Held()*e.rate/in.codec.SampleRate() + len(in.fifo)
}

// pull is a frame at the wanted rate.
func (h *hearing) pull(dst []int16) (active bool) {
	for len(h.fifo) < len(dst) {
		active = h.buffer.Pull(h.pulled) || active
		h.fifo = h.convert.Append(h.fifo, h.pulled)
	}
	n := copy(dst, h.fifo)
	h.fifo = h.fifo[:copy(h.fifo, h.fifo[n:])]
	return active
}

// Rest appends to dst all that is still to be heard, as Buffer.Rest does. It is not called
// beside Pull.
func (e *Ear) Rest(dst []int16) []int16 {
	in := e.inner.Load()
	switch {
	case in == nil:
		return dst
	case in.convert == nil:
		return in.buffer.Rest(dst)
	}
	dst = in.convert.Append(append(dst, in.fifo...), in.buffer.Rest(nil))
	in.fifo = in.fifo[:0]
	return dst
}
