package header

import (
	"iter"
	"strings"
)

// Field is one header of a message.
type Field interface {
	Name() string // as written, perhaps abbreviated
	Value() string
}

// Fields are the headers of a message, in the order in which they came.
type Fields []Field

// Values are those of one header, asked for by its full name in any case, however the
// message has written it.
func Values[F Field](fields []F, name string) []string {
	var values []string
	for _, f := range fields {
		if isNamed(f.Name(), name) {
			values = append(values, f.Value())
		}
	}
	return values
}

// First is the first of the Values; "": there is none.
func First[F Field](fields []F, name string) string {
	for _, f := range fields {
		if isNamed(f.Name(), name) {
			return f.Value()
		}
	}
	return ""
}

// Beginning are the headers whose names begin with a prefix, in any case.
func (f Fields) Beginning(prefix string) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for _, one := range f {
			name := one.Name()
			if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) && !yield(one) {
				return
			}
		}
	}
}

// isNamed says whether a name that was written is another, or an abbreviation of it.
func isNamed(written, name string) bool {
	if len(written) == 1 {
		written = FullName(written)
	}
	return len(written) == len(name) && strings.EqualFold(written, name)
}

// FullName is a header's name in lower case and not abbreviated.
func FullName(written string) string {
	name := strings.ToLower(written)
	if long, ok := longNames[name]; ok {
		return long
	}
	return name
}

// longNames are the headers that RFC 3261 section 7.3.3 and its extensions
// allow to be abbreviated.
var longNames = map[string]string{
	"a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
	"e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
	"l": "content-length", "m": "contact", "n": "identity-info", "o": "event", "r": "refer-to",
	"s": "subject", "t": "to", "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}
