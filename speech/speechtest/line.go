package speechtest

import (
	"bytes"
	"context"
	"io"
	"sync"

	"mcp/speech"
)

// Line is a call for tests: what its caller says is written by the test, and what
// the caller hears can be read.
type Line struct {
	Who   speech.Party
	Audio speech.Codec

	mu     sync.Mutex
	ears   []*ear
	known  map[string][]byte
	said   []*Said
	refuse error
}

var _ speech.Line = (*Line)(nil)

// NewLine makes a call whose audio is G.711 by the name PCMU or PCMA.
func NewLine(codec string) *Line {
	return &Line{Audio: speech.Codec{Name: codec, ClockRate: Rate}, known: map[string][]byte{}, Who: speech.Party{
		Call: "call-1", From: "+15551000", To: "1800", Conversation: "11111111-2222-4333-8444-555555555555",
	}}
}

// Party implements speech.Line.
func (l *Line) Party() speech.Party { return l.Who }

// Codec implements speech.Line.
func (l *Line) Codec() speech.Codec { return l.Audio }

// Refuse has the line neither listen nor play from now on.
func (l *Line) Refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = err
}

// Listen implements speech.Line.
func (l *Line) Listen() (speech.Hearing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return nil, l.refuse
	}
	e := &ear{line: l, more: make(chan struct{}, 1), keys: make(chan byte, 64)}
	l.ears = append(l.ears, e)
	return e, nil
}

// Listeners is how many listen.
func (l *Line) Listeners() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ears)
}

// Waiting is how many sounds and keys nobody has taken yet.
func (l *Line) Waiting() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.ears {
		e.mu.Lock()
		n += len(e.sounds) + len(e.keys)
		e.mu.Unlock()
	}
	return n
}

// Speak lets all who listen hear the caller's audio.
func (l *Line) Speak(audio []byte) { l.hand(speech.Sound{Audio: audio}) }

// Lose tells those who listen that they were too slow.
func (l *Line) Lose(s speech.Sound) { l.hand(s) }

func (l *Line) hand(s speech.Sound) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.ears {
		e.hear(s)
	}
}

// Press lets all who listen have a key.
func (l *Line) Press(key byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.ears {
		e.keys <- key
	}
}

// HangUp ends the call for those who listen.
func (l *Line) HangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.ears {
		e.end()
	}
}

// ear implements speech.Hearing.
type ear struct {
	line *Line
	more chan struct{}
	keys chan byte

	mu     sync.Mutex
	sounds []speech.Sound
	over   bool
}

func (e *ear) hear(s speech.Sound) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sounds = append(e.sounds, s)
	e.wake()
}

func (e *ear) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	e.wake()
}

func (e *ear) wake() {
	select {
	case e.more <- struct{}{}:
	default:
	}
}

func (e *ear) Next(ctx context.Context) (speech.Sound, error) {
	for {
		e.mu.Lock()
		if len(e.sounds) > 0 {
			s := e.sounds[0]
			e.sounds = e.sounds[1:]
			e.mu.Unlock()
			return s, nil
		}
		over := e.over
		e.mu.Unlock()
		if over {
			return speech.Sound{}, io.EOF
		}
		select {
		case <-e.more:
		case <-ctx.Done():
			return speech.Sound{}, ctx.Err()
		}
	}
}

func (e *ear) Keys() <-chan byte { return e.keys }

func (e *ear) Close() {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	for i, o := range e.line.ears {
		if o == e {
			e.line.ears = append(e.line.ears[:i:i], e.line.ears[i+1:]...)
			return
		}
	}
}

// Said is one thing said to the caller. It is heard at once, when all of it is there.
type Said struct {
	line *Line
	key  string
	was  bool
	done chan struct{}

	mu      sync.Mutex
	audio   bytes.Buffer
	over    bool
	stopped bool
	err     error
}

// Say implements speech.Line.
func (l *Line) Say(key string) (speech.Saying, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return nil, l.refuse
	}
	s := &Said{line: l, key: key, done: make(chan struct{})}
	if audio, known := l.known[key]; known {
		s.was, s.over = true, true
		s.audio.Write(audio)
		close(s.done)
	}
	l.said = append(l.said, s)
	return s, nil
}

// Said is all that was said so far.
func (l *Line) Said() []*Said {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Said(nil), l.said...)
}

// Known implements speech.Saying.
func (s *Said) Known() bool { return s.was }

// Write implements speech.Saying.
func (s *Said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return 0, io.ErrClosedPipe
	}
	return s.audio.Write(p)
}

// End implements speech.Saying.
func (s *Said) End(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over, s.err = true, err
	close(s.done)
	if err == nil && s.key != "" {
		s.line.mu.Lock()
		defer s.line.mu.Unlock()
		s.line.known[s.key] = bytes.Clone(s.audio.Bytes())
	}
}

// Stop implements speech.Saying.
func (s *Said) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.over, s.stopped = true, true
		close(s.done)
	}
}

// Done implements speech.Saying.
func (s *Said) Done() <-chan struct{} { return s.done }

// Err implements speech.Saying.
func (s *Said) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Audio is what was written, and whether it was stopped.
func (s *Said) Audio() (audio []byte, stopped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.audio.Bytes()), s.stopped
}
