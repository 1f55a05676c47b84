package wire

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/header"
)

var errNotSIP = errors.New("not a SIP message")

// message is a request that came, which may be damaged but can be answered, or a
// response.
type message struct {
	request *Request
	bad     *fault
	res     *sip.Response
}

// parse reads one whole message, a response as the library does. A panic on the way,
// which faces bytes from anybody, becomes an error: one message must never end every
// call.
func parse(library *sip.Parser, data []byte) (m message, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = message{}, fmt.Errorf("parser: %v", r)
		}
	}()
	if !isResponse(data) {
		m.request, m.bad = readRequest(data)
		if m.request == nil || m.bad != nil && m.request.hop.host == "" {
			return message{}, errNotSIP
		}
		return m, nil
	}
	msg, err := library.ParseSIP(data)
	if err != nil {
		return message{}, fmt.Errorf("%w: %w", errNotSIP, err)
	}
	m.res, _ = msg.(*sip.Response)
	if m.res == nil {
		return message{}, errNotSIP
	}
	return m, nil
}

func isResponse(data []byte) bool {
	return len(data) > 4 && bytes.EqualFold(data[:4], []byte("SIP/"))
}

// tidyParams takes off the white space that RFC 3261 section 25.1 allows around
// a parameter's equals sign and semicolon.
func tidyParams(params sip.HeaderParams) {
	for i := range params {
		params[i].K = strings.ToLower(strings.TrimSpace(params[i].K))
		params[i].V = strings.TrimSpace(params[i].V)
	}
}

// fault is a request that cannot be understood, and the answer it deserves.
type fault struct {
	status int
	reason string
}

// reader reads a request. What is damaged is left out of it.
type reader struct {
	*Request
	seen   [len(needed)]bool
	length int // of the body; -1: not told
	bad    *fault
}

// readRequest reads one whole request, and of one that is damaged what it takes to
// answer it; nil: it is none.
func readRequest(data []byte) (*Request, *fault) {
	head, body, whole := bytes.Cut(data, []byte("\r\n\r\n"))
	line, rest, _ := cutLine(string(head))
	r := reader{Request: &Request{}, length: -1}
	if !r.start(line) {
		return nil, nil
	}
	r.fields = make([]Field, 0, 1+strings.Count(rest, "\n"))
	for rest != "" {
		var ended bool
		line, rest, ended = cutLine(rest)
		if isFolded(rest) {
			line, rest, ended = unfold(line, rest)
		}
		if !ended {
			r.damaged()
		}
		r.header(line)
	}
	if r.length > len(body) || !whole {
		r.damaged()
	} else if r.length >= 0 {
		body = body[:r.length]
	}
	r.check()
	if r.bad == nil && len(body) > 0 {
		r.body = bytes.Clone(body)
	}
	return r.Request, r.bad
}

// cutLine takes the first line off a text; false: it ends with what ends no line.
func cutLine(text string) (line, rest string, ok bool) {
	line, rest = cutAt(text, '\r')
	if rest == "" {
		return line, "", true
	}
	rest, ok = strings.CutPrefix(rest[1:], "\n")
	return line, rest, ok
}

// isFolded tells whether a text goes on with the line before it (RFC 3261 section 7.3.1).
func isFolded(text string) bool { return text != "" && (text[0] == ' ' || text[0] == '\t') }

// unfold makes one line of a folded one.
func unfold(first, rest string) (line, after string, ok bool) {
	lines := []string{strings.TrimSpace(first)}
	for ok = true; ok && isFolded(rest); {
		line, rest, ok = cutLine(rest)
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, " "), rest, ok
}

// start reads the request line; false: it is none.
func (r *reader) start(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	uri, version, _ := strings.Cut(rest, " ")
	r.Method = sip.RequestMethod(method)
	var valid bool
	r.URI, valid = readURI(uri)
	switch {
	case version != "SIP/2.0" && !strings.Contains(strings.ToUpper(rest), "SIP/"):
		return false
	case strings.Contains(version, " "), !valid && !strange(uri):
		r.damaged()
	case !valid:
		r.refuse(416, "Unsupported URI Scheme")
	case !strings.EqualFold(version, "SIP/2.0"):
		r.refuse(505, "Version Not Supported")
	case repeatsParameter(uri):
		r.refuse(400, "Repeated URI parameter")
	}
	return true
}

