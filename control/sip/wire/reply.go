package wire

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Response is a response to a request, whole at any time.
type Response struct {
	status int
	raw    []byte
	length int // where the body's length is written in raw
}

// usualRoom is how long responses are, more or less: those with a session description,
// and others.
const usualRoom, littleRoom = 1024, 512

// Reply begins a response to a request with what it repeats of that (RFC 3261 section
// 8.2.6). The tag, or a new one if it is empty, becomes the To tag unless there is one
// already; a 100 carries none.
func Reply(req *sip.Request, status int, reason, tag string) *Response {
	room := littleRoom
	if req.Method == sip.INVITE && status < 300 {
		room = usualRoom
	}
	b := append(make([]byte, 0, room), "SIP/2.0 "...)
	b = append(strconv.AppendInt(b, int64(status), 10), ' ')
	b = append(append(b, reason...), "\r\n"...)
	if establishes(req, status) {
		b = echo[*sip.RecordRouteHeader](b, req)
	}
	b = echo[*sip.ViaHeader](b, req)
	if from := req.From(); from != nil {
		b = appendHeader(b, from)
	}
	if to := req.To(); to != nil && status != 100 {
		b = appendTagged(b, to, tag)
	} else if to != nil {
		b = appendHeader(b, to)
	}
	if id := req.CallID(); id != nil {
		b = appendHeader(b, id)
	}
	if cseq := req.CSeq(); cseq != nil {
		b = appendHeader(b, cseq)
	}
	if status == 100 {
		for _, h := range req.GetHeaders("Timestamp") {
			b = appendHeader(b, h)
		}
	}
	b = append(b, "Content-Length: "...)
	return &Response{status: status, length: len(b), raw: append(b, "0\r\n\r\n"...)}
}

// Status is the response's status.
func (r *Response) Status() int { return r.status }

// AppendHeader adds a header. None can be added after the body.
func (r *Response) AppendHeader(h sip.Header) {
	r.raw = append(appendHeader(r.raw[:len(r.raw)-2], h), "\r\n"...)
}

// Add is AppendHeader for a name and a value.
func (r *Response) Add(name, value string) {
	b := append(append(r.raw[:len(r.raw)-2], name...), ": "...)
	r.raw = append(append(b, value...), "\r\n\r\n"...)
}

// AddContact is AppendHeader for a Contact.
func (r *Response) AddContact(c *sip.ContactHeader) {
	b := append(r.raw[:len(r.raw)-2], "Contact: "...)
	r.raw = append(appendParty(b, c.DisplayName, &c.Address, c.Params), "\r\n\r\n"...)
}

// SetBody adds the body, once.
func (r *Response) SetBody(body []byte) {
	if len(body) == 0 {
		return
	}
	var room [8]byte
	r.raw = slices.Replace(r.raw, r.length, r.length+1, strconv.AppendInt(room[:0], int64(len(body)), 10)...)
	r.raw = append(r.raw, body...)
}

// establishes says whether a response may begin a dialog, whose route set it then
// repeats (RFC 3261 section 12.1.1).
func establishes(req *sip.Request, status int) bool {
	switch {
	case req.Method == sip.REGISTER || req.Method == sip.ACK:
		return false
	case req.Method == sip.INVITE && status > 100 && status < 200:
		return true
	}
	return status >= 180 && status < 190 || status >= 200 && status < 300
}

// echo repeats headers of one type.
func echo[H sip.Header](b []byte, req *sip.Request) []byte {
	for _, h := range req.Headers() {
		if _, ok := h.(H); ok {
			b = appendHeader(b, h)
		}
	}
	return b
}

// appendTagged writes a To with a tag.
func appendTagged(b []byte, to *sip.ToHeader, tag string) []byte {
	b = appendHeader(b, to)
	if to.Params.Has("tag") {
		return b
	}
	if tag == "" {
		tag = sip.GenerateTagN(16)
	}
	b = append(append(b[:len(b)-2], ";tag="...), tag...)
	return append(b, "\r\n"...)
}

// usualHeader is how long a header is, more or less.
const usualHeader = 64

// encode writes a request as it goes onto the wire.
func encode(req *sip.Request) []byte {
	b := make([]byte, 0, (2+len(req.Headers()))*usualHeader+len(req.Body()))
	b = append(append(b, req.Method...), ' ')
	b = append(appendURI(b, &req.Recipient), ' ')
	b = append(append(b, req.SipVersion...), "\r\n"...)
	for _, h := range req.Headers() {
		b = appendHeader(b, h)
	}
	return append(append(b, "\r\n"...), req.Body()...)
}

func appendHeader(b []byte, h sip.Header) []byte {
	b = append(append(b, h.Name()...), ": "...)
	return append(appendValue(b, h), "\r\n"...)
}

// appendValue writes what every message has without the library's detours.
func appendValue(b []byte, h sip.Header) []byte {
	switch h := h.(type) {
	case *sip.ViaHeader:
		b = append(append(b, h.ProtocolName...), '/')
		b = append(append(b, h.ProtocolVersion...), '/')
		b = append(append(b, h.Transport...), ' ')
		return appendParams(appendHost(b, h.Host, h.Port), h.Params)
	case *sip.FromHeader:
		return appendParty(b, h.DisplayName, &h.Address, h.Params)
	case *sip.ToHeader:
		return appendParty(b, h.DisplayName, &h.Address, h.Params)
	case *sip.ContactHeader:
		if !h.Address.Wildcard {
			return appendParty(b, h.DisplayName, &h.Address, h.Params)
		}
	case *sip.CSeqHeader:
		b = append(strconv.AppendUint(b, uint64(h.SeqNo), 10), ' ')
		return append(b, h.MethodName...)
	case *sip.ContentLengthHeader:
		return strconv.AppendUint(b, uint64(*h), 10)
	}
	return append(b, h.Value()...)
}

func appendParty(b []byte, name string, address *sip.Uri, params sip.HeaderParams) []byte {
	if name != "" {
		b = append(append(append(b, '"'), name...), `" `...)
	}
	b = append(appendURI(append(b, '<'), address), '>')
	return appendParams(b, params)
}

// appendURI writes the plain kind of URI itself.
func appendURI(b []byte, u *sip.Uri) []byte {
	if u.Scheme != "sip" || u.HierarhicalSlashes || u.Password != "" || len(u.Headers) > 0 {
		return append(b, u.String()...)
	}
	b = append(b, "sip:"...)
	if u.User != "" {
		b = append(append(b, u.User...), '@')
	}
	return appendParams(appendHost(b, u.Host, u.Port), u.UriParams)
}

// appendHost puts an IPv6 address into brackets.
func appendHost(b []byte, host string, port int) []byte {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() && !addr.Is4In6() && addr.Zone() == "" {
		b = append(append(append(b, '['), host...), ']')
	} else {
		b = append(b, host...)
	}
	if port > 0 {
		b = strconv.AppendInt(append(b, ':'), int64(port), 10)
	}
	return b
}

func appendParams(b []byte, params sip.HeaderParams) []byte {
	for _, p := range params {
		b = append(append(b, ';'), p.K...)
		switch {
		case p.V == "":
		case strings.ContainsAny(p.V, " \t"):
			b = append(append(append(b, `="`...), p.V...), '"')
		default:
			b = append(append(b, '='), p.V...)
		}
	}
	return b
}
