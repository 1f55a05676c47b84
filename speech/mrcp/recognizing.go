package mrcp

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// recognizing is one RECOGNIZE request. Its session's mu guards state to taken.
type recognizing struct {
	session    *session
	id         uint32
	references []reference
	hotword    bool
	state      recogState
	result     speech.Result
	err        error
	taken      bool          // the server took it on
	accepted   chan struct{} // closed when the server has taken it on, or it is over
	started    chan struct{}
	done       chan struct{}
}

var _ speech.Recognizing = (*recognizing)(nil)

// Recognize is part of speech.Session. Inline grammars are defined first, those
// that the session has not defined before.
func (s *session) Recognize(ctx context.Context, r speech.Recognition) (speech.Recognizing, error) {
	if len(r.Grammars) == 0 {
		return nil, errors.New("no grammar to recognize against")
	}
	select {
	case s.defining <- struct{}{}:
		defer func() { <-s.defining }()
	case <-s.ending:
		return nil, s.reason()
	case <-ctx.Done():
		return nil, await(ctx, nil, wire.MethodRecognize)
	}
	if err := s.awaitRecognizer(ctx); err != nil {
		return nil, err
	}
	references, err := s.defineAll(ctx, r)
	if err != nil {
		return nil, err
	}
	rec, err := s.beginRecognizing(r, references)
	if err != nil {
		return nil, err
	}
	select {
	case <-rec.accepted:
	case <-ctx.Done():
		rec.step(recogWantStop, nil)
		return nil, await(ctx, nil, wire.MethodRecognize)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !rec.taken {
		return nil, rec.err
	}
	return rec, nil
}

// reason is why the session is over, once ending is closed.
func (s *session) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// awaitRecognizer waits for a recognition that is being stopped: grammars can be
// defined only while the recognizer is idle (RFC 6787 section 9.8).
func (s *session) awaitRecognizer(ctx context.Context) error {
	s.mu.Lock()
	before := s.recognizing
	busy := before != nil && before.state != recogEnded
	stopping := busy && (before.state == recogStopping || before.state == recogDoomed)
	s.mu.Unlock()
	switch {
	case stopping:
		return await(ctx, before.done, wire.MethodRecognize)
	case busy:
		return errBusy
	}
	return nil
}

// defineAll defines what is not defined yet and returns what to refer to.
func (s *session) defineAll(ctx context.Context, r speech.Recognition) ([]reference, error) {
	var references []reference
	for _, g := range r.Grammars {
		ref := reference{uri: g.URI, id: g.ID, weight: g.Weight}
		if len(g.Content) > 0 {
			s.mu.Lock()
			name, undefined := s.grammars.name(g)
			s.mu.Unlock()
			if undefined {
				if _, err := s.call(ctx, wire.Recognizer, defineGrammar(g, name, r.Language)); err != nil {
					return nil, err
				}
				s.mu.Lock()
				s.grammars.defined(g, name)
				s.mu.Unlock()
			}
			ref.uri = "session:" + name + storeDomain
		}
		// The same grammar twice says nothing new; the first has precedence.
		if !slices.ContainsFunc(references, func(r reference) bool { return r.uri == ref.uri }) {
			references = append(references, ref)
		}
	}
	return references, nil
}

func (s *session) beginRecognizing(r speech.Recognition, references []reference) (*recognizing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	rec := &recognizing{session: s, references: references, hotword: r.Hotword,
		accepted: make(chan struct{}), started: make(chan struct{}), done: make(chan struct{})}
	s.recognizing = rec
	s.client.counters.recognitions.Add(1)
	rec.id = s.sendLocked(wire.Recognizer, recognize(r, references), rec.answeredLocked)
	return rec, nil
}

// recognize makes the request.
func recognize(r speech.Recognition, references []reference) *wire.Message {
	m := &wire.Message{Name: wire.MethodRecognize}
	m.Header.Add(wire.HeaderCancelIfQueue, "false")
	m.Header.Add(wire.HeaderStartInputTimers, strconv.FormatBool(r.StartTimers))
	if r.Hotword {
		m.Header.Add(wire.HeaderRecognitionMode, "hotword")
	}
	if r.Language != "" {
		m.Header.Add(wire.HeaderSpeechLanguage, r.Language)
	}
	for _, t := range []struct {
		header string
		value  time.Duration
	}{
		{wire.HeaderNoInputTimeout, r.NoInput},
		{wire.HeaderRecognitionTimeout, r.MaxSpeech},
		{wire.HeaderCompleteTimeout, r.Complete},
		{wire.HeaderIncompleteTimeout, r.Incomplete},
	} {
		if t.value > 0 {
			m.Header.Add(t.header, wire.Millis(t.value))
		}
	}
	for _, f := range []struct {
		header string
		value  float64
	}{
		{wire.HeaderConfidenceThreshold, r.Confidence},
		{wire.HeaderSensitivityLevel, r.Sensitivity},
		{wire.HeaderSpeedVsAccuracy, r.SpeedAccuracy},
	} {
		if f.value > 0 {
			m.Header.Add(f.header, wire.Float(f.value))
		}
	}
	if r.NBest > 0 {
		m.Header.Add(wire.HeaderNBestListLength, strconv.Itoa(r.NBest))
	}
	if len(r.Vendor) > 0 {
		m.Header.Add(wire.HeaderVendorSpecific, wire.VendorParameters(r.Vendor))
	}
	setReferences(m, references)
	return m
}

func (rec *recognizing) answeredLocked(m *wire.Message, err error) {
	switch {
	case err != nil:
		rec.stepLocked(recogLost, err)
	case refusal(wire.MethodRecognize, m) != nil:
		rec.stepLocked(recogRefused, refusal(wire.MethodRecognize, m))
	case m.State == wire.Pending:
		rec.stepLocked(recogQueued, nil)
	case m.State == wire.InProgress:
		rec.stepLocked(recogStarted, nil)
	default:
		rec.completeLocked(m)
	}
}

func (rec *recognizing) eventLocked(m *wire.Message) {
	switch {
	case m.Name == wire.EventRecognitionComplete || m.State == wire.Complete:
		rec.completeLocked(m)
	case m.Name == wire.EventStartOfInput || m.Name == wire.EventStartOfSpeech:
		// A hotword recognizer also hears what is none of the words.
		if !rec.hotword {
			rec.bargeInLocked(m.Header.Get(wire.HeaderProxySyncID))
		}
		rec.stepLocked(recogHeard, nil)
	case m.State == wire.InProgress:
		rec.stepLocked(recogStarted, nil)
	}
}

// completeLocked takes the result, unless the request is over or being stopped.
func (rec *recognizing) completeLocked(m *wire.Message) {
	if rec.state == recogStopping || rec.state == recogDoomed {
		rec.stepLocked(recogCompleted, speech.ErrClosed)
		return
	}
	if rec.state == recogEnded {
		return
	}
	result, err := recognized(m)
	nameGrammars(result.Alternatives, rec.references)
	if err == nil && result.Outcome == speech.Match {
		// START-OF-INPUT may be missing or lost in a race with the result.
		rec.bargeInLocked(m.Header.Get(wire.HeaderProxySyncID))
	}
	rec.result = result
	rec.stepLocked(recogCompleted, err)
}

func (rec *recognizing) bargeInLocked(syncID string) {
	if sp := rec.session.speaking; sp != nil && rec.state != recogEnded {
		sp.hearLocked(syncID)
	}
}

func (rec *recognizing) step(in recogInput, err error) {
	rec.session.mu.Lock()
	defer rec.session.mu.Unlock()
	rec.stepLocked(in, err)
}

func (rec *recognizing) stepLocked(in recogInput, err error) {
	var effects []recogEffect
	before := rec.state
	rec.state, effects = nextRecog(rec.state, in)
	for _, effect := range effects {
		switch effect {
		case recogAccept:
			rec.taken = true
			close(rec.accepted)
		case recogFail:
			rec.err = err
		case recogHear:
			close(rec.started)
		case recogSendStop:
			rec.session.sendLocked(wire.Recognizer, &wire.Message{Name: wire.MethodStop},
				func(*wire.Message, error) { rec.stepLocked(recogStopped, nil) })
		case recogEnd:
			if before == recogStopping && rec.err == nil {
				rec.err = speech.ErrClosed
			}
			if !rec.taken {
				close(rec.accepted)
			}
			close(rec.done)
		}
	}
}

// Started is part of speech.Recognizing.
func (rec *recognizing) Started() <-chan struct{} { return rec.started }

// Done is part of speech.Recognizing.
func (rec *recognizing) Done() <-chan struct{} { return rec.done }

// Result is part of speech.Recognizing.
func (rec *recognizing) Result() (speech.Result, error) {
	rec.session.mu.Lock()
	defer rec.session.mu.Unlock()
	if rec.err != nil {
		return speech.Result{}, rec.err
	}
	return rec.result, nil
}

// StartTimers is part of speech.Recognizing. A recognizer that has ended in the
// meantime answers 402, and then there is nothing to start.
func (rec *recognizing) StartTimers(ctx context.Context) error {
	rec.session.mu.Lock()
	var effects []recogEffect
	rec.state, effects = nextRecog(rec.state, recogWantTimers)
	rec.session.mu.Unlock()
	if len(effects) == 0 {
		return nil
	}
	_, err := rec.session.call(ctx, wire.Recognizer, &wire.Message{Name: wire.MethodStartInputTimers})
	var failure *Failure
	if errors.As(err, &failure) && failure.Status == wire.StatusNotValidInState {
		return nil
	}
	return err
}

// Stop is part of speech.Recognizing.
func (rec *recognizing) Stop(ctx context.Context) error {
	rec.step(recogWantStop, nil)
	return await(ctx, rec.done, wire.MethodStop)
}
