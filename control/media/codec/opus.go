package codec

import (
	"errors"
	"fmt"

	"github.com/thesyncim/gopus"
)

// opusBitrate is what wideband speech takes to sound well (RFC 7587 section
// 3.1.1), in bit/s.
const opusBitrate = 24000

// maxOpus bounds a packet, and longestOpus its samples: 120 ms.
const (
	maxOpus     = 1275
	longestOpus = Wideband * 120 / 1000
)

// opusEncoder encodes one channel of wideband speech.
type opusEncoder struct {
	encoder *gopus.Encoder
	samples int // of a frame, as the encoder was told last
	buf     [maxOpus]byte
}

func newOpusEncoder() (Encoder, error) {
	e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: Wideband, Channels: 1, Application: gopus.ApplicationVoIP})
	if err != nil {
		return nil, fmt.Errorf("encode opus: %w", err)
	}
	err = errors.Join(e.SetBitrate(opusBitrate), e.SetBandwidth(gopus.BandwidthWideband), e.SetSignal(gopus.SignalVoice))
	return &opusEncoder{encoder: e}, err
}

// Encode encodes a frame of 2.5, 5, 10, 20, 40 or 60 ms.
func (e *opusEncoder) Encode(dst []byte, pcm []int16) ([]byte, error) {
	if len(pcm) != e.samples {
		if err := e.encoder.SetFrameSize(len(pcm)); err != nil {
			return dst, fmt.Errorf("encode opus: %w", err)
		}
		e.samples = len(pcm)
	}
	n, err := e.encoder.EncodeInt16(pcm, e.buf[:])
	if err != nil {
		return dst, fmt.Errorf("encode opus: %w", err)
	}
	return append(dst, e.buf[:n]...), nil
}

type opusDecoder struct {
	decoder *gopus.Decoder
	buf     [longestOpus]int16
}

func (d *opusDecoder) Decode(dst []int16, payload []byte) ([]int16, error) {
	if len(payload) == 0 {
		return dst, nil
	}
	n, err := d.decoder.DecodeInt16(payload, d.buf[:])
	if err != nil {
		return dst, fmt.Errorf("decode opus: %w", err)
	}
	return append(dst, d.buf[:n]...), nil
}
