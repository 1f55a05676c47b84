package sdp

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// stream is an audio stream to be written.
type stream struct {
	codecs    []Codec
	events    int
	noise     uint8
	ptime     time.Duration
	direction Direction
	mux       bool
	keying    Keying
}

// Offer writes our wish as a description.
func Offer(local Local) []byte {
	events := local.Events
	if events <= 0 {
		events = NoEvents
	}
	out := stream{codecs: local.codecs(), events: events, ptime: local.ptime(), direction: local.Direction, mux: !local.Apart, keying: local.Keying}
	if local.Noise {
		out.noise = noiseType
	}
	t := opening(local, "")
	out.write(&t, cmp.Or(local.Keying.Transport, "RTP/AVP"), local.Addr.Port(), "")
	return t
}

// writeAnswer mirrors the offer's streams, in number and order (RFC 3264
// section 6).
func writeAnswer(offer *Session, local Local, out stream) []byte {
	t := opening(local, offer.timing)
	for i, m := range offer.media {
		if i == offer.chosen {
			out.write(&t, m.proto, local.Addr.Port(), m.mid)
			continue
		}
		t.refuse(m)
	}
	return t
}

// draft is a description that is being written.
type draft []byte

// usualBytes is how long one is, more or less.
const usualBytes = 320

// line adds one of a type, in so many parts.
func (t *draft) line(kind byte, parts ...string) {
	*t = append(*t, kind, '=')
	for _, part := range parts {
		*t = append(*t, part...)
	}
	*t = append(*t, "\r\n"...)
}

func (t *draft) attribute(name, value string) {
	if value == "" {
		t.line('a', name)
		return
	}
	t.line('a', name, ":", value)
}

// opening is what comes before the streams; timing is a t= line's value to repeat.
func opening(local Local, timing string) draft {
	addr, family := local.Addr.Addr().Unmap(), " IN IP4 "
	if addr.Is6() {
		family = " IN IP6 "
	}
	t := make(draft, 0, usualBytes)
	t.line('v', "0")
	t = append(strconv.AppendUint(append(t, "o=mcp "...), local.SessionID, 10), ' ')
	t = append(strconv.AppendUint(t, local.Version, 10), family...)
	t = append(addr.AppendTo(t), "\r\n"...)
	t.line('s', "-")
	t = append(append(t, "c="...), family[1:]...)
	t = append(addr.AppendTo(t), "\r\n"...)
	start, stop := times(timing)
	t = append(strconv.AppendUint(append(t, "t="...), start, 10), ' ')
	return append(strconv.AppendUint(t, stop, 10), "\r\n"...)
}

// write adds the m= section of a stream of ours.
func (s stream) write(t *draft, proto string, port uint16, mid string) {
	noise, events := s.noise != NoNoise, s.events != NoEvents
	*t = append(*t, "m=audio "...)
	*t = append(append(strconv.AppendUint(*t, uint64(port), 10), ' '), proto...)
	for _, c := range s.codecs {
		t.format(int(c.PayloadType))
	}
	if noise {
		t.format(int(s.noise))
	}
	if events {
		t.format(s.events)
	}
	*t = append(*t, "\r\n"...)
	for _, c := range s.codecs {
		c.write(t)
	}
	if noise {
		t.line('a', "rtpmap:", strconv.Itoa(int(s.noise)), " "+noiseName+"/8000")
	}
	if events {
		format := strconv.Itoa(s.events)
		t.line('a', "rtpmap:", format, " telephone-event/8000")
		t.line('a', "fmtp:", format, " 0-15")
	}
	t.attribute("ptime", strconv.FormatInt(s.ptime.Milliseconds(), 10))
	if s.mux {
		t.attribute(muxAttribute, "")
	}
	s.keying.write(t)
	if mid != "" {
		t.attribute("mid", mid)
	}
	t.attribute(s.direction.String(), "")
}

// format adds a payload type to an m= line.
func (t *draft) format(payloadType int) {
	*t = strconv.AppendInt(append(*t, ' '), int64(payloadType), 10)
}

// write adds what a description says of a codec.
func (c Codec) write(t *draft) {
	format := strconv.Itoa(int(c.PayloadType))
	t.line('a', "rtpmap:", format, " ", c.Name, "/", strconv.Itoa(c.ClockRate), suffix(c.Name))
	if c.Name == "G729" { // whose silence would need annex B at both ends (RFC 4856 section 2.1.9)
		t.line('a', "fmtp:", format, " annexb=no")
	}
	if c.isAMR() {
		t.line('a', "fmtp:", format, " ", amrOf(c.Format).ours())
	}
}

// suffix is how an rtpmap tells of channels.
func suffix(name string) string {
	if n := channels(name); n != "1" {
		return "/" + n
	}
	return ""
}

// refuse repeats a stream with port zero.
func (t *draft) refuse(m media) {
	formats := "0"
	if len(m.formats) > 0 {
		formats = strings.Join(m.formats, " ")
	}
	t.line('m', m.kind, " 0 ", m.proto, " ", formats)
}

// times reads a t= line for the answer to repeat; what is none lasts for ever.
func times(text string) (start, stop uint64) {
	var room [usualFields]string
	fields := words(room[:0], text)
	if len(fields) < 2 {
		return 0, 0
	}
	start, err := strconv.ParseUint(fields[0], 10, 64)
	stop, err2 := strconv.ParseUint(fields[1], 10, 64)
	if err != nil || err2 != nil {
		return 0, 0
	}
	return start, stop
}
