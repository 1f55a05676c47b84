//go:build bcg729 && cgo

package codec

/*
#cgo LDFLAGS: -lbcg729
#include <bcg729/decoder.h>
#include <bcg729/encoder.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// hasG729 says that the program is linked with Belledonne's bcg729, whose licence is
// the GPL, version 3.
const hasG729 = true

var errG729Memory = errors.New("bcg729: out of memory")

// g729Encoder never uses annex B: "annexb=no" is what it makes.
type g729Encoder struct {
	state *C.bcg729EncoderChannelContextStruct
	frame [g729Frame]byte
	used  C.uint8_t
}

func newG729Encoder() (Encoder, error) {
	state := C.initBcg729EncoderChannel(0)
	if state == nil {
		return nil, errG729Memory
	}
	e := &g729Encoder{state: state}
	runtime.AddCleanup(e, func(s *C.bcg729EncoderChannelContextStruct) { C.closeBcg729EncoderChannel(s) }, state)
	return e, nil
}

// Encode encodes whole frames of 10 ms.
func (e *g729Encoder) Encode(dst []byte, pcm []int16) ([]byte, error) {
	if len(pcm)%g729Samples != 0 {
		return dst, fmt.Errorf("encode G.729: %d samples are not whole frames", len(pcm))
	}
	for ; len(pcm) > 0; pcm = pcm[g729Samples:] {
		C.bcg729Encoder(e.state, (*C.int16_t)(unsafe.Pointer(&pcm[0])), (*C.uint8_t)(unsafe.Pointer(&e.frame[0])), &e.used)
		dst = append(dst, e.frame[:e.used]...)
	}
	runtime.KeepAlive(e)
	return dst, nil
}

type g729Decoder struct {
	state   *C.bcg729DecoderChannelContextStruct
	samples [g729Samples]int16
}

func newG729Decoder() (Decoder, error) {
	state := C.initBcg729DecoderChannel()
	if state == nil {
		return nil, errG729Memory
	}
	d := &g729Decoder{state: state}
	runtime.AddCleanup(d, func(s *C.bcg729DecoderChannelContextStruct) { C.closeBcg729DecoderChannel(s) }, state)
	return d, nil
}

// Decode decodes frames of speech, and one of silence behind them.
func (d *g729Decoder) Decode(dst []int16, payload []byte) ([]int16, error) {
	for len(payload) >= g729Silence {
		n, silence := g729Frame, C.uint8_t(0)
		if len(payload) < g729Frame {
			n, silence = g729Silence, 1
		}
		C.bcg729Decoder(d.state, (*C.uint8_t)(unsafe.Pointer(&payload[0])), C.uint8_t(n), 0, silence, 0, (*C.int16_t)(unsafe.Pointer(&d.samples[0])))
		dst = append(dst, d.samples[:]...)
		if silence != 0 {
			break
		}
		payload = payload[n:]
	}
	runtime.KeepAlive(d)
	return dst, nil
}
