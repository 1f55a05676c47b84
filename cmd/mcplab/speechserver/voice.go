package speechserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"mcp/cmd/mcplab/engine"
	"mcp/cmd/mcplab/engine/srgs"
	"mcp/speech/mrcp/mrcptest"
)

// voice makes an MRCP server's engine of the engines.
type voice struct {
	*engine.Engine
	log *slog.Logger
}

var (
	_ mrcptest.Engine         = (*voice)(nil)
	_ mrcptest.GrammarChecker = (*voice)(nil)
)

// Synthesize implements mrcptest.Engine.
func (v *voice) Synthesize(ctx context.Context, ssml, language string) ([]int16, error) {
	audio, err := v.Engine.Synthesize(ctx, ssml, language)
	if err != nil {
		v.log.Warn("synthesis failed", "error", err)
		return nil, err
	}
	v.log.Info("synthesized", "ssml", ssml, "ms", len(audio)*1000/engine.Rate)
	return audio, nil
}

// Recognize implements mrcptest.Engine.
func (v *voice) Recognize(ctx context.Context, h mrcptest.Hearing) ([]mrcptest.Hypothesis, error) {
	grammars, err := parseAll(h.Grammars)
	if err != nil {
		return nil, err
	}
	heard, err := v.Engine.Recognize(ctx, grammars, h.Audio)
	ms := len(h.Audio) * 1000 / engine.Rate
	switch {
	case errors.Is(err, engine.ErrNoMatch):
		v.log.Info("recognized nothing", "ms", ms, "reason", err)
		return nil, nil
	case err != nil:
		v.log.Warn("recognition failed", "ms", ms, "error", err)
		return nil, err
	}
	hypothesis := mrcptest.Hypothesis{
		Grammar: h.Grammars[heard.Grammar].URI, Text: heard.Utterance,
		Confidence: heard.Confidence, Instance: srgs.Instance(heard.Meaning),
	}
	v.log.Info("recognized", "ms", ms, "utterance", heard.Utterance, "instance", hypothesis.Instance, "confidence", heard.Confidence)
	return []mrcptest.Hypothesis{hypothesis}, nil
}

// CheckGrammar implements mrcptest.GrammarChecker.
func (v *voice) CheckGrammar(_ context.Context, g mrcptest.Grammar) error {
	grammars, err := parseAll([]mrcptest.Grammar{g})
	if err != nil {
		return err
	}
	return v.Check(grammars)
}

func parseAll(grammars []mrcptest.Grammar) ([]*srgs.Grammar, error) {
	var parsed []*srgs.Grammar
	for _, g := range grammars {
		p, err := parse(g)
		if err != nil {
			return nil, fmt.Errorf("grammar %s: %w", g.URI, err)
		}
		parsed = append(parsed, p)
	}
	return parsed, nil
}

// parse reads a grammar; builtin: URIs stand for themselves.
func parse(g mrcptest.Grammar) (*srgs.Grammar, error) {
	if len(g.Content) == 0 {
		return srgs.Builtin(g.URI)
	}
	grammar, err := srgs.Parse(g.Content)
	if err != nil {
		return nil, err
	}
	if language := strings.ToLower(grammar.Language); language != "" && !strings.HasPrefix(language, "en") {
		return nil, fmt.Errorf("%w: language %s", srgs.ErrUnsupported, grammar.Language)
	}
	if grammar.Mode != "voice" {
		return nil, fmt.Errorf("%w: mode %s", srgs.ErrUnsupported, grammar.Mode)
	}
	return grammar, nil
}
