// Package prompt opens recordings for calls to play: decoded where all of one is there,
// and otherwise as much of it as tells that it can be played, to be heard while the rest
// arrives.
package prompt

import (
	"context"
	"errors"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/media/audiofile"
	"mcp/vxml/fetch"
)

// Opener gets recordings; *fetch.Fetcher is one.
type Opener interface {
	Open(ctx context.Context, req fetch.Request) (*fetch.Stream, error)
}

// Recording is one that can be played, any number of times. It must be closed.
type Recording struct {
	pcm       []int16
	stream    *fetch.Stream // nil: there is no more to come
	mediaType string
}

// Open gets a recording. The media type, if it is not empty, is believed rather than what
// its server says. Errors are the fetcher's and those of audiofile.NewReader.
func Open(ctx context.Context, from Opener, url, mediaType string) (*Recording, error) {
	stream, err := from.Open(ctx, fetch.Request{URL: url})
	if err != nil {
		return nil, err
	}
	if mediaType == "" {
		mediaType = stream.MediaType
	}
	if r := stream.Whole(); r != nil {
		stream.Close()
		pcm, err := audiofile.Decode(mediaType, r.Body)
		return &Recording{pcm: pcm}, err
	}
	r := &Recording{stream: stream, mediaType: mediaType}
	defer context.AfterFunc(ctx, r.Close)()
	if _, err := r.Reader(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Whole is all of the recording, linear at audiofile.Rate; false: some has yet to arrive.
func (r *Recording) Whole() ([]int16, bool) { return r.pcm, r.stream == nil }

// Reader decodes from its beginning what arrives of a recording that is not whole.
func (r *Recording) Reader() (*audiofile.Reader, error) {
	return audiofile.NewReader(r.mediaType, r.stream.Reader())
}

// Play begins to play it to the caller.
func (r *Recording) Play(c *call.Call) (*media.Playback, error) {
	if r.stream != nil {
		from, err := r.Reader()
		if err != nil {
			return nil, err
		}
		return c.Media().PlaySupply(c.Caller(), from)
	}
	clip, err := media.NewClip(r.pcm, c.Codec())
	if err != nil {
		return nil, err
	}
	return c.Media().Play(c.Caller(), clip)
}

// Close gives up what has not arrived. It is idempotent.
func (r *Recording) Close() {
	if r.stream != nil {
		r.stream.Close()
	}
}

// Spoiled tells whether a recording was not played to its end because of itself, or of who
// has it, rather than of the platform.
func Spoiled(err error) bool {
	var fetched *fetch.Error
	return errors.As(err, &fetched) || Unreadable(err)
}

// Unreadable tells whether a recording is of a type that cannot be played.
func Unreadable(err error) bool { return errors.Is(err, audiofile.ErrUnsupported) }
