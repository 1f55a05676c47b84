package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/near"
	"mcp/vxml/xmltree"
)

// tree is a page as it is written.
type tree struct {
	root *xmltree.Node
	url  string
}

var identifiers = regexp.MustCompile(`[\p{L}_$][\p{L}\p{Nd}_$]*`)

var escapes = regexp.MustCompile(`\\u(?:[\da-fA-F]{4}|\{[\da-fA-F]+\})`)

// unescaped is the character that an escape in a name stands for.
func unescaped(escape string) string {
	code, err := strconv.ParseInt(strings.Trim(escape[2:], "{}"), 16, 32)
	if err != nil {
		return escape
	}
	return string(rune(code))
}

// provided are the variables that nobody declares (VoiceXML 2.0 section 5.1).
var provided = []string{"session", "application", "lastresult$", "lastmessage$", "_event", "_message", "_prompt", "_dtmf"}

// names are variables that an element may use.
type names map[string]bool

func (n names) with(more names) names {
	out := maps.Clone(n)
	maps.Copy(out, more)
	return out
}

// variables looks for those that a page assigns or hands on, and that no scope around
// has. Whatever a script mentions it may have declared; what is thrown from
// elsewhere into a page's handlers, or what a root that cannot be read has, is not
// known.
func (c *checker) variables(t tree) {
	known := names{}
	for _, name := range provided {
		known[name] = true
	}
	if ref := t.root.Attr("application"); ref != "" {
		url, _, err := fetch.Resolve(t.url, ref)
		root, read := c.trees[url]
		if err != nil || !read {
			return
		}
		known = known.with(declared(root.root))
	}
	known = known.with(declared(t.root))
	anywhere := known
	for _, n := range t.root.Elements() {
		if n.Name == "form" || n.Name == "menu" {
			anywhere = anywhere.with(declared(n)).with(within(n))
			c.dialog(t, n, known.with(declared(n)))
		}
	}
	for _, n := range t.root.Elements() {
		if handler(n) && !c.isRoot(t.url) {
			c.used(t, n, anywhere.with(within(n)))
		}
	}
}

// isRoot tells whether another page inherits a page's handlers.
func (c *checker) isRoot(url string) bool {
	for _, other := range c.trees {
		if abs, _, err := fetch.Resolve(other.url, other.root.Attr("application")); err == nil && other.url != url && abs == url {
			return true
		}
	}
	return false
}

func handler(n *xmltree.Node) bool {
	return slices.Contains([]string{"catch", "error", "help", "noinput", "nomatch"}, n.Name)
}

// dialog looks at a form or menu, whose own variables are among the known ones.
func (c *checker) dialog(t tree, form *xmltree.Node, known names) {
	for _, n := range form.Elements() {
		c.uses(t, n, known)
		for _, inner := range n.Elements() {
			switch {
			case n.Name == "block" || n.Name == "filled" || handler(n):
				c.used(t, inner, known.with(within(n)))
			case inner.Name == "filled" || handler(inner):
				c.used(t, inner, known.with(within(inner)))
			}
		}
	}
}

// used looks at an element and all that is in it.
func (c *checker) used(t tree, n *xmltree.Node, known names) {
	c.uses(t, n, known)
	for _, child := range n.Elements() {
		c.used(t, child, known)
	}
}

// uses looks at the variables that an element names.
func (c *checker) uses(t tree, n *xmltree.Node, known names) {
	at := reference{from: &doc.Error{URL: t.url, Line: n.Line, Element: n.Name}}
	if name := variable(n.Attr("name")); n.Name == "assign" && !c.has(known, name) {
		hint := near.Meant(name, slices.Sorted(maps.Keys(known)))
		c.wrong(at, fmt.Errorf("no scope declares %q: %s", name, instead(hint, fmt.Sprintf("declare it with <var name=%q/>", name))))
	}
	if n.Name == "filled" {
		return // whose names are those of items
	}
	for _, word := range strings.Fields(n.Attr("namelist")) {
		if name := variable(word); !c.has(known, name) {
			hint := near.Meant(name, slices.Sorted(maps.Keys(known)))
			c.wrong(at, fmt.Errorf("namelist names %q, which no scope declares: %s", name, instead(hint, "name a variable or a form item")))
		}
	}
}

// instead is what the author should do: mean another name, or else something.
func instead(meant, otherwise string) string {
	if meant != "" {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	return otherwise
}

func (c *checker) has(known names, name string) bool {
	return name == "" || known[name] || known[strings.TrimSuffix(name, "$")] || c.words[name]
}

// variable is the first name of an expression, without the scope; empty when it is
// none that can be looked up.
func variable(expr string) string {
	expr = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(expr), "dialog."), "document.")
	at := identifiers.FindStringIndex(expr)
	if at == nil || at[0] != 0 {
		return ""
	}
	return expr[:at[1]]
}

// declared are the variables that the children of a page or form declare.
func declared(n *xmltree.Node) names {
	out := names{}
	for _, child := range n.Elements() {
		if name := child.Attr("name"); name != "" && !slices.Contains([]string{"property", "meta"}, child.Name) {
			out[name] = true
		}
	}
	return out
}

// within are those that executable content declares.
func within(n *xmltree.Node) names {
	out := names{}
	for _, child := range n.Elements() {
		switch child.Name {
		case "var", "data":
			out[child.Attr("name")] = true
		case "foreach":
			out[child.Attr("item")] = true
		}
		maps.Copy(out, within(child))
	}
	return out
}
