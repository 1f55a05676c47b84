package dialog

import (
	"context"
	"time"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/media/audiofile"
	"mcp/control/media/clock"
	"mcp/control/media/conference"
	"mcp/control/media/record"
	"mcp/control/service/msml/doc"
)

// Stage is where dialogs perform: what they say is heard there, and what is said
// there they hear.
type Stage interface {
	Play(pcm []int16) (Sound, error)
	PlaySupply(from media.Supply) (Sound, error) // plays what arrives
	Press(ctx context.Context, keys string) error
	Hear(r *record.Recorder) (stop func(), err error)
	Clock() *clock.Clock
}

// Sound is audio that plays.
type Sound interface {
	Done() <-chan struct{}
	Stop()
	// Position, after Done, is how much of it was heard, and Err why not all.
	Position() time.Duration
	Err() error
}

// Leg is a call as a stage.
func Leg(c *call.Call) Stage { return leg{c} }

type leg struct{ call *call.Call }

func (l leg) Play(pcm []int16) (Sound, error) {
	clip, err := media.NewClip(pcm, l.call.Codec())
	if err != nil {
		return nil, err
	}
	return l.call.Media().Play(l.call.Caller(), clip)
}

func (l leg) PlaySupply(from media.Supply) (Sound, error) {
	return l.call.Media().PlaySupply(l.call.Caller(), from)
}

func (l leg) Press(ctx context.Context, keys string) error {
	return l.call.Caller().SendDigits(ctx, keys)
}

func (l leg) Hear(r *record.Recorder) (func(), error) {
	return func() {}, r.Hear(0, l.call.Caller())
}

func (l leg) Clock() *clock.Clock { return l.call.Media().Clock() }

// Conference is a conference as a stage.
func Conference(c *conference.Conference, time *clock.Clock) Stage { return conf{c, time} }

type conf struct {
	conference *conference.Conference
	time       *clock.Clock
}

func (c conf) Play(pcm []int16) (Sound, error) {
	return c.conference.Play(conference.Audio{PCM: pcm, Rate: audiofile.Rate})
}

func (c conf) PlaySupply(from media.Supply) (Sound, error) { return c.conference.PlaySupply(from) }

func (c conf) Press(context.Context, string) error {
	return doc.Faultf(doc.UnsupportedElement, "keys cannot be pressed into a conference")
}

func (c conf) Hear(r *record.Recorder) (func(), error) {
	sink, err := r.Sink(0, c.conference.Rate())
	if err != nil {
		return nil, err
	}
	return c.conference.Listen(sink)
}

func (c conf) Clock() *clock.Clock { return c.time }
