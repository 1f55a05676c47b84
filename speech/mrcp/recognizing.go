package mrcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// recognizing is one RECOGNIZE or INTERPRET request. Its session's mu guards
// result.
type recognizing struct {
	*hearing
	references []reference
	hotword    bool
	result     speech.Result
}

var (
	_ speech.Recognizing = (*recognizing)(nil)
	_ speech.Rereader    = (*recognizing)(nil)
)

// Recognize is part of speech.Session. Inline grammars are defined first, those
// that the session has not defined before.
func (s *session) Recognize(ctx context.Context, r speech.Recognition) (speech.Recognizing, error) {
	rec, err := s.recognize(ctx, wire.MethodRecognize, r, "")
	if err != nil {
		return nil, err
	}
	return rec, nil
}

// Interpret is part of speech.Interpreter (RFC 6787 section 9.20).
func (s *session) Interpret(ctx context.Context, text string, r speech.Recognition) (speech.Result, error) {
	rec, err := s.recognize(ctx, wire.MethodInterpret, r, text)
	if err != nil {
		return speech.Result{}, err
	}
	if err := await(ctx, rec.done, wire.MethodInterpret); err != nil {
		rec.step(recogWantStop, nil)
		return speech.Result{}, err
	}
	return rec.Result()
}

func (s *session) recognize(ctx context.Context, method string, r speech.Recognition, text string) (*recognizing, error) {
	if len(r.Grammars) == 0 {
		return nil, errors.New("no grammar to recognize against")
	}
	select {
	case s.defining <- struct{}{}:
		defer func() { <-s.defining }()
	case <-s.ending:
		return nil, s.reason()
	case <-ctx.Done():
		return nil, await(ctx, nil, method)
	}
	if err := s.awaitRecognizer(ctx); err != nil {
		return nil, err
	}
	if err := s.need(ctx, wire.Recognizer); err != nil {
		return nil, err
	}
	references, err := s.defineAll(ctx, r)
	if err != nil {
		return nil, err
	}
	rec, err := s.beginRecognizing(method, r, references, text)
	if err != nil {
		return nil, err
	}
	return rec, rec.accept(ctx)
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
		repeated := slices.ContainsFunc(references, func(r reference) bool { return r.uri == ref.uri })
		if !repeated || s.client.cfg.Manners.RepeatedURIs {
			references = append(references, ref)
		}
	}
	return references, nil
}

func (s *session) beginRecognizing(method string, r speech.Recognition, references []reference, text string) (*recognizing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	rec := &recognizing{hearing: newHearing(s, method, wire.Recognizer), references: references, hotword: r.Hotword}
	rec.complete = rec.completedLocked
	m := &wire.Message{Name: method}
	if method == wire.MethodRecognize {
		// A hotword recognizer also hears what is none of the words.
		if !rec.hotword {
			rec.heard = s.bargeInLocked
		}
		s.setRecognitionLocked(m, r)
		rec.limits = s.hearingLimits(r.StartTimers, r.NoInput, r.MaxSpeech, max(r.Complete, r.Incomplete))
		if rec.hotword { // some servers tell of any input, and go on
			rec.limits.rest = rec.limits.whole
		}
		s.client.counters.recognitions.Add(1)
	} else {
		m.Header.Add(wire.HeaderInterpretText, text)
		rec.limits = limits{whole: s.client.cfg.ResponseTimeout, timed: true}
		if r.Language != "" {
			m.Header.Add(wire.HeaderSpeechLanguage, r.Language)
		}
	}
	setReferences(m, references, s.client.traits.Weights)
	s.recognizing = rec
	rec.sendLocked(m)
	return rec, nil
}

