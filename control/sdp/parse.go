package sdp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"
)

// maxPtime bounds what is believed of a=ptime.
const maxPtime = 200 * time.Millisecond

// Parse reads a description. It is lenient with what does not matter to the
// audio stream, and strict with what does.
func Parse(text []byte) (*Session, error) {
	d, err := divide(text)
	if err != nil {
		return nil, err
	}
	s := &Session{Origin: value(d.session, 'o'), timing: value(d.session, 't')}
	for i, section := range d.media {
		m, ok := mirror(section)
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrMalformed, clip(section[0]))
		}
		s.media = append(s.media, m)
		if m.kind != "audio" || !transports[m.proto] {
			continue
		}
		audio, err := d.audio(section)
		if err != nil {
			return nil, err
		}
		if audio != nil {
			s.usable = append(s.usable, candidate{audio, i})
		}
	}
	s.settle()
	return s, nil
}

// audio reads one audio section, with the session's lines that bear on it; nil when
// its port is zero.
func (d *description) audio(section []string) (*Audio, error) {
	text := d.proper(section)
	if d.read += len(text); d.read > maxRead {
		return nil, fmt.Errorf("%w: %d streams with too much in them", ErrMalformed, len(d.media))
	}
	return parseAudio(text)
}

// parseAudio reads a description of one audio stream; nil when its port is zero.
func parseAudio(text string) (*Audio, error) {
	var desc pion.SessionDescription
	if err := desc.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	m := desc.MediaDescriptions[0]
	if m.MediaName.Port.Value == 0 {
		return nil, nil
	}
	addr, err := address(&desc, m)
	if err != nil {
		return nil, err
	}
	a := &Audio{
		RTP:       netip.AddrPortFrom(addr, uint16(m.MediaName.Port.Value)),
		Ptime:     ptimeOf(m),
		Direction: directionIn(&desc, m),
	}
	a.RTCP = rtcpOf(m, a.RTP)
	_, a.Mux = m.Attribute(muxAttribute)
	a.Codecs, a.Events = formatsOf(m)
	a.Keying = keyingOf(&desc, m)
	if addr.IsUnspecified() {
		a.Direction = directionOf(a.Direction.sends(), false)
	}
	return a, nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// address is the stream's c= line, or the session's.
func address(desc *pion.SessionDescription, m *pion.MediaDescription) (netip.Addr, error) {
	c := m.ConnectionInformation
	if c == nil {
		c = desc.ConnectionInformation
	}
	if c == nil || c.Address == nil {
		return netip.Addr{}, fmt.Errorf("%w: no connection address", ErrMalformed)
	}
	host, _, _ := strings.Cut(c.Address.Address, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" || addr.IsMulticast() || addr == broadcast {
		return netip.Addr{}, fmt.Errorf("%w: connection address %q", ErrMalformed, clip(host))
	}
	return addr.Unmap(), nil
}

// directionIn is the stream's direction attribute, or the session's.
func directionIn(desc *pion.SessionDescription, m *pion.MediaDescription) Direction {
	for _, attributes := range [][]pion.Attribute{m.Attributes, desc.Attributes} {
		for _, a := range attributes {
			for i, name := range directionNames {
				if a.Key == name {
					return Direction(i)
				}
			}
		}
	}
	return SendRecv
}

// ptimeOf is zero when nothing sensible is said.
func ptimeOf(m *pion.MediaDescription) time.Duration {
	text, ok := m.Attribute("ptime")
	if !ok {
		return 0
	}
	ms, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	p := time.Duration(ms * float64(time.Millisecond))
	if err != nil || !(ms >= 1) || p < 0 || p > maxPtime {
		return 0
	}
	return p
}

// rtcpOf reads a=rtcp:port [IN IP4 address] (RFC 3605).
func rtcpOf(m *pion.MediaDescription, rtp netip.AddrPort) netip.AddrPort {
	text, _ := m.Attribute("rtcp")
	fields := strings.Fields(text)
	addr := rtp.Addr()
	if len(fields) == 4 {
		if explicit, err := netip.ParseAddr(fields[3]); err == nil && explicit.Zone() == "" {
			addr = explicit.Unmap()
		}
	}
	if len(fields) > 0 {
		if port, err := strconv.ParseUint(fields[0], 10, 16); err == nil && port != 0 {
			return netip.AddrPortFrom(addr, uint16(port))
		}
	}
	if rtp.Port() == 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(rtp.Addr(), rtp.Port()+1)
}

// muxAttribute says that RTP and RTCP may share a port (RFC 5761 section 5.1.1).
const muxAttribute = "rtcp-mux"

// Comfort noise, whose static payload type has the clock of telephony (RFC 3389
// section 5.1).
const (
	noiseName = "CN"
	noiseType = 13
)

// staticCodecs are the payload types of RFC 3551 that need no rtpmap.
var staticCodecs = map[uint8]Codec{
	0: narrow("PCMU", 0), 3: narrow("GSM", 3), 4: narrow("G723", 4), 8: narrow("PCMA", 8),
	9: narrow("G722", 9), noiseType: narrow(noiseName, noiseType), 18: narrow("G729", 18),
}

// formatsOf lists the codecs of an m= line in its order, and picks out the
// events at telephony's clock rate.
func formatsOf(m *pion.MediaDescription) ([]Codec, int) {
	maps := rtpMaps(m)
	var codecs []Codec
	events := NoEvents
	for _, format := range m.MediaName.Formats {
		pt, err := strconv.ParseUint(format, 10, 7)
		if err != nil {
			continue
		}
		codec, ok := maps[uint8(pt)]
		if !ok {
			codec, ok = staticCodecs[uint8(pt)]
		}
		if ok {
			ok = codec.formatted(m)
		}
		switch {
		case !ok:
		case strings.EqualFold(codec.Name, "telephone-event"):
			if codec.ClockRate == 8000 && events == NoEvents {
				events = int(pt)
			}
		default:
			codecs = append(codecs, codec)
		}
	}
	return codecs, events
}

// channels is how many an rtpmap has to say of a codec: Opus always says two, and
// means as many as there are (RFC 7587 section 7).
func channels(name string) string {
	if strings.EqualFold(name, "opus") {
		return "2"
	}
	return "1"
}

// rtpMaps reads a=rtpmap:96 L16/8000[/1]; a second one for the same payload
// type, or more than one channel, does not count.
func rtpMaps(m *pion.MediaDescription) map[uint8]Codec {
	maps := map[uint8]Codec{}
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		format, encoding, _ := strings.Cut(strings.TrimSpace(a.Value), " ")
		pt, err := strconv.ParseUint(format, 10, 7)
		parts := strings.Split(strings.TrimSpace(encoding), "/")
		if err != nil || len(parts) < 2 || len(parts) == 3 && parts[2] != channels(parts[0]) {
			continue
		}
		rate, err := strconv.ParseUint(parts[1], 10, 31)
		if _, twice := maps[uint8(pt)]; err != nil || twice {
			continue
		}
		maps[uint8(pt)] = Codec{Name: parts[0], PayloadType: uint8(pt), ClockRate: int(rate)}
	}
	return maps
}
