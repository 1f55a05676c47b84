package grammar

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"mcp/vxml/xmltree"
)

// ParseABNF reads a grammar in ABNF form (SRGS appendix D) into the elements of
// the XML form, so that both are compiled alike and either can be written.
func ParseABNF(data []byte, uri string) (*xmltree.Node, error) {
	text, err := decodeABNF(data)
	if err != nil {
		return nil, &Error{URI: uri, Line: 1, Text: err.Error()}
	}
	p := &abnf{uri: uri, text: text, counted: 0, lines: 1}
	p.root = p.node("grammar", "version", "1.0")
	p.header()
	for p.space(); !p.eof(); p.space() {
		p.statement()
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.root, nil
}

// abnf reads characters one after the other. After the first fault it stands
// at the end of the text, so that every loop ends.
type abnf struct {
	uri     string
	text    string
	pos     int
	counted int // lines are counted up to here
	lines   int
	depth   int // of brackets
	root    *xmltree.Node
	nodes   int
	err     *Error
}

// maxNesting bounds brackets, as xmltree bounds elements.
const maxNesting = xmltree.MaxDepth / 2

func (p *abnf) line() int {
	p.lines += strings.Count(p.text[p.counted:p.pos], "\n")
	p.counted = p.pos
	return p.lines
}

func (p *abnf) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &Error{URI: p.uri, Line: p.line(), Text: fmt.Sprintf(format, args...)}
	}
	p.pos = len(p.text)
	p.counted = p.pos
}

func (p *abnf) eof() bool { return p.pos >= len(p.text) }

// peek is the next byte, 0 at the end.
func (p *abnf) peek() byte {
	if p.eof() {
		return 0
	}
	return p.text[p.pos]
}

func (p *abnf) ahead(s string) bool { return strings.HasPrefix(p.text[p.pos:], s) }

// accept takes s when it is next.
func (p *abnf) accept(s string) bool {
	if !p.ahead(s) {
		return false
	}
	p.pos += len(s)
	return true
}

func (p *abnf) expect(s string) {
	p.space()
	if !p.accept(s) {
		p.fail("%q is expected, not %s", s, p.found())
	}
}

// found names what is next, for messages.
func (p *abnf) found() string {
	if p.eof() {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.pos:])
	return fmt.Sprintf("%q", r)
}

// until takes the text up to end, and end.
func (p *abnf) until(end, what string) string {
	before, _, ok := strings.Cut(p.text[p.pos:], end)
	if !ok {
		p.fail("%s is not closed by %s", what, end)
		return ""
	}
	p.pos += len(before) + len(end)
	return before
}

// space passes white space and comments.
func (p *abnf) space() {
	for !p.eof() {
		switch {
		case strings.IndexByte(" \t\r\n", p.peek()) >= 0:
			p.pos++
		case p.accept("//"):
			if i := strings.IndexByte(p.text[p.pos:], '\n'); i >= 0 {
				p.pos += i
			} else {
				p.pos = len(p.text)
			}
		case p.accept("/*"):
			p.until("*/", "a comment")
		default:
			return
		}
	}
}

// reserved are the characters that end a word; * + and ? are kept for repeats
// by the specification and allowed nowhere unquoted.
const reserved = " \t\r\n;=|*+?<>()[]{}/$\"!~"

func (p *abnf) word() string {
	p.space()
	rest := p.text[p.pos:]
	n := strings.IndexAny(rest, reserved)
	if n < 0 {
		n = len(rest)
	}
	if n == 0 {
		p.fail("a word is expected, not %s", p.found())
		return ""
	}
	p.pos += n
	return rest[:n]
}

// languageTag takes a language's name (RFC 5646), the underscore of the field's en_US included.
func (p *abnf) languageTag() string {
	tag := p.word()
	if strings.IndexFunc(tag, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' }) >= 0 {
		p.fail("%q names no language: write one like en-US", tag)
	}
	return tag
}

