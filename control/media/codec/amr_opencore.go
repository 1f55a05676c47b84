//go:build amr && cgo

package codec

/*
#cgo LDFLAGS: -lopencore-amrnb
#include <opencore-amrnb/interf_dec.h>
#include <opencore-amrnb/interf_enc.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"mcp/control/media/codec/amr"
)

// hasAMR says that the program is linked with opencore-amr, whose licence is Apache's.
const hasAMR = true

var errAMRMemory = errors.New("opencore-amrnb: out of memory")

// amrEncoder makes no comfort noise of its own: every frame is of speech.
type amrEncoder struct {
	state   unsafe.Pointer
	aligned bool
	pace    *amr.Pace
	request *amr.Request
	packet  amr.Packet
	samples [amr.Samples]int16      // the library's to spoil
	frame   [1 + amr.MaxOctets]byte // as in files (RFC 4867 section 5.3)
}

func newAMREncoder(c Codec) (Encoder, error) {
	state := C.Encoder_Interface_init(0)
	if state == nil {
		return nil, errAMRMemory
	}
	e := &amrEncoder{
		state: state, aligned: amr.Aligned(c.Format), pace: amr.NewPace(amr.Modes(c.Format)),
		request: c.Following(c).request, packet: amr.Packet{Request: amr.NoData},
	}
	runtime.AddCleanup(e, func(s unsafe.Pointer) { C.Encoder_Interface_exit(s) }, state)
	return e, nil
}

// Encode encodes whole frames of 20 ms.
func (e *amrEncoder) Encode(dst []byte, pcm []int16) ([]byte, error) {
	if n := len(pcm) / amr.Samples; len(pcm)%amr.Samples != 0 || n == 0 || n > amr.MaxFrames {
		return dst, fmt.Errorf("encode AMR: %d samples are not whole frames of a packet", len(pcm))
	}
	e.packet.Frames = e.packet.Frames[:0]
	for ; len(pcm) > 0; pcm = pcm[amr.Samples:] {
		copy(e.samples[:], pcm)
		mode := e.pace.Next(e.request.Highest())
		C.Encoder_Interface_Encode(e.state, uint32(mode), (*C.short)(unsafe.Pointer(&e.samples[0])), (*C.uchar)(unsafe.Pointer(&e.frame[0])), 1)
		f := amr.Frame{Type: mode, Good: true}
		copy(f.Data[:], e.frame[1:1+f.Octets()])
		e.packet.Frames = append(e.packet.Frames, f)
	}
	runtime.KeepAlive(e)
	return e.packet.Append(dst, e.aligned), nil
}

type amrDecoder struct {
	state   unsafe.Pointer
	aligned bool
	request *amr.Request
	packet  amr.Packet
	frame   [1 + amr.MaxOctets]byte
	samples [amr.Samples]int16
}

func newAMRDecoder(c Codec) (Decoder, error) {
	state := C.Decoder_Interface_init()
	if state == nil {
		return nil, errAMRMemory
	}
	d := &amrDecoder{state: state, aligned: amr.Aligned(c.Format), request: c.Following(c).request}
	runtime.AddCleanup(d, func(s unsafe.Pointer) { C.Decoder_Interface_exit(s) }, state)
	return d, nil
}

// Decode decodes all frames of a payload. What was damaged or lost on its way is
// concealed (3GPP TS 26.091).
func (d *amrDecoder) Decode(dst []int16, payload []byte) ([]int16, error) {
	if err := d.packet.Read(payload, d.aligned); err != nil {
		return dst, fmt.Errorf("decode: %w", err)
	}
	d.request.Hear(d.packet.Request)
	for i := range d.packet.Frames {
		f := &d.packet.Frames[i]
		kind := f.Type
		if !f.Good {
			kind = amr.NoData
		}
		d.frame[0] = kind<<3 | 1<<2
		copy(d.frame[1:], f.Data[:])
		C.Decoder_Interface_Decode(d.state, (*C.uchar)(unsafe.Pointer(&d.frame[0])), (*C.short)(unsafe.Pointer(&d.samples[0])), 0)
		dst = append(dst, d.samples[:]...)
	}
	runtime.KeepAlive(d)
	return dst, nil
}
