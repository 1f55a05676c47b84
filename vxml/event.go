package vxml

import "strings"

// Event is a VoiceXML event: something thrown, by a page, the interpreter or the
// platform, and caught by name (VoiceXML 2.0 section 5.2). It is an error, so
// that platform code can return one.
type Event struct {
	Name    string // "noinput", "error.badfetch.http.404", …
	Message string // becomes _message
}

func (e *Event) Error() string {
	if e.Message == "" {
		return e.Name
	}
	return e.Name + ": " + e.Message
}

// Matches tells whether a catch of the given event name catches e: the name is
// equal, or is a prefix of it that ends at a dot (section 5.2.4). The empty
// name and "." catch everything.
func (e *Event) Matches(name string) bool {
	name = strings.TrimSuffix(name, ".")
	return name == "" || e.Name == name || strings.HasPrefix(e.Name, name+".")
}