// quoted takes a string in double or, in declarations, single quotes.
func (p *abnf) quoted(quotes string) string {
	p.space()
	q := p.peek()
	if q == 0 || strings.IndexByte(quotes, q) < 0 {
		p.fail("a quoted string is expected, not %s", p.found())
		return ""
	}
	p.pos++
	return p.until(string(q), "a string")
}

// angle takes <text>.
func (p *abnf) angle() string {
	p.expect("<")
	return strings.TrimSpace(p.until(">", "<"))
}

// node makes an element of attributes name, value, name, value.
func (p *abnf) node(name string, attrs ...string) *xmltree.Node {
	if p.nodes++; p.nodes > xmltree.MaxElements {
		p.fail("there are more than %d elements", xmltree.MaxElements)
	}
	n := &xmltree.Node{Name: name, Space: Namespace, Line: p.line()}
	for i := 0; i < len(attrs); i += 2 {
		setAttr(n, attrs[i], attrs[i+1])
	}
	return n
}

func (p *abnf) textNode(name, text string) *xmltree.Node {
	n := p.node(name)
	n.Children = []*xmltree.Node{{Text: text, Line: n.Line}}
	return n
}

func setAttr(n *xmltree.Node, name, value string) {
	a := xmltree.Attr{Name: name, Value: value}
	if strings.HasPrefix(name, "xml:") {
		a.Space = xmltree.XMLNamespace
	}
	n.Attrs = append(n.Attrs, a)
}

func (p *abnf) add(n *xmltree.Node) { p.root.Children = append(p.root.Children, n) }

// header takes the self-identifying header, #ABNF 1.0 UTF-8;
func (p *abnf) header() {
	if !p.accept("#ABNF 1.0") {
		p.fail("a grammar in ABNF form begins with #ABNF 1.0")
		return
	}
	if p.accept(" ") && p.peek() != ';' {
		p.word() // the encoding, which decodeABNF has dealt with
	}
	p.expect(";")
	if rest := strings.TrimLeft(p.text[p.pos:], " \t\r"); rest != "" && rest[0] != '\n' {
		p.fail("the header is not on a line of its own")
	}
}

// statement takes a declaration or a rule.
func (p *abnf) statement() {
	switch p.peek() {
	case '$':
		p.rule("")
		return
	case '{':
		p.add(p.tag())
		p.expect(";")
		return
	}
	line := p.line()
	word := p.word()
	switch {
	case p.err != nil:
	case word == "public", word == "private":
		p.space()
		p.rule(word)
	default:
		p.declaration(word, line)
	}
}

func (p *abnf) declaration(word string, line int) {
	if n := len(p.root.Children); n > 0 && p.root.Children[n-1].Name == "rule" {
		p.fail("the declaration of %s stands behind a rule", word)
		return
	}
	switch word {
	case "language":
		p.once("xml:lang", p.languageTag())
	case "mode":
		p.once("mode", p.word())
	case "base":
		p.once("xml:base", p.angle())
	case "tag-format":
		p.once("tag-format", p.angle())
	case "root":
		p.expect("$")
		p.once("root", p.word())
	case "lexicon":
		n := p.node("lexicon", "uri", p.angle())
		p.mediaType(n)
		p.add(n)
	case "meta", "http-equiv":
		name := map[string]string{"meta": "name", "http-equiv": word}[word]
		value := p.quoted(`"'`)
		p.expect("is")
		n := p.node("meta", name, value, "content", p.quoted(`"'`))
		n.Line = line
		p.add(n)
	default:
		p.fail("unknown declaration %q", word)
	}
	p.expect(";")
}

// once sets an attribute of the grammar that may be declared only once.
func (p *abnf) once(name, value string) {
	if _, twice := p.root.Lookup(name); twice {
		p.fail("%s is declared twice", strings.TrimPrefix(name, "xml:"))
		return
	}
	setAttr(p.root, name, value)
}

// mediaType takes ~<type> when it is next.
func (p *abnf) mediaType(n *xmltree.Node) {
	if p.accept("~") {
		setAttr(n, "type", p.angle())
	}
}
