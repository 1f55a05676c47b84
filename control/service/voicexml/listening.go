package voicexml

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"mcp/control/call/voice"
	"mcp/control/call/voice/transcript"
	"mcp/control/media/record"
	"mcp/control/reporting"
	"mcp/control/service/voicexml/utterance"
	"mcp/speech"
	"mcp/vxml"
	"mcp/vxml/secrecy"
)

// The properties by which a page chooses its engines.
const (
	asrProperty = "com.genesyslab.asrengine"
	ttsProperty = "com.genesyslab.ttsengine"
)

// listening is one recognition under way.
type listening struct {
	phone  *phone
	events chan vxml.ListenEvent
	stop   context.CancelFunc
	heard  chan struct{} // StartTimers was called
	late   chan struct{} // Conclude was called

	language string
	private  bool            // what is said is nobody's business
	tape     *utterance.Tape // nil: the page does not want what is said
}

// Listen implements vxml.Listener.
func (p *phone) Listen(ctx context.Context, req vxml.ListenRequest) (vxml.Listening, error) {
	format, err := recordFormat(cmp.Or(req.RecordType, recordType))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	l := &listening{
		phone: p, stop: stop,
		events: make(chan vxml.ListenEvent, 2), // a start and a result: sending never blocks
		heard:  make(chan struct{}, 1),
		late:   make(chan struct{}, 1),

		language: req.Language, private: req.Properties.Bool("com.genesyslab.private"),
	}
	done := make(chan struct{})
	before := p.hearing.after(done)
	p.tasks.Go(func() {
		defer close(done)
		defer close(l.events)
		defer stop()
		before.await()
		if req.Record {
			l.record(format)
		}
		l.run(ctx, req)
		l.unrecord()
	})
	return l, nil
}

func (l *listening) Events() <-chan vxml.ListenEvent { return l.events }

func (l *listening) Stop() { l.stop() }

func (l *listening) StartTimers() { signal(l.heard) }

func (l *listening) Conclude() { signal(l.late) }

// signal does not wait for who is to be told.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *listening) run(ctx context.Context, req vxml.ListenRequest) {
	l.phone.voices.Used.Recognitions.Add(1)
	recognizing, err := l.begin(ctx, req)
	if err != nil {
		l.fail(ctx, err)
		return
	}
	l.phone.step(reporting.StepASRStart, l.language)
	started := recognizing.Started()
	for {
		select {
		case <-started:
			started = nil
			if l.tape != nil {
				l.tape.Begun()
			}
			l.events <- vxml.SpeechStarted{}
		case <-l.heard:
			recognizing.StartTimers(ctx)
		case <-l.late:
			l.conclude(ctx, recognizing)
			return
		case <-recognizing.Done():
			result, err := recognizing.Result()
			l.report(ctx, result, err)
			return
		case <-ctx.Done():
			l.abandon(recognizing)
			return
		}
	}
}

func (l *listening) begin(ctx context.Context, req vxml.ListenRequest) (*voice.Listening, error) {
	ear, err := l.phone.voices.Recognizer(req.Properties.Get(asrProperty))
	if err != nil {
		return nil, err
	}
	return ear.Listen(ctx, recognition(req))
}

// recognition says in the engine's words what the page listens for.
func recognition(req vxml.ListenRequest) speech.Recognition {
	r := speech.Recognition{
		Language: req.Language, NoInput: req.NoInput, Complete: req.Complete, Incomplete: req.Incomplete,
		MaxSpeech: req.MaxSpeech, Confidence: req.Confidence, Sensitivity: req.Sensitivity,
		SpeedAccuracy: req.SpeedAccuracy, NBest: req.NBest, Hotword: req.Hotword, Properties: req.Properties.All(),
	}
	for _, g := range req.Grammars {
		r.Grammars = append(r.Grammars, speech.Grammar{
			ID: g.ID, MediaType: g.MediaType, Content: g.Content, URI: g.URI, Weight: g.Weight, Phrases: g.Phrases,
		})
	}
	return r
}

func (l *listening) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	l.phone.step(reporting.StepASREnd, "failed")
	l.events <- vxml.SpeechResult{Outcome: vxml.Failed, Err: l.phone.failed("recognize", err)}
}

