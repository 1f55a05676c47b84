// Package codec holds the payload formats that the platform can make and
// understand itself: G.711 in its two laws, G.722, GSM full rate and L16 (RFC 3551
// section 4.5), and Opus (RFC 7587); in programs built with the tag bcg729 G.729, with
// amr AMR narrow band (RFC 4867).
package codec

import (
	"fmt"
	"slices"
	"time"

	"github.com/zaf/g711"

	"mcp/control/media/codec/amr"
	"mcp/control/media/codec/gsm"
	"mcp/control/media/resample"
)

// Codec is an RTP payload format as a session description names it.
type Codec struct {
	Name        string // as in RFC 3551 and RFC 7587; letter case does not matter in the latter
	PayloadType uint8
	ClockRate   int // of the RTP timestamp, Hz
	// Format is what was agreed of AMR's payloads, as fmtp has it (RFC 4867 section
	// 8.1). They are not the same codec's when it differs.
	Format string

	request *amr.Request // of the far end, in AMR; nil: nobody tells
}

// The codecs with their static payload types (RFC 3551 section 6), those that
// have none with the customary ones.
var (
	PCMU = Codec{Name: "PCMU", PayloadType: 0, ClockRate: 8000}
	PCMA = Codec{Name: "PCMA", PayloadType: 8, ClockRate: 8000}
	G722 = Codec{Name: "G722", PayloadType: 9, ClockRate: 8000} // 16 kHz by a slip of RFC 1890
	GSM  = Codec{Name: "GSM", PayloadType: 3, ClockRate: 8000}
	G729 = Codec{Name: "G729", PayloadType: 18, ClockRate: 8000}
	L16  = Codec{Name: "L16", PayloadType: 97, ClockRate: 8000}
	Opus = Codec{Name: "opus", PayloadType: 96, ClockRate: 48000}
	AMR  = Codec{Name: "AMR", PayloadType: 98, ClockRate: 8000}
)

// Known tells whether the platform can code and decode a format.
func (c Codec) Known() bool {
	return slices.ContainsFunc(Spoken(), c.alike) || c.Name == L16.Name && c.ClockRate >= 8000 && c.ClockRate <= 48000
}

// Spoken are the codecs of calls that this program has been built with.
func Spoken() []Codec {
	all := []Codec{PCMU, PCMA, G722, GSM, Opus}
	if hasG729 {
		all = append(all, G729)
	}
	if hasAMR {
		all = append(all, AMR)
	}
	return all
}

// SampleRate is that of the linear samples that a format is coded from, in Hz.
func (c Codec) SampleRate() int {
	if c.Name == G722.Name || c.Name == Opus.Name {
		return Wideband
	}
	return c.ClockRate
}

// Ticks is how long a payload lasts, in units of the RTP timestamp.
func (c Codec) Ticks(payload []byte) uint32 {
	switch c.Name {
	case Opus.Name:
		return opusTicks(payload)
	case L16.Name:
		return uint32(len(payload) / 2)
	case GSM.Name:
		return uint32(len(payload) / gsm.Octets * gsm.Samples)
	case G729.Name:
		return g729Ticks(payload)
	case AMR.Name:
		return uint32(amr.Count(payload, amr.Aligned(c.Format)) * amr.Samples)
	}
	return uint32(len(payload))
}

// Span is how long a packet is for somebody who wants it of a length: that, or what
// comes next to it in codecs whose frames have lengths of their own.
func (c Codec) Span(wanted time.Duration) time.Duration {
	switch c.Name {
	case GSM.Name, AMR.Name:
		return whole(wanted, 20*time.Millisecond)
	case G729.Name:
		return whole(wanted, 10*time.Millisecond)
	case Opus.Name:
		return opusSpan(wanted)
	}
	return wanted
}

// whole is as many frames as there is room for, and at least one.
func whole(wanted, frame time.Duration) time.Duration { return max(frame, wanted/frame*frame) }

// Octets tells whether a payload has an octet for each tick of the clock, so that it
// can be cut anywhere.
func (c Codec) Octets() bool { return c.Same(PCMU) || c.Same(PCMA) || c.Same(G722) }

