package mrcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// errBusy says that the session is already doing what was asked.
var errBusy = errors.New("speech session is busy")

// session is one SIP dialog with its two control channels.
//
// Messages come in on the connections' goroutines, calls on their callers', and
// both only ever hold mu for a moment. The goroutine run owns the session's end.
type session struct {
	client   *Client
	log      *slog.Logger
	dialog   Dialog
	agreed   agreement
	conns    map[string]*conn // by resource
	defining chan struct{}    // holds a token while a recognition is being set up
	ending   chan struct{}    // closed when err is set
	done     chan struct{}    // closed when everything has been given back

	mu          sync.Mutex
	err         error // why the session is over
	lastID      uint32
	pending     map[uint32]*exchange
	speaking    *speaking
	recognizing *recognizing
	grammars    *grammars
}

// exchange is a request that waits for its response.
type exchange struct {
	method   string
	timer    *time.Timer
	answered func(m *wire.Message, err error) // called with mu held
}

var _ speech.Session = (*session)(nil)

func newSession(c *Client, dialog Dialog, agreed agreement) *session {
	return &session{
		client: c,
		log:    c.log.With("channel", agreed.channels[wire.Synthesizer].id),
		dialog: dialog, agreed: agreed,
		conns:    make(map[string]*conn),
		defining: make(chan struct{}, 1),
		ending:   make(chan struct{}),
		done:     make(chan struct{}),
		pending:  make(map[uint32]*exchange),
		grammars: newGrammars(),
	}
}

// connect attaches the session to the connections its channels run over.
func (s *session) connect(ctx context.Context, reserved *conn) error {
	for _, resource := range resources {
		at := s.agreed.channels[resource]
		c, err := s.connection(ctx, at, reserved)
		if err != nil {
			return err
		}
		if err := c.attach(at.id, s); err != nil {
			s.client.pool.release(c)
			return fmt.Errorf("%w: %w", speech.ErrUnavailable, err)
		}
		s.conns[resource] = c
	}
	return nil
}

// connection finds the connection for a channel; channels of one session to the
// same address always share.
func (s *session) connection(ctx context.Context, at channelAt, reserved *conn) (*conn, error) {
	for _, c := range s.conns {
		if c.addr == at.addr {
			s.client.pool.retain(c)
			return c, nil
		}
	}
	return s.client.pool.acquire(ctx, at, reserved)
}

// run waits for the session's end and gives everything back: the connections
// first, then the dialog, the order in which deployed servers expect it.
func (s *session) run() {
	select {
	case <-s.dialog.Done():
		s.lost(fmt.Errorf("%w: the server hung up", speech.ErrUnavailable))
	case <-s.ending:
	}
	s.disconnect()
	ctx, cancel := context.WithTimeout(context.Background(), s.client.cfg.ByeTimeout)
	defer cancel()
	if err := s.dialog.Bye(ctx); err != nil {
		s.log.Info("speech session's BYE failed", "err", err)
	}
	close(s.done)
}

func (s *session) disconnect() {
	for resource, c := range s.conns {
		c.detach(s.agreed.channels[resource].id)
		s.client.pool.release(c)
	}
}

// Media is part of speech.Session.
func (s *session) Media() speech.Media { return s.agreed.media }

// Done is part of speech.Session.
func (s *session) Done() <-chan struct{} { return s.done }

// Close is part of speech.Session. What runs is stopped before the BYE, because
// servers are known to keep a license for speech that was not.
func (s *session) Close(ctx context.Context) error {
	stopping, cancel := context.WithTimeout(ctx, s.client.cfg.ResponseTimeout)
	defer cancel()
	s.stopAll(stopping)
	s.finish(speech.ErrClosed)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close speech session: %w", ctx.Err())
	}
}

