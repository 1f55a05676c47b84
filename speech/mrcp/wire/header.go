package wire

import "strings"

// Field is one header field.
type Field struct{ Name, Value string }

// Header is a message's fields in their order. Names compare without regard to
// case (RFC 6787 section 5.1 by way of RFC 2616).
type Header []Field

// Get returns the first field of that name, or "".
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Has tells whether there is a field of that name, empty or not.
func (h Header) Has(name string) bool {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// Values returns every field of that name; Set-Cookie may repeat.
func (h Header) Values(name string) []string {
	var values []string
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// Add appends a field.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// Set replaces the first field of that name, or appends one.
func (h *Header) Set(name, value string) {
	for i, f := range *h {
		if strings.EqualFold(f.Name, name) {
			(*h)[i].Value = value
			return
		}
	}
	h.Add(name, value)
}

func (h Header) size() int {
	n := 0
	for _, f := range h {
		n += f.size()
	}
	return n
}

func (f Field) size() int { return len(f.Name) + len(": ") + len(f.Value) + len("\r\n") }

// append writes the field on one line. A line break inside a value would let
// whoever supplied it write headers of their own, so it becomes a space; size
// stays right because one octet replaces one.
func (f Field) append(dst []byte) []byte {
	dst = appendClean(dst, f.Name)
	dst = append(dst, ": "...)
	dst = appendClean(dst, f.Value)
	return append(dst, "\r\n"...)
}

func appendClean(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '\r' || s[i] == '\n' || s[i] == 0 {
			dst = append(dst, ' ')
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

func isContentLength(f Field) bool { return strings.EqualFold(f.Name, HeaderContentLength) }
