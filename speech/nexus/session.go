package nexus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"mcp/speech"
	"mcp/speech/turn"
)

// session is a call's use of a bot: one conversation after the other, each with as
// many turns as the page asks for.
type session struct {
	engine *Engine
	line   speech.Line
	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu   sync.Mutex
	talk *talk // nil: there is no conversation
}

var _ speech.Session = (*session)(nil)

// Media implements speech.Session.
func (s *session) Media() speech.Media { return speech.Media{} }

// Done implements speech.Session.
func (s *session) Done() <-chan struct{} { return s.ctx.Done() }

var errSpeaks = errors.New("a bot says what it wants to, and no prompts")

// Speak implements speech.Session.
func (s *session) Speak(context.Context, speech.Utterance) (speech.Speaking, error) {
	return nil, fmt.Errorf("%w: %w", speech.ErrUnavailable, errSpeaks)
}

// Recognize implements speech.Session: a turn of the bot. It begins once the page's
// prompt has been heard, and the bot alone says when nothing was said.
func (s *session) Recognize(_ context.Context, r speech.Recognition) (speech.Recognizing, error) {
	q := &question{Turn: turn.New(speech.Recognition{}), begin: make(chan struct{})}
	if r.StartTimers {
		_ = q.StartTimers(s.ctx) // never fails
	}
	s.tasks.Go(func() { s.ask(q, r) })
	return q, nil
}

// question is a turn that waits for the prompt before it.
type question struct {
	*turn.Turn
	once  sync.Once
	begin chan struct{}
}

// StartTimers implements speech.Recognizing.
func (q *question) StartTimers(context.Context) error {
	q.once.Do(func() { close(q.begin) })
	return nil
}

func (s *session) ask(q *question, r speech.Recognition) {
	stop := context.AfterFunc(s.ctx, func() { q.End(speech.Result{}, speech.ErrClosed) })
	defer stop()
	select {
	case <-q.begin:
	case <-q.Done():
		return
	}
	for {
		t, opened, err := s.conversation(q, r)
		if err != nil {
			q.End(speech.Result{}, err)
			return
		}
		q.Heard() // the bot keeps the time from here on
		if opened {
			<-q.Done()
			return
		}
		select {
		case t.turns <- q.Turn:
			<-q.Done()
			return
		case <-t.over: // it was about to end: another
		case <-q.Done():
			return
		}
	}
}

// conversation is the one under way, or a new one, opened for the question: that is
// its first turn, which hears of it should the conversation end at once.
func (s *session) conversation(q *question, r speech.Recognition) (_ *talk, opened bool, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk != nil {
		select {
		case <-s.talk.over:
		default:
			return s.talk, false, nil
		}
	}
	c, err := s.engine.open(q.Context(), useBot, opening(r, s.line.Party()))
	if err != nil {
		return nil, false, err
	}
	hearing, err := s.line.Listen()
	if err != nil {
		s.tasks.Go(func() { discard(c) })
		return nil, false, err
	}
	t := newTalk(s.engine, s.line, c)
	t.turn, s.talk = q.Turn, t
	s.tasks.Go(func() { t.run(s.ctx, hearing) })
	return t, true, nil
}

// Close implements speech.Session.
func (s *session) Close(context.Context) error {
	s.cancel()
	s.tasks.Wait()
	return nil
}

// discard closes a conversation whose events nobody wants.
func discard(c Conversation) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range c.Events() {
		}
	}()
	_ = c.Close(context.Background()) // it bounds itself, and the far end may be gone
	<-done
}
