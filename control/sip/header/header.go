// Package header reads and writes the values of headers that the agent or its
// users must understand and that the SIP library leaves as text: who is
// involved (P-Asserted-Identity, History-Info, Diversion), what a call replaces,
// why it ends, what users say to each other, and the bodies of a multipart
// message. It is pure: text in, values out.
package header

import "strings"

// Split divides a header's value at a separator that stands outside quotes and
// angle brackets. The parts are trimmed; empty ones are left out.
func Split(value string, separator byte) []string {
	var parts []string
	quoted, bracket, begin := false, false, 0
	add := func(end int) {
		if part := strings.TrimSpace(value[begin:end]); part != "" {
			parts = append(parts, part)
		}
	}
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			bracket = true
		case c == '>':
			bracket = false
		case c == separator && !bracket:
			add(i)
			begin = i + 1
		}
	}
	add(len(value))
	return parts
}

// Value is a header's value with its parameters, such as "200;refresher=uac".
type Value struct {
	Text string
	// Params are under lower-case names, without quotes.
	Params map[string]string
}

// ParseValue divides a value from its parameters.
func ParseValue(value string) Value {
	v := Value{Params: map[string]string{}}
	for i, part := range Split(value, ';') {
		if i == 0 && !strings.HasPrefix(strings.TrimSpace(value), ";") {
			v.Text = part
			continue
		}
		name, text, _ := strings.Cut(part, "=")
		v.Params[strings.ToLower(strings.TrimSpace(name))] = unquote(strings.TrimSpace(text))
	}
	return v
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// quote writes text as a quoted string; what would begin another line is left
// out.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ' && c != 0x7f:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
