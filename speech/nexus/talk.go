package nexus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zaf/g711"

	"mcp/speech"
	"mcp/speech/turn"
)

// talk is one conversation with a bot. One goroutine owns it.
type talk struct {
	engine *Engine
	line   speech.Line
	conv   Conversation
	turns  chan *turn.Turn
	over   chan struct{} // closed when it has ended

	spoke atomic.Bool // the caller has said or pressed something

	// What follows is the owner's.
	ctx     context.Context
	begun   time.Time
	mouth   *mouth
	turn    *turn.Turn // that waits for an answer; nil: none
	answers []speech.Result
	settled time.Time // until then an answer waits for the bot to say it
	greeted bool
	alive   time.Time // when the bot last did something, or was asked to
	end     *End
}

func newTalk(e *Engine, line speech.Line, c Conversation) *talk {
	return &talk{
		engine: e, line: line, conv: c, turns: make(chan *turn.Turn), over: make(chan struct{}),
		mouth: &mouth{line: line, conv: c}, begun: time.Now(), alive: time.Now(),
	}
}

// run talks until both sides are done.
func (t *talk) run(ctx context.Context, hearing speech.Hearing) {
	defer close(t.over)
	ctx, cancel := context.WithCancel(ctx)
	t.ctx = ctx
	var pumps sync.WaitGroup
	pumps.Go(func() { t.pump(ctx, hearing) })
	pumps.Go(func() { t.pumpKeys(ctx, hearing) })
	for t.step(ctx) {
	}
	t.mouth.stop()
	discard(t.conv)
	cancel()
	hearing.Close()
	pumps.Wait()
}

// step waits for one thing to happen. False: there is nothing more to come.
func (t *talk) step(ctx context.Context) bool {
	timer := time.NewTimer(t.wait())
	defer timer.Stop()
	events, turns := t.conv.Events(), t.turns
	if t.end != nil {
		events = nil
		if len(t.answers) == 0 {
			turns = nil // there is nothing for one
		}
	}
	var abandoned <-chan struct{}
	if t.turn != nil {
		abandoned = t.turn.Done()
	}
	select {
	case <-ctx.Done():
		return false
	case e, ok := <-events:
		if !ok {
			e = End{}
		}
		t.alive = time.Now()
		t.take(e)
	case next := <-turns:
		t.turn, t.alive = next, time.Now()
	case <-abandoned:
		t.turn = nil
	case <-t.mouth.heard():
		t.mouth.over(ctx)
	case <-timer.C:
		t.mouth.tick()
	}
	t.deliver()
	return !t.finished()
}

// wait is how long nothing need be done.
func (t *talk) wait() time.Duration {
	wait := t.mouth.wait()
	if len(t.answers) > 0 && t.turn != nil {
		wait = min(wait, max(time.Until(t.settled), 0)+time.Millisecond)
	}
	if t.turn != nil && t.end == nil && !t.mouth.busy() {
		wait = min(wait, max(time.Until(t.alive.Add(t.engine.config.Answer)), 0)+time.Millisecond)
	}
	return wait
}

// take acts upon what the bot does.
func (t *talk) take(e Event) {
	switch e := e.(type) {
	case Audio:
		t.mouth.say(t.ctx, e)
	case BargeIn:
		t.spoke.Store(true)
		t.mouth.stop()
		t.settled = time.Time{}
	case Answer:
		t.answer(e)
	case Note:
		t.engine.log.Debug("note of a bot", "type", e.Type, "call", t.line.Party().Call)
	case End:
		t.mouth.finish()
		t.end = &e
		t.settled = time.Time{}
		t.conclude()
	}
}

// answer keeps an answer for the turn that asked for it. What a bot says before the
// caller has said anything, or could have, is its greeting, and no answer.
func (t *talk) answer(a Answer) {
	first := !t.greeted
	t.greeted = true
	if first && a.Outcome != speech.NoInput && (!t.spoke.Load() || time.Since(t.begun) < t.engine.config.Soon) {
		return
	}
	r := speech.Result{Outcome: a.Outcome}
	if a.Outcome == speech.Match {
		r.Alternatives = []speech.Alternative{{Utterance: a.Text, Confidence: sure(a.Confidence), Instance: escape(a.Text), Mode: "voice"}}
	}
	t.answers = append(t.answers, r)
	t.settled = time.Now().Add(t.engine.config.Settle)
}

