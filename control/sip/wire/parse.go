package wire

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// fault is a request that cannot be understood, and the answer it deserves.
type fault struct {
	status int
	reason string
}

var errNotSIP = errors.New("not a SIP message")

// headerParsers are the library's, but for headers that it would only take
// apart to lose something: a Refer-To's display name.
func headerParsers() sip.HeadersParser {
	parsers := maps.Clone(sip.DefaultHeadersParser())
	delete(parsers, "refer-to")
	delete(parsers, "referred-by")
	return parsers
}

// parser reads messages: the library's, with a short way for plain ones.
type parser struct {
	whole   *sip.Parser
	headers sip.HeadersParser
}

func newParser() parser {
	headers := headerParsers()
	return parser{whole: sip.NewParser(sip.WithHeadersParsers(headers)), headers: headers}
}

// parse reads one whole message. A request that is damaged but tells where an
// answer would go comes back with the answer's status.
func (p parser) parse(data []byte) (sip.Message, *fault, error) {
	msg, err := p.guarded(data)
	if err == nil {
		f := check(msg)
		if f == nil && repeatsParameter(data) {
			f = &fault{400, "Repeated URI parameter"}
		}
		return msg, f, nil
	}
	if req := salvage(data); req != nil && req.Via() != nil {
		if strange(data) {
			return req, &fault{416, "Unsupported URI Scheme"}, nil
		}
		return req, &fault{400, "Malformed message"}, nil
	}
	return nil, nil, fmt.Errorf("%w: %w", errNotSIP, err)
}

// guarded turns a panic of the parser, which faces bytes from anybody,
// into an error: one message must never end every call.
func (p parser) guarded(data []byte) (msg sip.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			msg, err = nil, fmt.Errorf("parser: %v", r)
		}
	}()
	if msg = p.plain(data); msg != nil {
		return msg, nil
	}
	return p.whole.ParseSIP(data)
}

// plain reads what the library would read as the same, but makes one text of all
// headers, of which their names and values are parts, and not two of each. It is nil
// for a message that is folded, lists values in one header, or is damaged.
func (p parser) plain(data []byte) sip.Message {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 || len(data) > p.whole.MaxMessageLength {
		return nil
	}
	line, rest := cutLine(string(data[:end+2]))
	msg, u := startLine(line), new(usual)
	for msg != nil && rest != "" {
		line, rest = cutLine(rest)
		h := p.header(line, u)
		if h == nil {
			return nil
		}
		msg.AppendHeader(h)
	}
	if msg == nil {
		return nil
	}
	body := data[end+4:]
	if length := msg.ContentLength(); length != nil && int(*length) <= len(body) {
		body = body[:int(*length)]
	} else if length != nil {
		return nil
	}
	if len(body) > 0 {
		msg.SetBody(bytes.Clone(body))
	}
	return msg
}

// cutLine takes the first line off a text whose lines all have their end.
func cutLine(text string) (line, rest string) {
	end := strings.IndexByte(text, '\r')
	if text[end+1] != '\n' {
		return "", text // which is neither a start line nor a header
	}
	return text[:end], text[end+2:]
}

func startLine(line string) sip.Message {
	first, rest, _ := strings.Cut(line, " ")
	second, third, whole := strings.Cut(rest, " ")
	if third == "SIP/2.0" {
		req := sip.NewRequest(sip.RequestMethod(strings.ToUpper(first)), sip.Uri{})
		if err := readURI(second, &req.Recipient); err != nil || req.Recipient.Wildcard {
			return nil
		}
		return req
	}
	status, err := strconv.ParseUint(second, 10, 16)
	if first != "SIP/2.0" || !whole || err != nil || strings.HasPrefix(strings.ToUpper(third), "SIP") {
		return nil
	}
	return sip.NewResponse(int(status), third)
}

