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
	_ mrcptest.Marker         = (*voice)(nil)
	_ mrcptest.Interpreter    = (*voice)(nil)
)

// Synthesize implements mrcptest.Engine.
func (v *voice) Synthesize(ctx context.Context, ssml, language string) ([]int16, error) {
	audio, _, err := v.SynthesizeMarked(ctx, ssml, language)
	return audio, err
}

// SynthesizeMarked implements mrcptest.Marker.
func (v *voice) SynthesizeMarked(ctx context.Context, ssml, language string) ([]int16, []mrcptest.Mark, error) {
	audio, found, err := v.Engine.SynthesizeMarked(ctx, ssml, language)
	if err != nil {
		v.log.Warn("synthesis failed", "error", err)
		return nil, nil, err
	}
	marks := make([]mrcptest.Mark, len(found))
	for i, m := range found {
		marks[i] = mrcptest.Mark(m)
	}
	v.log.Info("synthesized", "ssml", ssml, "ms", len(audio)*1000/engine.Rate, "marks", len(marks))
	return audio, marks, nil
}

// Recognize implements mrcptest.Engine.
func (v *voice) Recognize(ctx context.Context, h mrcptest.Hearing) ([]mrcptest.Hypothesis, error) {
	grammars, err := parseAll(h.Grammars)
	if err != nil {
		return nil, err
	}
	heard, err := v.Best(ctx, grammars, h.Audio, h.NBest)
	ms := len(h.Audio) * 1000 / engine.Rate
	switch {
	case errors.Is(err, engine.ErrNoMatch):
		v.log.Info("recognized nothing", "ms", ms, "reason", err)
		return nil, nil
	case err != nil:
		v.log.Warn("recognition failed", "ms", ms, "error", err)
		return nil, err
	}
	var all []mrcptest.Hypothesis
	for _, r := range heard {
		all = append(all, hypothesis(h.Grammars[r.Grammar], r.Utterance, r.Meaning, r.Confidence))
	}
	best := all[0]
	v.log.Info("recognized", "ms", ms, "utterance", best.Text, "instance", best.Instance, "confidence", best.Confidence, "n", len(all))
	return all, nil
}

func hypothesis(g mrcptest.Grammar, text string, meaning srgs.Meaning, confidence float64) mrcptest.Hypothesis {
	return mrcptest.Hypothesis{Grammar: g.URI, Text: text, Confidence: confidence, Instance: srgs.Instance(meaning)}
}

// Interpret implements mrcptest.Interpreter.
func (v *voice) Interpret(_ context.Context, text string, list []mrcptest.Grammar) ([]mrcptest.Hypothesis, error) {
	grammars, err := parseAll(list)
	if err != nil {
		return nil, err
	}
	var all []mrcptest.Hypothesis
	for i, g := range grammars {
		meaning, takes, err := g.Interpret(text)
		if err != nil {
			return nil, err
		}
		if takes {
			all = append(all, hypothesis(list[i], text, meaning, 1))
		}
	}
	return all, nil
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
