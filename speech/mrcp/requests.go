package mrcp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// ErrUnanswered is why a session ends whose server does not answer a request, or
// does not bring one to an end.
var ErrUnanswered = errors.New("no response")

// requests are what a session has asked and not been answered. The session's mu
// guards it.
type requests struct {
	witness func(received bool, message string) // nil: nobody hears of the messages
	lastID  uint32
	pending map[uint32]*exchange
	sent    time.Time // when the last was
	deaf    bool      // the server does not answer what need not be answered
}

// exchange is a request that waits for its response.
type exchange struct {
	method   string
	timer    *time.Timer
	optional bool                             // the session goes on without an answer
	answered func(m *wire.Message, err error) // called with mu held
}

func (r *requests) failAll(err error) {
	for _, e := range r.pending {
		e.timer.Stop()
		e.answered(nil, err)
	}
	clear(r.pending)
}

// sendLocked sends a request to a resource and has answered called with the
// response. Request-ids rise through all resources of the session (RFC 6787
// section 5.2); numbering and queueing under one lock keeps them in order.
func (s *session) sendLocked(resource string, m *wire.Message, answered func(*wire.Message, error)) uint32 {
	return s.enqueueLocked(resource, m, &exchange{answered: answered})
}

// sendOptionalLocked sends what the session goes on without, answered or not.
func (s *session) sendOptionalLocked(resource string, m *wire.Message) {
	if s.requests.deaf {
		return
	}
	method := m.Name
	s.enqueueLocked(resource, m, &exchange{optional: true, answered: func(m *wire.Message, err error) {
		if err == nil {
			err = refusal(method, m)
		}
		if err != nil && s.err == nil {
			s.log.Info("speech server does without", "method", method, "err", err)
		}
	}})
}

func (s *session) enqueueLocked(resource string, m *wire.Message, e *exchange) uint32 {
	r := &s.requests
	r.lastID++
	id := r.lastID
	m.Kind, m.ID = wire.Request, id
	e.method = m.Name
	e.timer = time.AfterFunc(s.client.cfg.ResponseTimeout, func() { s.expire(id) })
	r.pending[id] = e
	r.sent = time.Now()
	s.client.counters.requests.Add(1)
	s.witnessed(false, m)
	s.link.Send(resource, m)
	return id
}

// expire ends the session whose server does not answer.
func (s *session) expire(id uint32) {
	s.mu.Lock()
	e := s.requests.pending[id]
	if e == nil {
		s.mu.Unlock()
		return
	}
	err := fmt.Errorf("%w: %w to %s within %v", speech.ErrUnavailable, ErrUnanswered, e.method, s.client.cfg.ResponseTimeout)
	if e.optional {
		delete(s.requests.pending, id)
		s.requests.deaf = true
		e.answered(nil, err)
	}
	s.mu.Unlock()
	s.client.counters.timeouts.Add(1)
	if !e.optional {
		s.Lost(err)
	}
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

// Receive is part of Receiver.
func (s *session) Receive(m *wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.witnessed(true, m)
	switch m.Kind {
	case wire.Response:
		e := s.requests.pending[m.ID]
		if e == nil {
			s.log.Debug("mrcp response to no request", "message", m.String())
			return
		}
		delete(s.requests.pending, m.ID)
		e.timer.Stop()
		e.answered(m, nil)
	case wire.Event:
		s.eventLocked(m)
	}
}

// witnessed tells who wants to know of the session's messages.
func (s *session) witnessed(received bool, m *wire.Message) {
	if s.requests.witness == nil {
		return
	}
	text := fmt.Sprintf("%s %d", m.Name, m.ID)
	switch m.Kind {
	case wire.Response:
		text = fmt.Sprintf("%d %d %s", m.ID, m.Status, m.State)
	case wire.Event:
		text += " " + string(m.State)
	}
	s.requests.witness(received, text)
}

// eventLocked hands an event to the request it belongs to. Those of requests
// that are over are late, and nobody's business any more.
func (s *session) eventLocked(m *wire.Message) {
	if s.speaking != nil && s.speaking.id == m.ID {
		s.speaking.eventLocked(m)
		return
	}
	for _, h := range s.hearingsLocked() {
		if h.id == m.ID {
			h.eventLocked(m)
			return
		}
	}
	s.client.counters.lateEvents.Add(1)
}

// watch sees to it that a request which the server has taken on comes to an end.
// The session's mu guards it.
type watch struct{ timer *time.Timer }

// startLocked gives a request so long from now on, and then the session up. A limit
// of 0 is none.
func (w *watch) startLocked(s *session, method string, limit time.Duration) {
	w.stopLocked()
	if limit <= 0 {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(limit, func() {
		s.mu.Lock()
		overdue := w.timer == timer
		s.mu.Unlock()
		if overdue {
			s.client.counters.timeouts.Add(1)
			s.Lost(fmt.Errorf("%w: %w: %s has come to nothing within %v", speech.ErrUnavailable, ErrUnanswered, method, limit))
		}
	})
	w.timer = timer
}

func (w *watch) stopLocked() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}