// setRecognitionLocked puts the terms of a recognition into a RECOGNIZE request.
func (s *session) setRecognitionLocked(m *wire.Message, r speech.Recognition) {
	manners, vendor := s.client.cfg.Manners, r.Vendor
	m.Header.Add(wire.HeaderCancelIfQueue, "false")
	m.Header.Add(wire.HeaderStartInputTimers, strconv.FormatBool(r.StartTimers))
	if r.Hotword && s.client.traits.Hotword && !manners.NoHotword {
		m.Header.Add(wire.HeaderRecognitionMode, "hotword")
	}
	if r.Language != "" {
		m.Header.Add(wire.HeaderSpeechLanguage, r.Language)
	}
	if manners.SpeedVsAccuracy != "" && r.SpeedAccuracy > 0 {
		vendor = merged(map[string]string{manners.SpeedVsAccuracy: wire.Float(r.SpeedAccuracy)}, vendor)
		r.SpeedAccuracy = 0
	}
	addMillis(m, []timing{
		{wire.HeaderNoInputTimeout, r.NoInput},
		{wire.HeaderRecognitionTimeout, r.MaxSpeech},
		{wire.HeaderCompleteTimeout, r.Complete},
		{wire.HeaderIncompleteTimeout, r.Incomplete},
	})
	for _, f := range []struct {
		header string
		value  float64
	}{
		{wire.HeaderConfidenceThreshold, manners.scaled(r.Confidence)},
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
	s.vendorLocked(wire.Recognizer, m, merged(manners.Vendor, vendor))
}

// scaled is a confidence in the server's scale.
func (m Manners) scaled(confidence float64) float64 {
	if m.Percent {
		return confidence * 100
	}
	return confidence
}

// timing is a header field with a time.
type timing struct {
	header string
	value  time.Duration
}

func addMillis(m *wire.Message, timings []timing) {
	for _, t := range timings {
		if t.value > 0 {
			m.Header.Add(t.header, wire.Millis(t.value))
		}
	}
}

// completedLocked takes the result of the recognition.
func (rec *recognizing) completedLocked(m *wire.Message) error {
	result, err := rec.read(m)
	if err == nil && result.Outcome == speech.Match && rec.method == wire.MethodRecognize {
		// START-OF-INPUT may be missing or lost in a race with the result.
		rec.session.bargeInLocked(m.Header.Get(wire.HeaderProxySyncID))
	}
	rec.result = result
	return err
}

func (rec *recognizing) read(m *wire.Message) (speech.Result, error) {
	result, err := recognized(m, rec.session.client.traits.Scale)
	nameGrammars(result.Alternatives, rec.references)
	return result, err
}

// bargeInLocked stops the session's speech because the caller is heard.
func (s *session) bargeInLocked(syncID string) {
	if s.speaking != nil {
		s.speaking.hearLocked(syncID)
	}
}

// Result is part of speech.Recognizing.
func (rec *recognizing) Result() (speech.Result, error) {
	rec.session.mu.Lock()
	defer rec.session.mu.Unlock()
	if rec.err != nil {
		return speech.Result{}, rec.err
	}
	return rec.result, nil
}

// Reread is part of speech.Rereader (RFC 6787 section 9.11).
func (rec *recognizing) Reread(ctx context.Context, confidence float64, nbest int) (speech.Result, error) {
	s := rec.session
	s.mu.Lock()
	last := s.recognizing == rec && rec.state == recogEnded && rec.err == nil
	s.mu.Unlock()
	if !last {
		return speech.Result{}, fmt.Errorf("%w: no result to read again", speech.ErrClosed)
	}
	m := &wire.Message{Name: wire.MethodGetResult}
	if confidence > 0 {
		m.Header.Add(wire.HeaderConfidenceThreshold, wire.Float(s.client.cfg.Manners.scaled(confidence)))
	}
	if nbest > 0 {
		m.Header.Add(wire.HeaderNBestListLength, strconv.Itoa(nbest))
	}
	response, err := s.call(ctx, wire.Recognizer, m)
	if err != nil {
		return speech.Result{}, err
	}
	return rec.read(response)
}
