package line

import (
	"github.com/zaf/g711"

	"mcp/speech"
)

// Supports tells whether a Port can speak and hear a codec.
func Supports(c speech.Codec) bool {
	return c.ClockRate == Rate && (c.Name == "PCMU" || c.Name == "PCMA")
}

func encode(codec speech.Codec, pcm []int16) []byte {
	out := make([]byte, len(pcm))
	for i, sample := range pcm {
		if codec.Name == "PCMA" {
			out[i] = g711.EncodeAlawFrame(sample)
		} else {
			out[i] = g711.EncodeUlawFrame(sample)
		}
	}
	return out
}

func decode(codec speech.Codec, payload []byte) []int16 {
	out := make([]int16, len(payload))
	for i, b := range payload {
		if codec.Name == "PCMA" {
			out[i] = g711.DecodeAlawFrame(b)
		} else {
			out[i] = g711.DecodeUlawFrame(b)
		}
	}
	return out
}
