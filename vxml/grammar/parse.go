package grammar

import (
	"fmt"
	"net/url"
	"strings"

	"mcp/vxml/xmltree"
)

// Namespace is the namespace of SRGS grammars.
const Namespace = "http://www.w3.org/2001/06/grammar"

// Defaults are what an inline grammar takes from the page around it.
type Defaults struct {
	URI      string // base of relative references, and the grammar's name
	Language string
	Mode     Mode
	Inline   bool // an inline grammar needs no namespace and no version of its own
}

// Parse reads a grammar document in XML form.
func Parse(data []byte, d Defaults) (*Grammar, error) {
	root, err := xmltree.Parse(data)
	if err != nil {
		line, text := 0, err.Error()
		if x, ok := err.(*xmltree.Error); ok {
			line, text = x.Line, x.Text
		}
		return nil, &Error{URI: d.URI, Line: line, Text: text}
	}
	return Compile(root, d)
}

// Compile compiles a <grammar> element.
func Compile(root *xmltree.Node, d Defaults) (*Grammar, error) {
	c := &compiler{grammar: &Grammar{
		URI: d.URI, Mode: d.Mode, Language: d.Language, rules: make(map[string]*rule),
	}, base: d.URI, seen: make(map[string]bool)}
	if err := c.header(root, d); err != nil {
		return nil, err
	}
	for _, n := range root.Children {
		if err := c.top(n); err != nil {
			return nil, err
		}
	}
	if err := c.resolve(root); err != nil {
		return nil, err
	}
	return c.grammar, nil
}

type compiler struct {
	grammar *Grammar
	base    string
	seen    map[string]bool // external documents
	size    int             // instructions so far, of all rules
	current *rule
	refs    []*xmltree.Node // local references, checked at the end
}

// maxCode bounds the instructions of one grammar, which repeats multiply.
const maxCode = 1 << 16

func (c *compiler) fail(n *xmltree.Node, format string, args ...any) error {
	return &Error{URI: c.grammar.URI, Line: n.Line, Text: fmt.Sprintf(format, args...)}
}

func (c *compiler) header(root *xmltree.Node, d Defaults) error {
	g := c.grammar
	if root.Name != "grammar" {
		return c.fail(root, "the root element is <%s>, not <grammar>", root.Name)
	}
	if !d.Inline && root.Space != Namespace {
		return c.fail(root, "<grammar> is in namespace %q, not %q", root.Space, Namespace)
	}
	if v, ok := root.Lookup("version"); v != "1.0" && (ok || !d.Inline) {
		return c.fail(root, `<grammar> must have version="1.0"`)
	}
	if mode, ok := root.Lookup("mode"); ok {
		switch mode {
		case "voice":
			g.Mode = Voice
		case "dtmf":
			g.Mode = DTMF
		default:
			return c.fail(root, "unknown mode %q", mode)
		}
	}
	if lang := root.Attr("xml:lang"); lang != "" {
		g.Language = lang
	}
	if base := root.Attr("xml:base"); base != "" {
		c.base = join(c.base, base)
	}
	g.Root = root.Attr("root")
	switch format := root.Attr("tag-format"); format {
	case "":
	case "semantics/1.0", "semantics/1.0.2006":
		g.TagFormat = Script
	case "semantics/1.0-literals", "semantics/1.0.2006-literals":
		g.TagFormat = Literals
	default:
		return &Error{URI: g.URI, Line: root.Line, Unsupported: true, Text: fmt.Sprintf("tag-format %q", format)}
	}
	return nil
}

func join(base, ref string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	r, err := b.Parse(ref)
	if err != nil {
		return ref
	}
	return r.String()
}

func (c *compiler) top(n *xmltree.Node) error {
	switch n.Name {
	case "":
		if !n.Blank() {
			return c.fail(n, "there is text between the rules of the grammar: %q", strings.TrimSpace(n.Text))
		}
		return nil
	case "meta", "metadata", "lexicon":
		return nil
	case "tag":
		c.grammar.Header = append(c.grammar.Header, n.Content())
		return nil
	case "rule":
		return c.rule(n)
	}
	return c.fail(n, "<%s> is not allowed in <grammar>", n.Name)
}

func (c *compiler) rule(n *xmltree.Node) error {
	id := n.Attr("id")
	switch {
	case id == "":
		return c.fail(n, "<rule> has no id")
	case id == "NULL" || id == "VOID" || id == "GARBAGE" || strings.ContainsAny(id, ".:- \t\n"):
		return c.fail(n, "%q may not be the id of a rule", id)
	case c.grammar.rules[id] != nil:
		return c.fail(n, "there are two rules %q", id)
	}
	r := &rule{id: id, grammar: c.grammar}
	switch scope := n.Attr("scope"); scope {
	case "", "private":
	case "public":
		r.public = true
	default:
		return c.fail(n, "unknown scope %q", scope)
	}
	if !n.HasContent() {
		return c.fail(n, "rule %q is empty", id)
	}
	c.grammar.rules[id], c.current = r, r
	if err := c.sequence(n); err != nil {
		return err
	}
	return c.emit(n, inst{op: opReturn})
}

func (c *compiler) resolve(root *xmltree.Node) error {
	if len(c.grammar.rules) == 0 {
		return c.fail(root, "the grammar has no rule")
	}
	if c.grammar.Root != "" && c.grammar.rules[c.grammar.Root] == nil {
		return c.fail(root, "there is no root rule %q", c.grammar.Root)
	}
	for _, n := range c.refs {
		if id := strings.TrimPrefix(n.Attr("uri"), "#"); c.grammar.rules[id] == nil {
			return c.fail(n, "there is no rule %q", id)
		}
	}
	return nil
}
