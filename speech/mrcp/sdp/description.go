// Package sdp reads and writes the session descriptions with which MRCP sessions
// are agreed on (RFC 6787 section 4.2, RFC 4463 section 3.2). It takes what
// deployed servers send: formats, cmid and mid may be missing, attributes may
// stand in any order.
package sdp

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"mcp/speech"
)

// Transports of control lines.
const (
	ProtocolTCP = "TCP/MRCPv2"
	ProtocolTLS = "TCP/TLS/MRCPv2"
)

// DiscardPort stands in an offer's control line, because it is the server that
// listens (RFC 4145 section 4.1).
const DiscardPort = 9

// Values of the setup and connection attributes (RFC 4145).
const (
	SetupActive        = "active"
	SetupPassive       = "passive"
	ConnectionNew      = "new"
	ConnectionExisting = "existing"
)

// Description is one side's SDP of an MRCPv2 session (RFC 6787 section 4.2).
type Description struct {
	User        string // origin's user name
	ID, Version uint64
	Addr        netip.Addr
	Lines       []Line
}

// Line is a media line: one of Control and Audio is set, or neither when it is
// something else.
type Line struct {
	Control *Control
	Audio   *Audio
	other   pion.MediaName
}

// Control is an m=application line: the control channel of one resource. Port 0
// means that it is refused.
type Control struct {
	Addr       netip.AddrPort
	Protocol   string
	Setup      string
	Connection string
	Resource   string // of an offer
	Channel    string // of an answer
	CMID       string
	// Fingerprint is that of the side's certificate, such as "sha-256 4A:AD…"
	// (RFC 8122), of a line over TLS.
	Fingerprint string
}

// Audio is an m=audio line. Port 0 means that it is refused.
type Audio struct {
	Addr      netip.AddrPort
	Codecs    []speech.Codec
	Events    int // payload type of telephone-event, -1 for none
	Direction string
	Ptime     time.Duration
	MID       string
}

var errNoAddress = errors.New("sdp names no address")

// Controls are the description's control lines.
func (d *Description) Controls() []*Control {
	var all []*Control
	for _, line := range d.Lines {
		if line.Control != nil {
			all = append(all, line.Control)
		}
	}
	return all
}

// Audio is the first audio line that is not refused, or nil.
func (d *Description) Audio() *Audio {
	for _, line := range d.Lines {
		if line.Audio != nil && line.Audio.Addr.Port() != 0 {
			return line.Audio
		}
	}
	return nil
}

// spelled writes the protocols of media lines as they are registered; servers are known
// to use other case, which the library refuses.
func spelled(b []byte) []byte {
	lines := bytes.SplitAfter(b, []byte("\n"))
	for i, line := range lines {
		fields := bytes.SplitN(line, []byte(" "), 4)
		if !bytes.HasPrefix(line, []byte("m=")) || len(fields) < 4 {
			continue
		}
		for _, protocol := range []string{ProtocolTCP, ProtocolTLS, "RTP/AVP"} {
			if strings.EqualFold(string(fields[2]), protocol) {
				fields[2] = []byte(protocol)
				lines[i] = bytes.Join(fields, []byte(" "))
			}
		}
	}
	return bytes.Join(lines, nil)
}

// Parse reads a description.
func Parse(b []byte) (*Description, error) {
	var s pion.SessionDescription
	if err := s.Unmarshal(spelled(b)); err != nil {
		return nil, fmt.Errorf("parse sdp: %w", err)
	}
	d := &Description{User: s.Origin.Username, ID: s.Origin.SessionID, Version: s.Origin.SessionVersion}
	var err error
	if d.Addr, err = sessionAddr(&s); err != nil {
		return nil, err
	}
	for _, m := range s.MediaDescriptions {
		addr, err := mediaAddr(m, d.Addr)
		if err != nil {
			return nil, err
		}
		d.Lines = append(d.Lines, parseLine(&s, m, addr))
	}
	return d, nil
}

