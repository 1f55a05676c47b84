// Package rtsp is as much of RTSP (RFC 2326) as carries MRCPv1: its messages, and
// a client's connection over which requests are pipelined in both directions.
package rtsp

import (
	"strconv"
	"strings"

	"mcp/speech/mrcp/wire"
)

// Version is what this package writes in every start line.
const Version = "RTSP/1.0"

// Methods (RFC 2326 section 10).
const (
	MethodDescribe = "DESCRIBE"
	MethodSetup    = "SETUP"
	MethodAnnounce = "ANNOUNCE"
	MethodTeardown = "TEARDOWN"
	MethodOptions  = "OPTIONS"
)

// Header fields.
const (
	HeaderCSeq        = "CSeq"
	HeaderSession     = "Session"
	HeaderTransport   = "Transport"
	HeaderContentType = "Content-Type"
	HeaderContentLen  = "Content-Length"
)

// Message is a request or, when Method is empty, a response.
type Message struct {
	Method string // in upper case
	URI    string
	Status int
	Reason string
	Header wire.Header
	Body   []byte
}

// NewRequest makes a request with header fields given as pairs.
func NewRequest(method, uri string, fields ...string) *Message {
	m := &Message{Method: method, URI: uri}
	return m.with(fields)
}

// NewResponse makes the response to a request: it repeats CSeq and Session.
func NewResponse(request *Message, status int, fields ...string) *Message {
	m := &Message{Status: status, Reason: StatusText(status)}
	for _, name := range []string{HeaderCSeq, HeaderSession} {
		if value := request.Header.Get(name); value != "" {
			m.Header.Add(name, value)
		}
	}
	return m.with(fields)
}

func (m *Message) with(fields []string) *Message {
	for i := 0; i+1 < len(fields); i += 2 {
		m.Header.Set(fields[i], fields[i+1])
	}
	return m
}

// SetBody sets the body and its media type.
func (m *Message) SetBody(mediaType string, body []byte) {
	m.Header.Set(HeaderContentType, mediaType)
	m.Body = body
}

// MediaType is the Content-Type without its parameters, in lower case.
func (m *Message) MediaType() string {
	mediaType, _, _ := strings.Cut(m.Header.Get(HeaderContentType), ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

// CSeq is the sequence number; false when there is none.
func (m *Message) CSeq() (uint64, bool) {
	n, err := strconv.ParseUint(m.Header.Get(HeaderCSeq), 10, 63)
	return n, err == nil
}

// Session is the session identifier and the parameters that follow it, such as
// "timeout=60".
func (m *Message) Session() (id, params string) {
	id, params, _ = strings.Cut(m.Header.Get(HeaderSession), ";")
	return strings.TrimSpace(id), strings.TrimSpace(params)
}

// String is the start line, for logs.
func (m *Message) String() string {
	if m.Method == "" {
		return strconv.Itoa(m.Status) + " " + m.Reason
	}
	return m.Method + " " + m.URI
}

// Append writes the message to dst. Content-Length is reckoned here.
func (m *Message) Append(dst []byte) []byte {
	line := Version + " " + m.String()
	if m.Method != "" {
		line = m.String() + " " + Version
	}
	dst = appendClean(dst, line)
	for _, f := range m.Header {
		if strings.EqualFold(f.Name, HeaderContentLen) {
			continue
		}
		dst = appendClean(dst, f.Name+": "+f.Value)
	}
	if len(m.Body) > 0 {
		dst = appendClean(dst, HeaderContentLen+": "+strconv.Itoa(len(m.Body)))
	}
	return append(append(dst, "\r\n"...), m.Body...)
}

// appendClean writes a line. A line break inside it would let whoever supplied
// it write headers of their own.
func appendClean(dst []byte, line string) []byte {
	for i := 0; i < len(line); i++ {
		if c := line[i]; c == '\r' || c == '\n' || c == 0 {
			dst = append(dst, ' ')
			continue
		}
		dst = append(dst, line[i])
	}
	return append(dst, "\r\n"...)
}

// Status codes (RFC 2326 section 7.1.1).
const (
	StatusOK               = 200
	StatusBadRequest       = 400
	StatusNotFound         = 404
	StatusMethodNotAllowed = 405
	StatusNotEnough        = 453
	StatusSessionNotFound  = 454
	StatusUnsupported      = 461
	StatusInternal         = 500
	StatusUnavailable      = 503
	StatusVersion          = 505
)

// StatusText names a status code.
func StatusText(code int) string {
	text := map[int]string{
		StatusOK: "OK", StatusBadRequest: "Bad Request", StatusNotFound: "Not Found", StatusMethodNotAllowed: "Method Not Allowed",
		StatusNotEnough: "Not Enough Bandwidth", StatusSessionNotFound: "Session Not Found", StatusUnsupported: "Unsupported Transport",
		StatusInternal: "Internal Server Error", StatusUnavailable: "Service Unavailable", StatusVersion: "RTSP Version Not Supported",
	}[code]
	if text == "" {
		return "Status " + strconv.Itoa(code)
	}
	return text
}
