package xmltree

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// MaxAttributes bounds the attributes of one element.
const MaxAttributes = 256

// Decoder reads the tokens of a document, and refuses what encoding/xml lets
// pass though XML 1.0 does not: declarations that are none or stand elsewhere,
// characters that are not allowed, attributes that nothing separates, references
// outside the root element. A document type may name an external subset, which
// is never read.
type Decoder struct {
	data  []byte // in UTF-8
	xml   *xml.Decoder
	raw   bool
	depth int
	count int // of elements
	cdata bool
}

// NewDecoder makes a decoder of a document in any encoding that its first octets
// or its declaration name. Its tokens are those of xml.Decoder's Token, or with
// raw those of RawToken.
func NewDecoder(data []byte, raw bool) (*Decoder, error) {
	data, err := decode(data)
	if err != nil {
		return nil, err
	}
	d := &Decoder{data: data, xml: xml.NewDecoder(bytes.NewReader(data)), raw: raw}
	d.xml.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return d, nil
}

// declaration is the XML declaration (XML 1.0 production 23).
var declaration = regexp.MustCompile(`^version\s*=\s*(?:"1\.[0-9]+"|'1\.[0-9]+')` +
	`(?:\s+encoding\s*=\s*(?:"([A-Za-z][A-Za-z0-9._-]*)"|'([A-Za-z][A-Za-z0-9._-]*)'))?` +
	`(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*$`)

// docType is a document type declaration without an internal subset (production 28).
var docType = regexp.MustCompile(`^DOCTYPE\s+[\pL_:][\pL\d._:-]*(?:\s+SYSTEM\s+(?:"[^"]*"|'[^']*')|` +
	`\s+PUBLIC\s+(?:"[-\sa-zA-Z0-9()+,./:=?;!*#@$_%']*"|'[-\sa-zA-Z0-9()+,./:=?;!*#@$_%]*')\s+(?:"[^"]*"|'[^']*'))?\s*$`)

var (
	utf8Mark  = []byte("\xef\xbb\xbf")
	bigMark   = []byte("\xfe\xff")
	smallMark = []byte("\xff\xfe")
)

// decode makes a document UTF-8, without a byte order mark.
func decode(data []byte) ([]byte, error) {
	label, marked := "", false
	switch {
	case bytes.HasPrefix(data, utf8Mark):
		data, label, marked = data[3:], "utf-8", true
	case bytes.HasPrefix(data, bigMark):
		data, label, marked = data[2:], "utf-16be", true
	case bytes.HasPrefix(data, smallMark):
		data, label, marked = data[2:], "utf-16le", true
	default:
		label = strings.ToLower(declared(data))
	}
	out := data
	if label != "" && label != "utf-8" && label != "us-ascii" {
		encoding, _ := charset.Lookup(label)
		if encoding == nil {
			return nil, &Error{Line: 1, Text: fmt.Sprintf("the encoding %q is not known", label)}
		}
		var err error
		if out, err = encoding.NewDecoder().Bytes(data); err != nil {
			return nil, &Error{Line: 1, Text: fmt.Sprintf("not in the encoding %s: %v", label, err)}
		}
	}
	if named := strings.ToLower(declared(out)); marked && named != "" && !strings.HasPrefix(label, named) {
		return nil, &Error{Line: 1, Text: fmt.Sprintf("the encoding is %s, not %s as is declared", label, named)}
	}
	return out, nil
}

// Labelled is a document that came with a media type, in UTF-8 when the type's
// charset names another encoding: it counts more than what the document itself
// declares, and less than its byte order mark (RFC 7303 section 3). A document that
// is not in that encoding is left alone.
func Labelled(data []byte, mediaType string) []byte {
	if !strings.Contains(mediaType, "=") { // most servers say nothing of it
		return data
	}
	_, params, err := mime.ParseMediaType(mediaType)
	label := strings.ToLower(params["charset"])
	marked := bytes.HasPrefix(data, utf8Mark) || bytes.HasPrefix(data, bigMark) || bytes.HasPrefix(data, smallMark)
	inside := strings.ToLower(declared(data))
	if err != nil || label == "" || marked || label == inside || label == "utf-8" && (inside == "" || !utf8.Valid(data)) {
		return data
	}
	encoding, _ := charset.Lookup(label)
	if encoding == nil {
		return data
	}
	text, err := encoding.NewDecoder().Bytes(data)
	if err != nil {
		return data
	}
	return undeclared(text)
}

// undeclared is a document without what its declaration says of the encoding.
func undeclared(text []byte) []byte {
	end := bytes.Index(text, []byte("?>"))
	if declared(text) == "" || end < 0 {
		return text
	}
	return append(encodingPart.ReplaceAll(text[:end:end], nil), text[end:]...)
}