func parseLine(s *pion.SessionDescription, m *pion.MediaDescription, addr netip.AddrPort) Line {
	attribute := func(name string) string {
		value, found := m.Attribute(name)
		if !found {
			value, _ = s.Attribute(name)
		}
		return strings.TrimSpace(value)
	}
	protocol := strings.Join(m.MediaName.Protos, "/")
	switch {
	case m.MediaName.Media == "application" && strings.HasSuffix(protocol, "/MRCPv2"):
		return Line{Control: &Control{Addr: addr, Protocol: protocol,
			Setup: attribute("setup"), Connection: attribute("connection"),
			Resource: strings.ToLower(attribute("resource")), Channel: attribute("channel"), CMID: attribute("cmid"),
			Fingerprint: attribute("fingerprint")}}
	case m.MediaName.Media == "audio":
		audio := &Audio{Addr: addr, Direction: direction(s, m), MID: attribute("mid"), Events: -1}
		if ms, err := strconv.Atoi(attribute("ptime")); err == nil && ms > 0 {
			audio.Ptime = time.Duration(ms) * time.Millisecond
		}
		audio.parseFormats(m)
		return Line{Audio: audio}
	}
	return Line{other: m.MediaName}
}

func direction(s *pion.SessionDescription, m *pion.MediaDescription) string {
	for _, attributes := range [][]pion.Attribute{m.Attributes, s.Attributes} {
		for _, a := range attributes {
			if _, err := pion.NewDirection(a.Key); err == nil {
				return a.Key
			}
		}
	}
	return "sendrecv"
}

// parseFormats reads the payload types with their rtpmaps; PCMU and PCMA need none.
func (a *Audio) parseFormats(m *pion.MediaDescription) {
	for _, format := range m.MediaName.Formats {
		pt, err := strconv.ParseUint(format, 10, 7)
		if err != nil {
			continue
		}
		codec, known := rtpmap(m, uint8(pt))
		switch {
		case !known:
		case strings.EqualFold(codec.Name, "telephone-event"):
			a.Events = int(pt)
		default:
			a.Codecs = append(a.Codecs, codec)
		}
	}
}

func rtpmap(m *pion.MediaDescription, pt uint8) (speech.Codec, bool) {
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		words := strings.Fields(a.Value)
		if len(words) < 2 || words[0] != strconv.Itoa(int(pt)) {
			continue
		}
		parts := strings.Split(words[1], "/")
		codec := speech.Codec{PayloadType: pt, Name: strings.ToUpper(parts[0]), ClockRate: 8000}
		if len(parts) > 1 {
			codec.ClockRate, _ = strconv.Atoi(parts[1])
		}
		return codec, true
	}
	switch pt {
	case 0:
		return speech.Codec{PayloadType: 0, Name: "PCMU", ClockRate: 8000}, true
	case 8:
		return speech.Codec{PayloadType: 8, Name: "PCMA", ClockRate: 8000}, true
	}
	return speech.Codec{}, false
}

// sessionAddr is the address that holds where a media line has none of its own.
// Some servers give only media lines one, and then the origin's serves.
func sessionAddr(s *pion.SessionDescription) (netip.Addr, error) {
	if s.ConnectionInformation != nil {
		return parseAddr(s.ConnectionInformation)
	}
	for _, m := range s.MediaDescriptions {
		if m.ConnectionInformation != nil {
			return parseAddr(m.ConnectionInformation)
		}
	}
	return parseAddr(&pion.ConnectionInformation{Address: &pion.Address{Address: s.Origin.UnicastAddress}})
}

func mediaAddr(m *pion.MediaDescription, session netip.Addr) (netip.AddrPort, error) {
	addr := session
	if m.ConnectionInformation != nil {
		var err error
		if addr, err = parseAddr(m.ConnectionInformation); err != nil {
			return netip.AddrPort{}, err
		}
	}
	if port := m.MediaName.Port.Value; port >= 0 && port <= 65535 {
		return netip.AddrPortFrom(addr, uint16(port)), nil
	}
	return netip.AddrPort{}, fmt.Errorf("sdp: port %d", m.MediaName.Port.Value)
}

func parseAddr(c *pion.ConnectionInformation) (netip.Addr, error) {
	if c.Address == nil {
		return netip.Addr{}, errNoAddress
	}
	text, _, _ := strings.Cut(c.Address.Address, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%w: %w", errNoAddress, err)
	}
	return addr.Unmap(), nil
}

