package codec

import "mcp/control/media/resample"

// Converter makes a stream in one codec into one in another, piece by piece. It is
// used by one goroutine.
type Converter struct {
	decoder  Decoder
	encoder  Encoder
	resample *resample.Stream
	group    int     // samples that are coded together
	pcm      []int16 // as decoded
	waiting  []int16 // at the other rate, not encoded yet
}

// NewConverter makes a Converter into a codec that codes samples by the octet: G.711
// or G.722. It says ErrUnknown of what the platform cannot code.
func NewConverter(from, to Codec) (*Converter, error) {
	decoder, err := NewDecoder(from)
	if err != nil {
		return nil, err
	}
	encoder, err := NewEncoder(to)
	if err != nil {
		return nil, err
	}
	return &Converter{
		decoder: decoder, encoder: encoder, resample: resample.New(from.SampleRate(), to.SampleRate()),
		group: to.SampleRate() / to.ClockRate,
	}, nil
}

// Append appends to dst what a payload becomes, and returns it. What is left over at
// the end of a piece goes before the next.
func (c *Converter) Append(dst, payload []byte) ([]byte, error) {
	var err error
	if c.pcm, err = c.decoder.Decode(c.pcm[:0], payload); err != nil {
		return dst, err
	}
	c.waiting = c.resample.Append(c.waiting, c.pcm)
	whole := len(c.waiting) / c.group * c.group
	dst, err = c.encoder.Encode(dst, c.waiting[:whole])
	c.waiting = c.waiting[:copy(c.waiting, c.waiting[whole:])]
	return dst, err
}