var encodingPart = regexp.MustCompile(`\s+encoding\s*=\s*(?:"[^"]*"|'[^']*')`)

// declared is the encoding that the declaration, if there is one, names.
func declared(data []byte) string {
	if !bytes.HasPrefix(data, []byte("<?xml")) {
		return ""
	}
	end := bytes.Index(data, []byte("?>"))
	if end < 0 {
		return ""
	}
	m := declaration.FindSubmatch(bytes.TrimLeft(data[len("<?xml"):end], " \t\r\n"))
	if m == nil {
		return ""
	}
	return string(m[1]) + string(m[2])
}

var cdataStart = []byte("<![CDATA[")

// CDATA tells whether the last token is a CDATA section: it is character data, too.
func (d *Decoder) CDATA() bool { return d.cdata }

// Line is the line of what comes next.
func (d *Decoder) Line() int {
	line, _ := d.xml.InputPos()
	return line
}

// Token is the next token, io.EOF after the last.
func (d *Decoder) Token() (xml.Token, error) {
	begin := d.xml.InputOffset()
	next := d.xml.Token
	if d.raw {
		next = d.xml.RawToken
	}
	token, err := next()
	if err != nil {
		return nil, err
	}
	text := d.data[begin:min(d.xml.InputOffset(), int64(len(d.data)))]
	d.cdata = bytes.HasPrefix(text, cdataStart)
	if wrong := d.check(token, text, begin); wrong != "" {
		return nil, &Error{Line: d.Line(), Text: wrong}
	}
	return token, nil
}

// check says what is wrong with a token, as it stands in the document.
func (d *Decoder) check(token xml.Token, text []byte, at int64) string {
	switch t := token.(type) {
	case xml.StartElement:
		d.depth++
		if d.count++; d.count > MaxElements {
			return fmt.Sprintf("there are more than %d elements", MaxElements)
		}
		return started(t, text)
	case xml.EndElement:
		d.depth--
	case xml.CharData:
		if d.depth == 0 && len(bytes.Trim(text, " \t\r\n")) > 0 {
			return "there is text outside the root element"
		}
		if d.cdata {
			return ""
		}
		return referred(text)
	case xml.Comment:
		return allowed(t)
	case xml.ProcInst:
		return instructed(t, text, at)
	case xml.Directive:
		switch {
		case bytes.ContainsRune(t, '['):
			return "a document type with an internal subset is not accepted"
		case d.depth > 0 || !docType.Match(t):
			return "this is no document type declaration"
		}
	}
	return ""
}

func started(t xml.StartElement, text []byte) string {
	if len(t.Attr) > MaxAttributes {
		return fmt.Sprintf("<%s> has more than %d attributes", t.Name.Local, MaxAttributes)
	}
	if wrong := referred(text); wrong != "" {
		return wrong
	}
	var quote byte
	for i, c := range text {
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 || c != quote:
		case i+1 < len(text) && !strings.ContainsRune(" \t\r\n/>", rune(text[i+1])):
			return fmt.Sprintf("<%s> has attributes that nothing separates", t.Name.Local)
		default:
			quote = 0
		}
	}
	return ""
}

// half is a reference to half a character, a surrogate of UTF-16.
var half = regexp.MustCompile(`&#0*(?:x0*[dD][89a-fA-F][0-9a-fA-F]{2}|5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3]);`)

// referred looks at references to characters.
func referred(text []byte) string {
	if bytes.IndexByte(text, '&') < 0 {
		return ""
	}
	if found := half.Find(text); found != nil {
		return fmt.Sprintf("%s refers to no character", found)
	}
	return ""
}

func instructed(t xml.ProcInst, text []byte, at int64) string {
	if strings.EqualFold(t.Target, "xml") {
		if t.Target != "xml" || at != 0 || !declaration.Match(t.Inst) {
			return "this is no XML declaration, or not at its place"
		}
		return ""
	}
	after := text[min(len("<?"+t.Target), len(text)):]
	if strings.Contains(t.Target, ":") || len(after) > 0 && after[0] != '?' && !unicode.IsSpace(rune(after[0])) {
		return fmt.Sprintf("%q is no name of a processing instruction", t.Target)
	}
	return allowed(t.Inst)
}

// allowed looks for characters that XML does not allow (production 2).
func allowed(text []byte) string {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if r == utf8.RuneError && size == 1 || r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0xfffe || r == 0xffff {
			return fmt.Sprintf("the character %U is not allowed", r)
		}
	}
	return ""
}
