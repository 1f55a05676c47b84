// Package xmltree reads XML into a small immutable tree that knows the line of
// every element, so that whoever rejects an element can say where it stands.
//
// It reads what voice pages and grammars are written in and refuses what only
// attackers need: a document type with an internal subset (entities), nesting
// without bound, documents without bound. Trees built by query libraries either
// do not carry exact lines or build the whole tree before a limit can be checked,
// and encoding/xml lets pass much that is not well-formed and takes several times
// as long, which decides what a hostile document can cost. So this one has a Reader
// of its own.
package xmltree

import (
	"fmt"
	"strings"
)

// XMLNamespace is what the prefix xml is bound to.
const XMLNamespace = "http://www.w3.org/XML/1998/namespace"

// Node is an element, or a run of character data when Name is empty.
type Node struct {
	Name     string // local name; empty for text
	Space    string // namespace URI
	Text     string // of a text node
	Attrs    []Attr
	Children []*Node
	Line     int
}

// Attr is one attribute. Namespace declarations are not kept.
type Attr struct {
	Name  string // local name, with "xml:" in front for the XML namespace
	Space string // namespace URI, empty for the usual unprefixed attribute
	Value string
}

// Error says what is wrong with a document, and where.
type Error struct {
	Line  int
	Text  string
	Limit bool // it is larger than is read, whatever else it is
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// IsText tells whether n is character data.
func (n *Node) IsText() bool { return n.Name == "" }

// Blank tells whether n is character data of white space only.
func (n *Node) Blank() bool { return n.IsText() && strings.TrimSpace(n.Text) == "" }

// Attr returns the value of the named attribute, or "".
func (n *Node) Attr(name string) string {
	v, _ := n.Lookup(name)
	return v
}

// Lookup returns the value of the named attribute and whether it is there. The
// name is local, or begins with "xml:".
func (n *Node) Lookup(name string) (string, bool) {
	for _, a := range n.Attrs {
		if a.Name == name && (a.Space == "" || a.Space == XMLNamespace) {
			return a.Value, true
		}
	}
	return "", false
}

// Elements returns the child elements.
func (n *Node) Elements() []*Node {
	var out []*Node
	for _, c := range n.Children {
		if !c.IsText() {
			out = append(out, c)
		}
	}
	return out
}

// Content returns the character data of n and everything below it.
func (n *Node) Content() string {
	var b strings.Builder
	n.content(&b)
	return b.String()
}

func (n *Node) content(b *strings.Builder) {
	b.WriteString(n.Text)
	for _, c := range n.Children {
		c.content(b)
	}
}

// HasContent tells whether n holds an element or text that is not blank.
func (n *Node) HasContent() bool {
	for _, c := range n.Children {
		if !c.Blank() {
			return true
		}
	}
	return false
}
