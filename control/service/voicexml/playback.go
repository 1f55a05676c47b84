package voicexml

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mcp/control/call/prompt"
	"mcp/control/call/stack"
	"mcp/control/call/voice"
	"mcp/control/media"
	"mcp/control/media/audiofile"
	"mcp/control/reporting"
	"mcp/speech"
	"mcp/vxml"
	"mcp/vxml/fetch"
)

// playback plays prompts one after the other: speech through the synthesizer,
// recordings through the player.
type playback struct {
	phone *phone
	stop  context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	err     error
	speaker *voice.Voice // that speaks; nil: none has
	mark    string       // the last <mark> that was reached; "": none
	marked  time.Time
	ended   time.Time
}

var _ vxml.Marked = (*playback)(nil)

// Mark implements vxml.Marked.
func (b *playback) Mark() (name string, ago time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mark == "" {
		return "", 0
	}
	return b.mark, b.ended.Sub(b.marked)
}

// reached notes a mark, unless the caller hears no more of it.
func (b *playback) reached(mark string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended.IsZero() {
		b.mark, b.marked = mark, time.Now()
	}
}

// Play implements vxml.Speaker.
func (p *phone) Play(ctx context.Context, prompts []vxml.Prompt) (vxml.Playback, error) {
	ctx, stop := context.WithCancel(ctx)
	b := &playback{phone: p, stop: stop, done: make(chan struct{})}
	before := p.speaking.after(b.done)
	p.tasks.Go(func() {
		stack.Deepen()
		defer close(b.done)
		defer stop()
		defer giveUp(prompts)
		<-before
		b.finish(b.run(ctx, prompts))
	})
	return b, nil
}

func (b *playback) Done() <-chan struct{} { return b.done }

func (b *playback) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Stop silences the caller's ear at once; the server is told beside.
func (b *playback) Stop() {
	b.stop()
	b.mu.Lock()
	b.endLocked()
	speaker := b.speaker
	b.mu.Unlock()
	if speaker != nil {
		speaker.Silence()
	}
}

// entrust lets a voice be heard; Stop silences it.
func (b *playback) entrust(v *voice.Voice) {
	b.mu.Lock()
	b.speaker = v
	b.mu.Unlock()
	b.phone.voices.Hear(v)
}

func (b *playback) finish(err error) {
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	b.endLocked()
}

func (b *playback) endLocked() {
	if b.ended.IsZero() {
		b.ended = time.Now()
	}
}

func (b *playback) run(ctx context.Context, prompts []vxml.Prompt) error {
	for _, prompt := range prompts {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.phone.step(reporting.StepPromptStart, prompt.Language)
		for _, segment := range prompt.Segments {
			if err := b.segment(ctx, prompt, segment); err != nil {
				b.phone.step(reporting.StepPromptStop, reason(err))
				return err
			}
		}
		b.phone.step(reporting.StepPromptEnd, "")
	}
	return nil
}

// reason is why a prompt was not played to its end.
func reason(err error) string {
	var event *vxml.Event
	if errors.As(err, &event) {
		return event.Name
	}
	return "interrupted"
}

func (b *playback) segment(ctx context.Context, prompt vxml.Prompt, s vxml.Segment) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.Audio != nil {
		return b.clip(ctx, s.Audio)
	}
	return b.speak(ctx, prompt, s)
}

func (b *playback) clip(ctx context.Context, a *vxml.Audio) error {
	playing, err := b.begin(ctx, a)
	if err != nil {
		return err
	}
	b.phone.pace.played(time.Now())
	b.phone.note("said", "audio", a.URI)
	b.phone.step(reporting.StepPromptType, "audio")
	b.phone.step(reporting.StepPromptPlay, withoutQuery(a.URI))
	select {
	case <-playing.Done():
		return unheard(a, playing.Err())
	case <-ctx.Done():
		playing.Stop()
		<-playing.Done()
		return ctx.Err()
	}
}

// begin begins to play a recording, or what has arrived of it.
func (b *playback) begin(ctx context.Context, a *vxml.Audio) (*media.Playback, error) {
	to, caller := b.phone.call.Media(), b.phone.call.Caller()
	if a.Stream == nil {
		clip, err := b.phone.service.clips.Get(a.MediaType, a.Data, b.phone.call.Codec())
		if err != nil {
			return nil, badFetch(a, err)
		}
		playing, err := to.Play(caller, clip)
		return playing, unheard(a, err)
	}
	defer context.AfterFunc(ctx, func() { a.Stream.Close() })()
	from, err := audiofile.NewReader(a.MediaType, a.Stream.Reader())
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, badFetch(a, err)
	}
	playing, err := to.PlaySupply(caller, from)
	return playing, unheard(a, err)
}

// giveUp ends what still arrives of recordings.
func giveUp(prompts []vxml.Prompt) {
	for _, p := range prompts {
		for _, s := range p.Segments {
			if s.Audio != nil && s.Audio.Stream != nil {
				s.Audio.Stream.Close()
			}
		}
	}
}

// unheard is the event of a recording that was not played to its end, or nil.
func unheard(a *vxml.Audio, err error) error {
	switch {
	case err == nil:
		return nil
	case prompt.Spoiled(err):
		return badFetch(a, err)
	}
	return noResource("play", err)
}

// badFetch is the event of a recording that cannot be had.
func badFetch(a *vxml.Audio, err error) error {
	name := "error.badfetch"
	var fetched *fetch.Error
	if errors.As(err, &fetched) {
		name = fetched.EventName()
	}
	return &vxml.Event{Name: name, Message: fmt.Sprintf("%s: %v", a.URI, err)}
}

// Streams implements vxml.Streamer.
func (p *phone) Streams() {}

func (b *playback) speak(ctx context.Context, prompt vxml.Prompt, s vxml.Segment) error {
	b.phone.voices.Used.Syntheses.Add(1)
	speaker, err := b.phone.voices.Speaker(prompt.Properties.Get(ttsProperty))
	if err != nil {
		return b.phone.failed("synthesize", err)
	}
	session, err := speaker.Use(ctx)
	if err != nil {
		return b.phone.failed("synthesize", err)
	}
	b.entrust(speaker)
	speaking, err := session.Speak(ctx, speech.Utterance{
		SSML: s.SSML, Language: prompt.Language, NoBargeIn: !prompt.BargeIn, Properties: prompt.Properties.All(),
		Marked: b.reached,
	})
	if err != nil {
		return b.phone.failed("synthesize", err)
	}
	b.phone.pace.played(time.Now())
	b.phone.note("said", "text", s.Text)
	b.phone.step(reporting.StepPromptType, "tts")
	b.phone.step(reporting.StepPromptPlay, s.Text)
	select {
	case <-speaking.Done():
		if err := speaking.Err(); err != nil {
			return b.phone.failed("synthesize", err)
		}
		return nil
	case <-ctx.Done():
		b.phone.voices.Interrupt(speaking)
		return ctx.Err()
	}
}

func noResource(doing string, err error) error {
	return &vxml.Event{Name: "error.noresource", Message: fmt.Sprintf("%s: %v", doing, err)}
}
