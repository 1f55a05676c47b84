// Package wire reads and writes MRCPv2 messages (RFC 6787 section 5). It knows
// the syntax of the protocol and the names in it, and nothing of sessions.
package wire

import (
	"strconv"
	"strings"
)

// Version is what this package writes in every start line.
const Version = "MRCP/2.0"

// Kind tells the three forms of a message apart.
type Kind uint8

// The kinds of message.
const (
	Request Kind = iota
	Response
	Event
)

// State is the request-state of a response or an event.
type State string

// The states a request goes through, in order.
const (
	Pending    State = "PENDING"
	InProgress State = "IN-PROGRESS"
	Complete   State = "COMPLETE"
)

// Message is one MRCPv2 message. Version is only filled by the Reader.
type Message struct {
	Kind    Kind
	Version string
	Name    string // method or event, in upper case; empty in a response
	ID      uint32
	Status  int   // of a response
	State   State // of a response or an event
	Header  Header
	Body    []byte
}

// NewRequest makes a request for a channel.
func NewRequest(method string, id uint32, channel string) *Message {
	return &Message{Kind: Request, Name: method, ID: id,
		Header: Header{{HeaderChannelIdentifier, channel}}}
}

// NewResponse makes the response to request.
func NewResponse(request *Message, status int, state State) *Message {
	return &Message{Kind: Response, ID: request.ID, Status: status, State: state,
		Header: Header{{HeaderChannelIdentifier, request.Channel()}}}
}

// NewEvent makes an event of a request.
func NewEvent(name string, id uint32, state State, channel string) *Message {
	return &Message{Kind: Event, Name: name, ID: id, State: state,
		Header: Header{{HeaderChannelIdentifier, channel}}}
}

// Channel is the Channel-Identifier.
func (m *Message) Channel() string { return m.Header.Get(HeaderChannelIdentifier) }

// SetBody sets the body and its media type.
func (m *Message) SetBody(mediaType string, body []byte) {
	m.Header.Set(HeaderContentType, mediaType)
	m.Body = body
}

// String is the start line without version and length, for logs.
func (m *Message) String() string { return strings.TrimSpace(m.startLine()) }

// Append writes the message to dst. The message-length is reckoned here, and so
// is Content-Length, which stands last when the message did not place it.
func (m *Message) Append(dst []byte) []byte {
	line := m.startLine()
	rest := len(line) + len("\r\n") + m.Header.size() + m.contentLengthSize() + len("\r\n") + len(m.Body)
	dst = append(dst, Version...)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(totalLength(len(Version)+1+rest)), 10)
	dst = append(dst, line...)
	dst = append(dst, "\r\n"...)
	for _, f := range m.Header {
		if isContentLength(f) {
			f.Value = strconv.Itoa(len(m.Body))
		}
		dst = f.append(dst)
	}
	if m.wantsContentLength() {
		dst = Field{HeaderContentLength, strconv.Itoa(len(m.Body))}.append(dst)
	}
	dst = append(dst, "\r\n"...)
	return append(dst, m.Body...)
}

// startLine is the start line after the message-length, with its leading space.
func (m *Message) startLine() string {
	id := strconv.FormatUint(uint64(m.ID), 10)
	switch m.Kind {
	case Response:
		return " " + id + " " + strconv.Itoa(m.Status) + " " + string(m.State)
	case Event:
		return " " + m.Name + " " + id + " " + string(m.State)
	default:
		return " " + m.Name + " " + id
	}
}

func (m *Message) wantsContentLength() bool {
	return len(m.Body) > 0 && !m.Header.Has(HeaderContentLength)
}

// contentLengthSize is what Append's treatment of Content-Length adds to the
// size of the header as it stands.
func (m *Message) contentLengthSize() int {
	value := strconv.Itoa(len(m.Body))
	if m.wantsContentLength() {
		return Field{HeaderContentLength, value}.size()
	}
	added := 0
	for _, f := range m.Header {
		if isContentLength(f) {
			added += Field{f.Name, value}.size() - f.size()
		}
	}
	return added
}

// totalLength adds to n octets the digits of the length itself.
func totalLength(n int) int {
	total := n + len(strconv.Itoa(n))
	if grown := n + len(strconv.Itoa(total)); grown != total {
		return grown
	}
	return total
}
