package mrcp

import (
	"context"
	"errors"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// hearing is a request that listens to the caller: RECOGNIZE or RECORD; INTERPRET
// lives the same life. Its session's mu guards state to taken.
type hearing struct {
	session  *session
	method   string
	resource string
	id       uint32
	state    recogState
	err      error
	taken    bool          // the server took it on
	accepted chan struct{} // closed when the server has taken it on, or it is over
	started  chan struct{}
	done     chan struct{}
	limits   limits
	watch    watch
	// heard hears of START-OF-INPUT, complete takes what the request came to, and
	// stopped the answer to STOP, or nil. All are called with mu held.
	heard    func(syncID string)
	complete func(m *wire.Message) error
	stopped  func(m *wire.Message)
}

// limits are how long the server may take to end a request, by the request's own
// timers and the time that any answer may take.
type limits struct {
	whole time.Duration // from when the timers run
	rest  time.Duration // from when the caller is heard
	timed bool          // the timers run from the beginning
}

// unnamed stands for the timer that a request leaves to the server.
const unnamed = time.Minute

// hearingLimits makes the limits of a request: silence is what it may take to be heard,
// input how long that may last, and ending what the server waits for at its end.
func (s *session) hearingLimits(timed bool, silence, input, ending time.Duration) limits {
	rest := orDefault(input, unnamed) + ending + s.client.cfg.ResponseTimeout
	return limits{whole: orDefault(silence, unnamed) + rest, rest: rest, timed: timed}
}

func newHearing(s *session, method, resource string) *hearing {
	return &hearing{session: s, method: method, resource: resource,
		accepted: make(chan struct{}), started: make(chan struct{}), done: make(chan struct{}),
		heard: func(string) {}, stopped: func(*wire.Message) {}}
}

// sendLocked sends the request.
func (h *hearing) sendLocked(m *wire.Message) {
	h.id = h.session.sendLocked(h.resource, m, h.answeredLocked)
}

// accept waits until the server has accepted.
func (h *hearing) accept(ctx context.Context) error {
	select {
	case <-h.accepted:
	case <-ctx.Done():
		h.step(recogWantStop, nil)
		return await(ctx, nil, h.method)
	}
	h.session.mu.Lock()
	defer h.session.mu.Unlock()
	if !h.taken {
		return h.err
	}
	return nil
}

func (h *hearing) answeredLocked(m *wire.Message, err error) {
	switch {
	case err != nil:
		h.stepLocked(recogLost, err)
	case refusal(h.method, m) != nil:
		h.stepLocked(recogRefused, refusal(h.method, m))
	case m.State == wire.Pending:
		h.stepLocked(recogQueued, nil)
	case m.State == wire.InProgress:
		h.stepLocked(recogStarted, nil)
	default:
		h.completeLocked(m)
	}
}

func (h *hearing) eventLocked(m *wire.Message) {
	switch {
	case m.State == wire.Complete:
		h.completeLocked(m)
	case m.Name == wire.EventStartOfInput || m.Name == wire.EventStartOfSpeech:
		if h.state != recogEnded {
			h.heard(m.Header.Get(wire.HeaderProxySyncID))
		}
		h.stepLocked(recogHeard, nil)
	case m.State == wire.InProgress:
		h.stepLocked(recogStarted, nil)
	}
}

// completeLocked takes the result, unless the request is over or being stopped.
func (h *hearing) completeLocked(m *wire.Message) {
	switch h.state {
	case recogEnded:
	case recogStopping, recogDoomed:
		h.stopped(m)
		h.stepLocked(recogCompleted, speech.ErrClosed)
	default:
		h.stepLocked(recogCompleted, h.complete(m))
	}
}

func (h *hearing) step(in recogInput, err error) {
	h.session.mu.Lock()
	defer h.session.mu.Unlock()
	h.stepLocked(in, err)
}

func (h *hearing) stepLocked(in recogInput, err error) {
	var effects []recogEffect
	before := h.state
	h.state, effects = nextRecog(h.state, in)
	for _, effect := range effects {
		switch effect {
		case recogAccept:
			h.taken = true
			close(h.accepted)
			if h.limits.timed {
				h.watch.startLocked(h.session, h.method, h.limits.whole)
			}
		case recogFail:
			h.err = err
		case recogHear:
			close(h.started)
			h.watch.startLocked(h.session, h.method, h.limits.rest)
		case recogSendStop:
			h.session.sendLocked(h.resource, &wire.Message{Name: wire.MethodStop}, func(m *wire.Message, err error) {
				if err == nil && h.state == recogStopping {
					h.stopped(m)
				}
				h.stepLocked(recogStopped, nil)
			})
		case recogEnd:
			h.watch.stopLocked()
			if before == recogStopping && h.err == nil {
				h.err = speech.ErrClosed
			}
			if !h.taken {
				close(h.accepted)
			}
			close(h.done)
		}
	}
}

// Started is part of speech.Recognizing and speech.Recording.
func (h *hearing) Started() <-chan struct{} { return h.started }

// Done is part of speech.Recognizing and speech.Recording.
func (h *hearing) Done() <-chan struct{} { return h.done }

// StartTimers is part of speech.Recognizing and speech.Recording. A request that
// has ended in the meantime is answered 402, and then there is nothing to start.
func (h *hearing) StartTimers(ctx context.Context) error {
	h.session.mu.Lock()
	var effects []recogEffect
	h.state, effects = nextRecog(h.state, recogWantTimers)
	h.session.mu.Unlock()
	if len(effects) == 0 {
		return nil
	}
	_, err := h.session.call(ctx, h.resource, &wire.Message{Name: wire.MethodStartInputTimers})
	var failure *Failure
	if errors.As(err, &failure) && failure.Status == wire.StatusNotValidInState {
		return nil
	}
	h.session.mu.Lock()
	defer h.session.mu.Unlock()
	if err == nil && (h.state == recogPending || h.state == recogListening) {
		h.watch.startLocked(h.session, h.method, h.limits.whole)
	}
	return err
}

// Stop is part of speech.Recognizing and speech.Recording.
func (h *hearing) Stop(ctx context.Context) error {
	h.step(recogWantStop, nil)
	return await(ctx, h.done, wire.MethodStop)
}
