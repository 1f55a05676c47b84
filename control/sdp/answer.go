package sdp

import "net/netip"

// Answer answers an offer: the first codec of the offer that we have, and
// telephone events if both sides have them, under the offer's payload types;
// every other stream refused. It fails with ErrNoAudio, ErrNoCommonCodec or
// ErrKeying, which a call answers with 488.
func Answer(offer *Session, local Local) ([]byte, Negotiated, error) {
	if offer.Audio == nil {
		return nil, Negotiated{}, ErrNoAudio
	}
	if err := checkKeys(offer.Audio, local); err != nil {
		return nil, Negotiated{}, err
	}
	n, err := agree(offer.Audio, local, accepts)
	if err != nil {
		return nil, Negotiated{}, err
	}
	out := stream{
		codecs:    []Codec{n.Codec},
		events:    n.Events,
		noise:     n.Noise,
		ptime:     n.Ptime,
		direction: directionOf(n.Send, n.Receive),
		mux:       offer.Audio.Mux && !local.Apart,
		keying:    local.Keying,
	}
	return writeAnswer(offer, local, out), n, nil
}

// Decline answers an offer that takes the audio stream away (RFC 3264 section 8.2):
// every stream is refused.
func Decline(offer *Session, local Local) []byte {
	t := opening(local, "")
	for _, m := range offer.media {
		t.refuse(m)
	}
	return t
}

// Negotiate is the offerer's side: what the answer to our offer means.
func Negotiate(offer Local, answer *Session) (Negotiated, error) {
	if answer.Audio == nil {
		return Negotiated{}, ErrNoAudio
	}
	if err := checkKeys(answer.Audio, offer); err != nil {
		return Negotiated{}, err
	}
	return agree(answer.Audio, offer, answers)
}

// agree works out what their stream and ours have in common. We share a port for
// RTP and RTCP with whoever is able to.
func agree(theirs *Audio, ours Local, suits match) (Negotiated, error) {
	n := Negotiated{
		Remote:  theirs.RTP,
		RTCP:    theirs.RTCP,
		Events:  NoEvents,
		Ptime:   theirs.Ptime,
		Send:    theirs.Direction.receives() && ours.Direction.sends(),
		Receive: theirs.Direction.sends() && ours.Direction.receives(),
	}
	if theirs.Mux {
		n.RTCP = n.Remote
	}
	codec, ok := firstCommon(theirs.Codecs, ours.codecs(), suits)
	if !ok {
		return Negotiated{}, ErrNoCommonCodec
	}
	n.Codec = codec
	if ours.Events > 0 {
		n.Events = theirs.Events
	}
	if ours.Noise {
		n.Noise = theirs.noise(codec.ClockRate)
	}
	if n.Ptime == 0 {
		n.Ptime = ours.ptime()
	}
	if theirs.RTP.Addr().IsUnspecified() {
		n.Remote, n.RTCP = netip.AddrPort{}, netip.AddrPort{}
	}
	return n, nil
}

// noise is the payload type of comfort noise whose clock is that of a codec.
func (a *Audio) noise(clockRate int) uint8 {
	for _, c := range a.Codecs {
		if c.same(Codec{Name: noiseName, ClockRate: clockRate}) {
			return c.PayloadType
		}
	}
	return NoNoise
}

// match tells in what format a codec of theirs is spoken, if it is one of ours.
type match func(theirs, ours Codec) (format string, ok bool)

// accepts is the match of what they offer: it is for them to say in what format.
func accepts(theirs, ours Codec) (string, bool) { return theirs.Format, theirs.same(ours) }

// answers is the match of what they answer to an offer of ours.
func answers(theirs, ours Codec) (string, bool) {
	if !theirs.same(ours) || !ours.isAMR() {
		return "", theirs.same(ours)
	}
	return amrOf(theirs.Format).answers(amrOf(ours.Format))
}

func firstCommon(theirs, ours []Codec, suits match) (Codec, bool) {
	for _, t := range theirs {
		for _, o := range ours {
			if format, ok := suits(t, o); ok {
				// Their payload type and format, the name as we spell it.
				return Codec{Name: o.Name, PayloadType: t.PayloadType, ClockRate: o.ClockRate, Format: format}, true
			}
		}
	}
	return Codec{}, false
}