// header reads a line with one header in it.
func (r *reader) header(line string) {
	name, value, ok := strings.Cut(line, ":")
	name, value = fullName(strings.TrimSpace(name)), strings.TrimSpace(value)
	switch {
	case !ok || name == "":
		r.damaged()
		return
	case name == "Via" && strings.IndexByte(value, ',') >= 0:
		for _, one := range header.Split(value, ',') {
			r.field(name, one)
		}
		return
	}
	r.field(name, value)
}

// field reads a header, if it takes it to answer the request.
func (r *reader) field(name, value string) {
	if i := slices.Index(needed[:], name); i >= 0 {
		if r.seen[i] {
			r.refuse(400, "More than one "+name+" header")
			return
		}
		r.seen[i] = true
	}
	ok := true
	switch name {
	case "Via":
		ok = r.via(value)
	case "From":
		r.From, ok = readParty(value)
	case "To":
		r.To, ok = readParty(value)
	case "Call-ID":
		r.CallID, ok = value, value != ""
	case "CSeq":
		ok = r.cseq(value)
	case "Content-Length":
		ok = r.contentLength(value)
	case "Record-Route":
		for _, one := range header.Split(value, ',') {
			_, whole := readParty(one)
			ok = ok && whole
		}
	}
	if !ok {
		r.damaged()
		return
	}
	r.fields = append(r.fields, Field{name, value})
}

func (r *reader) via(value string) bool {
	h, ok := readHop(value)
	if ok && r.hop.host == "" {
		r.hop = h
	}
	return ok
}

func (r *reader) cseq(value string) bool {
	end := strings.IndexAny(value, " \t\n")
	if end < 0 {
		return false
	}
	n, err := strconv.ParseUint(value[:end], 10, 31)
	method := strings.TrimSpace(value[end:])
	if err == nil && !strings.EqualFold(method, string(r.Method)) {
		r.refuse(400, "CSeq method does not match")
	} else {
		r.Method = sip.RequestMethod(method) // whose case matters (section 7.1)
	}
	r.CSeq = uint32(n)
	return err == nil
}

func (r *reader) contentLength(value string) bool {
	n, err := strconv.ParseUint(value, 10, 31)
	if err == nil && r.length >= 0 && r.length != int(n) {
		r.refuse(400, "More than one Content-Length header")
	}
	r.length = int(n)
	return err == nil
}

// needed are the headers that a request must have, once (RFC 3261 section 8.1.1); that
// there is a Via is seen to where it would be answered.
var needed = [...]string{"From", "To", "Call-ID", "CSeq"}

func (r *reader) check() {
	for i, name := range needed {
		if !r.seen[i] {
			r.refuse(400, "Missing "+name+" header")
		}
	}
}

func (r *reader) damaged() { r.refuse(400, "Malformed message") }

// refuse notes what is wrong first.
func (r *reader) refuse(status int, reason string) {
	if r.bad == nil {
		r.bad = &fault{status, reason}
	}
}

// spellings are the names of the headers that SIP itself needs.
var spellings = [...]struct{ full, short string }{
	{"Via", "v"}, {"From", "f"}, {"To", "t"}, {"Call-ID", "i"}, {"CSeq", ""}, {"Contact", "m"}, {"Content-Length", "l"},
	{"Content-Type", "c"}, {"Record-Route", ""}, {"Timestamp", ""},
}

func fullName(name string) string {
	for _, s := range spellings {
		if len(name) == len(s.full) && strings.EqualFold(name, s.full) || len(name) == 1 && strings.EqualFold(name, s.short) {
			return s.full
		}
	}
	return name
}

// readHop reads one value of a Via: SIP/2.0/UDP host:port;branch=...
func readHop(value string) (h hop, ok bool) {
	h.sentBy, h.params = cutAt(value, ';')
	_, rest, _ := strings.Cut(h.sentBy, "/")
	_, rest, _ = strings.Cut(rest, "/")
	rest = strings.TrimSpace(rest)
	end := strings.IndexAny(rest, " \t\n")
	if end <= 0 {
		return hop{}, false
	}
	h.host, h.port, ok = readHost(strings.TrimSpace(rest[end:]))
	for rest := h.params; rest != ""; {
		var param string
		param, rest = cutParam(rest)
		switch name, value := cutValue(param); {
		case strings.EqualFold(name, "branch"):
			h.branch = value
		case strings.EqualFold(name, "rport"):
			h.rport = true
		}
	}
	return h, ok
}

