package announcement

import (
	"context"
	"errors"
	"fmt"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/media/audiofile"
	"mcp/vxml/fetch"
)

// errContent says that the rest of a recording could not be had.
var errContent = errors.New("announcement content ends too early")

// recording is one of an announcement's: decoded, or a stream that is decoded while it
// arrives.
type recording struct {
	pcm       []int16
	stream    *fetch.Stream // nil: there is no more to come
	mediaType string
}

// open fetches a recording, or as much of a long one as tells that it can be played.
func (s *Service) open(ctx context.Context, url, mediaType string) (*recording, error) {
	stream, err := s.fetcher.Open(ctx, fetch.Request{URL: url})
	if err != nil {
		return nil, err
	}
	if mediaType == "" {
		mediaType = stream.MediaType
	}
	if r := stream.Whole(); r != nil {
		stream.Close()
		pcm, err := audiofile.Decode(mediaType, r.Body)
		return &recording{pcm: pcm}, err
	}
	r := &recording{stream: stream, mediaType: mediaType}
	defer context.AfterFunc(ctx, r.close)()
	if _, err := r.reader(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// reader decodes the stream from its beginning.
func (r *recording) reader() (*audiofile.Reader, error) {
	return audiofile.NewReader(r.mediaType, r.stream.Reader())
}

// play begins to play it to the caller.
func (r *recording) play(c *call.Call) (*media.Playback, error) {
	if r.stream != nil {
		from, err := r.reader()
		if err != nil {
			return nil, r.failure(err)
		}
		return c.Media().PlaySupply(c.Caller(), from)
	}
	clip, err := media.NewClip(r.pcm, c.Codec())
	if err != nil {
		return nil, err
	}
	return c.Media().Play(c.Caller(), clip)
}

// failure is why it was not played to its end; a stream's is that of who has it.
func (r *recording) failure(err error) error {
	var fetched *fetch.Error
	if r.stream != nil && (errors.As(err, &fetched) || errors.Is(err, audiofile.ErrUnsupported)) {
		return fmt.Errorf("%w: %w", errContent, err)
	}
	return err
}

// close gives up what has not arrived.
func (r *recording) close() {
	if r.stream != nil {
		r.stream.Close()
	}
}
