package xmltree

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The limits of a document.
const (
	MaxSize     = 1 << 20
	MaxDepth    = 256
	MaxElements = 20000
)

// Parse reads a document and returns its root element. Every error is an *Error.
func Parse(data []byte) (*Node, error) {
	if len(data) > MaxSize {
		return nil, &Error{Line: 1, Text: fmt.Sprintf("document of %d bytes is larger than %d", len(data), MaxSize)}
	}
	decoder, err := NewDecoder(data, false)
	if err != nil {
		return nil, err
	}
	p := &parser{}
	for {
		// The line of a token is where it begins.
		line := decoder.Line()
		token, err := decoder.Token()
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
	root   *Node
	open   []*Node
	run    strings.Builder // character data that is not a node yet
	line   int             // where it begins
	spaces []string        // that a prefix is bound to, in all of the open elements
	bound  []int           // how many there were before each of these
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
		p.flush()
		return p.start(t, line)
	case xml.EndElement:
		p.flush()
		last := len(p.open) - 1
		p.open, p.spaces, p.bound = p.open[:last], p.spaces[:p.bound[last]], p.bound[:last]
	case xml.CharData:
		p.text(t, line)
	}
	return nil
}

func (p *parser) start(t xml.StartElement, line int) error {
	n := &Node{Name: t.Name.Local, Space: t.Name.Space, Line: line}
	if len(t.Attr) > 0 {
		n.Attrs = make([]Attr, 0, len(t.Attr))
	}
	p.bound = append(p.bound, len(p.spaces))
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			if !bindable(a) {
				return &Error{Line: line, Text: fmt.Sprintf("%s=%q is no declaration of a namespace", a.Name.Local, a.Value)}
			}
			p.spaces = append(p.spaces, a.Value)
		}
	}
	if !p.known(t.Name) {
		return &Error{Line: line, Text: fmt.Sprintf("<%s> is no name in a namespace that is declared", strings.Trim(t.Name.Space+":"+t.Name.Local, ":"))}
	}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		if !p.known(a.Name) {
			return &Error{Line: line, Text: fmt.Sprintf("<%s>: the attribute %q is in no namespace that is declared", n.Name, a.Name.Local)}
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

// bindable tells whether a declaration of a namespace is one (Namespaces in XML
// sections 2 and 3).
func bindable(a xml.Attr) bool {
	const declarations = "http://www.w3.org/2000/xmlns/"
	prefix := a.Name.Local
	switch {
	case a.Name.Space == "":
		return a.Value != XMLNamespace && a.Value != declarations
	case prefix == "xml":
		return a.Value == XMLNamespace
	}
	return prefix != "" && prefix != "xmlns" && a.Value != "" && a.Value != XMLNamespace && a.Value != declarations
}

// known tells whether a name is one, and its prefix is bound.
func (p *parser) known(name xml.Name) bool {
	if name.Local == "" || strings.Contains(name.Local, ":") {
		return false
	}
	switch name.Space {
	case "", "xml", XMLNamespace:
		return true
	}
	return slices.Contains(p.spaces, name.Space)
}

// text takes character data, joined with what came before it: a CDATA section or a
// comment does not split a run.
func (p *parser) text(s []byte, line int) {
	if len(p.open) == 0 {
		return
	}
	if p.run.Len() == 0 {
		p.line = line
	}
	p.run.Write(s)
}

// flush makes a run of character data a node.
func (p *parser) flush() {
	if p.run.Len() == 0 {
		return
	}
	top := p.open[len(p.open)-1]
	top.Children = append(top.Children, &Node{Text: p.run.String(), Line: p.line})
	p.run.Reset()
}
