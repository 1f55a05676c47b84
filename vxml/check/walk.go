package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/grammar"
	"mcp/vxml/near"
	"mcp/vxml/script"
	"mcp/vxml/xmltree"
)

// place is a document, the base of its relative references, and the form there.
type place struct {
	url, base string
	form      *xmltree.Node // nil: within none
}

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
		if text := fault(a.Value); text != "" {
			wrong := here
			wrong.Text = fmt.Sprintf("%s=%q is no expression of ECMAScript: %s", a.Name, a.Value, text)
			c.problem(&wrong)
		}
	}
	if r, ok := references[n.Name]; ok && n.Attr(r.attr) != "" && n.Attr("method") != "post" {
		c.refer(n.Attr(r.attr), reference{kind: r.kind, from: &here, params: params(n)}, at)
	}
	switch n.Name {
	case "script":
		if n.HasContent() {
			c.script(n.Content(), here)
		}
	case "form":
		at.form = n
	case "field":
		if kind := n.Attr("type"); kind != "" {
			c.builtin("builtin:dtmf/"+kind, reference{from: &here})
		}
	case "goto":
		if item := n.Attr("nextitem"); item != "" && at.form != nil && !slices.Contains(items(at.form), item) {
			c.wrong(reference{from: &here}, fmt.Errorf("the form has no item %q%s", item, near.Hint(item, items(at.form))))
		}
	case "grammar":
		c.inline(n, at)
		return
	}
	for _, child := range n.Elements() {
		c.walk(child, at)
	}
}

// params are the names of an element's parameters.
func params(n *xmltree.Node) []string {
	var names []string
	for _, child := range n.Elements() {
		if child.Name == "param" {
			names = append(names, child.Attr("name"))
		}
	}
	return names
}

// fault says what keeps a text from being an expression, empty when nothing does.
func fault(text string) string {
	err := script.Limits{}.Syntax(text, true)
	var wrong *script.SyntaxError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &wrong) && wrong.Line > strings.Count(text, "\n")+1:
		return "it ends too early"
	case err.Error() == "Unexpected identifier":
		return "an operator is missing, or the quotes of a text, as in 'text'"
	}
	return err.Error()
}

// items are the names of a form's items.
func items(form *xmltree.Node) []string {
	var names []string
	for _, n := range form.Elements() {
		if n.Name != "var" && n.Name != "data" && n.Name != "property" && n.Attr("name") != "" {
			names = append(names, n.Attr("name"))
		}
	}
	return names
}

// builtin looks at a builtin grammar that a page names.
func (c *checker) builtin(uri string, r reference) {
	_, _, err := grammar.Builtin(uri)
	var wrong *grammar.Error
	if errors.As(err, &wrong) {
		c.wrong(r, fmt.Errorf("%s: %s", uri, wrong.Text))
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
	if strings.HasPrefix(r.url, "builtin:") {
		c.builtin(r.url, r)
		return
	}
	c.queue = append(c.queue, r)
}

// inline looks at a grammar that is written into the page in XML form.
func (c *checker) inline(n *xmltree.Node, at place) {
	if len(n.Elements()) == 0 {
		return
	}
	g, err := grammar.Compile(n, grammar.Defaults{URI: at.base, Inline: true})
	if err == nil && g.Start() != "" {
		here := doc.Error{URL: at.url, Line: n.Line, Element: n.Name}
		c.queue = append(c.queue, reference{kind: grammars, url: at.url, from: &here, inline: g})
	}
	var wrong *grammar.Error
	if errors.As(err, &wrong) {
		c.problem(&doc.Error{URL: at.url, Line: max(wrong.Line, n.Line), Element: n.Name, Text: wrong.Text})
	}
}
