package engine

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// ErrSSML says that a document to speak cannot be read.
var ErrSSML = errors.New("SSML cannot be read")

// part is a stretch of speech in one voice, or a pause, or a mark.
type part struct {
	mark     string
	text     string
	voice    string
	language string
	pause    time.Duration
}

// breakStrengths are the pauses of SSML 1.0 section 3.2.3's symbolic values.
var breakStrengths = map[string]time.Duration{
	"none": 0, "x-weak": 50 * time.Millisecond, "weak": 150 * time.Millisecond,
	"medium": 350 * time.Millisecond, "strong": 700 * time.Millisecond, "x-strong": 1200 * time.Millisecond,
}

// parseSSML cuts a document into parts. It honours lang, voice names, breaks,
// substitutions and say-as of digits and letters; prosody, emphasis and
// the like change nothing, audio speaks its alternate text.
func parseSSML(document, language string) ([]part, error) {
	if !strings.HasPrefix(strings.TrimSpace(document), "<") {
		return []part{{text: document, language: language}}, nil
	}
	r := &ssmlReader{dec: xml.NewDecoder(strings.NewReader(document)), open: []ssmlScope{{language: language}}}
	for {
		tok, err := r.dec.Token()
		if err == io.EOF {
			return r.parts, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrSSML, err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if err := r.start(t); err != nil {
				return nil, err
			}
		case xml.EndElement:
			r.end(t)
		case xml.CharData:
			r.say(string(t))
		}
	}
}

type ssmlReader struct {
	dec   *xml.Decoder
	open  []ssmlScope
	parts []part
}

// ssmlScope is what an open element sets for its content.
type ssmlScope struct {
	language, voice string
	spell           bool // one character at a time
}

func (r *ssmlReader) start(e xml.StartElement) error {
	scope := r.open[len(r.open)-1]
	for _, a := range e.Attr {
		switch {
		case a.Name.Local == "lang":
			scope.language = a.Value
		case e.Name.Local == "voice" && a.Name.Local == "name":
			scope.voice = a.Value
		case e.Name.Local == "say-as" && a.Name.Local == "interpret-as":
			scope.spell = spelled(a.Value)
		}
	}
	r.open = append(r.open, scope)
	switch e.Name.Local {
	case "break":
		return r.pause(e)
	case "mark":
		for _, a := range e.Attr {
			if a.Name.Local == "name" && a.Value != "" {
				r.parts = append(r.parts, part{mark: a.Value})
			}
		}
	case "sub":
		for _, a := range e.Attr {
			if a.Name.Local == "alias" {
				r.say(a.Value)
			}
		}
		r.open = r.open[:len(r.open)-1]
		return r.dec.Skip()
	case "metadata", "desc":
		r.open = r.open[:len(r.open)-1]
		return r.dec.Skip()
	}
	return nil
}

// spelled tells whether a say-as type is read character by character.
func spelled(as string) bool {
	switch as {
	case "digits", "characters", "telephone", "vxml:digits", "vxml:phone", "spell-out", "number:digits":
		return true
	}
	return false
}

func (r *ssmlReader) end(e xml.EndElement) {
	r.open = r.open[:len(r.open)-1]
	switch e.Name.Local {
	case "s", "p", "sentence", "paragraph", "speak":
		if n := len(r.parts); n > 0 && r.parts[n-1].text != "" {
			r.parts[n-1].text += ". "
		}
	}
}

func (r *ssmlReader) pause(e xml.StartElement) error {
	d := breakStrengths["medium"]
	for _, a := range e.Attr {
		switch a.Name.Local {
		case "strength":
			d = breakStrengths[a.Value]
		case "time":
			var err error
			if d, err = time.ParseDuration(a.Value); err != nil || d < 0 {
				return fmt.Errorf("%w: break time %q", ErrSSML, a.Value)
			}
		}
	}
	r.parts = append(r.parts, part{pause: d})
	return nil
}

// say appends text, to the last part where that has the same voice.
func (r *ssmlReader) say(text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	scope := r.open[len(r.open)-1]
	if scope.spell {
		text = strings.Join(strings.Split(strings.Join(strings.Fields(text), ""), ""), ", ") + " "
	}
	if n := len(r.parts); n > 0 {
		last := &r.parts[n-1]
		if last.text != "" && last.voice == scope.voice && last.language == scope.language {
			last.text += text
			return
		}
	}
	r.parts = append(r.parts, part{text: text, voice: scope.voice, language: scope.language})
}
