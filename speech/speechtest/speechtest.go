// Package speechtest is what the stand-ins for engines share, and a call for tests
// of the engines' clients.
package speechtest

import (
	"context"

	"mcp/speech/mrcp/mrcptest"
)

// Rate is the sampling rate of all audio, in Hz.
const Rate = 8000

// Engine is what speaks and listens behind a stand-in. Audio is mono, 16 bit, at
// Rate. Its methods may be called from many goroutines.
type Engine interface {
	// Synthesize renders an SSML document, or plain text.
	Synthesize(ctx context.Context, ssml, language string) ([]int16, error)
	// Transcribe writes down what was said; an empty text: nothing that can be
	// understood.
	Transcribe(ctx context.Context, u Utterance) (Transcript, error)
}

// Utterance is something said. Phrases are hints at what it may be.
type Utterance struct {
	Audio    []int16
	Language string
	Phrases  []string
}

// Transcript is what was understood.
type Transcript struct {
	Text       string
	Confidence float64 // 0 to 1
}

// Canned is an Engine without a speech engine in it: it beeps, and hears what it
// was told it would.
type Canned struct{ *mrcptest.Canned }

// NewCanned makes an engine that will hear these utterances, each once.
func NewCanned(hears ...string) Canned { return Canned{mrcptest.NewCanned(hears...)} }

// Transcribe implements Engine.
func (c Canned) Transcribe(ctx context.Context, u Utterance) (Transcript, error) {
	all, err := c.Recognize(ctx, mrcptest.Hearing{Audio: u.Audio, Grammars: []mrcptest.Grammar{{URI: "any"}}, NBest: 1})
	if err != nil || len(all) == 0 {
		return Transcript{}, err
	}
	return Transcript{Text: all[0].Text, Confidence: all[0].Confidence}, nil
}
