package engine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// fliteVoices are English and the most intelligible: the recognizer understands
// them, which it cannot be said of espeak's.
var fliteVoices = []string{"slt", "rms", "awb", "kal", "kal16"}

// Synthesize speaks an SSML document, or plain text, and returns 8 kHz mono
// audio. English is spoken by flite; other languages and voices by espeak-ng.
func (e *Engine) Synthesize(ctx context.Context, ssml, language string) ([]int16, error) {
	audio, _, err := e.SynthesizeMarked(ctx, ssml, language)
	return audio, err
}

// Mark is a <mark> of a document, and how many samples go before it.
type Mark struct {
	Name string
	At   int
}

// SynthesizeMarked is Synthesize that also tells where the marks are.
func (e *Engine) SynthesizeMarked(ctx context.Context, ssml, language string) ([]int16, []Mark, error) {
	parts, err := parseSSML(ssml, language)
	if err != nil {
		return nil, nil, err
	}
	var audio []int16
	var marks []Mark
	for _, p := range parts {
		switch {
		case p.mark != "":
			marks = append(marks, Mark{p.mark, len(audio)})
			continue
		case p.pause > 0:
			audio = append(audio, make([]int16, Rate*p.pause/time.Second)...)
			continue
		}
		spoken, err := e.speak(ctx, p)
		if err != nil {
			return nil, nil, err
		}
		audio = append(audio, spoken...)
	}
	return audio, marks, nil
}

func (e *Engine) speak(ctx context.Context, p part) ([]int16, error) {
	english := p.language == "" || strings.HasPrefix(strings.ToLower(p.language), "en")
	text := strings.Join(strings.Fields(p.text), " ")
	switch {
	case slices.Contains(fliteVoices, p.voice):
		return e.flite(ctx, p.voice, text)
	case p.voice == "" && english:
		return e.flite(ctx, e.config.Voice, text)
	case p.voice != "":
		return e.espeak(ctx, p.voice, text)
	}
	return e.espeak(ctx, p.language, text)
}

// Say speaks plain text with one of flite's voices.
func (e *Engine) Say(ctx context.Context, voice, text string) ([]int16, error) {
	if !slices.Contains(fliteVoices, voice) {
		return nil, fmt.Errorf("no voice %q: one of %s", voice, strings.Join(fliteVoices, ", "))
	}
	return e.flite(ctx, voice, text)
}

// flite writes its WAV header last, so it needs a file rather than a pipe.
func (e *Engine) flite(ctx context.Context, voice, text string) ([]int16, error) {
	file, err := os.CreateTemp(e.dir, "say-*.wav")
	if err != nil {
		return nil, err
	}
	file.Close()
	defer os.Remove(file.Name())
	if _, err := e.run(ctx, text, "flite", "-voice", voice, "-f", "/dev/stdin", "-o", file.Name()); err != nil {
		return nil, err
	}
	spoken, err := os.ReadFile(file.Name())
	if err != nil {
		return nil, err
	}
	return telephone(spoken)
}

func (e *Engine) espeak(ctx context.Context, voice, text string) ([]int16, error) {
	spoken, err := e.run(ctx, text, "espeak-ng", "-v", voice, "--stdin", "--stdout")
	if err != nil {
		return nil, err
	}
	return telephone(spoken)
}

// telephone decodes a WAV file to 8 kHz.
func telephone(wav []byte) ([]int16, error) {
	samples, rate, err := readWAV(wav)
	if err != nil {
		return nil, err
	}
	return resample(samples, rate, Rate), nil
}