// conclude stops a recognition that should have ended by itself. A recognizer that
// says that it has stopped has heard nobody; one that says nothing has failed.
func (l *listening) conclude(ctx context.Context, r *voice.Listening) {
	if err := r.Stop(ctx); err != nil {
		l.abandon(r)
		return
	}
	result, err := r.Result()
	if errors.Is(err, speech.ErrClosed) {
		result, err = speech.Result{Outcome: speech.NoInput}, nil
	}
	l.report(ctx, result, err)
}

func (l *listening) report(ctx context.Context, result speech.Result, err error) {
	switch {
	case errors.Is(err, speech.ErrClosed) && ctx.Err() != nil:
		return
	case err != nil:
		l.fail(ctx, err)
		return
	}
	out := vxml.SpeechResult{Outcome: outcomes[result.Outcome]}
	for _, a := range result.Alternatives {
		out.Alternatives = append(out.Alternatives, vxml.Alternative{
			GrammarID: a.GrammarID, Utterance: a.Utterance, Confidence: a.Confidence,
			Interpretation: a.Instance, Mode: a.Mode, Spellings: l.spellings(a),
		})
	}
	if result.Outcome != speech.NoInput {
		out.Recorded = l.recorded()
	}
	l.phone.forgetKeys()
	l.phone.voices.Used.Ended(result.Outcome)
	l.noteResult(out)
	l.phone.step(reporting.StepASREnd, outcomeNames[out.Outcome])
	l.events <- out
}

// record begins to record what the caller says. That it cannot be recorded is no
// reason not to listen: the page finds no recording then (VoiceXML 2.1 section 7).
func (l *listening) record(f record.Format) {
	tape, err := utterance.Start(l.phone.call.Media().Clock(), l.phone.call.Caller(), f)
	if err != nil {
		l.phone.log.Warn("the utterance is not recorded", "error", err)
		return
	}
	l.tape = tape
}

// recorded is what the caller has said, or nil.
func (l *listening) recorded() *vxml.Recorded {
	if l.tape == nil {
		return nil
	}
	said, err := l.tape.Take()
	l.tape = nil
	if err != nil {
		l.phone.log.Warn("the utterance is not recorded", "error", err)
	}
	if said == nil {
		return nil
	}
	return &vxml.Recorded{Data: said.Data, MediaType: said.MediaType, Duration: said.Duration}
}

// unrecord forgets what nobody has taken.
func (l *listening) unrecord() {
	if l.tape == nil {
		return
	}
	if err := l.tape.Drop(); err != nil {
		l.phone.log.Warn("end the recording of an utterance", "error", err)
	}
}

// spellings are the ways to write what an engine has heard that knows no grammars.
func (l *listening) spellings(a speech.Alternative) []string {
	if !a.Transcript {
		return nil
	}
	return transcript.Spellings(a.Utterance, l.language)
}

var outcomes = map[speech.Outcome]vxml.SpeechOutcome{
	speech.Match: vxml.Match, speech.NoMatch: vxml.NoMatch,
	speech.NoInput: vxml.NoInput, speech.TooMuchSpeech: vxml.MaxSpeech,
}

var outcomeNames = map[vxml.SpeechOutcome]string{
	vxml.Match: "match", vxml.NoMatch: "nomatch", vxml.NoInput: "noinput", vxml.MaxSpeech: "maxspeech",
}

func (l *listening) noteResult(r vxml.SpeechResult) {
	if len(r.Alternatives) == 0 {
		l.phone.note("understood", slog.String("outcome", outcomeNames[r.Outcome]))
		return
	}
	best := r.Alternatives[0]
	if l.private {
		for _, a := range r.Alternatives {
			l.phone.secrets.Add(a.Utterance, a.Interpretation)
		}
		best.Utterance = secrecy.Mask
	}
	l.phone.note("understood", slog.String("outcome", outcomeNames[r.Outcome]),
		slog.String("utterance", best.Utterance), slog.Float64("confidence", best.Confidence))
	l.phone.step(reporting.StepASRTrace, fmt.Sprintf("%s|%.2f|%s", outcomeNames[r.Outcome], best.Confidence, best.Utterance))
}

// abandon ends a recognition whose result nobody wants.
func (l *listening) abandon(r *voice.Listening) {
	l.phone.step(reporting.StepASREnd, "stopped")
	r.Abandon()
}
