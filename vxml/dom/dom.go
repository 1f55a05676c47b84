// Package dom makes the XML documents that <data> fetches visible to pages: a
// read-only DOM Level 2 Core, as VoiceXML 2.1 appendix D binds it.
package dom

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"mcp/vxml/script"
	"mcp/vxml/xmltree"
)

//go:embed dom.js
var binding string

// The types of nodes, as DOM numbers them.
const (
	element               = 1
	attribute             = 2
	text                  = 3
	cdata                 = 4
	processingInstruction = 7
	comment               = 8
	document              = 9
)

// Document is a parsed document. It is immutable and belongs to no session.
type Document struct {
	tree   []any
	access []access
}

// Parse reads a document.
func Parse(data []byte) (*Document, error) {
	reader, err := xmltree.NewReader(data)
	if err != nil {
		return nil, err
	}
	p := &parser{doc: &Document{}}
	p.open = []*branch{{tree: []any{document, "#document", "", "", "", nil, nil, nil}}}
	for {
		token, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = p.take(token)
		}
		if err != nil {
			return nil, err
		}
	}
	p.doc.tree = p.open[0].done()
	return p.doc, nil
}

// Bind makes a page's Document of d.
func (d *Document) Bind(ctx context.Context, m *script.Machine) (script.Value, error) {
	scope := m.NewScope(nil, "dom")
	if err := scope.Declare("tree", m.Value(d.tree)); err != nil {
		return script.Value{}, err
	}
	return scope.Eval(ctx, script.Source{Text: binding + "(tree)", Name: "dom.js"})
}

// branch is a node whose children are still being read.
type branch struct {
	tree     []any
	children []any
}

func (b *branch) done() []any {
	b.tree[len(b.tree)-1] = b.children
	return b.tree
}

// parser makes nodes of tokens.
type parser struct {
	doc    *Document
	open   []*branch
	rooted bool
	run    strings.Builder // character data that is not a node yet
}

func (p *parser) add(node ...any) {
	top := p.open[len(p.open)-1]
	top.children = append(top.children, node)
}

func (p *parser) take(t xmltree.Token) error {
	if t.Kind != xmltree.Text && p.run.Len() > 0 {
		p.add(text, "#text", "", "", "", p.run.String(), nil, nil)
		p.run.Reset()
	}
	switch t.Kind {
	case xmltree.Start:
		p.rooted = true
		p.open = append(p.open, &branch{tree: []any{element, t.Name.String(), t.Name.Prefix, t.Name.Local, t.Name.Space, nil, attributes(t.Attrs), nil}})
	case xmltree.End:
		last := p.open[len(p.open)-1]
		p.open = p.open[:len(p.open)-1]
		p.add(last.done()...)
	case xmltree.Text:
		p.run.WriteString(t.Text)
	case xmltree.CDATA:
		p.add(cdata, "#cdata-section", "", "", "", t.Text, nil, nil)
	case xmltree.Comment:
		p.add(comment, "#comment", "", "", "", t.Text, nil, nil)
	case xmltree.Instruction:
		return p.instruct(t)
	}
	return nil
}

func (p *parser) instruct(t xmltree.Token) error {
	if t.Name.Local == "access-control" && !p.rooted {
		rule, err := parseAccess(t.Text)
		if err != nil {
			return fmt.Errorf("line %d: %w", t.Line, err)
		}
		p.doc.access = append(p.doc.access, rule)
	}
	p.add(processingInstruction, t.Name.Local, "", "", "", t.Text, nil, nil)
	return nil
}

func attributes(all []xmltree.Attribute) []any {
	attrs := make([]any, 0, len(all))
	for _, a := range all {
		attrs = append(attrs, []any{attribute, a.Name.String(), a.Prefix, a.Local, a.Space, a.Value, nil, nil})
	}
	return attrs
}
