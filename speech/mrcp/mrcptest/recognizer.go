package mrcptest

import (
	"slices"
	"strconv"
	"strings"

	"mcp/speech/mrcp/wire"
	"mcp/speech/nlsml"
)

// recogState is the recognizer's state (RFC 6787 section 9.1).
type recogState uint8

const (
	recogIdle recogState = iota
	recogRecognizing
)

// recogAction is what a method makes of a state.
type recogAction uint8

const (
	recogNothing     recogAction = iota // 200 without effect
	recogDefine                         // store a grammar
	recogStart                          // begin to listen
	recogQueue                          // listen later
	recogStop                           // end what the request names
	recogStartTimers                    // start the no-input timer
	recogTellResult                     // tell the last result again
	recogInterpret                      // find the meaning of text
	recogInvalid                        // 402
	recogUnknown                        // 401
)

// nextRecog is the recognizer's side of RFC 6787 section 9 as a pure function.
func nextRecog(s recogState, method string) recogAction {
	actions, known := map[string][2]recogAction{
		wire.MethodDefineGrammar:    {recogDefine, recogInvalid},
		wire.MethodRecognize:        {recogStart, recogQueue},
		wire.MethodStop:             {recogNothing, recogStop},
		wire.MethodStartInputTimers: {recogInvalid, recogStartTimers},
		wire.MethodGetResult:        {recogTellResult, recogInvalid},
		wire.MethodInterpret:        {recogInterpret, recogInvalid},
	}[method]
	if !known {
		return recogUnknown
	}
	return actions[s]
}

// recognizer is a session's speechrecog resource. The session's mu guards it,
// but for its ear.
type recognizer struct {
	session  *Session
	params   params
	grammars store
	queue    []*listening // the first is listening
	last     *wire.Message
	found    []Hypothesis    // all that the last result was chosen from
	running  <-chan struct{} // closed when the last that listened has gone
	ear      *ear
}

func newRecognizer(s *Session) *recognizer {
	return &recognizer{session: s, params: make(params), grammars: make(store), ear: newEar()}
}

func (z *recognizer) handle(m *wire.Message) {
	z.session.mu.Lock()
	state := recogIdle
	if len(z.queue) > 0 {
		state = recogRecognizing
	}
	z.session.mu.Unlock()
	switch nextRecog(state, m.Name) {
	case recogDefine:
		z.define(m)
	case recogStart, recogQueue:
		z.recognize(m)
	case recogStop:
		z.stop(m)
	case recogStartTimers:
		z.startTimers(m)
	case recogTellResult:
		z.tellResult(m)
	case recogInterpret:
		z.interpret(m)
	case recogNothing:
		z.session.reply(m, wire.StatusSuccess, wire.Complete)
	case recogInvalid:
		z.session.reply(m, wire.StatusNotValidInState, wire.Complete)
	default:
		z.session.reply(m, wire.StatusMethodNotAllowed, wire.Complete)
	}
}

// define stores a grammar or, when the body is empty, frees it.
func (z *recognizer) define(m *wire.Message) {
	id := m.Header.Get(wire.HeaderContentID)
	if id == "" && !strings.HasPrefix(strings.ToLower(m.Header.Get(wire.HeaderContentType)), "text/") {
		z.session.reply(m, wire.StatusMissingHeader, wire.Complete)
		return
	}
	if len(m.Body) == 0 {
		delete(z.grammars, sessionURI(id))
	} else if grammars, fault := z.grammars.resolve(z.session.ctx, m, z.session.server); fault != nil {
		z.session.send(fault.refuse(m))
		return
	} else {
		for _, g := range grammars {
			z.grammars[g.URI] = g
		}
	}
	z.session.reply(m, wire.StatusSuccess, wire.Complete, wire.HeaderCompletionCause, wire.RecogCause(wire.RecogSuccess).String())
}

func (z *recognizer) recognize(m *wire.Message) {
	if refusal := validate(m, wire.Recognizer); refusal != nil {
		z.session.send(refusal)
		return
	}
	if len(m.Body) == 0 {
		z.session.reply(m, wire.StatusMissingHeader, wire.Complete)
		return
	}
	grammars, fault := z.grammars.resolve(z.session.ctx, m, z.session.server)
	if fault != nil {
		z.session.send(fault.refuse(m))
		return
	}
	z.session.mu.Lock()
	defer z.session.mu.Unlock()
	l := newListening(z, m, grammars)
	z.queue = append(z.queue, l)
	if len(z.queue) == 1 {
		// Before the response: the client may speak as soon as it has that.
		z.startLocked(l)
		z.session.sendLocked(wire.NewResponse(m, wire.StatusSuccess, wire.InProgress))
		return
	}
	z.session.sendLocked(wire.NewResponse(m, wire.StatusSuccess, wire.Pending))
	if strings.EqualFold(z.queue[0].request.Header.Get(wire.HeaderCancelIfQueue), "true") {
		z.cancelLocked(z.queue[0])
	}
}

// startLocked lets the first of the queue listen to what is said from now on
// (RFC 6787 section 9.9 forbids to listen to what was said before).
func (z *recognizer) startLocked(l *listening) {
	z.ear.flush()
	before, gone := z.running, make(chan struct{})
	z.running = gone
	z.session.wg.Go(func() {
		defer close(gone)
		if before != nil {
			<-before
		}
		l.run()
	})
}

// cancelLocked ends a recognition because another was queued behind it.
func (z *recognizer) cancelLocked(l *listening) {
	z.completeLocked(l, l.completion(wire.RecogCause(wire.RecogCancelled)))
}

