package wire

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
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
		if err := sip.ParseUri(second, &req.Recipient); err != nil || req.Recipient.Wildcard {
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

// usual are the headers that every message has, made at once, with room for their
// usual parameters, those that we add to a Via among them.
type usual struct {
	via    sip.ViaHeader
	from   sip.FromHeader
	to     sip.ToHeader
	callID sip.CallIDHeader
	cseq   sip.CSeqHeader
	params [6]sip.HeaderKV
}

// read reads a header that is the first of its kind and as plain as it usually is, as
// the library would; nil: that must.
func (u *usual) read(name, value string) sip.Header {
	switch {
	case name == "via" && u.via.Host == "" && u.readVia(value):
		return &u.via
	case name == "from" && u.from.Address.Host == "":
		if readParty(value, (*party)(&u.from), u.params[4:4:5]) {
			return &u.from
		}
	case name == "to" && u.to.Address.Host == "":
		if readParty(value, (*party)(&u.to), u.params[5:5:6]) {
			return &u.to
		}
	case name == "call-id" && u.callID == "" && value != "":
		u.callID = sip.CallIDHeader(value)
		return &u.callID
	case name == "cseq" && u.cseq.MethodName == "":
		number, method, _ := strings.Cut(value, " ")
		if n, err := strconv.ParseUint(number, 10, 31); err == nil && method != "" {
			u.cseq = sip.CSeqHeader{SeqNo: uint32(n), MethodName: sip.RequestMethod(method)}
			return &u.cseq
		}
	}
	return nil
}

func (u *usual) readVia(value string) bool {
	protocol, rest, _ := strings.Cut(value, " ")
	transport, ours := strings.CutPrefix(protocol, "SIP/2.0/")
	sentBy, tail := rest, ""
	if end := strings.IndexByte(rest, ';'); end >= 0 {
		sentBy, tail = rest[:end], rest[end:]
	}
	host, port, given := strings.Cut(sentBy, ":")
	var number uint64
	var err error
	if given {
		number, err = strconv.ParseUint(port, 10, 31)
	}
	if !ours || err != nil || !isWord(transport) || !isWord(host) {
		return false
	}
	params, plain := plainParams(tail, u.params[0:0:4])
	if plain {
		u.via = sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport, Host: host, Port: int(number), Params: params}
	}
	return plain
}

// isWord tells whether a text has none of what ends or surrounds others in a Via.
func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == '[' || r == ',' })
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
	return sip.ParseUri(address, &p.Address) == nil && p.Address.Host != "" && !p.Address.Wildcard
}

// plainParams reads parameters that are all different, have neither quotes nor space,
// and values if they have an equals sign.
func plainParams(text string, room sip.HeaderParams) (sip.HeaderParams, bool) {
	if text == "" {
		return nil, true
	}
	all, ours := strings.CutPrefix(text, ";")
	if !ours || strings.ContainsAny(all, " \t\",") || strings.TrimSpace(all) != all {
		return nil, false
	}
	for param := range strings.SplitSeq(all, ";") {
		name, value, given := strings.Cut(param, "=")
		if name == "" || given && value == "" || strings.Contains(value, "=") || room.Has(name) {
			return nil, false
		}
		room = append(room, sip.HeaderKV{K: name, V: value})
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

// txKey stands for what the messages of a transaction have in common and no other's:
// a hash of it, for that many are kept. Two of a million that are the same are less
// likely than one in ten million.
type txKey uint64

// keys makes keys, which nobody outside can foretell.
type keys struct{ seed maphash.Seed }

// server is for what a request, its retransmissions, its ACK and its CANCEL have in
// common (RFC 3261 section 17.2.3); method stands for that of the request.
func (k keys) server(req *sip.Request, method sip.RequestMethod) txKey {
	var room [192]byte
	via := req.Via()
	branch, _ := via.Params.Get("branch")
	key := append(append(room[:0], branch...), '|')
	key = append(append(key, strings.ToLower(via.Host)...), '|')
	key = append(strconv.AppendInt(key, int64(via.Port), 10), '|')
	key = append(key, method...)
	if !strings.HasPrefix(branch, sip.RFC3261BranchMagicCookie) || len(branch) == len(sip.RFC3261BranchMagicCookie) {
		tag, _ := req.From().Params.Get("tag")
		key = fmt.Appendf(key, "|%s|%s|%d", tag, callID(req), req.CSeq().SeqNo)
	}
	return txKey(maphash.Bytes(k.seed, key))
}

// client is for what a response and its request have in common (RFC 3261 section
// 17.1.3); 0 for a response without it.
func (k keys) client(msg sip.Message) txKey {
	via, cseq := msg.Via(), msg.CSeq()
	if via == nil || cseq == nil {
		return 0
	}
	var room [128]byte
	branch, _ := via.Params.Get("branch")
	key := append(append(room[:0], branch...), '|')
	return txKey(maphash.Bytes(k.seed, append(key, cseq.MethodName...)))
}
