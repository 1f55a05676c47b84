package msml

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

// tellServer bounds what is told to a speech server after nobody waits any more.
const tellServer = 5 * time.Second

// speaker is what a connection speaks and listens with. Its dialogs share it, one at a
// time: who speaks next silences who speaks, and who listens next waits.
type speaker struct {
	voices    *voice.Voices
	listening chan struct{} // holds one while nobody listens

	mouth    *sync.Mutex     // guards what follows
	speaking speech.Speaking // nil: nobody speaks
}

func newSpeaker() speaker {
	s := speaker{listening: make(chan struct{}, 1), mouth: new(sync.Mutex)}
	s.listening <- struct{}{}
	return s
}

func (s *speaker) close() {
	ctx, cancel := context.WithTimeout(context.Background(), tellServer)
	defer cancel()
	s.voices.Close(ctx)
}

// engine is the one that an element of a dialog needs; choose is from which of them.
func (d *dialog) engine(n *doc.Node, choose func(*voice.Voices, string) (*voice.Voice, error)) (*voice.Voice, error) {
	if d.on.room != nil {
		return nil, doc.Faultf(doc.UnsupportedElement, "<%s> needs a connection", n.Name)
	}
	v, err := choose(d.on.owner.voices, "")
	if err != nil {
		return nil, doc.Faultf(doc.UnsupportedElement, "<%s>: %v", n.Name, err)
	}
	return v, nil
}

// words is what <tts> says.
func (d *dialog) words(ctx context.Context, n *doc.Node, language string) ([]part, error) {
	language = cmp.Or(n.Attr("xml:lang"), language, spoken.Language)
	url, external := n.Lookup("uri")
	if !external {
		return []part{{ssml: spoken.Speak(n, language), language: language}}, nil
	}
	r, err := d.client.service.parts.Fetcher.Get(ctx, fetch.Request{URL: url})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, doc.Faultf(doc.FetchError, "%v", err)
	}
	return []part{{ssml: spoken.SpeakText(r.Body, language), language: language}}, nil
}

// speak has the synthesizer say the present part, to its end or to an event. One that
// cannot be held begins again after a pause.
func (p *player) speak(ctx context.Context, r *running, barge <-chan byte) (event string, err error) {
	owner := p.d.on.owner
	s, err := owner.say(ctx, p.parts[p.n])
	if err != nil {
		return "", p.d.unspoken(ctx, "synthesize", err)
	}
	defer owner.said(s)
	for {
		began := time.Now()
		event = interrupted(ctx, s.Done(), r, barge)
		p.amt += time.Since(began)
		switch event {
		case "":
			p.n, p.at = p.n+1, 0
			return "", p.d.unspoken(ctx, "synthesize", s.Err())
		case "pause", "toggle-state":
			if !p.d.hold(ctx, s) {
				p.d.stopSpeaking(s)
				return event, nil
			}
			if err := p.suspended(ctx, r); err != nil || p.end != "" {
				p.d.stopSpeaking(s)
				return "", err
			}
			if err := resume(ctx, s); err != nil {
				p.d.stopSpeaking(s)
				return "", p.d.unspoken(ctx, "synthesize", err)
			}
		default:
			if p.follow(event); p.end != "" {
				p.d.stopSpeaking(s)
				return event, nil
			}
		}
	}
}

// say begins to speak in place of what is being said.
func (p *program) say(ctx context.Context, what part) (speech.Speaking, error) {
	p.mouth.Lock()
	defer p.mouth.Unlock()
	if before := p.speaking; before != nil {
		p.stop(before)
	}
	p.voices.Used.Syntheses.Add(1)
	v, err := p.voices.Speaker("")
	if err != nil {
		return nil, err
	}
	session, err := v.Use(ctx)
	if err != nil {
		return nil, err
	}
	p.voices.Hear(v)
	speaking, err := session.Speak(ctx, speech.Utterance{SSML: what.ssml, Language: what.language, NoBargeIn: true})
	if err != nil {
		return nil, err
	}
	p.speaking = speaking
	return speaking, nil
}

// said is the end of what say began.
func (p *program) said(s speech.Speaking) {
	p.mouth.Lock()
	defer p.mouth.Unlock()
	if p.speaking == s {
		p.speaking = nil
		p.voices.Silence()
	}
}

// hold pauses speech; false: it cannot be.
func (d *dialog) hold(ctx context.Context, s speech.Speaking) bool {
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

// stopSpeaking silences the connection's ear at once; the server is told beside.
func (d *dialog) stopSpeaking(s speech.Speaking) {
	d.on.owner.voices.Silence()
	d.on.owner.stop(s)
}

func (p *program) stop(s speech.Speaking) {
	ctx, cancel := context.WithTimeout(context.Background(), tellServer)
	defer cancel()
	if err := s.BargeIn(ctx); err != nil && !errors.Is(err, speech.ErrClosed) {
		p.call.Log().Warn("stop the synthesizer", "error", err)
	}
}

// unspoken is a speech engine's error as a dialog's, counted; nil if there is none.
func (d *dialog) unspoken(ctx context.Context, doing string, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil // that the dialog was abandoned, or the time ran out, shows elsewhere
	}
	owner := d.on.owner
	owner.voices.Used.Failures.Add(1)
	owner.call.Log().Warn("speech failed", "doing", doing, "error", err)
	code := doc.NoResource
	switch {
	case errors.Is(err, speech.ErrGrammar), errors.Is(err, speech.ErrText), errors.Is(err, speech.ErrLanguage):
		code = doc.InvalidValue
	case errors.Is(err, speech.ErrFetch):
		code = doc.FetchError
	}
	return doc.Faultf(code, "%s", fmt.Sprintf("%s: %v", doing, err))
}
