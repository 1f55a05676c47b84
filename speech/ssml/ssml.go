// Package ssml reads of documents to be spoken (SSML 1.0) what the clients of
// engines need to know of them.
package ssml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// What the parts of a document may take to be spoken by the slowest of voices: at
// a fifth of their usual rate they say three characters a second, and of a digit
// they may make a word or two. How long a recording is, nobody knows beforehand.
const (
	perCharacter = time.Second / 3
	perDigit     = 3 * time.Second
	perBreak     = 5 * time.Second
	perRecording = 10 * time.Minute
	maxNamed     = time.Hour // of what an attribute says
)

// Text is what a document says, without its markup.
func Text(document string) (string, error) {
	var text strings.Builder
	err := read(document, func(t xml.Token) {
		if words, ok := t.(xml.CharData); ok {
			text.Write(words)
			text.WriteByte(' ')
		}
	})
	return strings.Join(strings.Fields(text.String()), " "), err
}

// Longest is the time within which a document has been spoken, whatever the voice:
// who takes longer has come to a standstill.
func Longest(document string) time.Duration {
	var total time.Duration
	err := read(document, func(t xml.Token) {
		switch t := t.(type) {
		case xml.CharData:
			total += longestText(string(t))
		case xml.StartElement:
			total += longestElement(t)
		}
	})
	if err != nil { // whoever reads it will say so
		return longestText(document)
	}
	return total
}

func longestText(text string) (total time.Duration) {
	for _, c := range text {
		switch {
		case unicode.IsDigit(c):
			total += perDigit
		case !unicode.IsSpace(c):
			total += perCharacter
		}
	}
	return total
}

func longestElement(e xml.StartElement) (total time.Duration) {
	switch e.Name.Local {
	case "audio":
		total = perRecording
	case "break":
		total = perBreak
	}
	for _, a := range e.Attr {
		switch a.Name.Local {
		case "time", "duration": // of break and prosody
			if d, err := time.ParseDuration(strings.TrimSpace(a.Value)); err == nil && d > 0 {
				total += min(d, maxNamed)
			}
		case "alias": // of sub
			total += longestText(a.Value)
		}
	}
	return total
}

func read(document string, visit func(xml.Token)) error {
	decoder := xml.NewDecoder(strings.NewReader(document))
	decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read SSML: %w", err)
		}
		visit(token)
	}
}