// Lookahead is how much of the audio that an encoder was given is in its next payload,
// not in those that it has made (RFC 6716 section 2, ITU-T
// G.729 section 2, 3GPP TS 26.090 section 4).
func (c Codec) Lookahead() time.Duration {
	switch {
	case c.Same(Opus):
		return 6500 * time.Microsecond
	case c.Same(G729), c.alike(AMR):
		return 5 * time.Millisecond
	}
	return 0
}

// Frames encodes linear samples at 8 kHz as payloads of 20 ms, the last filled up
// with silence.
func (c Codec) Frames(pcm []int16) ([][]byte, error) {
	e, err := NewEncoder(c)
	if err != nil {
		return nil, err
	}
	n := c.SampleRate() / 50
	pcm = resample.Whole(pcm, Narrowband, c.SampleRate())
	if short := len(pcm) % n; short > 0 {
		pcm = append(pcm, make([]int16, n-short)...)
	}
	var out [][]byte
	for ; len(pcm) > 0; pcm = pcm[n:] {
		frame, err := e.Encode(nil, pcm[:n])
		if err != nil {
			return nil, err
		}
		out = append(out, frame)
	}
	return out, nil
}

// The sample rates of telephony, in Hz.
const (
	Narrowband = 8000
	Wideband   = 16000
)

// Same tells whether payloads of one codec are payloads of the other, whatever
// the payload types.
func (c Codec) Same(d Codec) bool { return c.alike(d) && c.Format == d.Format }

// alike tells whether two codecs are the same but for what was agreed of them.
func (c Codec) alike(d Codec) bool { return c.Name == d.Name && c.ClockRate == d.ClockRate }

// Following is a codec agreed with a far end that spoke another so far. What decodes
// the far end's payloads tells what encodes for it which mode of AMR it asks for.
func (c Codec) Following(was Codec) Codec {
	if c.alike(AMR) {
		if c.request = was.request; c.request == nil {
			c.request = new(amr.Request)
		}
	}
	return c
}

// Silence is the octet of a silent sample, in a format of an octet for each tick
// of the clock.
func (c Codec) Silence() byte {
	switch c.Name {
	case PCMA.Name:
		return 0xd5
	case G722.Name:
		return 0xfa
	}
	return 0xff
}

// Encode encodes linear samples at 8 kHz.
func (c Codec) Encode(pcm []int16) ([]byte, error) {
	if c.Same(G722) {
		e, err := NewEncoder(c)
		if err != nil {
			return nil, err
		}
		return e.Encode(nil, resample.Whole(pcm, Narrowband, Wideband))
	}
	encode, err := c.encoder()
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(pcm))
	for i, s := range pcm {
		out[i] = encode(s)
	}
	return out, nil
}

func (c Codec) encoder() (func(int16) uint8, error) {
	switch c.Name {
	case PCMU.Name:
		return g711.EncodeUlawFrame, nil
	case PCMA.Name:
		return g711.EncodeAlawFrame, nil
	}
	return nil, fmt.Errorf("codec %s: cannot encode", c.Name)
}

// Decode decodes a payload to linear samples at 8 kHz.
func (c Codec) Decode(payload []byte) ([]int16, error) {
	decode, err := c.decoder()
	if err != nil {
		return nil, err
	}
	out := make([]int16, len(payload))
	for i, b := range payload {
		out[i] = decode(b)
	}
	return out, nil
}

func (c Codec) decoder() (func(uint8) int16, error) {
	switch c.Name {
	case PCMU.Name:
		return g711.DecodeUlawFrame, nil
	case PCMA.Name:
		return g711.DecodeAlawFrame, nil
	}
	return nil, fmt.Errorf("codec %s: cannot decode", c.Name)
}

// Transcoder rewrites payloads of one codec as payloads of another, octet for
// octet: both laws carry one sample an octet.
type Transcoder [256]byte

// NewTranscoder makes a Transcoder.
func NewTranscoder(from, to Codec) (*Transcoder, error) {
	decode, err := from.decoder()
	if err != nil {
		return nil, err
	}
	encode, err := to.encoder()
	if err != nil {
		return nil, err
	}
	var t Transcoder
	for i := range t {
		t[i] = encode(decode(uint8(i)))
	}
	return &t, nil
}

// Rewrite transcodes src into dst, which is at least as long.
func (t *Transcoder) Rewrite(dst, src []byte) {
	for i, b := range src {
		dst[i] = t[b]
	}
}
