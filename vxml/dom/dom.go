// Package dom makes the XML documents that <data> fetches visible to pages: a
// read-only DOM Level 2 Core, as VoiceXML 2.1 appendix D binds it.
package dom

import (
	"context"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
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

// The limits of a document.
const (
	maxSize  = 1 << 20
	maxDepth = 256
)

// Document is a parsed document. It is immutable and belongs to no session.
type Document struct {
	tree   []any
	access []access
}

// Parse reads a document.
func Parse(data []byte) (*Document, error) {
	if len(data) > maxSize {
		return nil, fmt.Errorf("document of %d bytes is larger than %d", len(data), maxSize)
	}
	decoder, err := xmltree.NewDecoder(data, true)
	if err != nil {
		return nil, err
	}
	p := &parser{doc: &Document{}}
	p.open = []*branch{{tree: []any{document, "#document", "", "", "", nil, nil, nil}}}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = p.take(token, decoder.CDATA())
		}
		if err != nil {
			return nil, located(decoder.Line(), err)
		}
	}
	switch {
	case len(p.open) > 1:
		return nil, fmt.Errorf("<%s> is not closed", p.open[len(p.open)-1].name)
	case !p.rooted:
		return nil, errors.New("there is no root element")
	}
	p.doc.tree = p.open[0].done()
	return p.doc, nil
}

// located adds the line to an error that does not tell it.
func located(line int, err error) error {
	var known *xmltree.Error
	if errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// Bind makes a page's Document of d.
func (d *Document) Bind(ctx context.Context, m *script.Machine) (script.Value, error) {
	scope := m.NewScope(nil, "dom")
	if err := scope.Declare("tree", m.Value(d.tree)); err != nil {
		return script.Value{}, err
	}
	return scope.Eval(ctx, script.Source{Text: binding + "(tree)", Name: "dom.js", Line: 1})
}

// branch is a node whose children are still being read.
type branch struct {
	name     string
	tree     []any
	children []any
	spaces   map[string]string // prefixes declared here; nil: none
}

func (b *branch) declare(prefix, space string) {
	if b.spaces == nil {
		b.spaces = make(map[string]string)
	}
	b.spaces[prefix] = space
}

func (b *branch) done() []any {
	b.tree[len(b.tree)-1] = b.children
	return b.tree
}

// parser reads tokens with their prefixes, which a page can see.
type parser struct {
	doc    *Document
	open   []*branch
	rooted bool
	run    strings.Builder // character data that is not a node yet
}

func (p *parser) top() *branch { return p.open[len(p.open)-1] }

func (p *parser) add(node ...any) {
	top := p.top()
	top.children = append(top.children, node)
}

func (p *parser) take(token xml.Token, section bool) error {
	if _, more := token.(xml.CharData); (!more || section) && p.run.Len() > 0 {
		p.add(text, "#text", "", "", "", p.run.String(), nil, nil)
		p.run.Reset()
	}
	switch t := token.(type) {
	case xml.StartElement:
		return p.start(t)
	case xml.EndElement:
		return p.end(t)
	case xml.CharData:
		switch {
		case section:
			p.add(cdata, "#cdata-section", "", "", "", string(t), nil, nil)
		case len(p.open) > 1:
			p.run.Write(t)
		}
	case xml.Comment:
		p.add(comment, "#comment", "", "", "", string(t), nil, nil)
	case xml.ProcInst:
		return p.instruct(t)
	}
	return nil
}

func (p *parser) instruct(t xml.ProcInst) error {
	if t.Target == "xml" {
		return nil
	}
	if t.Target == "access-control" && !p.rooted {
		rule, err := parseAccess(string(t.Inst))
		if err != nil {
			return err
		}
		p.doc.access = append(p.doc.access, rule)
	}
	p.add(processingInstruction, t.Target, "", "", "", strings.TrimLeft(string(t.Inst), " \t\r\n"), nil, nil)
	return nil
}

func (p *parser) start(t xml.StartElement) error {
	if len(p.open) == 1 {
		if p.rooted {
			return errors.New("there are two root elements")
		}
		p.rooted = true
	}
	if len(p.open) > maxDepth {
		return fmt.Errorf("elements are nested deeper than %d", maxDepth)
	}
	b := &branch{name: qualified(t.Name)}
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			b.declare(a.Name.Local, a.Value)
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			b.declare("", a.Value)
		}
	}
	p.open = append(p.open, b)
	space, err := p.space(t.Name.Space)
	if err != nil {
		return err
	}
	attrs, err := p.attributes(t.Attr)
	b.tree = []any{element, b.name, t.Name.Space, t.Name.Local, space, nil, attrs, nil}
	return err
}

func (p *parser) attributes(all []xml.Attr) ([]any, error) {
	attrs := make([]any, 0, len(all))
	var seen names
	for _, a := range all {
		space := ""
		var err error
		switch {
		case a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns":
			space = "http://www.w3.org/2000/xmlns/"
		case a.Name.Space != "":
			space, err = p.space(a.Name.Space)
		}
		if err != nil {
			return nil, err
		}
		if !seen.add(xml.Name{Space: space, Local: a.Name.Local}) {
			return nil, fmt.Errorf("the attribute %q is given twice", qualified(a.Name))
		}
		attrs = append(attrs, []any{attribute, qualified(a.Name), a.Name.Space, a.Name.Local, space, a.Value, nil, nil})
	}
	return attrs, nil
}

// names is a set of names, of which there are few as a rule.
type names struct {
	few  []xml.Name
	many map[xml.Name]bool
}

// add tells whether the name is a new one.
func (n *names) add(name xml.Name) bool {
	if n.many[name] || slices.Contains(n.few, name) {
		return false
	}
	if len(n.few) < 8 {
		n.few = append(n.few, name)
		return true
	}
	if n.many == nil {
		n.many = make(map[xml.Name]bool)
	}
	n.many[name] = true
	return true
}

// space is what a prefix stands for here.
func (p *parser) space(prefix string) (string, error) {
	if prefix == "xml" {
		return "http://www.w3.org/XML/1998/namespace", nil
	}
	for i := len(p.open) - 1; i >= 0; i-- {
		if space, ok := p.open[i].spaces[prefix]; ok {
			return space, nil
		}
	}
	if prefix != "" {
		return "", fmt.Errorf("the prefix %q is not declared", prefix)
	}
	return "", nil
}

func (p *parser) end(t xml.EndElement) error {
	b := p.top()
	if len(p.open) == 1 || qualified(t.Name) != b.name {
		return fmt.Errorf("</%s> closes nothing", qualified(t.Name))
	}
	p.open = p.open[:len(p.open)-1]
	outer := p.top()
	outer.children = append(outer.children, b.done())
	return nil
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}
