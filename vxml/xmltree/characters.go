package xmltree

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// forbidden finds the first character that XML does not allow (production 2).
func forbidden(text string) (int, string) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c >= ' ' && c < utf8.RuneSelf:
			continue
		case c < ' ' && !blank(c):
			return i, fmt.Sprintf("the character %U is not allowed", c)
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				return i, "this is not UTF-8"
			}
			if !allowed(r) {
				return i, fmt.Sprintf("the character %U is not allowed", r)
			}
			i += size - 1
		}
	}
	return 0, ""
}

func allowed(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r >= 0xd800 && r < 0xe000, r == 0xfffe, r == 0xffff:
		return false
	}
	return r <= utf8.MaxRune
}

// lines ends every line with one line feed (section 2.11).
func lines(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

var blankness = strings.NewReplacer("\t", " ", "\n", " ")

// expand is text, which is next, with its references replaced. What is white space
// in the value of an attribute becomes a space each, unless a reference wrote it.
func (r *Reader) expand(text string, value bool) (string, error) {
	plain := func(s string) string {
		if s = lines(s); value && strings.ContainsAny(s, "\t\n") {
			return blankness.Replace(s)
		}
		return s
	}
	first := strings.IndexByte(text, '&')
	if first < 0 {
		return plain(text), nil
	}
	var b strings.Builder
	b.Grow(len(text))
	for at := 0; ; {
		next := strings.IndexByte(text[at:], '&')
		if next < 0 {
			b.WriteString(plain(text[at:]))
			return b.String(), nil
		}
		b.WriteString(plain(text[at : at+next]))
		at += next
		name, length := reference(text[at:])
		if length == 0 {
			return "", r.fault(r.at+at, "%.12q is no reference to a character, or to an entity that is known", text[at:])
		}
		b.WriteRune(name)
		at += length
	}
}

// maxReference is the length of the longest reference that anybody writes.
const maxReference = 32

// reference is the character that a text's first reference stands for, and how long
// it is; of no length when it stands for none.
func reference(text string) (rune, int) {
	end := strings.IndexByte(text[:min(len(text), maxReference)], ';')
	if end < 0 {
		return 0, 0
	}
	name := text[1:end]
	length := end + 1
	switch name {
	case "lt":
		return '<', length
	case "gt":
		return '>', length
	case "amp":
		return '&', length
	case "apos":
		return '\'', length
	case "quot":
		return '"', length
	}
	digits, base := strings.TrimPrefix(name, "#"), 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || name[0] != '#' || n > utf8.MaxRune || !allowed(rune(n)) {
		return 0, 0
	}
	return rune(n), length
}

// nameLength is how long the name is that a text begins with (production 5).
func nameLength(text string) int {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if !asciiName(c, i == 0) {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if !begins(r) && (i == 0 || !continues(r)) {
			return i
		}
		i += size
	}
	return len(text)
}

func asciiName(c byte, first bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':':
		return true
	}
	return !first && (c >= '0' && c <= '9' || c == '-' || c == '.')
}

// begins tells whether a name may begin with a character beyond ASCII (production 4).
func begins(r rune) bool {
	for _, within := range [...][2]rune{
		{0xc0, 0xd6}, {0xd8, 0xf6}, {0xf8, 0x2ff}, {0x370, 0x37d}, {0x37f, 0x1fff}, {0x200c, 0x200d}, {0x2070, 0x218f},
		{0x2c00, 0x2fef}, {0x3001, 0xd7ff}, {0xf900, 0xfdcf}, {0xfdf0, 0xfffd}, {0x10000, 0xeffff},
	} {
		if r >= within[0] && r <= within[1] {
			return true
		}
	}
	return false
}

// continues tells whether a name may have it elsewhere, too (production 4a).
func continues(r rune) bool {
	return r == 0xb7 || r >= 0x300 && r <= 0x36f || r == 0x203f || r == 0x2040
}
