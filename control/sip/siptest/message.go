package siptest

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// Message is a SIP message as text.
type Message struct {
	Start   string
	Headers [][2]string
	Body    string
}

// Parse divides a message into its lines.
func Parse(data string) (Message, bool) {
	head, body, ok := strings.Cut(data, "\r\n\r\n")
	if !ok {
		head, ok = strings.CutSuffix(data, "\r\n")
	}
	lines := strings.Split(head, "\r\n")
	m := Message{Start: lines[0], Body: body}
	for _, line := range lines[1:] {
		name, value, found := strings.Cut(line, ":")
		if found {
			m.Headers = append(m.Headers, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
	return m, ok && m.Start != ""
}

// String is the message as it goes onto the wire. Content-Length is counted
// unless the message says one.
func (m Message) String() string {
	var b strings.Builder
	b.WriteString(m.Start + "\r\n")
	for _, h := range m.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if m.Get("Content-Length") == "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(m.Body))
	}
	b.WriteString("\r\n" + m.Body)
	return b.String()
}

// Get is the first value of a header, "" when there is none.
func (m Message) Get(name string) string {
	for _, h := range m.Headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

// All are the values of a header.
func (m Message) All(name string) []string {
	var all []string
	for _, h := range m.Headers {
		if strings.EqualFold(h[0], name) {
			all = append(all, h[1])
		}
	}
	return all
}

// With is the message with a header set, With("X", "") without it.
func (m Message) With(name, value string) Message {
	var headers [][2]string
	done := value == ""
	for _, h := range m.Headers {
		switch {
		case !strings.EqualFold(h[0], name):
			headers = append(headers, h)
		case !done:
			headers, done = append(headers, [2]string{name, value}), true
		}
	}
	if !done {
		headers = append(headers, [2]string{name, value})
	}
	m.Headers = headers
	return m
}

// Add is the message with one more header at its end.
func (m Message) Add(name, value string) Message {
	m.Headers = append(append([][2]string{}, m.Headers...), [2]string{name, value})
	return m
}

// WithSDP is the message with a session description.
func (m Message) WithSDP(sdp string) Message {
	m.Body = sdp
	return m.With("Content-Type", "application/sdp")
}

// Status is the status of a response, 0 of a request.
func (m Message) Status() int {
	var status int
	_, _ = fmt.Sscanf(m.Start, "SIP/2.0 %d", &status)
	return status
}

// Param is a parameter of a header's value, "" when it is not there.
func Param(value, name string) string {
	for _, p := range strings.Split(value, ";")[1:] {
		k, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// URI is the address within a name-addr.
func URI(value string) string {
	if _, rest, ok := strings.Cut(value, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(value, ";")
	return uri
}

// Call is what a caller keeps of a call that it places by hand.
type Call struct {
	Peer   *Peer
	Target string // Request-URI
	ID     string
	From   string
	To     string
	Seq    int
	Routes []string
	branch string
}

// NewCall begins a call to a URI.
func NewCall(p *Peer, target string) *Call {
	return &Call{
		Peer:   p,
		Target: target,
		ID:     rand.Text() + "@" + p.Addr(),
		From:   fmt.Sprintf("<sip:caller@%s>;tag=%s", p.Addr(), rand.Text()),
		To:     "<" + target + ">",
	}
}

// Request makes a request of the call with a branch and, unless it is an ACK or
// a CANCEL, a CSeq of its own.
func (c *Call) Request(method string) Message {
	if method != "ACK" && method != "CANCEL" {
		c.Seq++
	}
	if method != "CANCEL" {
		c.branch = "z9hG4bK-" + rand.Text()
	}
	return c.request(method)
}

// Ack makes the ACK to a final response: a request of its own to a 2xx, part of
// the INVITE's transaction to anything else.
func (c *Call) Ack(res Message) Message {
	if res.Status() < 300 {
		return c.Request("ACK")
	}
	return c.request("ACK").With("To", res.Get("To"))
}

func (c *Call) request(method string) Message {
	m := Message{Start: method + " " + c.Target + " SIP/2.0"}
	m = m.Add("Via", fmt.Sprintf("SIP/2.0/%s %s;branch=%s", strings.ToUpper(c.Peer.Network()), c.Peer.Addr(), c.branch))
	for _, r := range c.Routes {
		m = m.Add("Route", r)
	}
	m = m.Add("Max-Forwards", "70").Add("From", c.From).Add("To", c.To).Add("Call-ID", c.ID)
	m = m.Add("CSeq", fmt.Sprintf("%d %s", c.Seq, method))
	if method == "INVITE" {
		m = m.Add("Contact", c.Contact())
	}
	return m
}

// Contact is where the call can be reached.
func (c *Call) Contact() string {
	return fmt.Sprintf("<sip:caller@%s;transport=%s>", c.Peer.Addr(), c.Peer.Network())
}

// Establish takes over the tag and the target of a 2xx.
func (c *Call) Establish(res Message) {
	c.To = res.Get("To")
	if contact := res.Get("Contact"); contact != "" {
		c.Target = URI(contact)
	}
}

// Reply makes a response to a request that came to the peer.
func Reply(req Message, status int, reason string) Message {
	m := Message{Start: fmt.Sprintf("SIP/2.0 %d %s", status, reason)}
	for _, name := range []string{"Via", "Record-Route", "From", "To", "Call-ID", "CSeq"} {
		for _, v := range req.All(name) {
			m = m.Add(name, v)
		}
	}
	return m
}
