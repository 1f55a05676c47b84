package doc

import (
	"fmt"
	"strconv"
	"strings"

	"mcp/vxml/grammar"
	"mcp/vxml/property"
	"mcp/vxml/xmltree"
)

func (c *compiler) common(n *xmltree.Node) Common {
	out := Common{
		Pos: c.pos(n), Name: n.Attr("name"), Expr: n.Attr("expr"), Cond: n.Attr("cond"),
		Scope: c.scope(n),
	}
	if n.Name != "block" { // what a block says is part of its body
		out.Prompts = c.prompts(n)
	}
	out.Visible = out.Name != ""
	if !out.Visible {
		// A space keeps it apart from every name that a page can write.
		c.internal++
		out.Name = fmt.Sprintf("%s %d", n.Name, c.internal)
	} else if strings.ContainsAny(out.Name, ". \t\n") || strings.HasSuffix(out.Name, "$") {
		c.fail(n, "%q may not be the name of a form item", out.Name)
	}
	for _, child := range n.Elements() {
		if child.Name == "filled" {
			f := c.filled(child)
			if child.Attr("mode") != "" || len(f.Namelist) > 0 {
				c.fail(child, "mode and namelist are only for the <filled> of a form")
			}
			out.Filled = append(out.Filled, f)
		}
	}
	return out
}

func (c *compiler) item(n *xmltree.Node) Item {
	switch n.Name {
	case "block":
		return &Block{Common: c.common(n), Body: c.actions(n)}
	case "field":
		return c.field(n)
	case "initial":
		return &Initial{c.common(n)}
	case "subdialog":
		return c.subdialog(n)
	case "record":
		return c.record(n)
	case "transfer":
		return c.transfer(n)
	}
	return c.object(n)
}

func (c *compiler) field(n *xmltree.Node) *Field {
	f := &Field{Common: c.common(n), Modal: c.boolean(n, "modal"), Slot: n.Attr("slot")}
	if f.Slot == "" {
		f.Slot = f.Name
	}
	if kind := n.Attr("type"); kind != "" {
		f.Grammars = c.builtin(n, kind)
	}
	for _, child := range n.Elements() {
		switch child.Name {
		case "grammar":
			f.Grammars = append(f.Grammars, c.grammar(child))
		case "option":
			c.option(child, f)
		}
	}
	return f
}

// builtin is the grammars of a field's type: DTMF, and voice where there is one.
func (c *compiler) builtin(n *xmltree.Node, kind string) []*Grammar {
	if strings.Contains(kind, ":") {
		return []*Grammar{{Pos: c.pos(n), Src: kind, Weight: 1, Order: c.next()}}
	}
	out := []*Grammar{{Pos: c.pos(n), Src: "builtin:dtmf/" + kind, Mode: "dtmf", Weight: 1, Order: c.next()}}
	voice := "builtin:grammar/" + kind
	if _, _, err := grammar.Builtin(voice); err == nil {
		out = append(out, &Grammar{Pos: c.pos(n), Src: voice, Mode: "voice", Weight: 1, Order: c.next()})
	}
	return out
}

func (c *compiler) option(n *xmltree.Node, f *Field) {
	text := strings.Join(strings.Fields(n.Content()), " ")
	o := Option{Text: text, DTMF: n.Attr("dtmf"), Value: n.Attr("value")}
	if o.Value == "" {
		o.Value = text
	}
	if o.Value == "" {
		o.Value = o.DTMF
	}
	f.Options = append(f.Options, o)
	if text != "" {
		f.Grammars = append(f.Grammars, c.phrase(n, text, o.Value, c.approximately(n, false)))
	}
	if o.DTMF != "" {
		f.Grammars = append(f.Grammars, c.keys(n, o.DTMF, o.Value))
	}
}

// What a page may have made of its choices, options and keys.
const (
	maxMade  = 2000  // grammars
	maxParts = 40    // words of a phrase that is taken in parts
	maxWords = 10000 // of all parts of all such phrases
)

// overfull tells that the page has had more made than it may. That was complained
// about, and the rest of it is not worth the time.
func (c *compiler) overfull() bool { return c.made > maxMade || c.words > maxWords }

