package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mcp/cmd/mcplab/engine/srgs"
)

// ErrNoMatch says that the audio holds nothing the grammars allow.
var ErrNoMatch = errors.New("no match")

// Result is what was understood.
type Result struct {
	Grammar    int // index of the grammar that took it
	Utterance  string
	Meaning    srgs.Meaning
	Confidence float64
}

// recognizerRate is the model's sampling rate. Telephone audio is brought up to
// it: the decoder's own 8 kHz mode with this model understands almost nothing.
const recognizerRate = 16000

// Word insertion penalties of the three passes: see Recognize.
const (
	penaltyGrammar = "0.01"
	penaltyLenient = "1e-4"
	penaltyStrict  = "1e-3"
)

// Confidences, by how well the words stood against any sequence of sounds.
const (
	confidenceStrict  = 0.9
	confidenceLenient = 0.6
	confidenceForced  = 0.3
)

// compiled is a set of grammars ready for the decoder.
type compiled struct {
	closed     string // path of the JSGF grammar alone
	open       string // path of the same beside a filler of all phones
	dictionary string
}

// Recognize matches 8 kHz mono audio against the grammars. It returns
// ErrNoMatch when no words of theirs can be heard.
//
// The decoder gives no confidence with a grammar, and forces what it hears into
// one. So it listens up to three times: with the grammar alone, and then with
// a filler beside it that takes any sequence of phones. The filler costs a
// penalty a phone, the grammar one a word. Words that win against a cheap
// filler get 0.9, those that win only against a dear one 0.6, and words that
// are merely the nearest 0.3. The figures are ranks, not probabilities: of 28
// phrases in four flite voices all got 0.9 or 0.6, of 32 outside the grammar
// two did ("good morning" has the ending of "billing").
func (e *Engine) Recognize(ctx context.Context, grammars []*srgs.Grammar, audio []int16) (Result, error) {
	return e.recognize(ctx, grammars, audio, e.confidence)
}

// Best is Recognize with up to n results, best first. Each further one is what is
// heard once the grammar does not take the one before any more; none is believed
// more than that.
func (e *Engine) Best(ctx context.Context, grammars []*srgs.Grammar, audio []int16, n int) ([]Result, error) {
	first, err := e.Recognize(ctx, grammars, audio)
	if err != nil {
		return nil, err
	}
	results := []Result{first}
	grammars = slices.Clone(grammars)
	for last := first; len(results) < n; {
		less, able := grammars[last.Grammar].Without(last.Utterance)
		if !able {
			break
		}
		grammars[last.Grammar] = less
		next, err := e.Recognize(ctx, grammars, audio)
		if errors.Is(err, ErrNoMatch) {
			break
		}
		if err != nil {
			return nil, err
		}
		next.Confidence = min(next.Confidence, last.Confidence)
		results, last = append(results, next), next
	}
	return results, nil
}

// Nearest is Recognize without a confidence, and so at a third of its cost: for
// audio that is known to be of the grammars, or whose likes are in them.
func (e *Engine) Nearest(ctx context.Context, grammars []*srgs.Grammar, audio []int16) (Result, error) {
	return e.recognize(ctx, grammars, audio, func(context.Context, *compiled, string, string) (float64, error) {
		return 0, nil
	})
}

// judge tells how much to trust words decoded from an utterance.
type judge func(ctx context.Context, c *compiled, words, utterance string) (float64, error)

func (e *Engine) recognize(ctx context.Context, grammars []*srgs.Grammar, audio []int16, trust judge) (Result, error) {
	c, err := e.compile(grammars)
	if err != nil {
		return Result{}, err
	}
	utterance, err := e.writeUtterance(audio)
	if err != nil {
		return Result{}, err
	}
	defer os.Remove(utterance)
	heard, err := e.decode(ctx, c, c.closed, penaltyGrammar, utterance)
	if err != nil {
		return Result{}, err
	}
	result, err := interpret(grammars, heard)
	if err != nil {
		return Result{}, err
	}
	result.Confidence, err = trust(ctx, c, result.Utterance, utterance)
	return result, err
}

