package xmltree

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// The limits of a document.
const (
	MaxSize       = 1 << 20
	MaxDepth      = 256
	MaxElements   = 20000
	MaxAttributes = 256 // of one element
)

// Kind tells Tokens apart.
type Kind uint8

// The kinds of Token.
const (
	Start       Kind = iota + 1
	End              // of an empty element, too
	Text             // character data, references replaced
	CDATA            // character data of a section
	Comment          // without its delimiters
	Instruction      // its target is the local name
)

// Token is a piece of a document.
type Token struct {
	Kind  Kind
	Name  Name
	Attrs []Attribute // declarations of namespaces included; until the next token
	Text  string
	Line  int // where it begins
}

// Name is a name of Namespaces in XML 1.0. Space is what its prefix stands for.
type Name struct{ Prefix, Local, Space string }

// String is the name as the document writes it.
func (n Name) String() string {
	if n.Prefix == "" {
		return n.Local
	}
	return n.Prefix + ":" + n.Local
}

// Attribute is an attribute with its value normalized (XML 1.0 section 3.3.3).
type Attribute struct {
	Name
	Value string
}

// Declares tells whether the attribute declares a namespace.
func (a Attribute) Declares() bool { return a.Space == declarations }

// Reader reads the tokens of a document, which is held to XML 1.0 (fifth edition)
// and Namespaces in XML 1.0 (third edition), but may have no internal subset in its
// document type. An external one is never read.
type Reader struct {
	text   string
	at     int
	line   int // of counted
	count  int // how far lines have been counted
	open   []element
	names  namespaces
	attrs  []Attribute
	seen   int // elements
	typed  bool
	hollow bool // the element that has begun is at its end, too
}

type element struct {
	name  Name
	bound int // declarations that are older
}

// NewReader makes a reader of a document in any encoding that its first octets or
// its declaration name.
func NewReader(data []byte) (*Reader, error) {
	if len(data) > MaxSize {
		return nil, &Error{Line: 1, Limit: true, Text: fmt.Sprintf("document of %d bytes is larger than %d", len(data), MaxSize)}
	}
	data, err := decode(data)
	if err != nil {
		return nil, err
	}
	r := &Reader{text: string(data), line: 1}
	if at, wrong := forbidden(r.text); wrong != "" {
		return nil, r.fault(at, "%s", wrong)
	}
	if !strings.HasPrefix(r.text, "<?xml") || nameLength(r.text[len("<?"):]) != len("xml") {
		return r, nil
	}
	inside, _, ended := strings.Cut(r.text[len("<?xml"):], "?>")
	if !ended || !declaration.MatchString(strings.TrimLeft(inside, blanks)) {
		return nil, r.fault(0, "this is no XML declaration")
	}
	r.at = len("<?xml") + len(inside) + len("?>")
	return r, nil
}

const blanks = " \t\r\n"

// fault is an error at a place of the document.
func (r *Reader) fault(at int, format string, args ...any) error {
	return &Error{Line: 1 + strings.Count(r.text[:at], "\n"), Text: fmt.Sprintf(format, args...)}
}

// beyond is a fault of a document that is too large.
func (r *Reader) beyond(format string, args ...any) error {
	return &Error{Line: r.line, Limit: true, Text: fmt.Sprintf(format, args...)}
}

// Next is the next token, io.EOF after the last; every other error is an *Error.
func (r *Reader) Next() (Token, error) {
	if r.hollow {
		r.hollow = false
		return r.close(), nil
	}
	for {
		r.line, r.count = r.line+strings.Count(r.text[r.count:r.at], "\n"), r.at
		t, err := r.token(r.text[r.at:])
		if err != nil || t.Kind != 0 {
			return t, err
		}
	}
}