// completeLocked reports a result and goes on to the next of the queue, which a
// failure empties.
func (z *recognizer) completeLocked(l *listening, event *wire.Message) {
	if len(z.queue) == 0 || z.queue[0] != l {
		return
	}
	z.last = event
	z.session.sendLocked(event)
	l.cancel()
	z.queue = z.queue[1:]
	if len(z.queue) > 0 {
		z.startLocked(z.queue[0])
	}
}

// failLocked reports that the first of the queue failed; what is queued behind
// it is cancelled (RFC 6787 section 9.9).
func (z *recognizer) failLocked(l *listening, event *wire.Message) {
	if len(z.queue) == 0 || z.queue[0] != l {
		return
	}
	cancelled := z.queue[1:]
	z.queue = z.queue[:1]
	z.completeLocked(l, event)
	for _, waiting := range cancelled {
		z.session.sendLocked(waiting.completion(wire.RecogCause(wire.RecogCancelled)))
	}
}

// stop ends the requests named, or all (RFC 6787 section 9.13).
func (z *recognizer) stop(m *wire.Message) {
	z.session.mu.Lock()
	defer z.session.mu.Unlock()
	named := wire.RequestIDs(m.Header.Get(wire.HeaderActiveRequestIDList))
	var stopped []uint32
	var left []*listening
	for _, l := range z.queue {
		if len(named) == 0 || slices.Contains(named, l.request.ID) {
			stopped = append(stopped, l.request.ID)
			l.cancel()
		} else {
			left = append(left, l)
		}
	}
	interrupted := len(left) > 0 && left[0] != z.queue[0]
	z.queue = left
	response := wire.NewResponse(m, wire.StatusSuccess, wire.Complete)
	if len(stopped) > 0 {
		response.Header.Add(wire.HeaderActiveRequestIDList, wire.FormatRequestIDs(stopped))
	}
	z.session.sendLocked(response)
	if interrupted {
		z.startLocked(left[0])
	}
}

func (z *recognizer) startTimers(m *wire.Message) {
	z.session.mu.Lock()
	defer z.session.mu.Unlock()
	if len(z.queue) == 0 {
		// It has ended since the state was looked at.
		z.session.sendLocked(wire.NewResponse(m, wire.StatusNotValidInState, wire.Complete))
		return
	}
	z.queue[0].startTimer()
	z.session.sendLocked(wire.NewResponse(m, wire.StatusSuccess, wire.Complete))
}

// tellResult tells the last result again, in other terms where the request has
// any (RFC 6787 section 9.12).
func (z *recognizer) tellResult(m *wire.Message) {
	z.session.mu.Lock()
	defer z.session.mu.Unlock()
	if z.last == nil || len(z.last.Body) == 0 {
		z.session.sendLocked(wire.NewResponse(m, wire.StatusNotValidInState, wire.Complete))
		return
	}
	response := wire.NewResponse(m, wire.StatusSuccess, wire.Complete)
	cause, body := z.last.Header.Get(wire.HeaderCompletionCause), z.last.Body
	if len(z.found) > 0 {
		threshold, most := z.params.float(m, wire.HeaderConfidenceThreshold, 0), z.params.count(m, wire.HeaderNBestListLength, 1)
		result := nlsml.Result{NoMatch: true}
		if good := best(z.found, threshold, most); len(good) > 0 {
			result = toNLSML(good)
		} else {
			cause = wire.RecogCause(wire.RecogNoMatch).String()
		}
		body = result.Append(nil)
	}
	response.Header.Add(wire.HeaderCompletionCause, cause)
	response.SetBody(wire.TypeNLSML, body)
	z.session.sendLocked(response)
}

// best are the first of the hypotheses that are good enough.
func best(all []Hypothesis, threshold float64, most int) []Hypothesis {
	var good []Hypothesis
	for _, h := range all {
		if h.Confidence >= threshold && len(good) < most {
			good = append(good, h)
		}
	}
	return good
}

// interpret finds the meaning of text as if it had been said (RFC 6787 section 9.20).
func (z *recognizer) interpret(m *wire.Message) {
	s := z.session
	interpreter, able := s.server.engine.(Interpreter)
	switch {
	case !able:
		s.reply(m, wire.StatusMethodNotAllowed, wire.Complete)
		return
	case m.Header.Get(wire.HeaderInterpretText) == "" || len(m.Body) == 0:
		s.reply(m, wire.StatusMissingHeader, wire.Complete)
		return
	}
	grammars, fault := z.grammars.resolve(s.ctx, m, s.server)
	if fault != nil {
		s.send(fault.refuse(m))
		return
	}
	s.reply(m, wire.StatusSuccess, wire.InProgress)
	found, err := interpreter.Interpret(s.ctx, m.Header.Get(wire.HeaderInterpretText), grammars)
	event := wire.NewEvent(wire.EventInterpretComplete, m.ID, wire.Complete, m.Channel())
	switch {
	case err != nil:
		event.Header.Add(wire.HeaderCompletionCause, wire.RecogCause(wire.RecogError).String())
		event.Header.Add(wire.HeaderCompletionReason, strconv.Quote(err.Error()))
	case len(found) == 0:
		event.Header.Add(wire.HeaderCompletionCause, wire.RecogCause(wire.RecogNoMatch).String())
	default:
		event.Header.Add(wire.HeaderCompletionCause, wire.RecogCause(wire.RecogSuccess).String())
		event.SetBody(wire.TypeNLSML, toNLSML(best(found, 0, z.params.count(m, wire.HeaderNBestListLength, 1))).Append(nil))
	}
	s.send(event)
}
