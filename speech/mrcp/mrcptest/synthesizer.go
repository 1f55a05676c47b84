package mrcptest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/wire"
)

// synthState is the synthesizer's state (RFC 6787 section 8.1).
type synthState uint8

const (
	synthIdle synthState = iota
	synthSpeaking
	synthPaused
)

// synthAction is what a method makes of a state.
type synthAction uint8

const (
	synthNothing     synthAction = iota // 200 without effect
	synthStart                          // begin to speak
	synthQueue                          // speak later
	synthStop                           // end what the request names
	synthBargeIn                        // end what may be barged in on
	synthPause                          // hold
	synthResume                         // go on
	synthAcknowledge                    // 200, naming the active request
	synthControl                        // move in what is being spoken
	synthLexicon                        // learn or forget a lexicon
	synthInvalid                        // 402
	synthUnknown                        // 401
)

// nextSynth is the synthesizer's side of RFC 6787 section 8 as a pure function.
func nextSynth(s synthState, method string) synthAction {
	if s == synthIdle {
		switch method {
		case wire.MethodSpeak:
			return synthStart
		case wire.MethodStop, wire.MethodBargeIn, wire.MethodControl:
			return synthNothing
		case wire.MethodDefineLexicon:
			return synthLexicon
		case wire.MethodPause, wire.MethodResume:
			return synthInvalid
		}
		return synthUnknown
	}
	switch method {
	case wire.MethodSpeak:
		return synthQueue
	case wire.MethodStop:
		return synthStop
	case wire.MethodBargeIn:
		return synthBargeIn
	case wire.MethodControl:
		return synthControl
	case wire.MethodDefineLexicon:
		return synthInvalid
	case wire.MethodPause:
		if s == synthSpeaking {
			return synthPause
		}
		return synthAcknowledge
	case wire.MethodResume:
		if s == synthPaused {
			return synthResume
		}
		return synthAcknowledge
	}
	return synthUnknown
}

// synthesizer is a session's speechsynth resource. The session's mu guards it.
type synthesizer struct {
	session *Session
	params  params
	paused  bool
	queue   []*utterance // the first is being spoken
}

// utterance is a SPEAK request.
type utterance struct {
	id       uint32
	channel  string
	ssml     string
	language string
	kill     bool   // Kill-On-Barge-In
	mark     string // the last that was passed
}

func newSynthesizer(s *Session) *synthesizer { return &synthesizer{session: s, params: make(params)} }

func (y *synthesizer) stateLocked() synthState {
	switch {
	case len(y.queue) == 0:
		return synthIdle
	case y.paused:
		return synthPaused
	}
	return synthSpeaking
}

func (y *synthesizer) handle(m *wire.Message) {
	y.session.mu.Lock()
	defer y.session.mu.Unlock()
	switch nextSynth(y.stateLocked(), m.Name) {
	case synthStart, synthQueue:
		y.speakLocked(m)
	case synthStop:
		y.stopLocked(m)
	case synthBargeIn:
		y.bargeInLocked(m)
	case synthPause:
		y.paused = true
		y.session.port.Pause()
		y.replyLocked(m, []uint32{y.queue[0].id})
	case synthResume:
		y.paused = false
		y.session.port.Resume()
		y.replyLocked(m, []uint32{y.queue[0].id})
	case synthAcknowledge:
		y.replyLocked(m, []uint32{y.queue[0].id})
	case synthControl:
		y.controlLocked(m)
	case synthLexicon:
		y.lexiconLocked(m)
	case synthNothing:
		y.replyLocked(m, nil)
	case synthInvalid:
		y.session.sendLocked(wire.NewResponse(m, wire.StatusNotValidInState, wire.Complete))
	default:
		y.session.sendLocked(wire.NewResponse(m, wire.StatusMethodNotAllowed, wire.Complete))
	}
}

// replyLocked answers with success and, if there are any, the requests affected.
func (y *synthesizer) replyLocked(m *wire.Message, ids []uint32) {
	response := wire.NewResponse(m, wire.StatusSuccess, wire.Complete)
	if len(ids) > 0 {
		response.Header.Add(wire.HeaderActiveRequestIDList, wire.FormatRequestIDs(ids))
		response.Header.Add(wire.HeaderSpeechMarker, y.markerLocked())
	}
	y.session.sendLocked(response)
}

// markerLocked is the Speech-Marker of what is being spoken.
func (y *synthesizer) markerLocked() string {
	if len(y.queue) == 0 {
		return speechMarker("")
	}
	return speechMarker(y.queue[0].mark)
}

