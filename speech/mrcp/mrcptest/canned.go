package mrcptest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"mcp/speech/mrcp/mrcptest/line"
)

// Canned is an Engine without a speech engine in it. It says a beep for every
// word and hears, each time it is asked, the next of the utterances it was given.
type Canned struct {
	// Word is how long each word's beep takes; 200 ms.
	Word time.Duration

	mu    sync.Mutex
	hears []string
	said  []string
}

var _ Engine = (*Canned)(nil)

// NewCanned makes an engine that will hear these utterances. An empty one, and
// all after the last, is no match; "a|b" is a, or less likely b.
func NewCanned(hears ...string) *Canned { return &Canned{hears: hears} }

// Hear makes it hear other utterances from now on, as NewCanned says.
func (c *Canned) Hear(hears ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hears = hears
}

// Said is the text of what was synthesized so far.
func (c *Canned) Said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.said...)
}

// Synthesize is part of Engine.
func (c *Canned) Synthesize(_ context.Context, ssml, _ string) ([]int16, error) {
	text, err := PlainText([]byte(ssml))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.said = append(c.said, text)
	c.mu.Unlock()
	return c.Beeps(len(strings.Fields(text))), nil
}

// SynthesizeMarked is part of Marker.
func (c *Canned) SynthesizeMarked(ctx context.Context, ssml, language string) ([]int16, []Mark, error) {
	pcm, err := c.Synthesize(ctx, ssml, language)
	if err != nil {
		return nil, nil, err
	}
	var marks []Mark
	words := 0
	decoder := xml.NewDecoder(strings.NewReader(ssml))
	for {
		token, err := decoder.Token()
		if err != nil {
			return pcm, marks, nil // Synthesize has read it to the end
		}
		switch t := token.(type) {
		case xml.CharData:
			words += len(strings.Fields(string(t)))
		case xml.StartElement:
			for _, a := range t.Attr {
				if t.Name.Local == "mark" && a.Name.Local == "name" {
					marks = append(marks, Mark{Name: a.Value, At: len(c.Beeps(words))})
				}
			}
		}
	}
}

// Interpret is part of Interpreter: it takes any text for said, whatever the
// grammar.
func (c *Canned) Interpret(_ context.Context, text string, grammars []Grammar) ([]Hypothesis, error) {
	return []Hypothesis{{Grammar: grammars[0].URI, Text: text, Confidence: 1}}, nil
}

// ReadLexicon is part of LexiconReader: it takes any that is well-formed.
func (c *Canned) ReadLexicon(_ context.Context, _ string, content []byte) error {
	_, err := PlainText(content)
	return err
}

// Beeps is the audio of so many words: tones with gaps, which count as speech.
func (c *Canned) Beeps(words int) []int16 {
	word := c.Word
	if word == 0 {
		word = 200 * time.Millisecond
	}
	samples := int(word.Seconds() * line.Rate)
	pcm := make([]int16, words*samples)
	for i := range pcm {
		if i%samples < samples*3/4 {
			pcm[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/line.Rate))
		}
	}
	return pcm
}

// Recognize is part of Engine.
func (c *Canned) Recognize(_ context.Context, h Hearing) ([]Hypothesis, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.hears) == 0 || len(h.Grammars) == 0 {
		return nil, nil
	}
	texts := c.hears[0]
	c.hears = c.hears[1:]
	if texts == "" {
		return nil, nil
	}
	var all []Hypothesis
	for i, text := range strings.Split(texts, "|") {
		all = append(all, Hypothesis{Grammar: h.Grammars[0].URI, Text: text, Confidence: max(0.9-0.2*float64(i), 0)})
	}
	return all, nil
}

// PlainText is the text of an SSML document. It fails when the document is not
// well-formed.
func PlainText(ssml []byte) (string, error) {
	decoder := xml.NewDecoder(bytes.NewReader(ssml))
	decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var words []string
	root := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && root != "" {
			return strings.Join(words, " "), nil
		}
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if root == "" {
				root = t.Name.Local
			}
		case xml.CharData:
			words = append(words, strings.Fields(string(t))...)
		}
	}
}