// phrase is the grammar of a choice's or option's text; approximate takes any
// part of the phrase in order (VoiceXML 2.0 section 2.2.5).
func (c *compiler) phrase(n *xmltree.Node, text, value string, approximate bool) *Grammar {
	if c.overfull() {
		return &Grammar{Pos: c.pos(n)}
	}
	words := grammar.Voice.Tokens(text)
	if !approximate {
		return c.generated(n, grammar.Voice, srgs("item", strings.Join(words, " ")), value)
	}
	if c.words += len(words) * (len(words) + 1) / 2 * (len(words) + 2) / 3; len(words) > maxParts || c.words > maxWords {
		c.fail(n, "has too many parts to be taken approximately")
		return &Grammar{Pos: c.pos(n)}
	}
	parts := srgs("one-of", "")
	for i := range words {
		for j := len(words); j > i; j-- {
			parts.Children = append(parts.Children, srgs("item", strings.Join(words[i:j], " ")))
		}
	}
	return c.generated(n, grammar.Voice, parts, value)
}

// keys is the grammar of a dtmf attribute.
func (c *compiler) keys(n *xmltree.Node, keys, value string) *Grammar {
	if c.overfull() {
		return &Grammar{Pos: c.pos(n)}
	}
	return c.generated(n, grammar.DTMF, srgs("item", keys), value)
}

// srgs makes an element of a grammar with the text, if there is any.
func srgs(name, text string) *xmltree.Node {
	n := &xmltree.Node{Name: name, Space: grammar.Namespace}
	if text != "" {
		n.Children = []*xmltree.Node{{Text: text}}
	}
	return n
}

// generated is the grammar of an expansion; its meaning is the value, if there is one.
func (c *compiler) generated(n *xmltree.Node, mode grammar.Mode, expansion *xmltree.Node, value string) *Grammar {
	if c.made++; c.made > maxMade {
		c.fail(n, "there are more than %d grammars of choices, options and keys in the page", maxMade)
		return &Grammar{Pos: c.pos(n)}
	}
	language := c.language
	if language == "" {
		language = DefaultLanguage
	}
	rule := srgs("rule", "")
	rule.Attrs = []xmltree.Attr{{Name: "id", Value: "root"}, {Name: "scope", Value: "public"}}
	rule.Children = []*xmltree.Node{expansion}
	if value != "" {
		rule.Children = append(rule.Children, srgs("tag", value))
	}
	root := srgs("grammar", "")
	root.Children = []*xmltree.Node{rule}
	root.Attrs = []xmltree.Attr{
		{Name: "version", Value: "1.0"}, {Name: "mode", Value: mode.String()}, {Name: "xml:lang", Space: xmltree.XMLNamespace, Value: language},
		{Name: "root", Value: "root"}, {Name: "tag-format", Value: "semantics/1.0-literals"},
	}
	g := &Grammar{Pos: c.pos(n), Source: []byte(xmltree.Write(root)), Type: srgsType, Mode: mode.String(), Weight: 1, Order: c.next()}
	compiled, err := grammar.Compile(root, grammar.Defaults{URI: c.page.Base})
	if err != nil {
		c.fail(n, "%v", err)
	}
	g.Inline = compiled
	return g
}

func (c *compiler) subdialog(n *xmltree.Node) *Subdialog {
	s := &Subdialog{Common: c.common(n)}
	s.Call = c.submission(n, n.Attr("src"), n.Attr("srcexpr"))
	s.Params = c.params(n)
	return s
}

// approximately tells whether a choice or option matches parts of its phrase,
// too; otherwise is what its menu says.
func (c *compiler) approximately(n *xmltree.Node, otherwise bool) bool {
	switch n.Attr("accept") {
	case "":
		return otherwise
	case "exact":
		return false
	case "approximate":
		return true
	}
	c.fail(n, "accept %q is neither exact nor approximate", n.Attr("accept"))
	return otherwise
}

