package voicexml

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	phone  *phone
	before turn
	done   chan struct{}

	// What is played next; of who plays.
	prompts         []vxml.Prompt
	prompt, segment int

	mu      sync.Mutex
	cancel  context.CancelFunc // of a segment that a goroutine waits for; nil: there is none
	playing *media.Playback    // nil: no recording is
	speaker *voice.Voice       // that speaks; nil: none has
	err     error
	passage
}

// passage is how far the caller has heard it.
type passage struct {
	mark   string // the last <mark> that was reached; "": none
	marked time.Time
	ended  time.Time // zero: it goes on
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

// Play implements vxml.Speaker. A recording that is at hand begins before it returns, and
// nobody waits for its end; what else there is takes a goroutine.
func (p *phone) Play(ctx context.Context, prompts []vxml.Prompt) (vxml.Playback, error) {
	b := &playback{phone: p, prompts: prompts, done: make(chan struct{})}
	b.before = p.speaking.after(b.done)
	p.tasks.Add(1) // until it is over
	if len(prompts[0].Segments) > 0 && atHand(prompts[0].Segments[0]) && b.before.over() {
		b.goOn(ctx)
	} else {
		b.goOnBeside(ctx)
	}
	return b, nil
}

// atHand tells whether a segment is a recording that is there as a whole.
func atHand(s vxml.Segment) bool { return s.Audio != nil && s.Audio.Stream == nil }

func (b *playback) Done() <-chan struct{} { return b.done }

func (b *playback) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Stop silences the caller's ear at once; the server is told beside.
func (b *playback) Stop() {
	b.mu.Lock()
	b.endLocked()
	cancel, playing, speaker := b.cancel, b.playing, b.speaker
	b.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if playing != nil {
		playing.Stop()
	}
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

// over ends it.
func (b *playback) over(err error) {
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	giveUp(b.prompts)
	b.mu.Lock()
	b.err = err
	b.endLocked()
	b.mu.Unlock()
	close(b.done)
	b.phone.tasks.Done()
}

// broken ends it within a prompt.
func (b *playback) broken(err error) {
	b.phone.step(reporting.StepPromptStop, reason(err))
	b.over(err)
}

func (b *playback) endLocked() {
	if b.ended.IsZero() {
		b.ended = time.Now()
	}
}

// goOn plays what is left, or up to the next recording at hand, at whose end it is
// called again.
func (b *playback) goOn(ctx context.Context) {
	for ; b.prompt < len(b.prompts); b.prompt, b.segment = b.prompt+1, 0 {
		prompt := b.prompts[b.prompt]
		if b.segment == 0 {
			if err := b.stopped(ctx); err != nil {
				b.over(err)
				return
			}
			b.phone.step(reporting.StepPromptStart, prompt.Language)
		}
		for b.segment < len(prompt.Segments) {
			s := prompt.Segments[b.segment]
			b.segment++
			lasts, err := b.play(ctx, prompt, s)
			if err != nil {
				b.broken(err)
			}
			if err != nil || lasts {
				return
			}
		}
		b.phone.step(reporting.StepPromptEnd, "")
	}
	b.over(nil)
}

// goOnBeside does so on a goroutine, once what came before has ended.
func (b *playback) goOnBeside(ctx context.Context) {
	b.phone.tasks.Go(func() {
		stack.Deepen()
		b.before.await()
		b.goOn(ctx)
	})
}

// stopped is why nothing more is to be played; nil: there is no reason.
func (b *playback) stopped(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended.IsZero() {
		return context.Canceled
	}
	return ctx.Err()
}

// play plays a segment; true: it has begun, and heard is told of its end.
func (b *playback) play(ctx context.Context, prompt vxml.Prompt, s vxml.Segment) (lasts bool, err error) {
	switch {
	case s.Mark != "":
		b.reached(s.Mark)
		return false, nil
	case atHand(s):
		return true, b.clip(ctx, s.Audio)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.mu.Lock()
	b.cancel = cancel
	b.mu.Unlock()
	if err := b.stopped(ctx); err != nil {
		return false, err
	}
	if s.Audio != nil {
		return false, b.stream(ctx, s.Audio)
	}
	return false, b.speak(ctx, prompt, s)
}

// clip begins to play a recording that is at hand.
func (b *playback) clip(ctx context.Context, a *vxml.Audio) error {
	if err := b.stopped(ctx); err != nil {
		return err
	}
	clip, err := b.phone.service.clips.Get(a.MediaType, a.Data, b.phone.call.Codec())
	if err != nil {
		return badFetch(a, err)
	}
	b.mu.Lock() // until it is told of: its end may be near
	defer b.mu.Unlock()
	if !b.ended.IsZero() {
		return context.Canceled
	}
	b.playing, err = b.phone.call.Media().PlayWith(b.phone.call.Caller(), clip, media.PlayOptions{
		Ended: func(err error) { b.heard(ctx, unheard(a, err)) },
	})
	if err != nil {
		return unheard(a, err)
	}
	b.tell(a)
	return nil
}

// heard goes on after a recording that was at hand.
func (b *playback) heard(ctx context.Context, err error) {
	b.mu.Lock()
	b.playing = nil
	stopped := !b.ended.IsZero()
	b.mu.Unlock()
	switch {
	case stopped:
		b.broken(context.Canceled)
	case err != nil:
		b.broken(err)
	case b.segment == len(b.prompts[b.prompt].Segments) && b.prompt == len(b.prompts)-1:
		b.goOn(ctx) // to its end
	default:
		b.goOnBeside(ctx)
	}
}

// tell tells of a recording that begins.
func (b *playback) tell(a *vxml.Audio) {
	b.phone.pace.played(time.Now())
	b.phone.note("said", slog.String("audio", a.URI))
	b.phone.step(reporting.StepPromptType, "audio")
	b.phone.step(reporting.StepPromptPlay, withoutQuery(a.URI))
}

// reason is why a prompt was not played to its end.
func reason(err error) string {
	var event *vxml.Event
	if errors.As(err, &event) {
		return event.Name
	}
	return "interrupted"
}

// stream plays what arrives of a recording.
func (b *playback) stream(ctx context.Context, a *vxml.Audio) error {
	playing, err := b.beginStream(ctx, a)
	if err != nil {
		return err
	}
	b.tell(a)
	select {
	case <-playing.Done():
		return unheard(a, playing.Err())
	case <-ctx.Done():
		playing.Stop()
		<-playing.Done()
		return ctx.Err()
	}
}

func (b *playback) beginStream(ctx context.Context, a *vxml.Audio) (*media.Playback, error) {
	defer context.AfterFunc(ctx, func() { a.Stream.Close() })()
	from, err := audiofile.NewReader(a.MediaType, a.Stream.Reader())
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, badFetch(a, err)
	}
	playing, err := b.phone.call.Media().PlaySupply(b.phone.call.Caller(), from)
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
	b.phone.note("said", slog.String("text", s.Text))
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
