package mrcptest

import (
	"context"
	"strconv"
	"strings"
	"time"

	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/wire"
	"mcp/speech/nlsml"
)

// slack is how long a caller's audio may stay away before silence is put in its
// place: callers with silence suppression just stop sending.
const slack = 5 * line.Frame

// listening is one RECOGNIZE request: it hears what is said, finds where it
// begins and ends, and asks the engine what it was.
type listening struct {
	recognizer *recognizer
	request    *wire.Message
	hearing    Hearing
	threshold  float64
	hotword    bool
	turn       *line.Turn
	timer      chan struct{}   // START-INPUT-TIMERS
	ctx        context.Context // ends with the request
	cancel     context.CancelFunc
}

func newListening(z *recognizer, m *wire.Message, grammars []Grammar) *listening {
	p, usual := z.params, z.session.server.cfg.Timeouts
	nbest := p.count(m, wire.HeaderNBestListLength, 1)
	timeouts := line.Timeouts{
		NoInput:    p.duration(m, wire.HeaderNoInputTimeout, usual.NoInput),
		Complete:   p.duration(m, wire.HeaderCompleteTimeout, usual.Complete),
		Incomplete: p.duration(m, wire.HeaderIncompleteTimeout, usual.Incomplete),
		MaxSpeech:  p.duration(m, wire.HeaderRecognitionTimeout, usual.MaxSpeech),
	}
	timeouts.Incomplete = max(timeouts.Incomplete, timeouts.Complete)
	ctx, cancel := context.WithCancel(z.session.ctx)
	timing := !strings.EqualFold(m.Header.Get(wire.HeaderStartInputTimers), "false")
	return &listening{
		ctx: ctx, cancel: cancel,
		recognizer: z, request: m,
		hearing:   Hearing{Grammars: grammars, Language: p.of(m, wire.HeaderSpeechLanguage), NBest: nbest},
		threshold: p.float(m, wire.HeaderConfidenceThreshold, 0),
		hotword:   strings.EqualFold(p.of(m, wire.HeaderRecognitionMode), "hotword"),
		turn:      line.NewTurn(timeouts, timing, p.float(m, wire.HeaderSensitivityLevel, 0.5)),
		timer:     make(chan struct{}, 1),
	}
}

func (l *listening) startTimer() {
	select {
	case l.timer <- struct{}{}:
	default:
	}
}

// run listens until there is a result. Time goes by the audio; where that stays
// away, silence stands in for it. Audio that comes haltingly is left whole:
// silence put between its frames would not be what was said.
func (l *listening) run() {
	if l.recognizer.session.server.cfg.Instant {
		found, err := l.recognize()
		l.finish(found, err, wire.RecogSuccess, wire.RecogNoMatch)
		return
	}
	ticker := time.NewTicker(line.Frame)
	defer ticker.Stop()
	begun, elapsed := time.Now(), time.Duration(0) // of the silence since the last frame
	for l.ctx.Err() == nil {
		var next heard
		select {
		case <-l.ctx.Done():
			return
		case <-l.timer:
			l.turn.StartTimer()
			continue
		case next = <-l.recognizer.ear.frames:
			begun, elapsed = time.Now(), 0
		case <-ticker.C:
			if time.Since(begun)-elapsed <= slack || len(l.recognizer.ear.frames) > 0 {
				continue
			}
			next.frame = make([]int16, line.FrameSamples)
			elapsed += line.Frame
		}
		if l.feed(next) {
			return
		}
	}
}

// feed takes a frame and tells whether the recognition is over.
func (l *listening) feed(h heard) bool {
	switch l.turn.Feed(h.frame, h.excess) {
	case line.Started:
		if !l.hotword {
			l.tellStart()
		}
	case line.Paused:
		found, err := l.recognize()
		if err != nil || len(found) > 0 {
			return l.finish(found, err, wire.RecogSuccess, wire.RecogNoMatch)
		}
	case line.Finished:
		// Nothing but silence was heard since the pause, and that matched nothing.
		if l.hotword {
			l.turn.Reset()
			return false
		}
		return l.finish(nil, nil, wire.RecogSuccess, wire.RecogNoMatch)
	case line.TooLong:
		found, err := l.recognize()
		if l.hotword {
			return l.finish(found, err, wire.RecogSuccess, wire.RecogHotwordMaxtime)
		}
		return l.finish(found, err, wire.RecogSuccessMaxtime, wire.RecogNoMatchMaxtime)
	case line.NoInput:
		l.complete(l.completion(wire.RecogCause(wire.RecogNoInput)))
		return true
	}
	return false
}

// recognize asks the engine and keeps what is good enough.
func (l *listening) recognize() ([]Hypothesis, error) {
	hearing := l.hearing
	hearing.Audio = l.turn.Audio()
	all, err := l.recognizer.session.server.engine.Recognize(l.ctx, hearing)
	if err != nil {
		return nil, err
	}
	s := l.recognizer.session
	s.mu.Lock()
	l.recognizer.found = all
	s.mu.Unlock()
	return best(all, l.threshold, l.hearing.NBest), nil
}

// finish completes the request: with matched if anything was found.
func (l *listening) finish(found []Hypothesis, err error, matched, unmatched int) bool {
	s := l.recognizer.session
	if l.ctx.Err() != nil {
		return true
	}
	if err != nil {
		s.log.Warn("recognition failed", "err", err)
		event := l.completion(wire.RecogCause(wire.RecogError))
		event.Header.Add(wire.HeaderCompletionReason, strconv.Quote(err.Error()))
		s.mu.Lock()
		defer s.mu.Unlock()
		l.recognizer.failLocked(l, event)
		return true
	}
	event := l.completion(wire.RecogCause(unmatched))
	result := nlsml.Result{NoMatch: true}
	if len(found) > 0 {
		if l.hotword {
			l.tellStart()
		}
		event = l.completion(wire.RecogCause(matched))
		result = toNLSML(found)
	}
	event.SetBody(wire.TypeNLSML, result.Append(nil))
	l.complete(event)
	return true
}

func toNLSML(found []Hypothesis) nlsml.Result {
	var result nlsml.Result
	for _, h := range found {
		instance := h.Instance
		if instance == "" {
			instance = h.Text
		}
		result.Interpretations = append(result.Interpretations, nlsml.Interpretation{Grammar: h.Grammar,
			Confidence: h.Confidence, Instance: instance, Input: h.Text, Mode: "voice"})
	}
	return result
}

func (l *listening) completion(cause wire.Cause) *wire.Message {
	event := wire.NewEvent(wire.EventRecognitionComplete, l.request.ID, wire.Complete, l.request.Channel())
	event.Header.Add(wire.HeaderCompletionCause, cause.String())
	return event
}

func (l *listening) complete(event *wire.Message) {
	l.recognizer.session.mu.Lock()
	defer l.recognizer.session.mu.Unlock()
	l.recognizer.completeLocked(l, event)
}

func (l *listening) tellStart() {
	event := wire.NewEvent(wire.EventStartOfInput, l.request.ID, wire.InProgress, l.request.Channel())
	event.Header.Add(wire.HeaderInputType, "speech")
	event.Header.Add(wire.HeaderProxySyncID, strconv.FormatUint(uint64(l.request.ID), 10))
	s := l.recognizer.session
	s.mu.Lock()
	defer s.mu.Unlock()
	// Once STOP has been answered nothing may follow.
	if l.ctx.Err() == nil {
		s.sendLocked(event)
	}
}
