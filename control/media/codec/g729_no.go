//go:build !(bcg729 && cgo)

package codec

const hasG729 = false

func newG729Encoder() (Encoder, error) { return nil, ErrUnknown }

func newG729Decoder() (Decoder, error) { return nil, ErrUnknown }
