package mrcp

import (
	"context"
	"errors"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
	"mcp/speech/ssml"
)

// speaking is one SPEAK request. Its session's mu guards state to taken, and sync.
type speaking struct {
	session  *session
	id       uint32
	noBarge  bool
	marked   func(string)
	state    speakState
	err      error
	taken    bool          // the server took it on
	accepted chan struct{} // closed when the server has taken it on, or it is over
	done     chan struct{}
	sync     string // Proxy-Sync-Id of the input that barged in
	longest  time.Duration
	held     bool // by PAUSE
	watch    watch
}

var (
	_ speech.Speaking  = (*speaking)(nil)
	_ speech.Steerable = (*speaking)(nil)
)

// Speak is part of speech.Session.
func (s *session) Speak(ctx context.Context, u speech.Utterance) (speech.Speaking, error) {
	if u.SSML == "" {
		return nil, errors.New("nothing to speak")
	}
	if err := s.need(ctx, wire.Synthesizer); err != nil {
		return nil, err
	}
	sp, err := s.beginSpeaking(ctx, u)
	if err != nil {
		return nil, err
	}
	select {
	case <-sp.accepted:
	case <-ctx.Done():
		sp.step(speakWantStop, nil)
		return nil, await(ctx, nil, wire.MethodSpeak)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sp.taken {
		return nil, sp.err
	}
	return sp, nil
}

// beginSpeaking sends SPEAK, once a predecessor that is being stopped has ended.
func (s *session) beginSpeaking(ctx context.Context, u speech.Utterance) (*speaking, error) {
	for {
		s.mu.Lock()
		before := s.speaking
		switch {
		case s.err != nil:
			defer s.mu.Unlock()
			return nil, s.err
		case before == nil || before.state == speakEnded:
			defer s.mu.Unlock()
			return s.speakLocked(u), nil
		case before.state == speakPending || before.state == speakActive || before.state == speakRequested:
			defer s.mu.Unlock()
			return nil, errBusy
		}
		s.mu.Unlock()
		if err := await(ctx, before.done, wire.MethodSpeak); err != nil {
			return nil, err
		}
	}
}

func (s *session) speakLocked(u speech.Utterance) *speaking {
	sp := &speaking{session: s, noBarge: u.NoBargeIn, marked: u.Marked, accepted: make(chan struct{}), done: make(chan struct{}),
		longest: ssml.Longest(u.SSML) + s.client.cfg.ResponseTimeout}
	s.speaking = sp
	s.client.counters.speaks.Add(1)
	sp.id = s.sendLocked(wire.Synthesizer, s.speakRequestLocked(u), sp.answeredLocked)
	return sp
}

// speakRequestLocked makes the request, and sends what must come before it.
func (s *session) speakRequestLocked(u speech.Utterance) *wire.Message {
	manners := s.client.cfg.Manners
	m := &wire.Message{Name: wire.MethodSpeak}
	if u.NoBargeIn {
		m.Header.Add(wire.HeaderKillOnBargeIn, "false")
	}
	if u.Language != "" && !manners.NoLanguage {
		m.Header.Add(wire.HeaderSpeechLanguage, u.Language)
	}
	if u.Voice != "" {
		m.Header.Add(wire.HeaderVoiceName, u.Voice)
	}
	s.vendorLocked(wire.Synthesizer, m, merged(manners.VendorSpeech, u.Vendor))
	m.SetBody(s.client.cfg.SSMLType, []byte(u.SSML))
	return m
}

// watchLocked gives the speech as long as the slowest voice would take; what is held
// may take for ever.
func (sp *speaking) watchLocked() {
	if sp.held {
		sp.watch.stopLocked()
		return
	}
	sp.watch.startLocked(sp.session, wire.MethodSpeak, sp.longest)
}

func (sp *speaking) answeredLocked(m *wire.Message, err error) {
	switch {
	case err != nil:
		sp.stepLocked(speakLost, err)
	case refusal(wire.MethodSpeak, m) != nil:
		sp.stepLocked(speakRefused, refusal(wire.MethodSpeak, m))
	case m.State == wire.Pending:
		sp.stepLocked(speakQueued, nil)
	case m.State == wire.InProgress:
		sp.stepLocked(speakStarted, nil)
	default:
		sp.stepLocked(speakCompleted, spoken(m))
	}
}

func (sp *speaking) eventLocked(m *wire.Message) {
	switch {
	case m.Name == wire.EventSpeakComplete || m.State == wire.Complete:
		sp.stepLocked(speakCompleted, spoken(m))
	case m.State == wire.InProgress:
		sp.stepLocked(speakStarted, nil)
		if mark := wire.Mark(m.Header.Get(wire.HeaderSpeechMarker)); mark != "" && m.Name == wire.EventSpeechMarker && sp.marked != nil {
			sp.marked(mark)
		}
	}
}

// hearLocked stops the speech because the session's recognizer hears the caller
// (RFC 6787 section 8.8 demands it of the client whatever the server does itself).
func (sp *speaking) hearLocked(syncID string) {
	if sp.noBarge {
		return
	}
	sp.sync = syncID
	sp.stepLocked(speakWantBargeIn, nil)
}

func (sp *speaking) step(in speakInput, err error) {
	sp.session.mu.Lock()
	defer sp.session.mu.Unlock()
	sp.stepLocked(in, err)
}

func (sp *speaking) stepLocked(in speakInput, err error) {
	var effects []speakEffect
	sp.state, effects = nextSpeak(sp.state, in)
	for _, effect := range effects {
		switch effect {
		case speakAccept:
			sp.taken = true
			close(sp.accepted)
			sp.watchLocked()
		case speakFail:
			sp.err = err
		case speakSendBargeIn:
			sp.sendBargeInLocked()
		case speakSendStop:
			sp.session.sendLocked(wire.Synthesizer, &wire.Message{Name: wire.MethodStop},
				func(*wire.Message, error) { sp.stepLocked(speakStopped, nil) })
		case speakEnd:
			sp.watch.stopLocked()
			if !sp.taken {
				close(sp.accepted)
			}
			close(sp.done)
		}
	}
}

func (sp *speaking) sendBargeInLocked() {
	m := &wire.Message{Name: wire.MethodBargeIn}
	if sp.sync != "" {
		m.Header.Add(wire.HeaderProxySyncID, sp.sync)
	}
	sp.session.sendLocked(wire.Synthesizer, m, func(m *wire.Message, err error) {
		in := speakNotBarged
		if err == nil {
			for _, id := range wire.RequestIDs(m.Header.Get(wire.HeaderActiveRequestIDList)) {
				if id == sp.id {
					in = speakBarged
				}
			}
		}
		sp.stepLocked(in, nil)
	})
}

// Done is part of speech.Speaking.
func (sp *speaking) Done() <-chan struct{} { return sp.done }

// Err is part of speech.Speaking.
func (sp *speaking) Err() error {
	sp.session.mu.Lock()
	defer sp.session.mu.Unlock()
	return sp.err
}

// BargeIn is part of speech.Speaking.
func (sp *speaking) BargeIn(ctx context.Context) error {
	sp.step(speakWantBargeIn, nil)
	return await(ctx, sp.done, wire.MethodBargeIn)
}

// Stop is part of speech.Speaking.
func (sp *speaking) Stop(ctx context.Context) error {
	sp.step(speakWantStop, nil)
	return await(ctx, sp.done, wire.MethodStop)
}
