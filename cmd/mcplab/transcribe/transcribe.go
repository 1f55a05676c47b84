// Package transcribe lets the engines of package engine write down what was said, as
// services do that know no grammars: what they hear is any run of phrases that they
// were told of.
package transcribe

import (
	"context"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"strings"
	"sync"

	"mcp/cmd/mcplab/engine"
	"mcp/cmd/mcplab/engine/srgs"
	"mcp/speech/speechtest"
)

// maxPhrases is how many phrases of a run are heard.
const maxPhrases = 10

// Engine implements speechtest.Engine.
type Engine struct {
	*engine.Engine
	phrases []string
	log     *slog.Logger

	mu    sync.Mutex
	known map[string]*srgs.Grammar // by what the phrases are
}

var _ speechtest.Engine = (*Engine)(nil)

// New makes an engine. phrases are heard where who asks names none.
func New(e *engine.Engine, phrases []string, log *slog.Logger) *Engine {
	return &Engine{Engine: e, phrases: phrases, log: log, known: map[string]*srgs.Grammar{}}
}

// Synthesize implements speechtest.Engine.
func (e *Engine) Synthesize(ctx context.Context, ssml, language string) ([]int16, error) {
	pcm, err := e.Engine.Synthesize(ctx, ssml, language)
	if err != nil {
		e.log.Warn("synthesis failed", "error", err)
	}
	return pcm, err
}

// Transcribe implements speechtest.Engine.
func (e *Engine) Transcribe(ctx context.Context, u speechtest.Utterance) (speechtest.Transcript, error) {
	phrases := u.Phrases
	if len(phrases) == 0 {
		phrases = e.phrases
	}
	grammar, err := e.grammar(phrases)
	if err != nil {
		e.log.Warn("recognition failed", "error", err)
		return speechtest.Transcript{}, err
	}
	heard, err := e.Recognize(ctx, []*srgs.Grammar{grammar}, u.Audio)
	switch {
	case errors.Is(err, engine.ErrNoMatch):
		return speechtest.Transcript{}, nil
	case err != nil:
		e.log.Warn("recognition failed", "error", err)
		return speechtest.Transcript{}, err
	}
	return speechtest.Transcript{Text: heard.Utterance, Confidence: heard.Confidence}, nil
}

// grammar is any run of the phrases whose words can be recognized.
func (e *Engine) grammar(phrases []string) (*srgs.Grammar, error) {
	key := strings.Join(phrases, "\n")
	e.mu.Lock()
	defer e.mu.Unlock()
	if g := e.known[key]; g != nil {
		return g, nil
	}
	var fine []string
	for _, p := range phrases {
		g, err := srgs.Parse([]byte(document([]string{p})))
		if err == nil {
			err = e.Check([]*srgs.Grammar{g})
		}
		if err != nil {
			e.log.Debug("phrase left out", "phrase", p, "error", err)
			continue
		}
		fine = append(fine, p)
	}
	if len(fine) == 0 {
		return nil, fmt.Errorf("none of %d phrases can be recognized", len(phrases))
	}
	g, err := srgs.Parse([]byte(document(fine)))
	if err == nil {
		e.known[key] = g
	}
	return g, err
}

// document is a grammar of any run of phrases.
func document(phrases []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" mode="voice" root="r"><rule id="r"><item repeat="1-%d"><one-of>`, maxPhrases)
	for _, p := range phrases {
		b.WriteString("<item>" + html.EscapeString(p) + "</item>")
	}
	b.WriteString("</one-of></item></rule></grammar>")
	return b.String()
}
