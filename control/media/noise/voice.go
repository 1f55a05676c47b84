package noise

import (
	"mcp/control/media/codec"
	"mcp/control/media/resample"
)

// Voice makes noise in a codec. It is used by one goroutine.
type Voice struct {
	Codec   codec.Codec
	encoder codec.Encoder
	convert *resample.Stream
	source  Generator
	narrow  []int16
	pcm     []int16
	payload []byte
}

// NewVoice makes a Voice that is silent until Follow, or says codec.ErrUnknown.
func NewVoice(c codec.Codec) (*Voice, error) {
	e, err := codec.NewEncoder(c)
	if err != nil {
		return nil, err
	}
	return &Voice{
		Codec: c, encoder: e, convert: resample.New(codec.Narrowband, c.SampleRate()),
		narrow: make([]int16, codec.Narrowband/50),
	}, nil
}

// Follow takes a description.
func (v *Voice) Follow(d Description) { v.source.Follow(d) }

// Frame is the payload of 20 ms of noise. What the resampler has not made yet is silence.
// It is valid until the next.
func (v *Voice) Frame() ([]byte, error) {
	v.source.Fill(v.narrow)
	v.pcm = v.convert.Append(v.pcm, v.narrow)
	for len(v.pcm) < v.Codec.SampleRate()/50 {
		v.pcm = append(v.pcm, 0)
	}
	n := v.Codec.SampleRate() / 50
	var err error
	v.payload, err = v.encoder.Encode(v.payload[:0], v.pcm[:n])
	v.pcm = v.pcm[:copy(v.pcm, v.pcm[n:])]
	return v.payload, err
}
