package doc

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"mcp/vxml/fetch"
	"mcp/vxml/grammar"
	"mcp/vxml/property"
	"mcp/vxml/ssml"
	"mcp/vxml/xmltree"
)

// maxProblems bounds how many faults of one page are reported.
const maxProblems = 20

// Compile reads a document fetched from url. Its error joins every *Error found.
func Compile(data []byte, url string) (*Page, error) {
	c := &compiler{page: &Page{URL: url, Base: url}, ids: make(map[string]bool)}
	root, err := xmltree.Parse(data)
	if err != nil {
		return nil, c.broken(err)
	}
	if root.Name != "vxml" {
		c.fail(root, "the root element is not <vxml>")
		return nil, c.report()
	}
	if root.Space != Namespace && root.Space != "" {
		c.fail(root, "the namespace %q is not that of VoiceXML, %s", root.Space, Namespace)
		return nil, c.report()
	}
	if base := root.Attr("xml:base"); base != "" {
		c.page.Base = c.resolve(root, base)
	}
	c.language = root.Attr("xml:lang")
	c.validate(root)
	c.document(root) // in any case: an author wants to know everything that is wrong
	c.misspelt()
	c.deaf()
	return c.page, c.report()
}

type compiler struct {
	page     *Page
	language string
	ids      map[string]bool
	problems []error
	internal int // internal names given so far
	order    int // of grammars and <filled> elements
	made     int // grammars made of choices, options and keys
	words    int // in those of them that take parts of a phrase
	catches  []*xmltree.Node
	thrown   map[string]bool // the events that the page itself throws

	universals bool // the page sets the property of that name
}

// next counts what is of interest in the order of the document.
func (c *compiler) next() int {
	c.order++
	return c.order
}

// report joins the problems. What the schema and a reader of the element both find
// is one.
func (c *compiler) report() error {
	var out []error
	for _, p := range c.problems {
		if !slices.ContainsFunc(out, func(known error) bool { return known.Error() == p.Error() }) {
			out = append(out, p)
		}
	}
	return errors.Join(out...)
}

// broken is a failure of the XML itself.
func (c *compiler) broken(err error) error {
	out := &Error{URL: c.page.URL, Text: err.Error()}
	var x *xmltree.Error
	if errors.As(err, &x) {
		out.Line, out.Text = x.Line, x.Text
	}
	return out
}

func (c *compiler) resolve(n *xmltree.Node, ref string) string {
	abs, _, err := fetch.Resolve(c.page.Base, ref)
	if err != nil {
		c.fail(n, "%v", err)
	}
	return abs
}

func (c *compiler) pos(n *xmltree.Node) Pos { return Pos{c.page.URL, c.page.Base, n.Line, n.Name} }

func (c *compiler) document(root *xmltree.Node) {
	if v := root.Attr("version"); v != "2.0" && v != "2.1" {
		c.fail(root, "version %q is neither 2.0 nor 2.1", v)
	}
	p := c.page
	p.Language = c.language
	if app := root.Attr("application"); app != "" {
		p.Application = c.resolve(root, app)
	}
	p.Scope = c.scope(root)
	for _, n := range root.Elements() {
		switch n.Name {
		case "var", "script", "data":
			p.Init = append(p.Init, c.action(n))
		case "form":
			p.Dialogs = append(p.Dialogs, c.form(n))
		case "menu":
			p.Dialogs = append(p.Dialogs, c.menu(n))
		case "meta":
			c.meta(n)
		}
	}
	c.references(root)
}

// meta is <meta>: metadata is for others, but http-equiv is for the cache.
func (c *compiler) meta(n *xmltree.Node) {
	name := n.Attr("http-equiv")
	if !one(name != "", n.Attr("name") != "") {
		c.fail(n, "needs exactly one of name and http-equiv")
	}
	if name != "" {
		if c.page.Headers == nil {
			c.page.Headers = make(http.Header)
		}
		c.page.Headers.Add(name, n.Attr("content"))
	}
}

// scope collects handlers, links and properties among n's children.
func (c *compiler) scope(n *xmltree.Node) Scope {
	var s Scope
	for _, child := range n.Elements() {
		switch child.Name {
		case "catch", "error", "help", "noinput", "nomatch":
			s.Catches = append(s.Catches, c.catch(child))
		case "link":
			s.Links = append(s.Links, c.link(child))
		case "property":
			c.property(child, &s)
		}
	}
	return s
}

