package mrcp

import (
	"context"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// Pause is part of speech.Steerable.
func (sp *speaking) Pause(ctx context.Context) error {
	return sp.hold(ctx, wire.MethodPause, true)
}

// Resume is part of speech.Steerable.
func (sp *speaking) Resume(ctx context.Context) error {
	return sp.hold(ctx, wire.MethodResume, false)
}

// Control is part of speech.Steerable.
func (sp *speaking) Control(ctx context.Context, c speech.Control) error {
	m := &wire.Message{Name: wire.MethodControl}
	for _, f := range []wire.Field{{Name: wire.HeaderJumpSize, Value: c.Jump}, {Name: wire.HeaderVoiceName, Value: c.Voice},
		{Name: "Prosody-Rate", Value: c.Rate}, {Name: "Prosody-Volume", Value: c.Volume}} {
		if f.Value != "" {
			m.Header = append(m.Header, f)
		}
	}
	err := sp.steer(ctx, m)
	sp.rewatch(func() {})
	return err
}

func (sp *speaking) hold(ctx context.Context, method string, held bool) error {
	err := sp.steer(ctx, &wire.Message{Name: method})
	if err == nil {
		sp.rewatch(func() { sp.held = held })
	}
	return err
}

// rewatch gives the speech its whole time again, because it may be anywhere now.
func (sp *speaking) rewatch(changeLocked func()) {
	sp.session.mu.Lock()
	defer sp.session.mu.Unlock()
	if changeLocked(); sp.state != speakEnded {
		sp.watchLocked()
	}
}

// steer sends a request that is about this speech, unless that is over.
func (sp *speaking) steer(ctx context.Context, m *wire.Message) error {
	s := sp.session
	s.mu.Lock()
	over := sp.state == speakEnded || s.speaking != sp
	s.mu.Unlock()
	if over {
		return speech.ErrClosed
	}
	_, err := s.call(ctx, wire.Synthesizer, m)
	return err
}

// DefineLexicon is part of speech.LexiconStore (RFC 6787 section 8.11).
func (s *session) DefineLexicon(ctx context.Context, l speech.Lexicon) error {
	if err := s.need(ctx, wire.Synthesizer); err != nil {
		return err
	}
	m := &wire.Message{Name: wire.MethodDefineLexicon}
	if l.Forget {
		m.Header.Add(wire.HeaderLoadLexicon, "false")
	}
	if len(l.Content) > 0 || l.Forget {
		m.Header.Add(wire.HeaderContentID, "<"+l.ID+storeDomain+">")
	}
	switch {
	case len(l.Content) > 0:
		m.SetBody(orDefault(l.MediaType, wire.TypeLexicon), l.Content)
	case l.URI != "":
		m.SetBody(wire.TypeURIList, []byte(l.URI+"\r\n"))
	}
	_, err := s.call(ctx, wire.Synthesizer, m)
	return err
}