func (c *compiler) choice(n *xmltree.Node, approximate bool) *Choice {
	out := &Choice{DTMF: n.Attr("dtmf"), Target: c.target(n)}
	if c.overfull() {
		return out
	}
	out.Text = strings.Join(strings.Fields(text(n)), " ")
	for _, child := range n.Elements() {
		out.Grammars = append(out.Grammars, c.grammar(child))
	}
	approximate = c.approximately(n, approximate)
	if len(out.Grammars) == 0 && out.Text != "" {
		out.Grammars = append(out.Grammars, c.phrase(n, out.Text, "", approximate))
	}
	if out.DTMF != "" {
		out.Grammars = append(out.Grammars, c.keys(n, out.DTMF, ""))
	}
	return out
}

// text is n's own character data, without that of its elements.
func text(n *xmltree.Node) string {
	var b strings.Builder
	for _, child := range n.Children {
		b.WriteString(child.Text)
	}
	return b.String()
}

// Universal is the link of a universal command: its word throws the event of the
// same name (VoiceXML 2.0 section 3.1.5).
func Universal(command, language string) *Link {
	c := &compiler{page: &Page{}, language: language}
	n := &xmltree.Node{Name: "link"}
	return &Link{
		Grammars: []*Grammar{c.phrase(n, command, "", false)},
		Target:   Target{Throw: &Throw{Pos: c.pos(n), Event: command}},
	}
}

func (c *compiler) link(n *xmltree.Node) *Link {
	l := &Link{Target: c.target(n)}
	for _, child := range n.Elements() {
		l.Grammars = append(l.Grammars, c.grammar(child))
	}
	if keys := n.Attr("dtmf"); keys != "" {
		l.Grammars = append(l.Grammars, c.keys(n, keys, ""))
	}
	return l
}

func (c *compiler) filled(n *xmltree.Node) *Filled {
	f := &Filled{Pos: c.pos(n), Order: c.next(), Namelist: strings.Fields(n.Attr("namelist")), Body: c.actions(n)}
	switch n.Attr("mode") {
	case "", "all":
	case "any":
		f.Any = true
	default:
		c.fail(n, "mode %q is neither all nor any", n.Attr("mode"))
	}
	return f
}

func (c *compiler) fetching(n *xmltree.Node) Fetch {
	f := fetchOf(n)
	c.duration(n, "fetchtimeout")
	for _, name := range []string{"maxage", "maxstale"} {
		if text, ok := n.Lookup(name); ok {
			if age, err := strconv.Atoi(text); err != nil || age < 0 {
				c.fail(n, "%s %q is not a number of seconds", name, text)
			}
		}
	}
	if f.Hint != "" && f.Hint != "prefetch" && f.Hint != "safe" {
		c.fail(n, "fetchhint %q is neither prefetch nor safe", f.Hint)
	}
	return f
}

func fetchOf(n *xmltree.Node) Fetch {
	return Fetch{n.Attr("fetchaudio"), n.Attr("fetchhint"), n.Attr("fetchtimeout"), n.Attr("maxage"), n.Attr("maxstale")}
}

// duration checks and returns an attribute that is a time.
func (c *compiler) duration(n *xmltree.Node, name string) string {
	text, ok := n.Lookup(name)
	if !ok {
		return ""
	}
	if _, err := property.ParseDuration(text); err != nil {
		c.fail(n, "%s: %v", name, err)
	}
	return text
}

func (c *compiler) boolean(n *xmltree.Node, name string) bool {
	switch n.Attr(name) {
	case "", "false":
		return false
	case "true":
		return true
	}
	c.fail(n, "%s=%q is neither true nor false", name, n.Attr(name))
	return false
}

func (c *compiler) count(n *xmltree.Node) int {
	text, ok := n.Lookup("count")
	if !ok {
		return 1
	}
	count, err := strconv.Atoi(text)
	if err != nil || count < 1 {
		c.fail(n, "count %q is not a positive number", text)
	}
	return count
}

func (c *compiler) weight(n *xmltree.Node) float64 {
	text, ok := n.Lookup("weight")
	if !ok {
		return 1
	}
	w, err := strconv.ParseFloat(text, 64)
	if err != nil || w < 0 {
		c.fail(n, "weight %q is not a number", text)
	}
	return w
}