func (s *session) stopAll(ctx context.Context) {
	s.mu.Lock()
	var waits []<-chan struct{}
	if s.speaking != nil {
		s.speaking.stepLocked(speakWantStop, nil)
		waits = append(waits, s.speaking.done)
	}
	if s.recognizing != nil {
		s.recognizing.stepLocked(recogWantStop, nil)
		waits = append(waits, s.recognizing.done)
	}
	s.mu.Unlock()
	for _, done := range waits {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// lost is part of receiver: the session cannot go on.
func (s *session) lost(err error) {
	if s.finish(err) {
		s.client.counters.lost.Add(1)
		s.log.Warn("speech session lost", "err", err)
	}
}

// finish ends the session for err and fails all that waits. It tells whether
// this call was the one that ended it.
func (s *session) finish(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	s.err = err
	if s.speaking != nil {
		s.speaking.stepLocked(speakLost, err)
	}
	if s.recognizing != nil {
		s.recognizing.stepLocked(recogLost, err)
	}
	// Last, so that no answer makes one of those two send anything more.
	for _, e := range s.pending {
		e.timer.Stop()
		e.answered(nil, err)
	}
	clear(s.pending)
	close(s.ending)
	return true
}

// sendLocked sends a request on its resource's channel and has answered called
// with the response. Request-ids rise through all channels of the session (RFC
// 6787 section 5.2); numbering and queueing under one lock keeps them in order.
func (s *session) sendLocked(resource string, m *wire.Message, answered func(*wire.Message, error)) uint32 {
	s.lastID++
	id := s.lastID
	m.Kind, m.ID = wire.Request, id
	m.Header = append(wire.Header{{Name: wire.HeaderChannelIdentifier, Value: s.agreed.channels[resource].id}}, m.Header...)
	s.pending[id] = &exchange{method: m.Name, answered: answered,
		timer: time.AfterFunc(s.client.cfg.ResponseTimeout, func() { s.expire(resource, id) })}
	s.client.counters.requests.Add(1)
	s.conns[resource].send(m)
	return id
}

// expire ends the session whose server does not answer. Its connection gets no
// further sessions: some servers stop reading one that carried something they
// could not parse. Sessions already on it are left to find out for themselves.
func (s *session) expire(resource string, id uint32) {
	s.mu.Lock()
	e := s.pending[id]
	s.mu.Unlock()
	if e == nil {
		return
	}
	s.client.counters.timeouts.Add(1)
	s.client.pool.abandon(s.conns[resource])
	s.lost(fmt.Errorf("%w: no response to %s within %v", speech.ErrUnavailable, e.method, s.client.cfg.ResponseTimeout))
}

// call sends a request and waits for its response.
func (s *session) call(ctx context.Context, resource string, m *wire.Message) (*wire.Message, error) {
	type outcome struct {
		m   *wire.Message
		err error
	}
	got := make(chan outcome, 1)
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return nil, s.err
	}
	method := m.Name
	s.sendLocked(resource, m, func(m *wire.Message, err error) { got <- outcome{m, err} })
	s.mu.Unlock()
	select {
	case o := <-got:
		if o.err != nil {
			return nil, o.err
		}
		return o.m, refusal(method, o.m)
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// receive is part of receiver.
func (s *session) receive(m *wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m.Kind {
	case wire.Response:
		e := s.pending[m.ID]
		if e == nil {
			s.log.Debug("mrcp response to no request", "message", m.String())
			return
		}
		delete(s.pending, m.ID)
		e.timer.Stop()
		e.answered(m, nil)
	case wire.Event:
		s.eventLocked(m)
	}
}

// eventLocked hands an event to the request it belongs to. Those of requests
// that are over are late, and nobody's business any more.
func (s *session) eventLocked(m *wire.Message) {
	switch {
	case s.speaking != nil && s.speaking.id == m.ID:
		s.speaking.eventLocked(m)
	case s.recognizing != nil && s.recognizing.id == m.ID:
		s.recognizing.eventLocked(m)
	default:
		s.client.counters.lateEvents.Add(1)
	}
}

// await waits for done, the context, or nothing else: whatever ends a session
// also closes what its callers wait for.
func await(ctx context.Context, done <-chan struct{}, what string) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
}
