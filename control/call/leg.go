package call

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"mcp/control/call/secure"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/reporting"
	"mcp/control/sdp"
)

// side is a leg together with our state of the offers and answers that are exchanged
// with its far end (RFC 3264).
type side struct {
	leg    *media.Leg
	latch  time.Duration // as FarEnd's
	peer   netip.Addr    // where signalling comes from
	local  sdp.Local     // its Version is that of the next description
	secure secure.Side
	codec  atomic.Pointer[codec.Codec]
	answer []byte      // what goes to the far end: an answer, or our offer
	bare   atomic.Bool // there is no stream at present
	offers bool        // the first offer was ours
}

// errNegotiation marks a failure to agree on media after the answer was sent.
var errNegotiation = errors.New("no agreement on media")

// errInsecure marks a far end that signalling wanted protected and media cannot.
var errInsecure = errors.New("audio cannot be protected")

func (l *side) agreed() codec.Codec {
	if c := l.codec.Load(); c != nil {
		return *c
	}
	return codec.Codec{}
}

// openCaller takes the caller's leg and prepares the body of the 200. The codec is
// agreed here when the INVITE carried an offer, and with the ACK when it did not.
func (c *Call) openCaller() error {
	l := &c.caller
	var offer *sdp.Session
	if body := c.dialog.RemoteSDP(); len(body) > 0 {
		var err error
		if offer, err = sdp.Parse(body); err != nil {
			return &Refusal{Status: 400, Reason: "Bad Session Description", Err: err}
		}
	}
	l.peer = c.dialog.RemoteHost()
	l.secure.Confidential = confidential(c.dialog)
	if err := l.open(c, "caller", c.server.config.Codecs); err != nil {
		return &Refusal{Status: 503, Reason: "Service Unavailable", Cause: reporting.NoMedia, Err: err}
	}
	switch {
	case offer != nil && offer.Bare():
		return l.decline(offer)
	case offer != nil:
		return l.accept(offer)
	}
	l.offers = true
	if err := l.propose(); err != nil {
		return unprotected(err)
	}
	return nil
}

// open takes a leg where the call's media is.
func (l *side) open(c *Call, name string, codecs []sdp.Codec) error {
	leg, err := c.session.OpenLeg(name, c.server.mediaAddress(c.dialog.LocalHost()))
	if err != nil {
		return err
	}
	if err := leg.HearKeys(true); err != nil {
		return fmt.Errorf("hear the keys of leg %s: %w", name, err)
	}
	l.leg, l.latch = leg, c.server.config.Latch
	l.local = sdp.Local{
		Addr: leg.Local(), Codecs: codecs, Events: defaultEvents, Noise: c.server.config.Noise,
		Ptime: defaultPtime, Direction: sdp.SendRecv, SessionID: uint64(time.Now().UnixNano()), Version: 1,
	}
	l.secure.Policy, l.secure.Learning = c.server.config.SRTP, l.latch > 0
	return nil
}

// propose prepares an offer.
func (l *side) propose() error {
	keying, err := l.secure.Offer()
	if err != nil {
		return err
	}
	l.local.Keying = keying
	l.answer = sdp.Offer(l.local)
	l.local.Version++
	if len(keying.Fingerprints) > 0 && l.codec.Load() == nil {
		return l.leg.ExpectHandshake()
	}
	return nil
}

// accept answers an offer and connects the leg as agreed.
func (l *side) accept(offer *sdp.Session) error {
	choice, err := l.secure.Answer(offer)
	if err != nil {
		return unprotected(err)
	}
	local := l.local
	local.Keying = choice.Keying
	answer, agreed, err := sdp.Answer(offer, local)
	if errors.Is(err, sdp.ErrNoAudio) || errors.Is(err, sdp.ErrNoCommonCodec) || errors.Is(err, sdp.ErrKeying) {
		return &Refusal{Status: 488, Reason: "Not Acceptable Here", Cause: reporting.NoMedia, Err: err}
	}
	if err != nil {
		return &Refusal{Status: 400, Reason: "Bad Session Description", Err: err}
	}
	if err := l.connect(agreed, choice); err != nil {
		return unconnected(err)
	}
	l.answer = answer
	l.local.Version++
	return nil
}