// controlLocked moves in what is being spoken (RFC 6787 section 8.10). Jumps by
// time are followed; what else there is to change is not.
func (y *synthesizer) controlLocked(m *wire.Message) {
	jump := m.Header.Get(wire.HeaderJumpSize)
	samples, ok := jumpSize(jump)
	if jump != "" && !ok {
		refusal := wire.NewResponse(m, wire.StatusUnsupportedValue, wire.Complete)
		refusal.Header.Add(wire.HeaderJumpSize, jump)
		y.session.sendLocked(refusal)
		return
	}
	restarted := jump != "" && y.session.port.Seek(samples)
	status := wire.StatusSuccess
	for _, f := range m.Header {
		if name := strings.ToLower(f.Name); strings.HasPrefix(name, "prosody-") || strings.HasPrefix(name, "voice-") {
			status = wire.StatusSuccessIgnored
		}
	}
	response := wire.NewResponse(m, status, wire.Complete)
	response.Header.Add(wire.HeaderActiveRequestIDList, wire.FormatRequestIDs([]uint32{y.queue[0].id}))
	if restarted {
		response.Header.Add(wire.HeaderSpeakRestart, "true")
	}
	y.session.sendLocked(response)
}

// jumpSize reads "+15 Second" (RFC 6787 section 8.4.1).
func jumpSize(value string) (samples int, ok bool) {
	words := strings.Fields(value)
	if len(words) != 2 || !strings.EqualFold(strings.TrimSuffix(strings.ToLower(words[1]), "s"), "second") {
		return 0, false
	}
	seconds, err := strconv.Atoi(words[0])
	return seconds * line.Rate, err == nil && seconds > -3600 && seconds < 3600
}

// lexiconLocked gives the engine a lexicon (RFC 6787 section 8.12).
func (y *synthesizer) lexiconLocked(m *wire.Message) {
	reader, able := y.session.server.engine.(LexiconReader)
	switch {
	case !able:
		y.session.sendLocked(wire.NewResponse(m, wire.StatusMethodNotAllowed, wire.Complete))
	case m.Header.Get(wire.HeaderContentID) == "":
		y.session.sendLocked(wire.NewResponse(m, wire.StatusMissingHeader, wire.Complete))
	case len(m.Body) == 0: // it is to be forgotten
		y.session.sendLocked(wire.NewResponse(m, wire.StatusSuccess, wire.Complete))
	default:
		response := wire.NewResponse(m, wire.StatusSuccess, wire.Complete)
		cause := wire.SpeakCause(wire.SpeakNormal)
		if err := reader.ReadLexicon(y.session.ctx, m.Header.Get(wire.HeaderContentType), m.Body); err != nil {
			response.Status, cause = wire.StatusFailed, wire.SpeakCause(wire.SpeakLexiconFailure)
			response.Header.Add(wire.HeaderCompletionReason, strconv.Quote(err.Error()))
		}
		response.Header.Add(wire.HeaderCompletionCause, cause.String())
		y.session.sendLocked(response)
	}
}

func (y *synthesizer) speakLocked(m *wire.Message) {
	u, refusal := y.parse(m)
	if refusal != nil {
		y.session.sendLocked(refusal)
		return
	}
	y.queue = append(y.queue, u)
	state := wire.Pending
	if len(y.queue) == 1 {
		state = wire.InProgress
	}
	response := wire.NewResponse(m, wire.StatusSuccess, state)
	response.Header.Add(wire.HeaderSpeechMarker, speechMarker(""))
	y.session.sendLocked(response)
	if len(y.queue) == 1 {
		y.startLocked(u)
	}
}

// parse reads a SPEAK request, or says how to refuse it.
func (y *synthesizer) parse(m *wire.Message) (*utterance, *wire.Message) {
	if refusal := validate(m, wire.Synthesizer); refusal != nil {
		return nil, refusal
	}
	u := &utterance{id: m.ID, channel: m.Channel(), language: y.params.of(m, wire.HeaderSpeechLanguage),
		kill: !strings.EqualFold(y.params.of(m, wire.HeaderKillOnBargeIn), "false")}
	mediaType, _, _ := strings.Cut(strings.ToLower(m.Header.Get(wire.HeaderContentType)), ";")
	switch strings.TrimSpace(mediaType) {
	case wire.TypeSSML, wire.TypeSSMLDraft:
		u.ssml = string(m.Body)
	case wire.TypePlainText:
		u.ssml = textToSSML(string(m.Body), u.language)
	case "":
		return nil, wire.NewResponse(m, wire.StatusMissingHeader, wire.Complete)
	default:
		refusal := wire.NewResponse(m, wire.StatusUnsupportedValue, wire.Complete)
		refusal.Header.Add(wire.HeaderContentType, m.Header.Get(wire.HeaderContentType))
		return nil, refusal
	}
	if _, err := PlainText([]byte(u.ssml)); err != nil {
		refusal := wire.NewResponse(m, wire.StatusFailed, wire.Complete)
		refusal.Header.Add(wire.HeaderCompletionCause, wire.SpeakCause(wire.SpeakParseFailure).String())
		refusal.Header.Add(wire.HeaderCompletionReason, strconv.Quote(err.Error()))
		return nil, refusal
	}
	return u, nil
}