// token reads one token, or with the zero Token what is none to anybody: white
// space around the root element and the document type.
func (r *Reader) token(rest string) (Token, error) {
	switch {
	case rest == "":
		return Token{}, r.finished()
	case rest[0] != '<':
		return r.characters(rest)
	case len(rest) < 2:
		return Token{}, r.fault(r.at, "markup is not finished")
	case rest[1] == '/':
		return r.end()
	case rest[1] == '?':
		return r.instruction()
	case rest[1] != '!':
		return r.start()
	case strings.HasPrefix(rest, "<!--"):
		text, err := r.until(len("<!--"), "-->")
		if strings.Contains(text, "--") || strings.HasSuffix(text, "-") {
			err = r.fault(r.count, "-- stands within a comment")
		}
		return Token{Kind: Comment, Text: text, Line: r.line}, err
	case strings.HasPrefix(rest, "<![CDATA["):
		text, err := r.until(len("<![CDATA["), "]]>")
		if len(r.open) == 0 {
			err = r.fault(r.count, "there is text outside the root element")
		}
		return Token{Kind: CDATA, Text: lines(text), Line: r.line}, err
	}
	return Token{}, r.docType(rest)
}

func (r *Reader) finished() error {
	switch {
	case len(r.open) > 0:
		return r.fault(r.at, "<%s> is not closed", r.open[len(r.open)-1].name)
	case r.seen == 0:
		return r.fault(r.at, "there is no root element")
	}
	return io.EOF
}

// until takes what stands between a delimiter of so many bytes, which is next, and
// another.
func (r *Reader) until(begin int, end string) (string, error) {
	text, _, found := strings.Cut(r.text[r.at+begin:], end)
	if !found {
		return "", r.fault(r.at, "%s is missing", end)
	}
	r.at += begin + len(text) + len(end)
	return text, nil
}

// characters reads text up to the next markup.
func (r *Reader) characters(rest string) (Token, error) {
	text, _, _ := strings.Cut(rest, "<")
	t := Token{Kind: Text, Line: r.line}
	if len(r.open) == 0 {
		if at := len(text) - len(strings.TrimLeft(text, blanks)); at < len(text) {
			return t, r.fault(r.at+at, "there is text outside the root element")
		}
		r.at += len(text)
		return Token{}, nil
	}
	if at := strings.Index(text, "]]>"); at >= 0 {
		return t, r.fault(r.at+at, "]]> stands outside a CDATA section")
	}
	var err error
	t.Text, err = r.expand(text, false)
	r.at += len(text)
	return t, err
}

func (r *Reader) instruction() (Token, error) {
	text, err := r.until(len("<?"), "?>")
	if err != nil {
		return Token{}, err
	}
	n := nameLength(text)
	target, data := text[:n], text[n:]
	switch {
	case strings.EqualFold(target, "xml"):
		err = r.fault(r.count, "this is no XML declaration, or not at its place")
	case n == 0 || strings.Contains(target, ":") || data != "" && !blank(data[0]):
		err = r.fault(r.count, "%.40q is no processing instruction", text)
	}
	data = lines(strings.TrimLeft(data, blanks))
	return Token{Kind: Instruction, Name: Name{Local: target}, Text: data, Line: r.line}, err
}

// documentType is a document type declaration without an internal subset
// (production 28).
var documentType = regexp.MustCompile(`^<!DOCTYPE\s+([^\s<>"'\[]+)(?:\s+SYSTEM\s+(?:"[^"]*"|'[^']*')|` +
	`\s+PUBLIC\s+(?:"[-\sa-zA-Z0-9()+,./:=?;!*#@$_%']*"|'[-\sa-zA-Z0-9()+,./:=?;!*#@$_%]*')\s+(?:"[^"]*"|'[^']*'))?\s*([>\[])`)

func (r *Reader) docType(rest string) error {
	m := documentType.FindStringSubmatch(rest)
	switch {
	case m == nil || nameLength(m[1]) != len(m[1]) || r.typed || r.seen > 0:
		return r.fault(r.at, "this is no document type declaration, or not at its place")
	case m[2] == "[":
		return r.fault(r.at, "a document type with an internal subset is not accepted")
	}
	r.typed = true
	r.at += len(m[0])
	return nil
}