// header reads a line with one header in it; nil: it has none, or more.
func (p parser) header(line string, u *usual) sip.Header {
	name, value, ok := strings.Cut(line, ":")
	if !ok || name == "" || name[0] == ' ' || name[0] == '\t' {
		return nil
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	lower := sip.HeaderToLower(name)
	if h := u.read(lower, value); h != nil {
		return h
	}
	read := p.headers[lower]
	if read == nil {
		return sip.NewHeader(name, value)
	}
	h, err := read(nil, value)
	if err != nil {
		return nil
	}
	return h
}

// usual are the headers that most messages have, made at once, with room for their
// usual parameters, those that we add to a Via among them.
type usual struct {
	via    sip.ViaHeader
	from   sip.FromHeader
	to     sip.ToHeader
	callID sip.CallIDHeader
	cseq   sip.CSeqHeader
	hops   number
	length number
	kind   sip.ContentTypeHeader
	params [5]sip.HeaderKV
}

// read reads a header that is the first of its kind and as plain as it usually is, as
// the library would; nil: that must.
func (u *usual) read(name, value string) sip.Header {
	switch {
	case name == "via" && u.via.Host == "" && u.readVia(value):
		return &u.via
	case name == "from" && u.from.Address.Host == "" && readParty(value, (*party)(&u.from), u.params[3:3:4]):
		return &u.from
	case name == "to" && u.to.Address.Host == "" && readParty(value, (*party)(&u.to), u.params[4:4:5]):
		return &u.to
	case name == "call-id" && u.callID == "" && value != "":
		u.callID = sip.CallIDHeader(value)
		return &u.callID
	case name == "cseq" && u.cseq.MethodName == "" && u.readCSeq(value):
		return &u.cseq
	case name == "contact" && !strings.Contains(value, ","):
		if contact := new(sip.ContactHeader); readParty(value, (*party)(contact), nil) {
			return contact
		}
	case name == "max-forwards" && u.hops.readFrom(value):
		return (*sip.MaxForwardsHeader)(&u.hops.value)
	case name == "content-length" && u.length.readFrom(value):
		return (*sip.ContentLengthHeader)(&u.length.value)
	case name == "content-type" && u.kind == "" && value != "":
		u.kind = sip.ContentTypeHeader(value)
		return &u.kind
	}
	return nil
}

// number is a header's that is read once.
type number struct {
	value uint32
	read  bool
}

func (n *number) readFrom(value string) bool {
	parsed, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n.read {
		return false
	}
	*n = number{uint32(parsed), true}
	return true
}

func (u *usual) readCSeq(value string) bool {
	number, method, _ := strings.Cut(value, " ")
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil || method == "" {
		return false
	}
	u.cseq = sip.CSeqHeader{SeqNo: uint32(n), MethodName: sip.RequestMethod(method)}
	return true
}

func (u *usual) readVia(value string) bool {
	protocol, rest, _ := strings.Cut(value, " ")
	transport, ours := strings.CutPrefix(protocol, "SIP/2.0/")
	sentBy, tail := rest, ""
	if end := strings.IndexByte(rest, ';'); end >= 0 {
		sentBy, tail = rest[:end], rest[end:]
	}
	host, port, given := plainHost(sentBy)
	if !ours || !given || !isWord(transport) {
		return false
	}
	params, plain := plainParams(tail, u.params[0:0:3])
	if plain {
		u.via = sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport, Host: host, Port: port, Params: params}
	}
	return plain
}

