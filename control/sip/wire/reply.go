package wire

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Reply makes a response to a request (RFC 3261 section 8.2.6). The tag, or a new
// one if it is empty, becomes the To tag unless there is one already; a 100 carries
// none. What the response repeats it shares with the request, which must not be
// changed any more.
func Reply(req *sip.Request, status int, reason, tag string) *sip.Response {
	res := sip.NewResponse(status, reason)
	if establishes(req, status) {
		echo[*sip.RecordRouteHeader](req, res)
	}
	echo[*sip.ViaHeader](req, res)
	if from := req.From(); from != nil {
		res.AppendHeader(from)
	}
	if to := req.To(); to != nil && status != 100 {
		res.AppendHeader(tagged(to, tag))
	} else if to != nil {
		res.AppendHeader(to)
	}
	if id := req.CallID(); id != nil {
		res.AppendHeader(id)
	}
	if cseq := req.CSeq(); cseq != nil {
		res.AppendHeader(cseq)
	}
	if status == 100 {
		sip.CopyHeaders("Timestamp", req, res)
	}
	res.AppendHeader(new(sip.ContentLengthHeader))
	return res
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
func echo[H sip.Header](req *sip.Request, res *sip.Response) {
	for _, h := range req.Headers() {
		if _, ok := h.(H); ok {
			res.AppendHeader(h)
		}
	}
}

func tagged(to *sip.ToHeader, tag string) *sip.ToHeader {
	if to.Params.Has("tag") {
		return to
	}
	if tag == "" {
		tag = sip.GenerateTagN(16)
	}
	with := *to
	with.Params = append(slices.Clip(to.Params), sip.HeaderKV{K: "tag", V: tag})
	return &with
}

// usualHeader is how long a header is, more or less.
const usualHeader = 64

// encode writes a message as it goes onto the wire.
func encode(msg sip.Message) []byte {
	var b []byte
	switch m := msg.(type) {
	case *sip.Request:
		b = make([]byte, 0, (2+len(m.Headers()))*usualHeader+len(m.Body()))
		b = append(append(b, m.Method...), ' ')
		b = append(appendURI(b, &m.Recipient), ' ')
		b = append(b, m.SipVersion...)
		b = appendHeaders(b, m.Headers())
	case *sip.Response:
		b = make([]byte, 0, (1+len(m.Headers()))*usualHeader+len(m.Body()))
		b = append(append(b, m.SipVersion...), ' ')
		b = append(strconv.AppendInt(b, int64(m.StatusCode), 10), ' ')
		b = append(b, m.Reason...)
		b = appendHeaders(b, m.Headers())
	}
	return append(b, msg.Body()...)
}

func appendHeaders(b []byte, headers []sip.Header) []byte {
	b = append(b, "\r\n"...)
	for _, h := range headers {
		b = append(append(b, h.Name()...), ": "...)
		b = append(appendValue(b, h), "\r\n"...)
	}
	return append(b, "\r\n"...)
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