// sure believes a bot that does not say how sure it is.
func sure(confidence float64) float64 {
	if confidence <= 0 || confidence > 1 || math.IsNaN(confidence) {
		return 1
	}
	return confidence
}

// conclude makes the end of the conversation part of the last answer, or an answer of
// its own.
func (t *talk) conclude() {
	if !t.end.Completed {
		return
	}
	last := len(t.answers) - 1
	if last < 0 || t.answers[last].Outcome != speech.Match {
		t.answers = append(t.answers, speech.Result{
			Outcome: speech.Match, Alternatives: []speech.Alternative{{Confidence: 1, Mode: "voice"}},
		})
		last++
	}
	a := &t.answers[last].Alternatives[0]
	if len(t.end.Variables) > 0 || a.Utterance == "" {
		a.Instance = instance(a.Utterance, a.Confidence, t.end.Variables)
	}
}

// deliver gives the turn its answer, once the bot has said it.
func (t *talk) deliver() {
	if t.turn == nil {
		return
	}
	switch {
	case t.mouth.busy():
		t.alive = time.Now()
	case len(t.answers) == 0 && t.end == nil && time.Since(t.alive) >= t.engine.config.Answer:
		t.giveUp()
	case len(t.answers) > 0 && !time.Now().Before(t.settled):
		r := t.answers[0]
		t.answers = t.answers[1:]
		t.engine.counts.turns.WithLabelValues(outcomeName(r.Outcome)).Inc()
		t.turn.End(r, nil)
		t.turn = nil
	case len(t.answers) == 0 && t.end != nil:
		err := t.end.Err
		if err == nil {
			err = speech.ErrClosed
		}
		t.turn.End(speech.Result{}, t.engine.failed(t.ctx, useBot, err))
		t.turn = nil
		t.end.Err = nil
	}
}

// giveUp ends a conversation whose bot leaves its turn without an answer.
func (t *talk) giveUp() {
	err := &Fault{Class: noAnswer, Err: fmt.Errorf("nothing from the bot for %s", t.engine.config.Answer)}
	t.turn.End(speech.Result{}, t.engine.failed(t.ctx, useBot, err))
	t.turn, t.end = nil, &End{}
}

func outcomeName(o speech.Outcome) string {
	return map[speech.Outcome]string{speech.Match: "match", speech.NoMatch: "no_match", speech.NoInput: "no_input"}[o]
}

// finished tells that the conversation has ended and everybody knows. An error that
// no turn waited for is logged and counted here.
func (t *talk) finished() bool {
	if t.end == nil || t.mouth.busy() || len(t.answers) > 0 {
		return false
	}
	if err := t.engine.failed(t.ctx, useBot, t.end.Err); err != nil {
		t.engine.log.Warn("conversation with the bot lost", "call", t.line.Party().Call, "error", err)
	}
	return true
}

// pump sends what the caller says.
func (t *talk) pump(ctx context.Context, hearing speech.Hearing) {
	alaw := t.line.Codec().Name == "PCMA"
	for {
		s, err := hearing.Next(ctx)
		if err != nil {
			return // the call or the talk is over
		}
		audio := s.Audio
		if alaw {
			audio = g711.Alaw2Ulaw(audio)
		}
		if !t.spoke.Load() && audible(audio) {
			t.spoke.Store(true)
		}
		t.engine.counts.lost.WithLabelValues(useBot).Add(s.Lost.Seconds())
		if err := t.conv.Send(ctx, audio, s.Lost); err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				t.engine.log.Debug("send audio to the bot", "call", t.line.Party().Call, "error", err)
			}
			return // the reader knows why
		}
	}
}

// pumpKeys sends what the caller presses.
func (t *talk) pumpKeys(ctx context.Context, hearing speech.Hearing) {
	keys := hearing.Keys()
	for {
		select {
		case key := <-keys:
			t.spoke.Store(true)
			if t.conv.Tell(ctx, Notice{Key: key}) != nil {
				return // the reader knows why
			}
		case <-ctx.Done():
			return
		}
	}
}

// loud is the least mean amplitude of what may be speech, -42 dB of full scale.
const loud = 260

// audible tells whether mu-law may be speech rather than the noise of a line.
func audible(mulaw []byte) bool {
	sum := 0
	for _, b := range mulaw {
		sum += int(math.Abs(float64(g711.DecodeUlawFrame(b))))
	}
	return len(mulaw) > 0 && sum/len(mulaw) > loud
}