// property is <property>, whose value may be an expression (gvp:expr).
func (c *compiler) property(n *xmltree.Node, s *Scope) {
	for _, a := range n.Attrs {
		if a.Space == Extension && a.Name == "expr" {
			s.Computed = append(s.Computed, &Var{c.pos(n), n.Attr("name"), a.Value})
			return
		}
	}
	value, given := n.Lookup("value")
	if !given {
		c.fail(n, `the attribute "value" is missing`)
	}
	if s.Properties == nil {
		s.Properties = &property.Layer{}
	}
	s.Properties.Set(n.Attr("name"), value)
}

func (c *compiler) catch(n *xmltree.Node) *Catch {
	h := &Catch{Pos: c.pos(n), Cond: n.Attr("cond"), Count: c.count(n), Body: c.actions(n)}
	if n.Name == "catch" {
		for _, e := range strings.Fields(n.Attr("event")) {
			h.Events = append(h.Events, strings.TrimSuffix(e, "."))
		}
		return h
	}
	h.Events = []string{n.Name}
	return h
}

// id checks that a dialog's id is given once.
func (c *compiler) id(n *xmltree.Node) string {
	id := n.Attr("id")
	if id != "" && c.ids[id] {
		c.fail(n, "there are two dialogs %q", id)
	}
	c.ids[id] = true
	return id
}

func (c *compiler) inDocument(n *xmltree.Node) bool {
	switch n.Attr("scope") {
	case "", "dialog":
		return false
	case "document":
		return true
	}
	c.fail(n, "scope %q is neither dialog nor document", n.Attr("scope"))
	return false
}

func (c *compiler) form(n *xmltree.Node) *Form {
	f := &Form{Pos: c.pos(n), ID: c.id(n), Document: c.inDocument(n), Scope: c.scope(n)}
	names := make(map[string]bool)
	for _, child := range n.Elements() {
		switch child.Name {
		case "var", "script", "data":
			f.Init = append(f.Init, c.action(child))
		case "grammar":
			f.Grammars = append(f.Grammars, c.grammar(child))
		case "filled":
			f.Filled = append(f.Filled, c.filled(child))
		case "block", "field", "initial", "subdialog", "record", "transfer", "object":
			item := c.item(child)
			if name := item.Base().Name; names[name] {
				c.fail(child, "there are two form items %q", name)
			} else {
				names[name] = true
			}
			f.Items = append(f.Items, item)
		}
	}
	c.triggers(f)
	return f
}

// triggers checks that what the form's <filled> elements wait for can be filled.
func (c *compiler) triggers(f *Form) {
	fills := make(map[string]bool)
	for _, item := range f.Items {
		fills[item.Base().Name] = Input(item)
	}
	for _, filled := range f.Filled {
		for _, name := range filled.Namelist {
			if !fills[name] {
				c.fail(&xmltree.Node{Name: "filled", Line: filled.Line}, "%q is no input item: nothing fills it", name)
			}
		}
	}
}

func (c *compiler) menu(n *xmltree.Node) *Form {
	f := &Form{Pos: c.pos(n), ID: c.id(n), Document: c.inDocument(n)}
	m := &Menu{Common: c.common(n)}
	approximate := c.approximately(n, false)
	numbered := c.boolean(n, "dtmf")
	key := 0
	for _, child := range n.Elements() {
		switch child.Name {
		case "choice":
			choice := c.choice(child, approximate)
			if numbered && choice.DTMF != "" && !strings.Contains("0*#", choice.DTMF) {
				c.fail(child, `dtmf=%q: in a menu with dtmf="true" it may only be 0, * or #`, choice.DTMF)
			}
			if numbered && choice.DTMF == "" && key < 9 {
				key++
				choice.DTMF = string(rune('0' + key))
				choice.Grammars = append(choice.Grammars, c.keys(child, choice.DTMF, ""))
			}
			m.Choices = append(m.Choices, choice)
		case "script":
			f.Init = append(f.Init, c.action(child))
		}
	}
	if len(m.Choices) == 0 {
		c.fail(n, "a menu needs a <choice>")
	}
	f.Items = []Item{m}
	return f
}

