// Package record writes what legs say and hear to files: one channel or two, in
// the formats that telephony knows, whole at any time, encrypted if asked for.
package record

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"strconv"
	"strings"
)

// ErrFormat says that something cannot be recorded in a format.
var ErrFormat = errors.New("unsupported recording format")

// Container is the kind of a file.
type Container string

// The kinds of file.
const (
	WAV Container = "wav"
	Raw Container = "raw" // G.711 without any header
	MP3 Container = "mp3"
	Ogg Container = "ogg" // with Opus
)

// Coding is how a WAV or raw file holds its samples.
type Coding string

// The codings of samples.
const (
	Linear Coding = "pcm" // 16 bits
	ALaw   Coding = "alaw"
	MuLaw  Coding = "ulaw"
)

// Format is how a recording is written.
type Format struct {
	Container Container
	Coding    Coding
	Rate      int // of the samples, Hz
	Channels  int // 1 or 2
	Bitrate   int // kbit/s of MP3, 16 or 32
}

// The media types by name, without parameters.
var types = map[string]Format{
	"audio/wav": {Container: WAV, Coding: MuLaw}, "audio/x-wav": {Container: WAV, Coding: MuLaw},
	"audio/wave": {Container: WAV, Coding: MuLaw}, "audio/vnd.wave": {Container: WAV, Coding: MuLaw},
	"audio/basic": {Container: Raw, Coding: MuLaw}, "audio/x-mulaw": {Container: Raw, Coding: MuLaw},
	"audio/pcmu": {Container: Raw, Coding: MuLaw}, "audio/mulaw": {Container: Raw, Coding: MuLaw},
	"audio/x-alaw-basic": {Container: Raw, Coding: ALaw}, "audio/pcma": {Container: Raw, Coding: ALaw},
	"audio/x-alaw": {Container: Raw, Coding: ALaw}, "audio/alaw": {Container: Raw, Coding: ALaw},
	"audio/mpeg": {Container: MP3, Bitrate: 32}, "audio/mp3": {Container: MP3, Bitrate: 32},
	"audio/ogg": {Container: Ogg}, "audio/opus": {Container: Ogg},
}

// The codec parameter of audio/wav.
var codings = map[string]Coding{
	"": MuLaw, "pcm": Linear, "linear": Linear, "l16": Linear, "1": Linear,
	"alaw": ALaw, "pcma": ALaw, "6": ALaw, "ulaw": MuLaw, "mulaw": MuLaw, "pcmu": MuLaw, "7": MuLaw,
}

// ParseType reads a media type such as audio/wav;codec=alaw or
// audio/mpeg;bitrate=16. Recordings have one channel at 8 kHz unless its
// parameters say otherwise (rate, channels).
func ParseType(mediaType string) (Format, error) {
	name, params, err := mime.ParseMediaType(mediaType)
	f, known := types[name]
	if err != nil || !known {
		return Format{}, fmt.Errorf("%w: %q", ErrFormat, mediaType)
	}
	f.Rate, f.Channels = 8000, 1
	if f.Container == WAV {
		if f.Coding, known = codings[strings.ToLower(params["codec"]+params["codecs"])]; !known {
			return Format{}, fmt.Errorf("%w: codec of %q", ErrFormat, mediaType)
		}
	}
	for key, to := range map[string]*int{"rate": &f.Rate, "channels": &f.Channels, "bitrate": &f.Bitrate} {
		if text := params[key]; text != "" {
			if *to, err = strconv.Atoi(strings.TrimSuffix(text, "k")); err != nil {
				return Format{}, fmt.Errorf("%w: %s of %q", ErrFormat, key, mediaType)
			}
		}
	}
	return f, f.check()
}

func (f Format) check() error {
	switch {
	case f.Rate != 8000 && f.Rate != 16000:
		return fmt.Errorf("%w: %d Hz", ErrFormat, f.Rate)
	case f.Channels != 1 && f.Channels != 2:
		return fmt.Errorf("%w: %d channels", ErrFormat, f.Channels)
	case f.Container == MP3 && f.Bitrate != 16 && f.Bitrate != 32:
		return fmt.Errorf("%w: MP3 at %d kbit/s", ErrFormat, f.Bitrate)
	}
	return nil
}

// MediaType is the format's name for those who receive it.
func (f Format) MediaType() string {
	switch {
	case f.Container == WAV:
		return "audio/wav;codec=" + string(f.Coding)
	case f.Container == MP3:
		return "audio/mpeg"
	case f.Container == Ogg:
		return "audio/ogg;codecs=opus"
	case f.Coding == ALaw:
		return "audio/x-alaw-basic"
	}
	return "audio/basic"
}

// Suffix is what the names of files of the format end with, the dot included.
func (f Format) Suffix() string {
	switch {
	case f.Container == Ogg:
		return ".opus"
	case f.Container != Raw:
		return "." + string(f.Container)
	case f.Coding == ALaw:
		return ".al"
	}
	return ".ul"
}

// Encoder turns samples into a file. It is used by one goroutine.
type Encoder interface {
	// Encode takes samples, those of two channels in turns.
	Encode(pcm []int16) error
	// Close ends the file. It does not close what is written to.
	Close() error
}

// NewEncoder begins a file. Where its destination is also an io.WriterAt, lengths
// in headers are kept true while it grows.
func NewEncoder(to io.Writer, f Format) (Encoder, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	switch f.Container {
	case WAV, Raw:
		return newWAV(to, f)
	case MP3:
		return newMP3(to, f), nil
	case Ogg:
		return newOgg(to, f)
	}
	return nil, fmt.Errorf("%w: %q", ErrFormat, f.Container)
}