// complete connects the leg as the far end's answer to our offer says.
func (l *side) complete(body []byte) error {
	answer, err := sdp.Parse(body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	agreed, err := sdp.Negotiate(l.local, answer)
	if err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	choice, err := l.secure.Take(answer)
	if err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	return l.connect(agreed, choice)
}

// settle is complete for a far end that may have no audio, or none yet.
func (l *side) settle(body []byte) error {
	if answer, err := sdp.Parse(body); err == nil && answer.Bare() {
		return l.silence()
	}
	return l.complete(body)
}

func (l *side) connect(n sdp.Negotiated, protected secure.Choice) error {
	spoken := codec.Codec{Name: n.Codec.Name, PayloadType: n.Codec.PayloadType, ClockRate: n.Codec.ClockRate, Format: n.Codec.Format}
	err := l.leg.Connect(media.FarEnd{
		RTP: n.Remote, RTCP: n.RTCP, PayloadType: n.Codec.PayloadType, Events: n.Events, Noise: n.Noise,
		ClockRate: n.Codec.ClockRate, Ptime: n.Ptime, Send: n.Send, Receive: n.Receive,
		Latch: l.latch, LatchFrom: l.peer, Secure: protected.Agreement,
	}, spoken)
	if err != nil {
		return fmt.Errorf("connect leg %s: %w", l.leg.Name(), err)
	}
	l.codec.Store(&spoken)
	l.bare.Store(false)
	l.secure.Settle(protected)
	return nil
}

// confidential tells whether a dialog's signalling is encrypted on its way here.
func confidential(d any) bool {
	s, ok := d.(interface{ Confidential() bool })
	return ok && s.Confidential()
}

// unprotected says how an offer is refused for how it is, or is not, protected.
func unprotected(err error) *Refusal {
	return &Refusal{Status: 488, Reason: "Not Acceptable Here", Cause: reporting.NoMedia, Warning: err.Error(), Err: err}
}

// unconnected says how an offer is refused that agreed but cannot be served.
func unconnected(err error) *Refusal {
	if errors.Is(err, media.ErrFarEnd) {
		return &Refusal{Status: 488, Reason: "Not Acceptable Here", Cause: reporting.NoMedia, Err: err}
	}
	return &Refusal{Status: 500, Reason: "Server Internal Error", Err: err}
}

// renegotiate answers a re-INVITE: hold, another address, another codec. A
// re-INVITE without an offer gets ours again.
func (l *side) renegotiate(body []byte) ([]byte, error) {
	if len(body) == 0 {
		if err := l.propose(); err != nil {
			return nil, unprotected(err)
		}
		return l.answer, nil
	}
	offer, err := sdp.Parse(body)
	if err != nil {
		return nil, &Refusal{Status: 400, Reason: "Bad Session Description", Err: err}
	}
	if offer.Bare() {
		if err := l.decline(offer); err != nil {
			return nil, err
		}
		return l.answer, nil
	}
	if err := l.accept(offer); err != nil {
		return nil, err
	}
	return l.answer, nil
}

// decline answers an offer without a stream of audio.
func (l *side) decline(offer *sdp.Session) error {
	if err := l.silence(); err != nil {
		return unconnected(err)
	}
	l.answer = sdp.Decline(offer, l.local)
	l.local.Version++
	return nil
}

// silence is a leg whose stream the far end has taken away, or not brought yet: the
// call goes on without (RFC 5552 section 2.3), until another offer brings it.
func (l *side) silence() error {
	spoken := l.local.Codecs[0]
	if was := l.agreed(); was.Name != "" {
		spoken = sdp.Codec{Name: was.Name, PayloadType: was.PayloadType, ClockRate: was.ClockRate, Format: was.Format}
	}
	if err := l.connect(sdp.Negotiated{Codec: spoken, Events: sdp.NoEvents, Ptime: l.local.Ptime}, secure.Choice{}); err != nil {
		return err
	}
	l.bare.Store(true)
	return nil
}

// refusalOf makes any error a Refusal.
func refusalOf(err error) *Refusal {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, context.Canceled):
		return &Refusal{Status: 487, Reason: "Request Terminated", Err: err}
	}
	return &Refusal{Status: 500, Reason: "Server Internal Error", Err: err}
}
