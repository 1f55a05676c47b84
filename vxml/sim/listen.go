package sim

import (
	"context"
	"fmt"
	"time"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/grammar"
)

// Listen implements vxml.Listener.
func (c *Caller) Listen(_ context.Context, req vxml.ListenRequest) (vxml.Listening, error) {
	if err := recordable(req.RecordType); err != nil {
		return nil, err
	}
	c.hearing = &listening{caller: c, request: req, events: make(chan vxml.ListenEvent, 2)}
	return c.hearing, nil
}

// listening is one recognition: it ends when the caller acts.
type listening struct {
	caller  *Caller
	request vxml.ListenRequest
	events  chan vxml.ListenEvent
	over    bool
}

func (l *listening) Events() <-chan vxml.ListenEvent { return l.events }

// StartTimers does nothing: a simulated caller says when it stays silent.
func (l *listening) StartTimers() {}

// Conclude is the end of the silence.
func (l *listening) Conclude() { l.finish(vxml.SpeechResult{Outcome: vxml.NoInput}) }

func (l *listening) Stop() {
	if !l.over {
		l.over = true
		close(l.events)
	}
	if l.caller.hearing == l {
		l.caller.hearing = nil
	}
}

func (l *listening) finish(result vxml.SpeechResult) {
	if l.over {
		return
	}
	l.over = true
	l.events <- result
	close(l.events)
}

// say recognizes words against the grammars of the request.
func (l *listening) say(words string, confidence float64) {
	if l.over {
		return
	}
	l.events <- vxml.SpeechStarted{}
	for _, g := range l.request.Grammars {
		matched, err := l.match(g, words)
		if err != nil {
			l.caller.print("note", fmt.Sprintf("grammar %s is not understood here: %v", g.ID, err))
		}
		if matched {
			l.finish(vxml.SpeechResult{Outcome: vxml.Match, Recorded: l.record(words), Alternatives: []vxml.Alternative{{
				GrammarID: g.ID, Utterance: words, Confidence: confidence, Mode: "voice",
			}}})
			return
		}
	}
	l.finish(vxml.SpeechResult{Outcome: vxml.NoMatch, Recorded: l.record(words)})
}

// record is what was said, if the page wants it.
func (l *listening) record(words string) *vxml.Recorded {
	if !l.request.Record {
		return nil
	}
	length := time.Duration(len(words)) * perCharacter
	return &vxml.Recorded{Data: silentWave(length), MediaType: wave, Duration: length}
}

func (l *listening) match(g vxml.SpeechGrammar, words string) (bool, error) {
	compiled, err := grammar.Parse(g.Content, grammar.Defaults{URI: g.URI})
	if err != nil {
		return false, err
	}
	if l.caller.fetcher == nil {
		l.caller.fetcher = fetch.New(fetch.Config{})
	}
	load := func(ctx context.Context, uri string) (*grammar.Grammar, error) {
		r, err := l.caller.fetcher.Get(ctx, fetch.Request{URL: uri})
		if err != nil {
			return nil, err
		}
		return grammar.Parse(r.Body, grammar.Defaults{URI: r.URL})
	}
	linked, err := grammar.Link(context.Background(), compiled, "", load)
	if err != nil {
		return false, err
	}
	return linked.Match(words) != nil, nil
}