// plainHost reads a host with or without a port.
func plainHost(text string) (host string, port int, ok bool) {
	host, digits, given := strings.Cut(text, ":")
	if given {
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil {
			return "", 0, false
		}
		port = int(n)
	}
	return host, port, isWord(host)
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

// readURI reads the plain kind of URI itself.
func readURI(text string, u *sip.Uri) error {
	rest, ours := strings.CutPrefix(text, "sip:")
	user, sentBy, known := strings.Cut(rest, "@")
	if !known {
		user, sentBy = "", rest
	}
	host, port, plain := plainHost(sentBy)
	if ours && plain && (isWord(user) || !known) {
		*u = sip.Uri{Scheme: "sip", User: user, Host: host, Port: port}
		return nil
	}
	return sip.ParseUri(text, u)
}

// party is a From or a To.
type party sip.FromHeader

// readParty reads a URI in brackets, perhaps after a name without quotes.
func readParty(value string, p *party, room sip.HeaderParams) bool {
	name, rest, _ := strings.Cut(value, "<")
	address, tail, closed := strings.Cut(rest, ">")
	params, plain := plainParams(tail, room)
	if !closed || !plain || strings.ContainsAny(name, `";`) {
		return false
	}
	*p = party{DisplayName: strings.TrimSpace(name), Params: params}
	return readURI(address, &p.Address) == nil && p.Address.Host != "" && !p.Address.Wildcard
}

// plainParams reads parameters that are all different, have neither quotes nor space,
// and values if they have an equals sign.
func plainParams(text string, room sip.HeaderParams) (sip.HeaderParams, bool) {
	if text == "" {
		return nil, true
	}
	for text != "" {
		param, equals := text[1:], -1
		for i := range len(param) {
			c := param[i]
			if c == ';' {
				param = param[:i]
				break
			}
			if c <= ' ' || c > '~' || c == '"' || c == ',' || c == '=' && equals >= 0 {
				return nil, false
			}
			if c == '=' {
				equals = i
			}
		}
		one := sip.HeaderKV{K: param}
		if equals >= 0 {
			one = sip.HeaderKV{K: param[:equals], V: param[equals+1:]}
		}
		if text[0] != ';' || one.K == "" || equals >= 0 && one.V == "" || room.Has(one.K) {
			return nil, false
		}
		room, text = append(room, one), text[1+len(param):]
	}
	return room, true
}

// salvage reads what headers it can of a request that does not parse, for no
// other purpose than to answer it.
func salvage(data []byte) (req *sip.Request) {
	defer func() {
		if recover() != nil {
			req = nil
		}
	}()
	head, _, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	lines := bytes.Split(head, []byte("\r\n"))
	method, rest, ok := strings.Cut(string(lines[0]), " ")
	if !ok || method == "ACK" || strings.HasPrefix(method, "SIP/") || !strings.Contains(rest, "SIP/") {
		return nil
	}
	req = sip.NewRequest(sip.RequestMethod(method), sip.Uri{})
	parsers := headerParsers()
	for _, line := range lines[1:] {
		headers, err := parsers.ParseHeader(nil, line)
		if err != nil {
			// A Via whose parameters are no parameters still says where to answer.
			address, _, _ := bytes.Cut(line, []byte(";"))
			headers, err = parsers.ParseHeader(nil, address)
		}
		if err != nil {
			continue
		}
		for _, h := range headers {
			req.AppendHeader(h)
		}
	}
	return req
}

// strange says whether the Request-URI is of a scheme that is a good one (RFC 3986
// section 3.1) and none of SIP's, which the parser does not tell from a bad URI.
func strange(data []byte) bool {
	line, _, _ := bytes.Cut(data, []byte("\r\n"))
	fields := bytes.Split(line, []byte(" "))
	if len(fields) != 3 {
		return false
	}
	scheme, rest, ok := bytes.Cut(fields[1], []byte(":"))
	name := strings.ToLower(string(scheme))
	if !ok || len(rest) == 0 || name == "" || name == "sip" || name == "sips" || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// maxURIParameters is how many a Request-URI may have. The product's overrides of
// its configuration come as parameters, a few dozen at most.
const maxURIParameters = 256

// repeatsParameter tells whether the Request-URI gives a parameter more than once,
// or more of them than anybody has use for, which RFC 3261 section 19.1.1 forbids and the parser does not show.
func repeatsParameter(data []byte) bool {
	line, _, _ := bytes.Cut(data, []byte("\r\n"))
	_, rest, _ := bytes.Cut(line, []byte(" "))
	uri, _, _ := bytes.Cut(rest, []byte(" "))
	if bytes.HasPrefix(line, []byte("SIP/")) {
		return false
	}
	if at := bytes.LastIndexByte(uri, '@'); at >= 0 {
		uri = uri[at:]
	}
	params, _, _ := bytes.Cut(uri, []byte("?"))
	if bytes.IndexByte(params, ';') < 0 {
		return false
	}
	parts := bytes.Split(params, []byte(";"))[1:]
	if len(parts) > maxURIParameters {
		return true
	}
	for i, part := range parts {
		name, _, _ := bytes.Cut(part, []byte("="))
		for _, other := range parts[:i] {
			if before, _, _ := bytes.Cut(other, []byte("=")); len(name) > 0 && bytes.EqualFold(name, before) {
				return true
			}
		}
	}
	return false
}

// check holds a parsed request to RFC 3261 section 8.1.1: what it must carry,
// once and consistently. It also tidies what the parser leaves untidy.
func check(msg sip.Message) *fault {
	req, ok := msg.(*sip.Request)
	if !ok {
		return nil
	}
	if !strings.EqualFold(req.SipVersion, "SIP/2.0") {
		return &fault{505, "Version Not Supported"}
	}
	if f := count(req.Headers()); f != nil {
		return f
	}
	if req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
		return &fault{400, "Malformed header"}
	}
	tidyParams(req.From().Params)
	tidyParams(req.To().Params)
	cseq := req.CSeq()
	cseq.MethodName = sip.RequestMethod(strings.TrimSpace(string(cseq.MethodName)))
	if !strings.EqualFold(string(cseq.MethodName), string(req.Method)) {
		return &fault{400, "CSeq method does not match"}
	}
	// The parser writes methods in capitals, but their case matters (7.1).
	req.Method = cseq.MethodName
	return nil
}

// count holds headers to how often they may come.
func count(headers []sip.Header) *fault {
	names := [...]string{"From", "To", "Call-ID", "CSeq"}
	var times [len(names)]int
	var length *sip.ContentLengthHeader
	for _, h := range headers {
		switch h := h.(type) {
		case *sip.FromHeader:
			times[0]++
		case *sip.ToHeader:
			times[1]++
		case *sip.CallIDHeader:
			times[2]++
		case *sip.CSeqHeader:
			times[3]++
		case *sip.ContentLengthHeader:
			if length != nil && *length != *h {
				return &fault{400, "More than one Content-Length header"}
			}
			length = h
		}
	}
	for i, n := range times {
		switch {
		case n == 0:
			return &fault{400, "Missing " + names[i] + " header"}
		case n > 1:
			return &fault{400, "More than one " + names[i] + " header"}
		}
	}
	return nil
}

// tidyParams takes off the white space that RFC 3261 section 25.1 allows around
// a parameter's equals sign and semicolon.
func tidyParams(params sip.HeaderParams) {
	for i := range params {
		params[i].K = strings.ToLower(strings.TrimSpace(params[i].K))
		params[i].V = strings.TrimSpace(params[i].V)
	}
}

func callID(msg sip.Message) string {
	if id := msg.CallID(); id != nil {
		return string(*id)
	}
	return ""
}