// startLocked synthesizes the first of the queue and then sends it.
func (y *synthesizer) startLocked(u *utterance) {
	s := y.session
	s.wg.Go(func() {
		pcm, marks, err := s.server.synthesize(s.ctx, u)
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(y.queue) == 0 || y.queue[0] != u || s.ctx.Err() != nil {
			return // stopped in the meantime
		}
		if err != nil {
			s.log.Warn("synthesis failed", "err", err)
			y.completeLocked(u, wire.SpeakCause(wire.SpeakError), err)
			return
		}
		s.port.Play(pcm, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			y.completeLocked(u, wire.SpeakCause(wire.SpeakNormal), nil)
		}, y.cues(u, marks)...)
		if y.paused {
			s.port.Pause()
		}
	})
}

func (s *Server) synthesize(ctx context.Context, u *utterance) ([]int16, []Mark, error) {
	if marker, able := s.engine.(Marker); able {
		return marker.SynthesizeMarked(ctx, u.ssml, u.language)
	}
	pcm, err := s.engine.Synthesize(ctx, u.ssml, u.language)
	return pcm, nil, err
}

// cues report the marks of an utterance as they are passed.
func (y *synthesizer) cues(u *utterance, marks []Mark) []line.Cue {
	cues := make([]line.Cue, len(marks))
	for i, mark := range marks {
		cues[i] = line.Cue{At: mark.At, Call: func() { y.passed(u, mark.Name) }}
	}
	return cues
}

func (y *synthesizer) passed(u *utterance, mark string) {
	s := y.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(y.queue) == 0 || y.queue[0] != u {
		return // stopped in the meantime
	}
	u.mark = mark
	event := wire.NewEvent(wire.EventSpeechMarker, u.id, wire.InProgress, u.channel)
	event.Header.Add(wire.HeaderSpeechMarker, speechMarker(mark))
	s.sendLocked(event)
}

// completeLocked reports that an utterance has ended by itself; the next begins.
func (y *synthesizer) completeLocked(u *utterance, cause wire.Cause, err error) {
	if len(y.queue) == 0 || y.queue[0] != u {
		return
	}
	event := wire.NewEvent(wire.EventSpeakComplete, u.id, wire.Complete, u.channel)
	event.Header.Add(wire.HeaderCompletionCause, cause.String())
	if err != nil {
		event.Header.Add(wire.HeaderCompletionReason, strconv.Quote(err.Error()))
	}
	event.Header.Add(wire.HeaderSpeechMarker, speechMarker(u.mark))
	y.session.sendLocked(event)
	y.nextLocked(y.queue[1:])
}

// nextLocked goes on with a new queue, whose first was not being spoken.
func (y *synthesizer) nextLocked(queue []*utterance) {
	y.queue = queue
	if len(queue) == 0 {
		y.paused = false
		return
	}
	event := wire.NewEvent(wire.EventSpeechMarker, queue[0].id, wire.InProgress, queue[0].channel)
	event.Header.Add(wire.HeaderSpeechMarker, speechMarker(""))
	y.session.sendLocked(event)
	y.startLocked(queue[0])
}

// stopLocked ends the requests named, or all (RFC 6787 section 8.7).
func (y *synthesizer) stopLocked(m *wire.Message) {
	named := wire.RequestIDs(m.Header.Get(wire.HeaderActiveRequestIDList))
	var stopped []uint32
	var left []*utterance
	for _, u := range y.queue {
		if len(named) == 0 || slices.Contains(named, u.id) {
			stopped = append(stopped, u.id)
		} else {
			left = append(left, u)
		}
	}
	interrupted := len(left) == 0 || left[0] != y.queue[0]
	if interrupted {
		y.session.port.Stop()
	}
	y.replyLocked(m, stopped)
	if interrupted {
		y.nextLocked(left)
	} else {
		y.queue = left
	}
}

// bargeInLocked ends everything, if the first may be (RFC 6787 section 8.8).
func (y *synthesizer) bargeInLocked(m *wire.Message) {
	if !y.queue[0].kill {
		y.replyLocked(m, nil)
		return
	}
	y.session.port.Stop()
	var stopped []uint32
	for _, u := range y.queue {
		stopped = append(stopped, u.id)
	}
	y.replyLocked(m, stopped)
	y.nextLocked(nil)
}

// speechMarker is a Speech-Marker: an NTP timestamp and, where there is one, the
// name of the mark.
func speechMarker(mark string) string {
	const since1900 = 2208988800
	now := time.Now()
	ntp := uint64(now.Unix()+since1900)<<32 | uint64(now.Nanosecond())<<32/1e9
	marker := "timestamp=" + strconv.FormatUint(ntp, 10)
	if mark != "" {
		marker += ";" + mark
	}
	return marker
}

func textToSSML(text, language string) string {
	if language == "" {
		language = "en-US"
	}
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")
	return `<?xml version="1.0"?><speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="` +
		escape.Replace(language) + `">` + escape.Replace(text) + `</speak>`
}