// Marshal writes the description.
func (d *Description) Marshal() []byte {
	family := "IP4"
	if d.Addr.Is6() {
		family = "IP6"
	}
	s := pion.SessionDescription{
		Origin: pion.Origin{Username: d.User, SessionID: d.ID, SessionVersion: d.Version,
			NetworkType: "IN", AddressType: family, UnicastAddress: d.Addr.String()},
		SessionName: "-",
		ConnectionInformation: &pion.ConnectionInformation{NetworkType: "IN", AddressType: family,
			Address: &pion.Address{Address: d.Addr.String()}},
		TimeDescriptions: []pion.TimeDescription{{}},
	}
	for _, line := range d.Lines {
		s.MediaDescriptions = append(s.MediaDescriptions, line.marshal())
	}
	out, err := s.Marshal()
	if err != nil {
		// pion/sdp's Marshal has no failing path; it keeps the error for its API.
		return nil
	}
	return out
}

func (l Line) marshal() *pion.MediaDescription {
	switch {
	case l.Control != nil:
		return l.Control.marshal()
	case l.Audio != nil:
		return l.Audio.marshal()
	}
	refused := l.other
	refused.Port = pion.RangedPort{}
	return &pion.MediaDescription{MediaName: refused}
}

func (c *Control) marshal() *pion.MediaDescription {
	m := &pion.MediaDescription{MediaName: pion.MediaName{Media: "application",
		Port: pion.RangedPort{Value: int(c.Addr.Port())}, Protos: strings.Split(c.Protocol, "/"), Formats: []string{"1"}}}
	for _, a := range [][2]string{{"setup", c.Setup}, {"connection", c.Connection},
		{"resource", c.Resource}, {"channel", c.Channel}, {"cmid", c.CMID}, {"fingerprint", c.Fingerprint}} {
		if a[1] != "" {
			m.WithValueAttribute(a[0], a[1])
		}
	}
	return m
}

func (a *Audio) marshal() *pion.MediaDescription {
	m := &pion.MediaDescription{MediaName: pion.MediaName{Media: "audio",
		Port: pion.RangedPort{Value: int(a.Addr.Port())}, Protos: []string{"RTP", "AVP"}}}
	for _, c := range a.Codecs {
		m.WithCodec(c.PayloadType, c.Name, uint32(c.ClockRate), 0, "")
	}
	if a.Events >= 0 {
		m.WithCodec(uint8(a.Events), "telephone-event", 8000, 0, "0-15")
	}
	if len(m.MediaName.Formats) == 0 {
		m.MediaName.Formats = []string{"0"}
	}
	if a.Addr.Port() == 0 {
		return m
	}
	m.WithPropertyAttribute(a.Direction)
	if a.Ptime > 0 {
		m.WithValueAttribute("ptime", strconv.FormatInt(a.Ptime.Milliseconds(), 10))
	}
	if a.MID != "" {
		m.WithValueAttribute("mid", a.MID)
	}
	return m
}

// FindCodec is the codec of list that is codec, whatever its payload type.
func FindCodec(list []speech.Codec, codec speech.Codec) (speech.Codec, bool) {
	at := slices.IndexFunc(list, func(c speech.Codec) bool {
		return strings.EqualFold(c.Name, codec.Name) && c.ClockRate == codec.ClockRate
	})
	if at < 0 {
		return speech.Codec{}, false
	}
	return list[at], true
}

// Agree takes the answer's first codec that was offered. The payload type to
// send with is the answerer's; ours and theirs are the same in practice, as RFC
// 3264 section 6.1 recommends.
func Agree(offered, answered *Audio) (speech.Media, error) {
	if answered == nil {
		return speech.Media{}, fmt.Errorf("%w: the server refused the audio line", speech.ErrNoCodec)
	}
	for _, codec := range answered.Codecs {
		if _, ok := FindCodec(offered.Codecs, codec); ok {
			return speech.Media{Addr: answered.Addr, Codecs: []speech.Codec{codec},
				Events: answered.Events, Ptime: answered.Ptime}, nil
		}
	}
	return speech.Media{}, speech.ErrNoCodec
}
