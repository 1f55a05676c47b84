package sip

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/header"
)

// URI is a SIP URI taken apart. User and the values of Params are unescaped
// once (RFC 3261 section 19.1.2); parameter names are in lower case.
type URI struct {
	Scheme string
	User   string
	Host   string // without brackets; empty in a tel URI
	Port   int    // 0 when not given
	Params map[string]string
	// Text is the whole URI, its escapes undone once.
	Text string
}

// ParseURI takes a SIP URI apart as Invite does that of whom it calls.
func ParseURI(text string) (URI, error) {
	var u sip.Uri
	if err := sip.ParseUri(text, &u); err != nil || u.Host == "" {
		return URI{}, fmt.Errorf("%q is no SIP URI", text)
	}
	return newURI(u), nil
}

func newURI(u sip.Uri) URI {
	uri := URI{
		Scheme: u.Scheme,
		User:   unescape(u.User),
		Host:   strings.Trim(u.Host, "[]"),
		Port:   u.Port,
		Params: make(map[string]string, len(u.UriParams)),
		Text:   unescape(u.String()),
	}
	if raw := u.Raw(); raw != "" {
		uri.User = raw
	}
	for _, p := range u.UriParams {
		uri.Params[strings.ToLower(unescape(p.K))] = unescape(p.V)
	}
	return uri
}

// unescape leaves alone what is not properly escaped.
func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// headersOf collects the headers of a message under their full names in lower
// case, values in the order in which they came.
func headersOf(msg message) map[string][]string {
	fields := msg.Fields()
	all := make(map[string][]string, len(fields))
	values := make([]string, len(fields)) // most headers are there once: theirs need no slice each
	for i, h := range fields {
		name := header.FullName(h.Name())
		values[i] = h.Value()
		if before, ok := all[name]; ok {
			all[name] = append(before, values[i])
		} else {
			all[name] = values[i : i+1 : i+1]
		}
	}
	return all
}

// fieldsOf are the headers of a message for those who do not know the library's.
func fieldsOf(headers []sip.Header) header.Fields {
	fields := make(header.Fields, len(headers))
	for i, h := range headers {
		fields[i] = h
	}
	return fields
}

// singular are the headers that a message has once and that are the agent's to
// write.
var singular = map[string]bool{
	"via": true, "from": true, "to": true, "call-id": true, "cseq": true, "contact": true,
	"max-forwards": true, "content-length": true, "content-type": true,
	"route": true, "record-route": true,
}

// CheckHeaders fails when an application may not add one of the headers to a request;
// the error names it and says why.
func CheckHeaders(headers map[string]string) error {
	for name, value := range headers {
		if err := checkHeader(name, value); err != nil {
			return err
		}
	}
	return nil
}

func checkHeader(name, value string) error {
	switch {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }):
		return fmt.Errorf("%q is no name of a header", name)
	case singular[header.FullName(name)]:
		return fmt.Errorf("the header %s is the platform's to write", name)
	case strings.ContainsAny(value, "\r\n\x00"):
		return fmt.Errorf("the header %s has a line break in it", name)
	}
	return nil
}

// isToken tells whether a character may be in a token (RFC 3261 section 25.1).
func isToken(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("-.!%*_+`'~", r)
}

// headed is what headers are added to.
type headed interface{ AppendHeader(sip.Header) }

// addHeaders appends headers that come from outside, an application perhaps. A
// line break would begin a header of its own, so the value ends there; what
// checkHeader finds fault with is left out.
func addHeaders(msg headed, headers map[string]string) {
	for name, value := range headers {
		if cut := strings.IndexAny(value, "\r\n"); cut >= 0 {
			value = value[:cut]
		}
		if checkHeader(name, value) == nil {
			msg.AppendHeader(sip.NewHeader(name, value))
		}
	}
}

// partsOf are the message's bodies; none when there is no body, or one that
// cannot be taken apart.
func partsOf(msg message) []header.Part {
	if len(msg.Body()) == 0 {
		return nil
	}
	parts, err := header.Parts(contentType(msg), msg.First("content-disposition"), msg.Body())
	if err != nil {
		return nil
	}
	return parts
}

// contentType is that of a message's body.
func contentType(msg message) string {
	if kind := msg.First("content-type"); kind != "" {
		return kind
	}
	return "application/sdp" // from one that forgot to say
}

// sdpOf is the message's session description, nil when it has none.
func sdpOf(msg message) []byte {
	if body := msg.Body(); len(body) > 0 && isSDP(contentType(msg)) {
		return body
	}
	for _, p := range partsOf(msg) {
		if p.Is("application/sdp") && len(p.Body) > 0 {
			return p.Body
		}
	}
	return nil
}

// options are the option tags in a header that lists them, in lower case.
func options(msg message, name string) []string {
	var tags []string
	for _, value := range msg.Values(name) {
		for _, tag := range header.Split(value, ',') {
			tags = append(tags, strings.ToLower(tag))
		}
	}
	return tags
}

func hasOption(msg message, name, tag string) bool {
	return slices.Contains(options(msg, name), tag)
}

func isSDP(contentType string) bool { return header.Part{Type: contentType}.Is("application/sdp") }

func tagOf(params sip.HeaderParams) string {
	tag, _ := params.Get("tag")
	return tag
}
