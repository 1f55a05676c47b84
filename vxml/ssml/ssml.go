// Package ssml turns the content of a VoiceXML <prompt> into what can be played:
// complete SSML 1.0 documents, split where <audio> names a recording.
package ssml

import (
	"fmt"
	"slices"

	"mcp/vxml/xmltree"
)

// Namespace is the namespace of SSML documents.
const Namespace = "http://www.w3.org/2001/10/synthesis"

// Node is a piece of prompt content: Text, *Element, *Audio, *Value, *Mark,
// *Foreach or *Enumerate.
type Node interface{ node() }

// Text is character data.
type Text string

// Element is an SSML element.
type Element struct {
	Name    string
	Attrs   []xmltree.Attr
	Content []Node
}

// Audio is <audio>; Content is what is rendered when it cannot be had.
type Audio struct {
	Src, Expr string
	Source    *xmltree.Node // for the attributes of fetching
	Content   []Node
}

// Value is <value>.
type Value struct {
	Expr string
	Line int
}

// Mark is <mark>.
type Mark struct{ Name, NameExpr string }

// Foreach is <foreach>: its content once for each element of an array.
type Foreach struct {
	Item, Array string
	Line        int
	Content     []Node
}

// Enumerate is <enumerate>: its content once for each choice.
type Enumerate struct{ Content []Node }

func (Text) node()       {}
func (*Element) node()   {}
func (*Audio) node()     {}
func (*Value) node()     {}
func (*Mark) node()      {}
func (*Foreach) node()   {}
func (*Enumerate) node() {}

// elements are the SSML elements of a prompt with their attributes.
var elements = map[string][]string{
	"p": {"xml:lang"}, "paragraph": {"xml:lang"}, "s": {"xml:lang"}, "sentence": {"xml:lang"},
	"say-as":   {"interpret-as", "format", "detail", "type"},
	"phoneme":  {"ph", "alphabet"},
	"sub":      {"alias"},
	"voice":    {"xml:lang", "gender", "age", "variant", "name"},
	"emphasis": {"level"},
	"break":    {"time", "strength", "size"},
	"prosody":  {"pitch", "contour", "range", "rate", "duration", "volume"},
	"meta":     {"name", "http-equiv", "content"},
	"metadata": nil,
	"lexicon":  {"uri", "type"},
}

// Is tells whether name is an element that Parse accepts beside the VoiceXML ones.
func Is(name string) bool {
	_, ok := elements[name]
	return ok
}

// Parse reads prompt content. Errors are *xmltree.Error.
func Parse(nodes []*xmltree.Node) ([]Node, error) {
	var out []Node
	for _, n := range nodes {
		p, err := parse(n)
		if err != nil {
			return nil, err
		}
		if p != nil {
			out = append(out, p)
		}
	}
	return out, nil
}

func parse(n *xmltree.Node) (Node, error) {
	switch n.Name {
	case "":
		return Text(n.Text), nil
	case "value":
		if n.Attr("expr") == "" {
			return nil, fault(n, "<value> needs expr")
		}
		return &Value{n.Attr("expr"), n.Line}, nil
	case "mark":
		if (n.Attr("name") == "") == (n.Attr("nameexpr") == "") {
			return nil, fault(n, "<mark> needs exactly one of name and nameexpr")
		}
		return &Mark{n.Attr("name"), n.Attr("nameexpr")}, nil
	case "desc", "meta", "metadata", "lexicon":
		return nil, nil
	}
	content, err := Parse(n.Children)
	if err != nil {
		return nil, err
	}
	switch n.Name {
	case "audio":
		_, src := n.Lookup("src")
		_, expr := n.Lookup("expr")
		if src == expr {
			return nil, fault(n, "<audio> needs exactly one of src and expr")
		}
		return &Audio{n.Attr("src"), n.Attr("expr"), n, content}, nil
	case "foreach":
		return &Foreach{n.Attr("item"), n.Attr("array"), n.Line, content}, nil
	case "enumerate":
		return &Enumerate{content}, nil
	}
	return element(n, content)
}

func element(n *xmltree.Node, content []Node) (Node, error) {
	allowed, ok := elements[n.Name]
	if !ok {
		return nil, fault(n, "<%s> is not allowed in a prompt", n.Name)
	}
	for _, a := range n.Attrs {
		if a.Space == "" && !slices.Contains(allowed, a.Name) {
			return nil, fault(n, "<%s> has no attribute %q", n.Name, a.Name)
		}
	}
	if wrong := invalid(n); wrong != "" {
		return nil, fault(n, "<%s> %s", n.Name, wrong)
	}
	return &Element{n.Name, n.Attrs, content}, nil
}

func fault(n *xmltree.Node, format string, args ...any) error {
	return &xmltree.Error{Line: n.Line, Text: fmt.Sprintf(format, args...)}
}
