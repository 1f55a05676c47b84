//go:build !(amr && cgo)

package codec

const hasAMR = false

func newAMREncoder(Codec) (Encoder, error) { return nil, ErrUnknown }

func newAMRDecoder(Codec) (Decoder, error) { return nil, ErrUnknown }
