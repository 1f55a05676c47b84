package grammar

import (
	"fmt"
	"net/url"
	"strings"

	"mcp/vxml/near"
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

// maxSource bounds the text of a grammar.
const maxSource = xmltree.MaxSize

// Parse reads a grammar document in XML or ABNF form; which of the two it is in
// shows from its beginning.
func Parse(data []byte, d Defaults) (*Grammar, error) {
	root, form, err := Read(data, d.URI)
	if err != nil {
		return nil, err
	}
	g, err := Compile(root, d)
	if err != nil {
		return nil, err
	}
	g.Form = form
	return g, nil
}

// Read reads a grammar document of either form into the elements of the XML form.
func Read(data []byte, uri string) (*xmltree.Node, Form, error) {
	if start, _ := decodeUTF16(data[:min(len(data), 16)&^1]); strings.HasPrefix(string(start), "#ABNF") {
		root, err := ParseABNF(data, uri)
		return root, ABNF, err
	}
	root, err := xmltree.Parse(decodeXML(data))
	if err != nil {
		wrong := &Error{URI: uri, Text: err.Error()}
		if x, ok := err.(*xmltree.Error); ok {
			wrong.Line, wrong.Text, wrong.Limit = x.Line, x.Text, x.Limit
		}
		return nil, XML, wrong
	}
	return root, XML, nil
}

// Compile compiles a <grammar> element.
func Compile(root *xmltree.Node, d Defaults) (*Grammar, error) {
	c := &compiler{grammar: &Grammar{
		URI: d.URI, Mode: d.Mode, Language: d.Language, rules: make(map[string]*rule),
	}, base: d.URI, space: root.Space, seen: make(map[string]bool)}
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
	space   string          // namespace of the document element
	seen    map[string]bool // external documents
	size    int             // instructions so far, of all rules
	work    int             // expansions so far
	current *rule
	refs    []*xmltree.Node // local references, checked at the end
}

// maxCode bounds the instructions of one grammar, which repeats multiply.
const maxCode = 1 << 16

// maxWork bounds the expansions compiled, those that emit nothing included.
const maxWork = 4 * maxCode

func (c *compiler) fail(n *xmltree.Node, format string, args ...any) error {
	return &Error{URI: c.grammar.URI, Line: n.Line, Text: fmt.Sprintf(format, args...)}
}

func (c *compiler) tooLarge(n *xmltree.Node) error {
	return &Error{URI: c.grammar.URI, Line: n.Line, Limit: true, Text: "the grammar is too large when its repeats are written out"}
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
	for _, name := range []string{"src", "srcexpr"} {
		if _, ok := root.Lookup(name); ok && !d.Inline {
			return c.fail(root, "<grammar> of a grammar document may not have %s", name)
		}
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
	if g.Mode == Voice && g.Language == "" && !d.Inline {
		return c.fail(root, "a grammar for voice must say its language in xml:lang")
	}
	if base := declaredBase(root); base != "" {
		c.base = join(c.base, base)
	}
	if root, ok := root.Lookup("root"); ok {
		g.Root = strings.TrimSpace(root)
	}
	return c.tagFormat(root)
}

// declaredBase is the base URI that a grammar declares: xml:base, or else the
// meta declaration "base" (SRGS section 4.9).
func declaredBase(root *xmltree.Node) string {
	if base := root.Attr("xml:base"); base != "" {
		return base
	}
	for _, n := range root.Children {
		if n.Name == "meta" && n.Attr("name") == "base" {
			return n.Attr("content")
		}
	}
	return ""
}

func (c *compiler) tagFormat(root *xmltree.Node) error {
	g := c.grammar
	switch format := strings.TrimSpace(root.Attr("tag-format")); format {
	case "":
	case "semantics/1.0", "semantics/1.0.2006":
		g.TagFormat = Script
	case "semantics/1.0-literals", "semantics/1.0.2006-literals":
		g.TagFormat = Literals
	default:
		// A recognizer may know it. Without one, tags are read as if none were stated.
		if g.Mode == DTMF {
			return &Error{URI: g.URI, Line: root.Line, Unsupported: true, Text: fmt.Sprintf("tag-format %q is not one for keys: semantics/1.0 and semantics/1.0-literals are", format)}
		}
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
	if err := c.attributes(n); err != nil {
		return err
	}
	switch n.Name {
	case "":
		if !n.Blank() {
			return c.fail(n, "there is text between the rules of the grammar: %q", strings.TrimSpace(n.Text))
		}
		return nil
	case "metadata":
		return nil
	case "meta":
		return c.meta(n)
	case "lexicon":
		// Pronunciations matter to recognizers only.
		if n.Attr("uri") == "" {
			return c.fail(n, "<lexicon> needs uri")
		}
		return nil
	case "tag":
		c.grammar.Header = append(c.grammar.Header, n.Content())
		return nil
	case "rule":
		return c.rule(n)
	}
	if n.Space != c.space {
		return nil // another namespace's, for whoever knows it
	}
	return c.fail(n, "<%s> is not allowed in <grammar>", n.Name)
}

func (c *compiler) meta(n *xmltree.Node) error {
	_, name := n.Lookup("name")
	_, http := n.Lookup("http-equiv")
	if _, content := n.Lookup("content"); !content || name == http {
		return c.fail(n, "<meta> needs content and either name or http-equiv")
	}
	return nil
}

func (c *compiler) rule(n *xmltree.Node) error {
	id := n.Attr("id")
	switch {
	case id == "":
		return c.fail(n, "<rule> has no id")
	case id == "NULL" || id == "VOID" || id == "GARBAGE" || strings.ContainsAny(id, ".:-"+reserved):
		return c.fail(n, "%q may not be the id of a rule", id)
	case c.grammar.rules[id] != nil:
		return c.fail(n, "there are two rules %q", id)
	}
	r := &rule{id: id, grammar: c.grammar, line: n.Line}
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
	if err := c.emit(n, inst{op: opReturn}); err != nil {
		return err
	}
	r.join()
	return nil
}

// join marks where more ways than one lead to.
func (r *rule) join() {
	ways := make([]int, len(r.code)+1)
	ways[0] = 1
	for pc, in := range r.code {
		switch in.op {
		case opSplit:
			for _, to := range in.to {
				ways[to]++
			}
		case opReturn, opVoid:
		default:
			ways[pc+1]++
		}
	}
	for pc := range r.code {
		r.code[pc].joins = ways[pc] > 1
	}
}

func (c *compiler) resolve(root *xmltree.Node) error {
	if len(c.grammar.rules) == 0 {
		return c.fail(root, "the grammar has no rule")
	}
	if c.grammar.Root != "" && c.grammar.rules[c.grammar.Root] == nil {
		return c.fail(root, "there is no root rule %q%s", c.grammar.Root, near.Hint(c.grammar.Root, c.grammar.names()))
	}
	for _, n := range c.refs {
		if id := strings.TrimPrefix(strings.TrimSpace(n.Attr("uri")), "#"); c.grammar.rules[id] == nil {
			return c.fail(n, "there is no rule %q%s", id, near.Hint(id, c.grammar.names()))
		}
	}
	for _, r := range c.grammar.rules {
		for pc := range r.code {
			if in := &r.code[pc]; in.op == opCall {
				in.callee = c.grammar.rules[in.text]
			}
		}
	}
	return nil
}
