package sdp

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"
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
	desc := header(local)
	desc.MediaDescriptions = []*pion.MediaDescription{out.accepted(cmp.Or(local.Keying.Transport, "RTP/AVP"), local.Addr.Port(), "")}
	return marshal(desc)
}

// writeAnswer mirrors the offer's streams, in number and order (RFC 3264
// section 6).
func writeAnswer(offer *Session, local Local, out stream) []byte {
	desc := header(local)
	if start, stop, ok := timing(offer.timing); ok {
		desc.TimeDescriptions = []pion.TimeDescription{{Timing: pion.Timing{StartTime: start, StopTime: stop}}}
	}
	for i, m := range offer.media {
		if i == offer.chosen {
			desc.MediaDescriptions = append(desc.MediaDescriptions, out.accepted(m.proto, local.Addr.Port(), m.mid))
			continue
		}
		desc.MediaDescriptions = append(desc.MediaDescriptions, refused(m))
	}
	return marshal(desc)
}

func header(local Local) *pion.SessionDescription {
	addr, family := local.Addr.Addr().Unmap(), "IP4"
	if addr.Is6() {
		family = "IP6"
	}
	host := addr.String()
	return &pion.SessionDescription{
		Origin: pion.Origin{
			Username: "mcp", SessionID: local.SessionID, SessionVersion: local.Version,
			NetworkType: "IN", AddressType: family, UnicastAddress: host,
		},
		SessionName: "-",
		ConnectionInformation: &pion.ConnectionInformation{
			NetworkType: "IN", AddressType: family, Address: &pion.Address{Address: host},
		},
		TimeDescriptions: []pion.TimeDescription{{}},
	}
}

// usualAttributes is how many a stream has that is not protected.
const usualAttributes = 8

// accepted is the m= section of a stream of ours.
func (s stream) accepted(proto string, port uint16, mid string) *pion.MediaDescription {
	m := &pion.MediaDescription{MediaName: pion.MediaName{
		Media: "audio", Port: pion.RangedPort{Value: int(port)}, Protos: strings.Split(proto, "/"),
		Formats: make([]string, 0, len(s.codecs)+2),
	}, Attributes: make([]pion.Attribute, 0, usualAttributes)}
	for _, c := range s.codecs {
		format := strconv.Itoa(int(c.PayloadType))
		m.MediaName.Formats = append(m.MediaName.Formats, format)
		m.WithValueAttribute("rtpmap", format+" "+c.Name+"/"+strconv.Itoa(c.ClockRate)+suffix(c.Name))
		if c.Name == "G729" { // whose silence would need annex B at both ends (RFC 4856 section 2.1.9)
			m.WithValueAttribute("fmtp", format+" annexb=no")
		}
		if c.isAMR() {
			m.WithValueAttribute("fmtp", format+" "+amrOf(c.Format).ours())
		}
	}
	if s.noise != NoNoise {
		format := strconv.Itoa(int(s.noise))
		m.MediaName.Formats = append(m.MediaName.Formats, format)
		m.WithValueAttribute("rtpmap", format+" "+noiseName+"/8000")
	}
	if s.events != NoEvents {
		format := strconv.Itoa(s.events)
		m.MediaName.Formats = append(m.MediaName.Formats, format)
		m.WithValueAttribute("rtpmap", format+" telephone-event/8000")
		m.WithValueAttribute("fmtp", format+" 0-15")
	}
	m.WithValueAttribute("ptime", strconv.FormatInt(s.ptime.Milliseconds(), 10))
	if s.mux {
		m.WithPropertyAttribute(muxAttribute)
	}
	s.keying.write(m)
	if mid != "" {
		m.WithValueAttribute("mid", mid)
	}
	return m.WithPropertyAttribute(s.direction.String())
}

// suffix is how an rtpmap tells of channels.
func suffix(name string) string {
	if n := channels(name); n != "1" {
		return "/" + n
	}
	return ""
}

// refused repeats a stream with port zero.
func refused(m media) *pion.MediaDescription {
	desc := &pion.MediaDescription{MediaName: pion.MediaName{
		Media: m.kind, Protos: strings.Split(m.proto, "/"), Formats: m.formats,
	}}
	if len(m.formats) == 0 {
		desc.MediaName.Formats = []string{"0"}
	}
	return desc
}

// timing reads a t= line for the answer to repeat.
func timing(text string) (start, stop uint64, ok bool) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return 0, 0, false
	}
	start, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return 0, 0, false
	}
	stop, err = strconv.ParseUint(fields[1], 10, 64)
	return start, stop, err == nil
}

// marshal cannot fail: pion reports an error only from writers of its own.
func marshal(desc *pion.SessionDescription) []byte {
	text, err := desc.Marshal()
	if err != nil {
		panic(fmt.Sprintf("write session description: %v", err))
	}
	return text
}