func (e *Engine) confidence(ctx context.Context, c *compiled, words, utterance string) (float64, error) {
	for _, pass := range []struct {
		penalty    string
		confidence float64
	}{{penaltyStrict, confidenceStrict}, {penaltyLenient, confidenceLenient}} {
		heard, err := e.decode(ctx, c, c.open, pass.penalty, utterance)
		if err != nil {
			return 0, err
		}
		if heard == words {
			return pass.confidence, nil
		}
	}
	return confidenceForced, nil
}

// interpret finds the first grammar that the words belong to. The decoder
// returns what was before the end of the grammar when speech stopped early, so
// words may belong to none.
func interpret(grammars []*srgs.Grammar, heard string) (Result, error) {
	if heard == "" {
		return Result{}, ErrNoMatch
	}
	for i, g := range grammars {
		meaning, ok, err := g.Interpret(heard)
		if err != nil {
			return Result{}, err
		}
		if ok {
			return Result{Grammar: i, Utterance: heard, Meaning: meaning}, nil
		}
	}
	return Result{}, fmt.Errorf("%w: heard %q", ErrNoMatch, heard)
}

// decode returns the words of all that the decoder took for speech.
func (e *Engine) decode(ctx context.Context, c *compiled, grammar, penalty, utterance string) (string, error) {
	out, err := e.run(ctx, "", "pocketsphinx_continuous",
		"-hmm", filepath.Join(e.dir, "model"), "-dict", c.dictionary, "-jsgf", grammar,
		"-wip", penalty, "-pip", "0.3", "-remove_noise", "no",
		"-infile", utterance, "-logfn", os.DevNull)
	return strings.Join(strings.Fields(string(out)), " "), err
}

// writeUtterance writes audio for the decoder, with some silence around it, by
// which it finds where speech begins and ends.
func (e *Engine) writeUtterance(audio []int16) (string, error) {
	silence := make([]int16, Rate*3/10)
	padded := slices.Concat(silence, audio, silence)
	dither(padded)
	file, err := os.CreateTemp(e.dir, "hear-*.wav")
	if err != nil {
		return "", err
	}
	_, err = file.Write(writeWAV(resample(padded, Rate, recognizerRate), recognizerRate))
	if err := errors.Join(err, file.Close()); err != nil {
		os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// dither adds noise of a few steps. Without it a silent line is digital zero,
// whose logarithm drags the decoder's running mean away from any real line's.
func dither(audio []int16) {
	const amplitude = 4
	state := uint32(1)
	for i := range audio {
		state = state*1664525 + 1013904223
		noise := int(state>>16)%(2*amplitude+1) - amplitude
		audio[i] = clip(float64(int(audio[i]) + noise))
	}
}

// Check tells whether the grammars could be recognized with: every word must be
// in the dictionary.
func (e *Engine) Check(grammars []*srgs.Grammar) error {
	_, err := e.compile(grammars)
	return err
}

// compile writes the grammars' files once and keeps them.
func (e *Engine) compile(grammars []*srgs.Grammar) (*compiled, error) {
	text := srgs.JSGF(grammars, nil)
	name := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:24]
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.grammars[name]; c != nil {
		return c, nil
	}
	path := filepath.Join(e.dir, name)
	c := &compiled{closed: path + ".gram", open: path + ".open.gram", dictionary: path + ".dict"}
	var words []string
	for _, g := range grammars {
		words = append(words, g.Words()...)
	}
	err := writeDictionary(e.config.Model, c.dictionary, words)
	if err == nil {
		err = os.WriteFile(c.closed, []byte(text), 0o644)
	}
	if err == nil {
		err = os.WriteFile(c.open, []byte(srgs.JSGF(grammars, fillerWords())), 0o644)
	}
	if err != nil {
		return nil, fmt.Errorf("compile grammar: %w", err)
	}
	e.grammars[name] = c
	return c, nil
}
