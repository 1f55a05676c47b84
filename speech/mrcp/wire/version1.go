package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Version1 is the version in the start lines of MRCPv1.
const Version1 = "MRCP/1.0"

// AppendV1 writes the message as MRCPv1 does (RFC 4463 section 5): without a
// length, the version at the end of requests and events. Its words must be
// MRCPv1's already (ToV1).
func (m *Message) AppendV1(dst []byte) []byte {
	line := strings.TrimSpace(m.startLine())
	if m.Kind == Response {
		line = Version1 + " " + line
	} else {
		line += " " + Version1
	}
	dst = append(append(dst, line...), "\r\n"...)
	for _, f := range m.Header {
		if !isContentLength(f) {
			dst = f.append(dst)
		}
	}
	if len(m.Body) > 0 {
		dst = Field{HeaderContentLength, strconv.Itoa(len(m.Body))}.append(dst)
	}
	return append(append(dst, "\r\n"...), m.Body...)
}

// ParseV1 reads an MRCPv1 message, all of it: the body of an RTSP message is one.
// What follows the octets that its Content-Length counts is passed over; without
// one the body is all that is left. The error is a *SyntaxError.
func ParseV1(text []byte) (*Message, error) {
	r := &Reader{r: bufio.NewReader(bytes.NewReader(text)), max: max(len(text), 1)}
	line, err := r.firstLine()
	if err != nil {
		return nil, &SyntaxError{Reason: "no start line"}
	}
	start, fault := parseStartLineV1(line)
	if fault != "" {
		return nil, &SyntaxError{Line: line, Reason: fault}
	}
	header, err := r.header()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &SyntaxError{Line: line, Reason: "header cannot be read"}
	}
	body, err := io.ReadAll(r.r)
	if err != nil {
		return nil, &SyntaxError{Line: line, Reason: "body cannot be read"}
	}
	if n, err := strconv.ParseUint(header.Get(HeaderContentLength), 10, 31); err == nil && n <= uint64(len(body)) {
		body = body[:n]
	} else if !header.Has(HeaderContentType) {
		body = nil // line ends that some servers leave behind
	}
	m := &start.Message
	m.Header, m.Body = header, body
	return m, nil
}

// firstLine is the first line that is not empty.
func (r *Reader) firstLine() (string, error) {
	for {
		r.head = 0
		if line, err := r.line(); err != nil || strings.TrimSpace(line) != "" {
			return line, err
		}
	}
}

func parseStartLineV1(line string) (*startLine, string) {
	s := &startLine{}
	tokens := strings.Fields(line)
	if first := strings.ToUpper(tokens[0]); strings.HasPrefix(first, "MRCP/") {
		if s.Version = first; len(tokens) < 4 {
			return s, "too few words in the start line"
		}
		return s, s.parseResponse(tokens[1:])
	}
	last := len(tokens) - 1
	if s.Version = strings.ToUpper(tokens[last]); !validVersion(s.Version) || last < 2 {
		return s, "no protocol version"
	}
	return s, s.parseNamed(tokens[:last])
}
