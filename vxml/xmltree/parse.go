package xmltree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/html/charset"
)

// The limits of a document.
const (
	MaxSize  = 1 << 20
	MaxDepth = 256
)

// Parse reads a document and returns its root element. Every error is an *Error.
func Parse(data []byte) (*Node, error) {
	if len(data) > MaxSize {
		return nil, &Error{Line: 1, Text: fmt.Sprintf("document of %d bytes is larger than %d", len(data), MaxSize)}
	}
	p := &parser{decoder: xml.NewDecoder(bytes.NewReader(data))}
	p.decoder.CharsetReader = charset.NewReaderLabel
	for {
		// The line of a token is where it begins.
		line, _ := p.decoder.InputPos()
		token, err := p.decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = p.take(token, line)
		}
		if err != nil {
			return nil, p.fault(err, line)
		}
	}
	if p.root == nil {
		return nil, &Error{Line: 1, Text: "there is no root element"}
	}
	return p.root, nil
}

type parser struct {
	decoder *xml.Decoder
	root    *Node
	open    []*Node
}

func (p *parser) fault(err error, line int) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return &Error{Line: syntax.Line, Text: syntax.Msg}
	}
	return &Error{Line: line, Text: err.Error()}
}

func (p *parser) take(token xml.Token, line int) error {
	switch t := token.(type) {
	case xml.StartElement:
		return p.start(t, line)
	case xml.EndElement:
		p.open = p.open[:len(p.open)-1]
	case xml.CharData:
		return p.text(string(t), line)
	case xml.Directive:
		if bytes.ContainsRune(t, '[') {
			return &Error{Line: line, Text: "a document type with an internal subset is not accepted"}
		}
	}
	return nil
}

func (p *parser) start(t xml.StartElement, line int) error {
	n := &Node{Name: t.Name.Local, Space: t.Name.Space, Line: line}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		attr := Attr{Name: a.Name.Local, Space: a.Name.Space, Value: a.Value}
		if attr.Space == "xml" || attr.Space == XMLNamespace {
			attr.Name, attr.Space = "xml:"+attr.Name, XMLNamespace
		}
		for _, b := range n.Attrs {
			if b.Name == attr.Name && b.Space == attr.Space {
				return &Error{Line: line, Text: fmt.Sprintf("<%s> has the attribute %q twice", n.Name, attr.Name)}
			}
		}
		n.Attrs = append(n.Attrs, attr)
	}
	switch {
	case len(p.open) == MaxDepth:
		return &Error{Line: line, Text: fmt.Sprintf("elements are nested deeper than %d", MaxDepth)}
	case len(p.open) > 0:
		top := p.open[len(p.open)-1]
		top.Children = append(top.Children, n)
	case p.root != nil:
		return &Error{Line: line, Text: fmt.Sprintf("<%s> follows the root element", n.Name)}
	default:
		p.root = n
	}
	p.open = append(p.open, n)
	return nil
}

// text appends character data, joined with the text before it: a CDATA section
// or a comment does not split a run.
func (p *parser) text(s string, line int) error {
	if len(p.open) == 0 {
		if strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")) != "" {
			return &Error{Line: line, Text: "there is text outside the root element"}
		}
		return nil
	}
	top := p.open[len(p.open)-1]
	if n := len(top.Children); n > 0 && top.Children[n-1].IsText() {
		top.Children[n-1].Text += s
		return nil
	}
	top.Children = append(top.Children, &Node{Text: s, Line: line})
	return nil
}
