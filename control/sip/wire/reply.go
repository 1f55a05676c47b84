package wire

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Response is a response to a request, until it is sent.
type Response struct {
	status int
	head   []byte // without Content-Length, which ends it
	body   []byte
	raw    []byte // all of it, once it was written: nothing is added any more
}

// usualRoom is how long responses are, more or less: those with a session description,
// and others.
const usualRoom, littleRoom = 1024, 512

// Reply begins a response to a request with what it repeats of that (RFC 3261 section
// 8.2.6). The tag, or a new one if it is empty, becomes the To tag unless there is one
// already; a 100 carries none.
func Reply(req *Request, status int, reason, tag string) *Response {
	room := littleRoom
	if req.Method == sip.INVITE && status < 300 {
		room = usualRoom
	}
	b := append(make([]byte, 0, room), "SIP/2.0 "...)
	b = append(strconv.AppendInt(b, int64(status), 10), ' ')
	r := &Response{status: status, head: append(append(b, reason...), "\r\n"...)}
	top := true
	for _, f := range req.fields {
		switch {
		case f.name == "Via" && top:
			r.head = append(req.hop.append(append(r.head, "Via: "...), req.source), "\r\n"...)
			top = false
		case f.name == "To" && req.To.Tag == "" && status != 100:
			if tag == "" {
				tag = sip.GenerateTagN(16)
			}
			r.head = append(append(append(r.head, "To: "...), f.value...), ";tag="...)
			r.head = append(append(r.head, tag...), "\r\n"...)
		case repeats(req, f.name, status):
			r.Add(f.name, f.value)
		}
	}
	return r
}

// repeats says whether a response has a header of its request.
func repeats(req *Request, name string, status int) bool {
	switch name {
	case "Via", "From", "To", "Call-ID", "CSeq":
		return true
	case "Record-Route":
		return establishes(req, status)
	case "Timestamp":
		return status == 100
	}
	return false
}

// Status is the response's status.
func (r *Response) Status() int { return r.status }

// Add adds a header.
func (r *Response) Add(name, value string) {
	b := append(append(r.head, name...), ": "...)
	r.head = append(append(b, value...), "\r\n"...)
}

// AppendHeader is Add for a header of the library's.
func (r *Response) AppendHeader(h sip.Header) { r.head = appendHeader(r.head, h) }

// AddContact is Add for a Contact.
func (r *Response) AddContact(c *sip.ContactHeader) {
	b := append(r.head, "Contact: "...)
	r.head = append(appendParty(b, c.DisplayName, &c.Address, c.Params), "\r\n"...)
}

// SetBody sets the body.
func (r *Response) SetBody(body []byte) { r.body = body }

// write is the response as it goes onto the wire.
func (r *Response) write() []byte {
	if r.raw == nil {
		b := strconv.AppendInt(append(r.head, "Content-Length: "...), int64(len(r.body)), 10)
		r.raw, r.head = append(append(b, "\r\n\r\n"...), r.body...), nil
	}
	return r.raw
}

// establishes says whether a response may begin a dialog, whose route set it then
// repeats (RFC 3261 section 12.1.1).
func establishes(req *Request, status int) bool {
	switch {
	case req.Method == sip.REGISTER || req.Method == sip.ACK:
		return false
	case req.Method == sip.INVITE && status > 100 && status < 200:
		return true
	}
	return status >= 180 && status < 190 || status >= 200 && status < 300
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
