package dialog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mcp/control/call/voice"
	"mcp/control/service/msml/doc"
	"mcp/control/service/msml/spoken"
	"mcp/speech"
	"mcp/vxml/fetch"
)

// patience is how long who wants to listen waits for who does.
const patience = 5 * time.Second

// Speech is what a connection speaks and listens with. Its dialogs share it, one at a
// time: who speaks next silences who speaks, and who listens next waits.
type Speech struct {
	voices    *voice.Voices
	listening chan struct{} // holds one while nobody listens

	mu       sync.Mutex      // guards what follows
	speaking speech.Speaking // nil: nobody speaks
}

// NewSpeech shares a call's voices. They are the caller's to close.
func NewSpeech(v *voice.Voices) *Speech {
	s := &Speech{voices: v, listening: make(chan struct{}, 1)}
	s.listening <- struct{}{}
	return s
}

// turn waits until nobody else listens to the connection.
func (s *Speech) turn(ctx context.Context) (release func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-s.listening:
		return func() { s.listening <- struct{}{} }, nil
	case <-waiting.Done():
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, doc.Faultf(doc.NoResource, "another dialog listens to the connection")
}

// engine is the one that an element of a dialog needs; choose is from which of them.
func (d *Dialog) engine(n *doc.Node, choose func(*voice.Voices, string) (*voice.Voice, error)) (*voice.Voice, error) {
	if d.on.Call == nil {
		return nil, doc.Faultf(doc.UnsupportedElement, "<%s> needs a connection", n.Name)
	}
	v, err := choose(d.on.Speech.voices, "")
	if err != nil {
		return nil, doc.Faultf(doc.UnsupportedElement, "<%s>: %v", n.Name, err)
	}
	return v, nil
}

// say adds what <tts> says.
func (c *content) say(ctx context.Context, n *doc.Node, language string, times int) error {
	language = cmp.Or(n.Attr("xml:lang"), language, spoken.Language)
	ssml := ""
	if url, external := n.Lookup("uri"); external {
		r, err := c.d.parts.Fetcher.Get(ctx, fetch.Request{URL: url})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return doc.Faultf(doc.FetchError, "%v", err)
		}
		ssml = spoken.SpeakText(r.Body, language)
	} else {
		ssml = spoken.Speak(n, language)
	}
	c.parts = append(c.parts, part{ssml: ssml, language: language, times: times})
	return nil
}

// speak has the synthesizer say the present part, to its end or to an event. One that
// cannot be held begins again after a pause.
func (p *player) speak(ctx context.Context, r *running, barge <-chan byte) (event string, err error) {
	mouth := p.d.on.Speech
	s, err := mouth.say(ctx, p.parts[p.n])
	if err != nil {
		return "", p.d.unspoken(ctx, "synthesize", err)
	}
	defer mouth.said(s)
	for {
		began := time.Now()
		event = interrupted(ctx, s.Done(), r, barge)
		p.amt += time.Since(began)
		switch event {
		case "":
			p.next()
			return "", p.d.unspoken(ctx, "synthesize", s.Err())
		case "pause", "toggle-state":
			if !hold(ctx, s) {
				mouth.stop(s)
				return event, nil
			}
			if err := p.suspended(ctx, r); err != nil || p.end != "" {
				mouth.stop(s)
				return "", err
			}
			if err := resume(ctx, s); err != nil {
				mouth.stop(s)
				return "", p.d.unspoken(ctx, "synthesize", err)
			}
		default:
			if p.follow(event); p.end != "" {
				mouth.stop(s)
				return event, nil
			}
		}
	}
}

// say begins to speak in place of what is being said.
func (s *Speech) say(ctx context.Context, what part) (speech.Speaking, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.speaking; before != nil {
		s.voices.Interrupt(before)
	}
	s.voices.Used.Syntheses.Add(1)
	v, err := s.voices.Speaker("")
	if err != nil {
		return nil, err
	}
	session, err := v.Use(ctx)
	if err != nil {
		return nil, err
	}
	s.voices.Hear(v)
	speaking, err := session.Speak(ctx, speech.Utterance{SSML: what.ssml, Language: what.language, NoBargeIn: true})
	if err != nil {
		return nil, err
	}
	s.speaking = speaking
	return speaking, nil
}

// said is the end of what say began.
func (s *Speech) said(what speech.Speaking) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.speaking == what {
		s.speaking = nil
		s.voices.Silence()
	}
}

// stop silences the connection's ear at once; the server is told beside.
func (s *Speech) stop(what speech.Speaking) {
	s.voices.Silence()
	s.voices.Interrupt(what)
}

// hold pauses speech; false: it cannot be.
func hold(ctx context.Context, s speech.Speaking) bool {
	steerable, can := s.(speech.Steerable)
	return can && steerable.Pause(ctx) == nil
}

// resume goes on with speech that was held. What has ended meanwhile needs it no more.
func resume(ctx context.Context, s speech.Speaking) error {
	err := s.(speech.Steerable).Resume(ctx)
	select {
	case <-s.Done():
		return nil
	default:
		return err
	}
}

// unspoken is a speech engine's error as a dialog's, counted; nil if there is none.
func (d *Dialog) unspoken(ctx context.Context, doing string, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil // that the dialog was abandoned, or the time ran out, shows elsewhere
	}
	d.on.Speech.voices.Used.Failures.Add(1)
	d.on.Call.Log().Warn("speech failed", "doing", doing, "error", err)
	code := doc.NoResource
	switch {
	case errors.Is(err, speech.ErrGrammar), errors.Is(err, speech.ErrText), errors.Is(err, speech.ErrLanguage):
		code = doc.InvalidValue
	case errors.Is(err, speech.ErrFetch):
		code = doc.FetchError
	}
	return doc.Faultf(code, "%s", fmt.Sprintf("%s: %v", doing, err))
}
