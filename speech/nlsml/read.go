package nlsml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of elements.
const maxDepth = 200

// Parse reads a result. Confidences come out between 0 and 1; one that is not
// given counts as 1, because the server accepted the interpretation.
func Parse(body []byte, scale Scale) (Result, error) {
	text, err := toUTF8(body)
	if err != nil {
		return Result{}, err
	}
	p := &parser{text: text, dec: xml.NewDecoder(bytes.NewReader(text))}
	p.dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	if err := p.document(); err != nil {
		return Result{}, err
	}
	p.result.rank(scale)
	return p.result, nil
}

type parser struct {
	text   []byte
	dec    *xml.Decoder
	result Result
}

func (p *parser) document() error {
	for {
		token, err := p.dec.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotNLSML, err)
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name.Local != "result" {
				return fmt.Errorf("%w: root element is %q", ErrNotNLSML, start.Name.Local)
			}
			return p.resultElement(start)
		}
	}
}

func (p *parser) resultElement(start xml.StartElement) error {
	grammar := attribute(start, "grammar")
	return p.children(func(child xml.StartElement) error {
		switch child.Name.Local {
		case "interpretation":
			return p.interpretation(child, grammar)
		case "nomatch":
			p.result.NoMatch = true
		case "noinput":
			p.result.NoInput = true
		}
		return p.skip()
	})
}

func (p *parser) interpretation(start xml.StartElement, grammar string) error {
	in := reading{Interpretation: Interpretation{Grammar: grammar, Confidence: math.NaN()}}
	if own := attribute(start, "grammar"); own != "" {
		in.Grammar = own
	}
	in.confidence(start)
	err := p.children(func(child xml.StartElement) error {
		switch child.Name.Local {
		case "instance":
			return p.instance(child, &in)
		case "input":
			return p.input(child, &in)
		case "nomatch":
			in.noMatch = true
		case "noinput":
			in.noInput = true
		}
		return p.skip()
	})
	if err != nil {
		return err
	}
	p.add(&in)
	return nil
}

// reading is an interpretation as far as it has been read.
type reading struct {
	Interpretation
	noMatch, noInput, hasInstance bool
}

func (p *parser) add(in *reading) {
	p.result.NoMatch = p.result.NoMatch || in.noMatch
	p.result.NoInput = p.result.NoInput || in.noInput
	if in.noMatch || in.noInput {
		return
	}
	if math.IsNaN(in.Confidence) {
		in.Confidence = 1
	}
	in.Input = strings.Join(strings.Fields(in.Input), " ")
	if !in.hasInstance {
		in.Instance = in.Input
	}
	p.result.Interpretations = append(p.result.Interpretations, in.Interpretation)
}

// confidence takes the attribute of an element, unless an outer one had it.
func (in *reading) confidence(start xml.StartElement) {
	value, err := strconv.ParseFloat(strings.TrimSpace(attribute(start, "confidence")), 64)
	if err == nil && math.IsNaN(in.Confidence) && !math.IsInf(value, 0) {
		in.Confidence = value
	}
}

// instance keeps the first <instance>: its inner XML as the server wrote it, or
// its text, unescaped, when it holds no elements.
func (p *parser) instance(start xml.StartElement, in *reading) error {
	begin := p.dec.InputOffset()
	var text strings.Builder
	elements := false
	end, err := p.walk(func(token xml.Token) error {
		switch t := token.(type) {
		case xml.StartElement:
			elements = true
		case xml.CharData:
			text.Write(t)
		}
		return nil
	})
	if err != nil || in.hasInstance {
		return err
	}
	in.hasInstance = true
	in.confidence(start)
	if elements {
		in.Instance = strings.TrimSpace(string(p.text[begin:end]))
	} else {
		in.Instance = strings.TrimSpace(text.String())
	}
	return nil
}

// input takes the text of <input>, of nested inputs too, which are cumulative
// (RFC 6787 section 9.6.3.4).
func (p *parser) input(start xml.StartElement, in *reading) error {
	p.inputAttributes(start, in)
	_, err := p.walk(func(token xml.Token) error {
		switch t := token.(type) {
		case xml.CharData:
			in.Input += " " + string(t)
		case xml.StartElement:
			switch t.Name.Local {
			case "nomatch":
				in.noMatch = true
			case "noinput":
				in.noInput = true
			case "input":
				p.inputAttributes(t, in)
			}
		}
		return nil
	})
	return err
}

func (p *parser) inputAttributes(start xml.StartElement, in *reading) {
	in.confidence(start)
	switch mode := strings.ToLower(strings.TrimSpace(attribute(start, "mode"))); {
	case in.Mode != "" || mode == "":
	case mode == "speech":
		in.Mode = "voice"
	default:
		in.Mode = mode
	}
}

// children calls f for each child element; f consumes it to its end.
func (p *parser) children(f func(xml.StartElement) error) error {
	for {
		token, err := p.dec.Token()
		if err != nil {
			return broken(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := f(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// skip consumes the current element to its end.
func (p *parser) skip() error {
	_, err := p.walk(func(xml.Token) error { return nil })
	return err
}

// walk hands on every token inside the current element and returns where its
// end tag begins.
func (p *parser) walk(f func(xml.Token) error) (int64, error) {
	for depth := 1; ; {
		before := p.dec.InputOffset()
		token, err := p.dec.Token()
		if err != nil {
			return 0, broken(err)
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		if depth == 0 {
			return before, nil
		}
		if depth > maxDepth {
			return 0, fmt.Errorf("%w: nested too deeply", ErrNotNLSML)
		}
		if err := f(token); err != nil {
			return 0, err
		}
	}
}

func attribute(start xml.StartElement, local string) string {
	for _, a := range start.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

func broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", ErrNotNLSML, err)
}

var encodingPattern = regexp.MustCompile(`^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// toUTF8 converts the encodings that recognizers declare.
func toUTF8(body []byte) ([]byte, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	declared := encodingPattern.FindSubmatch(body)
	if declared == nil {
		return body, nil
	}
	switch name := strings.ToLower(string(declared[1])); name {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return body, nil
	case "iso-8859-1", "latin1", "windows-1252":
		var out bytes.Buffer
		for _, b := range body {
			out.WriteRune(rune(b))
		}
		return out.Bytes(), nil
	default:
		return nil, fmt.Errorf("%w: encoding %s", ErrNotNLSML, name)
	}
}
