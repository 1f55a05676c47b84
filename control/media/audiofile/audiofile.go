// Package audiofile reads recordings as they come from files and web servers
// into what telephony plays: one channel of linear samples at 8 kHz.
package audiofile

import (
	"errors"
	"fmt"
	"mime"
	"strings"

	"mcp/control/media/codec"
)

// Rate is the sample rate of what Decode returns, in Hz.
const Rate = 8000

// The sample rates of files that are read.
const (
	minRate = 4000
	maxRate = 192000
)

// ErrUnsupported says that a recording is of a type that cannot be played.
var ErrUnsupported = errors.New("unsupported audio")

// Decode reads a recording: WAV (linear of 8 or 16 bits, either law of G.711,
// any sample rate, up to eight channels), AU of the same codings, MP3, Opus in Ogg,
// or headerless G.711 (audio/basic, audio/x-alaw-basic and their other names).
// What the file is counts more than what its server says: its first octets are
// believed.
func Decode(mediaType string, data []byte) ([]int16, error) {
	switch {
	case isWAV(data):
		return decodeWAV(data)
	case isAU(data):
		return decodeAU(data)
	case isOgg(data):
		return decodeOgg(data)
	}
	name, params, err := mime.ParseMediaType(mediaType)
	if err != nil {
		name = strings.ToLower(strings.TrimSpace(mediaType))
	}
	if rate := params["rate"]; rate != "" && rate != "8000" {
		return nil, fmt.Errorf("%w: %s", ErrUnsupported, mediaType)
	}
	switch name {
	case "audio/basic", "audio/pcmu", "audio/x-mulaw", "audio/mulaw", "audio/ulaw":
		return codec.PCMU.Decode(data)
	case "audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/mpeg3":
		return decodeMP3(data)
	case "audio/x-alaw-basic", "audio/pcma", "audio/x-alaw", "audio/alaw":
		return codec.PCMA.Decode(data)
	case "", "application/octet-stream":
		if isMP3(data) {
			return decodeMP3(data)
		}
		name = "data of an unknown type"
	}
	return nil, fmt.Errorf("%w: %s is neither WAV, AU, MP3, Opus nor G.711", ErrUnsupported, name)
}
