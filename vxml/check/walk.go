package check

import (
	"errors"
	"fmt"
	"slices"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/grammar"
	"mcp/vxml/script"
	"mcp/vxml/xmltree"
)

// place is a document and the base of its relative references.
type place struct{ url, base string }

// attributes by what they hold.
var (
	references = map[string]struct {
		attr string
		kind kind
	}{
		"vxml": {"application", page}, "goto": {"next", page}, "submit": {"next", page}, "link": {"next", page},
		"choice": {"next", page}, "subdialog": {"src", page}, "script": {"src", code}, "grammar": {"src", grammars}, "audio": {"src", audio},
	}
	expressions = []string{
		"expr", "cond", "srcexpr", "destexpr", "eventexpr", "messageexpr", "aaiexpr", "nameexpr", "expritem", "array",
	}
)

// walk looks at what an element and everything in it refers to.
func (c *checker) walk(n *xmltree.Node, at place) {
	if base := n.Attr("xml:base"); base != "" {
		if abs, _, err := fetch.Resolve(at.base, base); err == nil {
			at.base = abs
		}
	}
	here := doc.Error{URL: at.url, Line: n.Line, Element: n.Name}
	for _, a := range n.Attrs {
		if !slices.Contains(expressions, a.Name) || a.Space != "" {
			continue
		}
		if err := script.Syntax(a.Value, true); err != nil {
			wrong := here
			wrong.Text = fmt.Sprintf("%s=%q: %v", a.Name, a.Value, err)
			c.problem(&wrong)
		}
	}
	if r, ok := references[n.Name]; ok && n.Attr(r.attr) != "" && n.Attr("method") != "post" {
		c.refer(n.Attr(r.attr), reference{kind: r.kind, from: &here}, at)
	}
	if n.Name == "script" && n.HasContent() {
		c.script(n.Content(), here)
	}
	if n.Name == "grammar" {
		c.inline(n, at)
		return
	}
	for _, child := range n.Elements() {
		c.walk(child, at)
	}
}

// refer puts a reference into the queue. A fragment alone is of the page itself,
// whatever its base.
func (c *checker) refer(ref string, r reference, at place) {
	base := at.base
	if ref[0] == '#' {
		base = at.url
	}
	var err error
	if r.url, r.fragment, err = fetch.Resolve(base, ref); err != nil {
		c.wrong(r, err)
		return
	}
	if len(r.url) > len("builtin:") && r.url[:len("builtin:")] == "builtin:" {
		return
	}
	c.queue = append(c.queue, r)
}

// inline looks at a grammar that is written into the page in XML form.
func (c *checker) inline(n *xmltree.Node, at place) {
	if len(n.Elements()) == 0 {
		return
	}
	_, err := grammar.Compile(n, grammar.Defaults{URI: at.base, Inline: true})
	var wrong *grammar.Error
	if errors.As(err, &wrong) {
		c.problem(&doc.Error{URL: at.url, Line: max(wrong.Line, n.Line), Element: n.Name, Text: wrong.Text})
	}
}
