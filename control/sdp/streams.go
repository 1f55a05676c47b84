package sdp

import (
	"fmt"
	"net/netip"
)

// Stream is one of several audio streams that we send and nobody answers, such as
// a recorded party's (RFC 7866 section 7.1.1).
type Stream struct {
	Addr  netip.AddrPort
	Label string // RFC 4574
	Held  bool   // nothing is sent
}

// OfferStreams writes an offer of streams that we send, alike but for address and
// label. Local says the rest; what it says of address and direction does not count.
func OfferStreams(local Local, streams []Stream) []byte {
	local.Addr, local.Direction = streams[0].Addr, SendOnly
	t := opening(local, "")
	for _, s := range streams {
		out := stream{codecs: local.codecs(), events: NoEvents, ptime: local.ptime(), direction: directionOf(!s.Held, false), mux: true}
		out.write(&t, "RTP/AVP", s.Addr.Port(), "")
		t.attribute("label", s.Label)
	}
	return t
}

// NegotiateStreams is what the answer to OfferStreams means, stream by stream; one
// that was refused sends nowhere. It fails with ErrNoAudio when all were, and with
// ErrNoCommonCodec when one of them has none of ours.
func NegotiateStreams(local Local, answer []byte) ([]Negotiated, error) {
	d, err := divide(answer)
	if err != nil {
		return nil, err
	}
	local.Direction = SendOnly
	all, taken := make([]Negotiated, len(d.media)), 0
	for i, stream := range d.media {
		m, ok := stream.mirror()
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrMalformed, clip(stream[0]))
		}
		if m.kind != "audio" || !transports[m.proto] {
			continue
		}
		audio, err := d.audio(stream, m)
		if err != nil {
			return nil, err
		}
		if audio == nil || audio.Keying.Demanded() {
			continue
		}
		if all[i], err = agree(audio, local, answers); err != nil {
			return nil, err
		}
		taken++
	}
	if taken == 0 {
		return nil, ErrNoAudio
	}
	return all, nil
}
