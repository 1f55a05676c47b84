package header

import (
	"strings"
)

// Party is one address with a display name and the header's parameters: an
// entry of P-Asserted-Identity (RFC 3325), History-Info (RFC 7044), Diversion
// (RFC 5806), Refer-To or Contact.
type Party struct {
	Name   string
	URI    string // without what follows a question mark
	Query  string // what followed it, still escaped: the URI's headers
	Params map[string]string
}

// ParseParties reads the values of a header that may come several times and
// have several entries each; what is no address is left out.
func ParseParties(values []string) []Party {
	var parties []Party
	for _, value := range values {
		for _, one := range Split(value, ',') {
			if p, ok := ParseParty(one); ok {
				parties = append(parties, p)
			}
		}
	}
	return parties
}

// ParseParty reads one entry: "Name" <uri>;param, or a bare URI, whose
// parameters then are the header's (RFC 3261 section 20.10).
func ParseParty(value string) (Party, bool) {
	value = strings.TrimSpace(value)
	open := bracket(value)
	if open < 0 {
		v := ParseValue(value)
		p := Party{Params: v.Params}
		p.URI, p.Query, _ = strings.Cut(v.Text, "?")
		return p, strings.Contains(p.URI, ":")
	}
	uri, rest, ok := strings.Cut(value[open+1:], ">")
	if !ok {
		return Party{}, false
	}
	p := Party{Name: unquote(strings.TrimSpace(value[:open])), Params: ParseValue(rest).Params}
	p.URI, p.Query, _ = strings.Cut(strings.TrimSpace(uri), "?")
	return p, strings.Contains(p.URI, ":")
}

// bracket is where the angle bracket opens that is outside quotes; -1: nowhere.
func bracket(value string) int {
	quoted := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '<' && !quoted:
			return i
		}
	}
	return -1
}

// Header is a header of a URI (what follows the question mark), unescaped; ""
// when it has none of that name.
func (p Party) Header(name string) string {
	for pair := range strings.SplitSeq(p.Query, "&") {
		k, v, _ := strings.Cut(pair, "=")
		if strings.EqualFold(Unescape(k), name) {
			return Unescape(v)
		}
	}
	return ""
}

// Headers are all of them, under lower-case names; the last of a name counts.
func (p Party) Headers() map[string]string {
	headers := map[string]string{}
	for pair := range strings.SplitSeq(p.Query, "&") {
		if k, v, ok := strings.Cut(pair, "="); ok && k != "" {
			headers[strings.ToLower(Unescape(k))] = Unescape(v)
		}
	}
	return headers
}

// Unescape undoes the escapes of a URI (RFC 3261 section 19.1.2); what is no
// escape stays as it is.
func Unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if high, low := unhex(s[i+1]), unhex(s[i+2]); high >= 0 && low >= 0 {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// Escape escapes a value so that it can stand in a URI's headers: all but what
// is unreserved there (RFC 3261 section 25.1).
func Escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
