package google

import (
	"encoding/binary"

	"github.com/zaf/g711"
)

// headless is audio without the WAV header that answers to single requests begin
// with.
func headless(audio []byte) []byte {
	if len(audio) < 12 || string(audio[:4]) != "RIFF" || string(audio[8:12]) != "WAVE" {
		return audio
	}
	for rest := audio[12:]; len(rest) >= 8; {
		size := int(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		if string(rest[:4]) == "data" {
			return body[:min(uint(size), uint(len(body)))]
		}
		if size < 0 || size+size%2 > len(body) {
			break
		}
		rest = body[size+size%2:]
	}
	return nil
}

// linear is A-law as 16-bit samples, little endian.
func linear(alaw []byte) []byte { return g711.DecodeAlaw(alaw) }
