package sdp

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
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
	s := &Session{Origin: d.session.value('o'), timing: d.session.value('t')}
	for i, stream := range d.media {
		m, ok := stream.mirror()
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrMalformed, clip(stream[0]))
		}
		s.media = append(s.media, m)
		if m.kind != "audio" || !transports[m.proto] {
			continue
		}
		audio, err := d.audio(stream, m)
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
// its port is zero. It is read leniently: real equipment puts attributes before t=,
// and sends origins that are not numbers; none of that is reason to refuse a call.
func (d *description) audio(stream section, m media) (*Audio, error) {
	if d.read += d.session.bytes() + stream.bytes(); d.read > maxRead {
		return nil, fmt.Errorf("%w: %d streams with too much in them", ErrMalformed, len(d.media))
	}
	port, err := portOf(m.port)
	if err != nil || port == 0 {
		return nil, err
	}
	addr, err := address(d.session, stream)
	if err != nil {
		return nil, err
	}
	a := &Audio{
		RTP:       netip.AddrPortFrom(addr, port),
		Ptime:     ptimeOf(stream),
		Direction: directionIn(d.session, stream),
		Keying:    keyingOf(d.session, stream, m.proto),
	}
	a.RTCP = rtcpOf(stream, a.RTP)
	_, a.Mux = stream.attribute(muxAttribute)
	a.Codecs, a.Events = formatsOf(stream, m.formats)
	if addr.IsUnspecified() {
		a.Direction = directionOf(a.Direction.sends(), false)
	}
	return a, nil
}

// portOf reads a port, with how many follow it or without.
func portOf(text string) (uint16, error) {
	first, count, several := strings.Cut(text, "/")
	port, err := strconv.Atoi(first)
	if several && err == nil {
		_, err = strconv.Atoi(count)
	}
	if err != nil || port < 0 || port > 65535 {
		return 0, fmt.Errorf("%w: port %q", ErrMalformed, clip(text))
	}
	return uint16(port), nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// address is that of the stream's c= line, or of the session's.
func address(session, stream section) (netip.Addr, error) {
	c := cmp.Or(stream.value('c'), session.value('c'))
	var room [usualFields]string
	fields := words(room[:0], c)
	if len(fields) != 3 || fields[0] != "IN" || fields[1] != "IP4" && fields[1] != "IP6" {
		return netip.Addr{}, fmt.Errorf("%w: connection %q", ErrMalformed, clip(c))
	}
	host, _, _ := strings.Cut(fields[2], "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" || addr.IsMulticast() || addr == broadcast {
		return netip.Addr{}, fmt.Errorf("%w: connection address %q", ErrMalformed, clip(host))
	}
	return addr.Unmap(), nil
}

// directionIn is the stream's direction attribute, or the session's.
func directionIn(session, stream section) Direction {
	for _, lines := range [...]section{stream, session} {
		for attribute := range lines.attributes {
			for i, name := range directionNames {
				if attribute == name {
					return Direction(i)
				}
			}
		}
	}
	return SendRecv
}

// ptimeOf is zero when nothing sensible is said.
func ptimeOf(stream section) time.Duration {
	text, ok := stream.attribute("ptime")
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
func rtcpOf(stream section, rtp netip.AddrPort) netip.AddrPort {
	text, _ := stream.attribute("rtcp")
	var room [usualFields]string
	fields := words(room[:0], text)
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

// formatsOf lists the codecs of an m= line in its order, each once, and picks out
// the events at telephony's clock rate.
func formatsOf(stream section, formats []string) ([]Codec, int) {
	var room [usualFormats]Codec
	maps := rtpMaps(stream, room[:0])
	codecs := make([]Codec, 0, min(len(formats), usualFormats))
	events := NoEvents
	var seen [128]bool
	for _, format := range formats {
		pt, err := strconv.ParseUint(format, 10, 7)
		if err != nil || seen[pt] {
			continue
		}
		seen[pt] = true
		codec, ok := find(maps, uint8(pt))
		if !ok {
			codec, ok = staticCodecs[uint8(pt)]
		}
		if ok {
			ok = codec.formatted(stream)
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

// usualFormats is how many a stream of a call has, more or less.
const usualFormats = 8

// find returns the codec of a payload type.
func find(codecs []Codec, payloadType uint8) (Codec, bool) {
	for _, c := range codecs {
		if c.PayloadType == payloadType {
			return c, true
		}
	}
	return Codec{}, false
}

// channels is how many an rtpmap has to say of a codec: Opus always says two, and
// means as many as there are (RFC 7587 section 7).
func channels(name string) string {
	if strings.EqualFold(name, "opus") {
		return "2"
	}
	return "1"
}

// rtpMaps reads a=rtpmap:96 L16/8000[/1] into room; a second one for the same
// payload type, or more than one channel, does not count.
func rtpMaps(stream section, room []Codec) []Codec {
	maps := room
	for name, value := range stream.attributes {
		if name != "rtpmap" {
			continue
		}
		format, encoding, _ := strings.Cut(strings.TrimSpace(value), " ")
		codec, rest, _ := strings.Cut(strings.TrimSpace(encoding), "/")
		clock, count, several := strings.Cut(rest, "/")
		pt, err := strconv.ParseUint(format, 10, 7)
		rate, err2 := strconv.ParseUint(clock, 10, 31)
		if err != nil || err2 != nil || several && count != channels(codec) {
			continue
		}
		if _, twice := find(maps, uint8(pt)); !twice {
			maps = append(maps, Codec{Name: codec, PayloadType: uint8(pt), ClockRate: int(rate)})
		}
	}
	return maps
}
