package srgs

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxRepeat bounds how far a counted repeat is unrolled.
const maxRepeat = 64

// Parse compiles a grammar document of type application/srgs+xml.
func Parse(document []byte) (*Grammar, error) {
	p := &parser{dec: xml.NewDecoder(bytes.NewReader(document))}
	for {
		tok, err := p.dec.Token()
		if err == io.EOF {
			return nil, fmt.Errorf("%w: no grammar element", ErrSyntax)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrSyntax, err)
		}
		if start, ok := tok.(xml.StartElement); ok {
			return p.grammar(start)
		}
	}
}

type parser struct {
	dec *xml.Decoder
	g   *Grammar
}

func (p *parser) grammar(start xml.StartElement) (*Grammar, error) {
	if start.Name.Local != "grammar" {
		return nil, fmt.Errorf("%w: root element is <%s>", ErrSyntax, start.Name.Local)
	}
	p.g = &Grammar{
		Mode: "voice", Language: attribute(start, "lang"), root: attribute(start, "root"),
		TagFormat: attribute(start, "tag-format"), rules: map[string]node{},
	}
	if m := attribute(start, "mode"); m != "" {
		p.g.Mode = m
	}
	if err := p.rules(); err != nil {
		return nil, err
	}
	if p.g.root == "" {
		return nil, fmt.Errorf("%w: no root rule", ErrSyntax)
	}
	return p.g, p.g.check()
}

// rules reads the children of <grammar>.
func (p *parser) rules() error {
	for {
		tok, err := p.dec.Token()
		if err != nil {
			return fmt.Errorf("%w: %v", ErrSyntax, err)
		}
		switch t := tok.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if t.Name.Local != "rule" {
				if err := p.skip(t); err != nil {
					return err
				}
				continue
			}
			if err := p.rule(t); err != nil {
				return err
			}
		}
	}
}

func (p *parser) rule(start xml.StartElement) error {
	id := attribute(start, "id")
	if id == "" {
		return fmt.Errorf("%w: rule without id", ErrSyntax)
	}
	if _, twice := p.g.rules[id]; twice {
		return fmt.Errorf("%w: rule %q twice", ErrSyntax, id)
	}
	body, err := p.expansion()
	if err != nil {
		return fmt.Errorf("rule %q: %w", id, err)
	}
	p.g.rules[id] = body
	return nil
}

// expansion reads up to the end of the element it stands in.
func (p *parser) expansion() (sequence, error) {
	var seq sequence
	for {
		tok, err := p.dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrSyntax, err)
		}
		switch t := tok.(type) {
		case xml.EndElement:
			return seq, nil
		case xml.CharData:
			for _, w := range words(string(t)) {
				seq = append(seq, w)
			}
		case xml.StartElement:
			n, err := p.element(t)
			if err != nil {
				return nil, err
			}
			if n != nil {
				seq = append(seq, n)
			}
		}
	}
}

func (p *parser) element(start xml.StartElement) (node, error) {
	switch start.Name.Local {
	case "item":
		return p.item(start)
	case "one-of":
		return p.oneOf()
	case "ruleref":
		n, err := parseReference(start)
		if err != nil {
			return nil, err
		}
		return n, p.skip(start)
	case "tag":
		text, err := p.text()
		return tag(text), err
	case "token":
		text, err := p.text()
		var seq sequence
		for _, w := range words(text) {
			seq = append(seq, w)
		}
		return seq, err
	case "example", "lexicon", "meta", "metadata":
		return nil, p.skip(start)
	}
	return nil, fmt.Errorf("%w: unexpected <%s>", ErrSyntax, start.Name.Local)
}

func (p *parser) oneOf() (node, error) {
	var alternatives choice
	for {
		tok, err := p.dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrSyntax, err)
		}
		switch t := tok.(type) {
		case xml.EndElement:
			return alternatives, nil
		case xml.StartElement:
			if t.Name.Local != "item" {
				return nil, fmt.Errorf("%w: <%s> in <one-of>", ErrSyntax, t.Name.Local)
			}
			n, err := p.item(t)
			if err != nil {
				return nil, err
			}
			alternatives = append(alternatives, n)
		}
	}
}

func (p *parser) item(start xml.StartElement) (node, error) {
	body, err := p.expansion()
	if err != nil {
		return nil, err
	}
	count := attribute(start, "repeat")
	if count == "" {
		return body, nil
	}
	low, high, err := parseRepeat(count)
	if err != nil {
		return nil, err
	}
	return repeat{body: body, min: low, max: high}, nil
}

// parseRepeat reads "3", "0-1" and "2-" (SRGS 1.0 section 2.5).
func parseRepeat(s string) (low, high int, err error) {
	first, last, isRange := strings.Cut(s, "-")
	low, err = strconv.Atoi(first)
	high = low
	if isRange {
		high = -1
		if last != "" && err == nil {
			high, err = strconv.Atoi(last)
		}
	}
	if err != nil || low < 0 || (high != -1 && high < low) {
		return 0, 0, fmt.Errorf("%w: repeat %q", ErrSyntax, s)
	}
	if low > maxRepeat || high > maxRepeat {
		return 0, 0, fmt.Errorf("%w: repeat %q goes beyond %d", ErrUnsupported, s, maxRepeat)
	}
	return low, high, nil
}

// parseReference reads the attributes of a <ruleref>.
func parseReference(start xml.StartElement) (node, error) {
	switch name := attribute(start, "special"); name {
	case "":
	case "NULL", "VOID":
		return special(name), nil
	default:
		return nil, fmt.Errorf("%w: special rule %s", ErrUnsupported, name)
	}
	uri := attribute(start, "uri")
	if name, local := strings.CutPrefix(uri, "#"); local {
		return reference(name), nil
	}
	return nil, fmt.Errorf("%w: reference to another grammar %q", ErrUnsupported, uri)
}

// text reads the character data of the element it stands in.
func (p *parser) text() (string, error) {
	var b strings.Builder
	for {
		tok, err := p.dec.Token()
		if err != nil {
			return "", fmt.Errorf("%w: %v", ErrSyntax, err)
		}
		switch t := tok.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return strings.TrimSpace(b.String()), nil
		case xml.StartElement:
			return "", fmt.Errorf("%w: <%s> inside text", ErrSyntax, t.Name.Local)
		}
	}
}

func (p *parser) skip(start xml.StartElement) error {
	if err := p.dec.Skip(); err != nil {
		return fmt.Errorf("%w: <%s>: %v", ErrSyntax, start.Name.Local, err)
	}
	return nil
}

func attribute(e xml.StartElement, local string) string {
	for _, a := range e.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}
