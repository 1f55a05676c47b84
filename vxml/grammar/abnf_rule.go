package grammar

import (
	"strings"

	"mcp/vxml/xmltree"
)

// rule takes $name = expansion;
func (p *abnf) rule(scope string) {
	n := p.node("rule")
	p.expect("$")
	setAttr(n, "id", p.word())
	if scope != "" {
		setAttr(n, "scope", scope)
	}
	p.expect("=")
	n.Children = p.alternatives()
	p.expect(";")
	p.add(n)
}

// alternatives takes one sequence, or several separated by |.
func (p *abnf) alternatives() []*xmltree.Node {
	list := p.node("one-of")
	for {
		item := p.node("item")
		p.space()
		weighted := p.peek() == '/'
		if weighted {
			setAttr(item, "weight", p.slashed())
		}
		item.Children = p.sequence()
		if p.err != nil {
			return nil
		}
		list.Children = append(list.Children, item)
		if p.accept("|") {
			continue
		}
		if len(list.Children) == 1 && !weighted {
			return item.Children
		}
		return []*xmltree.Node{list}
	}
}

// slashed takes /number/, a weight or a probability.
func (p *abnf) slashed() string {
	p.expect("/")
	return strings.TrimSpace(p.until("/", "a weight"))
}

func (p *abnf) sequence() []*xmltree.Node {
	var out []*xmltree.Node
	for p.space(); !p.eof() && strings.IndexByte(";|)]", p.peek()) < 0; p.space() {
		out = append(out, p.element())
	}
	if len(out) == 0 {
		p.fail("there is nothing before %s", p.found())
	}
	return out
}

// element takes one expansion with the languages and repeats attached to it.
func (p *abnf) element() *xmltree.Node {
	n := p.expansion()
	for p.err == nil {
		if p.accept("!") {
			p.language(n)
			continue
		}
		p.space()
		if p.peek() == '!' {
			continue
		}
		if p.peek() != '<' {
			break
		}
		n = p.repeated(n)
	}
	return n
}

func (p *abnf) language(n *xmltree.Node) {
	if n.Name == "tag" {
		p.fail("a language cannot be attached to a tag")
		return
	}
	setAttr(n, "xml:lang", p.languageTag())
}

// repeated takes <n-m /probability/> and wraps what it repeats.
func (p *abnf) repeated(n *xmltree.Node) *xmltree.Node {
	count, probability, given := strings.Cut(p.angle(), "/")
	item := p.node("item", "repeat", strings.TrimSpace(count))
	if given {
		number, _, closed := strings.Cut(probability, "/")
		if !closed {
			p.fail("a probability is not closed by /")
		}
		setAttr(item, "repeat-prob", strings.TrimSpace(number))
	}
	item.Children = []*xmltree.Node{n}
	return item
}

func (p *abnf) expansion() *xmltree.Node {
	switch p.peek() {
	case '(':
		return p.bracket(p.node("item"), ")")
	case '[':
		return p.bracket(p.node("item", "repeat", "0-1"), "]")
	case '{':
		return p.tag()
	case '$':
		return p.reference()
	case '"':
		return p.textNode("token", p.quoted(`"`))
	}
	return p.textNode("token", p.word())
}

func (p *abnf) bracket(n *xmltree.Node, end string) *xmltree.Node {
	p.pos++
	if p.space(); end == ")" && p.accept(end) {
		return n
	}
	if p.depth++; p.depth > maxNesting {
		p.fail("brackets are nested deeper than %d", maxNesting)
		return n
	}
	n.Children = p.alternatives()
	p.depth--
	p.expect(end)
	return n
}

// tag takes {text} or {!{text}!}.
func (p *abnf) tag() *xmltree.Node {
	n := p.node("tag")
	open, end := "{", "}"
	if p.ahead("{!{") {
		open, end = "{!{", "}!}"
	}
	p.pos += len(open)
	n.Children = []*xmltree.Node{{Text: p.until(end, "a tag"), Line: n.Line}}
	return n
}

// reference takes $name, $<uri> or $<uri>~<type>.
func (p *abnf) reference() *xmltree.Node {
	n := p.node("ruleref")
	p.pos++
	if p.peek() == '<' {
		setAttr(n, "uri", p.angle())
		p.mediaType(n)
		return n
	}
	if strings.IndexByte(reserved, p.peek()) >= 0 {
		p.fail("a rule name is expected, not %s", p.found())
	}
	switch name := p.word(); name {
	case "NULL", "VOID", "GARBAGE":
		setAttr(n, "special", name)
	default:
		setAttr(n, "uri", "#"+name)
	}
	return n
}
