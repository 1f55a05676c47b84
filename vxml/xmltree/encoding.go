package xmltree

import (
	"bytes"
	"fmt"
	"mime"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// declaration is the XML declaration (XML 1.0 production 23).
var declaration = regexp.MustCompile(`^version\s*=\s*(?:"1\.[0-9]+"|'1\.[0-9]+')` +
	`(?:\s+encoding\s*=\s*(?:"([A-Za-z][A-Za-z0-9._-]*)"|'([A-Za-z][A-Za-z0-9._-]*)'))?` +
	`(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*$`)

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
