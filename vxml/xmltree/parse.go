package xmltree

import (
	"errors"
	"io"
	"strings"
)

// Parse reads a document and returns its root element. Every error is an *Error.
func Parse(data []byte) (*Node, error) {
	r, err := NewReader(data)
	if err != nil {
		return nil, err
	}
	p := &parser{}
	for {
		t, err := r.Next()
		if errors.Is(err, io.EOF) {
			return p.root, nil
		}
		if err != nil {
			return nil, err
		}
		p.take(t)
	}
}

type parser struct {
	root *Node
	open []*Node
	run  string          // character data that is not a node yet
	more strings.Builder // of it, when it came in pieces
	line int             // where it begins
}

func (p *parser) take(t Token) {
	switch t.Kind {
	case Start:
		p.flush()
		p.start(t)
	case End:
		p.flush()
		p.open = p.open[:len(p.open)-1]
	case Text, CDATA:
		p.text(t)
	}
}

func (p *parser) start(t Token) {
	n := &Node{Name: t.Name.Local, Space: t.Name.Space, Line: t.Line}
	if len(t.Attrs) > 0 {
		n.Attrs = make([]Attr, 0, len(t.Attrs))
	}
	for _, a := range t.Attrs {
		if a.Declares() {
			continue
		}
		attr := Attr{Name: a.Local, Space: a.Space, Value: a.Value}
		if a.Space == XMLNamespace {
			attr.Name = "xml:" + a.Local
		}
		n.Attrs = append(n.Attrs, attr)
	}
	if p.root == nil {
		p.root = n
	} else {
		top := p.open[len(p.open)-1]
		top.Children = append(top.Children, n)
	}
	p.open = append(p.open, n)
}

// text takes character data, joined with what came before it: a CDATA section or a
// comment does not split a run.
func (p *parser) text(t Token) {
	switch {
	case t.Text == "":
	case p.run == "":
		p.run, p.line = t.Text, t.Line
	default:
		if p.more.Len() == 0 {
			p.more.WriteString(p.run)
		}
		p.more.WriteString(t.Text)
	}
}

// flush makes a run of character data a node.
func (p *parser) flush() {
	if p.run == "" {
		return
	}
	text := p.run
	if p.more.Len() > 0 {
		text = p.more.String()
	}
	top := p.open[len(p.open)-1]
	top.Children = append(top.Children, &Node{Text: text, Line: p.line})
	p.run = ""
	p.more.Reset()
}