func (c *compiler) grammar(n *xmltree.Node) *Grammar {
	g := &Grammar{
		Pos: c.pos(n), Src: n.Attr("src"), Expr: n.Attr("srcexpr"), Mode: n.Attr("mode"),
		Type: n.Attr("type"), Document: c.inDocument(n), Fetch: c.fetching(n), Weight: c.weight(n), Order: c.next(),
	}
	inline := n.HasContent()
	sources := 0
	for _, given := range []bool{g.Src != "", g.Expr != "", inline} {
		if given {
			sources++
		}
	}
	if sources != 1 {
		c.fail(n, "needs exactly one of src, srcexpr and content")
		return g
	}
	if inline {
		c.inline(n, g)
	}
	return g
}

// inline compiles a grammar written into the page. Other formats than SRGS XML
// are for a recognizer to read.
func (c *compiler) inline(n *xmltree.Node, g *Grammar) {
	if len(n.Elements()) == 0 {
		g.Source = []byte(strings.TrimSpace(n.Content()))
		switch {
		case bytes.HasPrefix(g.Source, []byte("#ABNF")), g.Type == "application/srgs":
			c.abnf(g)
		case g.Type == "":
			c.fail(n, "an inline grammar that is not SRGS XML needs a type")
		}
		return
	}
	if g.Type != "" && g.Type != srgsType {
		c.fail(n, "the content is SRGS XML, not %s", g.Type)
		return
	}
	compiled, err := grammar.Compile(n, grammar.Defaults{URI: c.page.Base, Language: c.language, Inline: true})
	var wrong *grammar.Error
	if errors.As(err, &wrong) && wrong.Limit && g.Mode != "dtmf" { // a recognizer may be able to
		language := cmp.Or(n.Attr("xml:lang"), c.language)
		g.Source, g.Type = standalone(n, &grammar.Grammar{Language: language, Root: n.Attr("root")}), srgsType
		return
	}
	if err != nil {
		g.Wrong = err
		return
	}
	g.Inline, g.Source, g.Type, g.Mode = compiled, standalone(n, compiled), srgsType, compiled.Mode.String()
}

// abnf compiles an inline grammar of the other form, and keeps it in XML form.
func (c *compiler) abnf(g *Grammar) {
	defaults := grammar.Defaults{URI: c.page.Base, Language: c.language}
	root, form, err := grammar.Read(g.Source, c.page.Base)
	if err == nil && form != grammar.ABNF {
		err = &grammar.Error{URI: c.page.Base, Line: g.Line, Text: "a grammar in ABNF form begins with #ABNF 1.0"}
	}
	if err == nil {
		g.Inline, err = grammar.Compile(root, defaults)
	}
	if err != nil {
		g.Wrong = err
		return
	}
	g.Source, g.Type, g.Mode = []byte(xmltree.Write(root)), srgsType, g.Inline.Mode.String()
}

const srgsType = "application/srgs+xml"

// standalone writes an inline grammar as a document of its own.
func standalone(n *xmltree.Node, g *grammar.Grammar) []byte {
	root := &xmltree.Node{Name: "grammar", Space: grammar.Namespace, Children: adopt(n.Children)}
	add := func(name, value string) {
		if value != "" {
			root.Attrs = append(root.Attrs, xmltree.Attr{Name: name, Value: value})
		}
	}
	add("version", "1.0")
	add("mode", g.Mode.String())
	if g.Mode == grammar.Voice {
		language := g.Language
		if language == "" {
			language = DefaultLanguage
		}
		root.Attrs = append(root.Attrs, xmltree.Attr{Name: "xml:lang", Space: xmltree.XMLNamespace, Value: language})
	}
	add("root", g.Start())
	add("tag-format", n.Attr("tag-format"))
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + xmltree.Write(root))
}

// DefaultLanguage is the language of a page that names none.
const DefaultLanguage = "en-US"

// adopt copies nodes into the namespace of grammars.
func adopt(nodes []*xmltree.Node) []*xmltree.Node {
	out := make([]*xmltree.Node, len(nodes))
	for i, n := range nodes {
		m := *n
		m.Space, m.Children = grammar.Namespace, adopt(n.Children)
		out[i] = &m
	}
	return out
}

// content parses prompt content.
func (c *compiler) content(nodes []*xmltree.Node) []ssml.Node {
	out, err := ssml.Parse(nodes)
	var x *xmltree.Error
	if errors.As(err, &x) {
		c.problems = append(c.problems, &Error{URL: c.page.URL, Line: x.Line, Text: x.Text})
	}
	return out
}