// readHost reads a host, which may be an IPv6 address in brackets, and the port behind it.
func readHost(text string) (host string, port int, ok bool) {
	if inside, rest, v6 := strings.Cut(text, "]"); v6 {
		host, text = strings.TrimPrefix(inside, "["), rest
	} else {
		host, text = cutAt(text, ':')
	}
	digits, given := strings.CutPrefix(strings.TrimSpace(text), ":")
	if given {
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 31)
		if err != nil {
			return "", 0, false
		}
		port = int(n)
	}
	host = strings.TrimSpace(host)
	return host, port, host != "" && (given || digits == "")
}

func readParty(value string) (Party, bool) {
	address, params := cutAddress(value)
	uri, ok := readURI(address)
	for params != "" {
		var param string
		param, params = cutParam(params)
		if name, tag := cutValue(param); strings.EqualFold(name, "tag") {
			return Party{value, uri, tag}, ok
		}
	}
	return Party{value, uri, ""}, ok
}

// readURI makes a URI plain that is none.
func readURI(text string) (string, bool) {
	if isPlain(text) {
		return text, true
	}
	var u sip.Uri
	if err := sip.ParseUri(text, &u); err != nil || u.Wildcard {
		return text, false
	}
	return u.String(), true
}

// isPlain tells whether a URI is such that nobody could find fault with it.
func isPlain(text string) bool {
	rest, ours := strings.CutPrefix(text, "sip:")
	if user, host, known := strings.Cut(rest, "@"); known {
		if strings.ContainsAny(user, ":[") {
			return false
		}
		rest = host
	}
	rest, _ = cutAt(rest, ';')
	host, port, given := strings.Cut(rest, ":")
	if given {
		if _, err := strconv.ParseUint(port, 10, 31); err != nil {
			return false
		}
	}
	return ours && isWord(host)
}

// isWord tells whether a text has nothing that could mean anything but itself.
func isWord(text string) bool {
	for _, c := range []byte(text) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return text != ""
}

// cutAddress divides an address, perhaps with a name before it, from the parameters
// behind it. It is empty if it has no end.
func cutAddress(value string) (uri, params string) {
	open := bracket(value)
	if open < 0 {
		uri, params = cutAt(value, ';')
		return strings.TrimSpace(uri), params
	}
	uri, params, closed := strings.Cut(value[open+1:], ">")
	if !closed {
		return "", ""
	}
	return uri, strings.TrimSpace(params)
}

// bracket is where the address of a name begins; -1: there is no name.
func bracket(value string) int {
	quoted := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == '<':
			return i
		case !quoted && c == ';':
			return -1
		}
	}
	return -1
}

// cutAt divides a text before a character.
func cutAt(text string, c byte) (before, from string) {
	if i := strings.IndexByte(text, c); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// cutParam takes the first off parameters with a semicolon before each.
func cutParam(text string) (param, rest string) {
	quoted := false
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == ';':
			return text[1:i], text[i:]
		}
	}
	return text[1:], ""
}

func cutValue(param string) (name, value string) {
	name, value, _ = strings.Cut(param, "=")
	return strings.TrimSpace(name), strings.TrimSpace(value)
}

// strange says whether a Request-URI is of a scheme that is a good one (RFC 3986
// section 3.1) and none of SIP's, which the library does not tell from a bad URI.
func strange(uri string) bool {
	scheme, rest, ok := strings.Cut(uri, ":")
	name := strings.ToLower(scheme)
	if !ok || rest == "" || name == "" || name == "sip" || name == "sips" || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// maxURIParameters is how many a Request-URI may have. The product's overrides of
// its configuration come as parameters, a few dozen at most.
const maxURIParameters = 256

// repeatsParameter tells whether a URI gives a parameter more than once, or more of
// them than anybody has use for, which RFC 3261 section 19.1.1 forbids.
func repeatsParameter(uri string) bool {
	uri = uri[strings.LastIndexByte(uri, '@')+1:]
	params, _ := cutAt(uri, '?')
	if strings.IndexByte(params, ';') < 0 {
		return false
	}
	parts := strings.Split(params, ";")[1:]
	if len(parts) > maxURIParameters {
		return true
	}
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		for _, other := range parts[:i] {
			if before, _, _ := strings.Cut(other, "="); name != "" && strings.EqualFold(name, before) {
				return true
			}
		}
	}
	return false
}
