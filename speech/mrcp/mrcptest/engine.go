package mrcptest

import "context"

// Engine is what speaks and listens behind a Server. Audio is 8 kHz, mono, 16
// bit. Its methods may be called from many goroutines.
type Engine interface {
	// Synthesize renders an SSML document.
	Synthesize(ctx context.Context, ssml, language string) ([]int16, error)
	// Recognize finds what of the grammars was said. No hypothesis means no match.
	Recognize(ctx context.Context, r Hearing) ([]Hypothesis, error)
}

// GrammarChecker may be implemented by an Engine that can tell at once whether it
// will be able to use a grammar. The error becomes the Completion-Reason.
type GrammarChecker interface {
	CheckGrammar(ctx context.Context, g Grammar) error
}

// Hearing is something to recognize.
type Hearing struct {
	Audio    []int16
	Grammars []Grammar // in order of precedence
	Language string
	NBest    int // at least 1
}

// Grammar is an active grammar.
type Grammar struct {
	URI       string // by which a hypothesis and the result name it
	MediaType string
	Content   []byte // empty when the URI stands for itself, as builtin: does
	Weight    float64
}

// Hypothesis is something the engine may have heard.
type Hypothesis struct {
	Grammar    string // Grammar.URI
	Text       string
	Confidence float64 // 0 to 1
	Instance   string  // text or XML; empty for the text
}

// Marker may be implemented by an Engine that knows where in its audio the marks
// of a document are.
type Marker interface {
	// SynthesizeMarked is Synthesize with the marks, in their order.
	SynthesizeMarked(ctx context.Context, ssml, language string) ([]int16, []Mark, error)
}

// Mark is a <mark> of a document.
type Mark struct {
	Name string
	At   int // samples before it
}

// Interpreter may be implemented by an Engine that finds the meaning of text.
type Interpreter interface {
	Interpret(ctx context.Context, text string, grammars []Grammar) ([]Hypothesis, error)
}

// LexiconReader may be implemented by an Engine that speaks by lexicons. The error
// is why it cannot use one.
type LexiconReader interface {
	ReadLexicon(ctx context.Context, mediaType string, content []byte) error
}
