package audiofile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"mcp/control/media/resample"
)

// Reader decodes a recording while it arrives.
type Reader struct {
	file  io.Reader
	from  source
	to    *resample.Stream
	out   []int16
	ended bool
}

// source is a recording's samples in one channel.
type source interface {
	rate() int // in Hz
	// next is what comes next, at least one sample; the error is io.EOF at the end. It
	// is valid until the next call.
	next() ([]int16, error)
}

// NewReader reads as much of a recording as tells what it is: WAV (linear of 8 or 16
// bits, either law of G.711, any sample rate, up to eight channels), AU of the same
// codings, MP3, Opus in Ogg, or headerless G.711 (audio/basic, audio/x-alaw-basic and
// their other names). What the file is counts more than what its server says: its first
// octets are believed. ErrUnsupported: it is something else; other errors are the
// reader's own.
func NewReader(mediaType string, r io.Reader) (*Reader, error) {
	from, err := open(mediaType, bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	return &Reader{file: r, from: from, to: resample.NewUndelayed(from.rate(), Rate)}, nil
}

// Next is the samples that come next, at least one, as soon as there are any. The error
// is io.EOF at the end. They are valid until the next call.
func (r *Reader) Next() ([]int16, error) {
	for !r.ended {
		pcm, err := r.from.next()
		switch {
		case err == io.EOF:
			r.ended = true
			r.out = r.to.Finish(r.out[:0])
		case err != nil:
			return nil, err
		default:
			r.out = r.to.Append(r.out[:0], pcm)
		}
		if len(r.out) > 0 {
			return r.out, nil
		}
	}
	return nil, io.EOF
}

// Close closes what the recording is read from, if that can be closed.
func (r *Reader) Close() error {
	if c, ok := r.file.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func open(mediaType string, r *bufio.Reader) (source, error) {
	const longestMagic = 27 // a page of Ogg
	magic, err := r.Peek(longestMagic)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case isWAV(magic):
		return openWAV(r)
	case isAU(magic):
		return openAU(r)
	case isOgg(magic):
		return openOgg(r)
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
		return newSamples(r, format{tag: wavMuLaw, bits: 8, channels: 1, hz: Rate})
	case "audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/mpeg3":
		return openMP3(r)
	case "audio/x-alaw-basic", "audio/pcma", "audio/x-alaw", "audio/alaw":
		return newSamples(r, format{tag: wavALaw, bits: 8, channels: 1, hz: Rate})
	case "", "application/octet-stream":
		if isMP3(magic) {
			return openMP3(r)
		}
		name = "data of an unknown type"
	}
	return nil, fmt.Errorf("%w: %s is neither WAV, AU, MP3, Opus nor G.711", ErrUnsupported, name)
}

// brokenOff has a file end where it is broken off.
func brokenOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}
