package msml

import (
	"context"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/media/audiofile"
	"mcp/control/media/clock"
	"mcp/control/media/conference"
	"mcp/control/media/record"
	"mcp/control/service/msml/doc"
)

// stage is where dialogs perform: what they say is heard there, and what is said
// there they hear.
type stage interface {
	play(pcm []int16) (sound, error)
	press(ctx context.Context, keys string) error
	hear(r *record.Recorder) (stop func(), err error)
	clock() *clock.Clock
}

// sound is audio that plays.
type sound interface {
	Done() <-chan struct{}
	Stop()
}

// leg is a call as a stage.
type leg struct{ call *call.Call }

func (l leg) play(pcm []int16) (sound, error) {
	clip, err := media.NewClip(pcm, l.call.Codec())
	if err != nil {
		return nil, err
	}
	return l.call.Media().Play(l.call.Caller(), clip)
}

func (l leg) press(ctx context.Context, keys string) error {
	return l.call.Caller().SendDigits(ctx, keys)
}

func (l leg) hear(r *record.Recorder) (func(), error) {
	return func() {}, r.Hear(0, l.call.Caller())
}

func (l leg) clock() *clock.Clock { return l.call.Media().Clock() }

// hall is a conference as a stage.
type hall struct {
	conf *conference.Conference
	time *clock.Clock
}

func (h hall) play(pcm []int16) (sound, error) {
	return h.conf.Play(conference.Audio{PCM: pcm, Rate: audiofile.Rate})
}

func (h hall) press(context.Context, string) error {
	return doc.Faultf(doc.UnsupportedElement, "keys cannot be pressed into a conference")
}

func (h hall) hear(r *record.Recorder) (func(), error) {
	sink, err := r.Sink(0, h.conf.Rate())
	if err != nil {
		return nil, err
	}
	return h.conf.Listen(sink)
}

func (h hall) clock() *clock.Clock { return h.time }
