package call

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mcp/control/call/secure"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// ErrRedirect says that the audio of two far ends cannot bypass the platform.
var ErrRedirect = errors.New("audio cannot bypass the platform")

// errOver says that a call's owner has gone.
var errOver = errors.New("the call is over")

// passing bounds how long one far end's wish may wait for the other.
const passing = 30 * time.Second

// bypass is the audio of the caller and a party that goes past the platform, which
// hands on what either of them offers to the other. The call's owner touches it only.
type bypass struct {
	party *Party
	busy  chan struct{} // closed when the exchange with the two is over; nil: there is none
	over  chan struct{} // closed when the audio passes the platform again
}

// end is one of the two.
type end struct {
	side   *side
	dialog interface {
		Reinvite(ctx context.Context, c sip.Change) ([]byte, error)
		RemoteSDP() []byte
	}
}

func (c *Call) ends(p *Party) (caller, party end) {
	return end{&c.caller, c.dialog}, end{&p.side, p.signalling()}
}

// owned has f run by the call's owner, and waits for it. The owner itself must not ask.
func (c *Call) owned(f func() error) error {
	done := make(chan error, 1)
	c.report(message{do: func() { done <- f() }})
	select {
	case err := <-done:
		return err
	case <-c.life.gone:
	}
	select {
	case err := <-done: // it was the last that was done
		return err
	default:
		return errOver
	}
}

// Redirect has the caller and a party send their audio to each other directly, past
// the platform, by a re-INVITE of each. Both dialogs stay with the platform. It fails with
// ErrRedirect unless both speak the same codec in the clear and nothing on the platform,
// such as a recording, listens to them. What one of them offers from then on, such as
// hold, is passed on for the other to answer. Over is closed when the audio of both passes
// the platform again: after Restore, or when one offers what the platform can accept but
// the other cannot.
func (c *Call) Redirect(ctx context.Context, p *Party) (over <-chan struct{}, err error) {
	var at *sdp.Session
	if err := c.owned(func() (err error) { at, over, err = c.divert(p); return err }); err != nil {
		return nil, err
	}
	caller, party := c.ends(p)
	answer, err := c.introduce(ctx, caller, at)
	if err != nil {
		return nil, fmt.Errorf("redirect the caller: %w", errors.Join(err, c.owned(c.rejoin)))
	}
	_, err = c.introduce(ctx, party, answer)
	if late := c.owned(c.exchanged); err == nil {
		return over, late
	}
	return nil, fmt.Errorf("redirect the party: %w", errors.Join(err, c.Restore(ctx)))
}

// introduce offers one end the audio of another with whom it has not spoken yet. One
// that takes it, but not so that anything could be heard, gets the platform's again.
func (c *Call) introduce(ctx context.Context, to end, at *sdp.Session) (*sdp.Session, error) {
	answer, err := c.propose(ctx, to, at)
	if err == nil && answer.Audio == nil {
		err = fmt.Errorf("%w: %w", errNegotiation, sdp.ErrNoAudio)
	}
	if errors.Is(err, errNegotiation) {
		err = errors.Join(err, c.takeBack(ctx, to))
	}
	return answer, err
}

// divert begins a bypass, and returns where the party hears.
func (c *Call) divert(p *Party) (at *sdp.Session, over <-chan struct{}, err error) {
	if c.life.bypass != nil || p.signalling() == nil {
		return nil, nil, fmt.Errorf("%w: it does already, or nobody is there", ErrRedirect)
	}
	if a, b := c.Codec(), p.side.agreed(); !a.Same(b) {
		return nil, nil, fmt.Errorf("%w: one speaks %s, the other %s", ErrRedirect, a.Name, b.Name)
	}
	if c.caller.secure.Agreed() != nil || p.side.secure.Agreed() != nil {
		return nil, nil, fmt.Errorf("%w: it is protected on its way here", ErrRedirect)
	}
	if c.caller.leg.Overheard() || p.side.leg.Overheard() {
		return nil, nil, fmt.Errorf("%w: it is listened to here", ErrRedirect)
	}
	at, err = sdp.Parse(p.signalling().RemoteSDP())
	if err != nil || at.Audio == nil {
		return nil, nil, fmt.Errorf("%w: the party's description: %w", ErrRedirect, errors.Join(err, sdp.ErrNoAudio))
	}
	b := &bypass{party: p, busy: make(chan struct{}), over: make(chan struct{})}
	c.life.bypass = b
	c.caller.leg.Watch(media.Watch{Insecure: c.insecure}) // nothing is to be heard of the caller here
	return at, b.over, nil
}

// exchanged ends an exchange with the two.
func (c *Call) exchanged() error {
	if b := c.life.bypass; b != nil && b.busy != nil {
		close(b.busy)
		b.busy = nil
	}
	return nil
}

// rejoin ends the bypass.
func (c *Call) rejoin() error {
	err := c.exchanged()
	if b := c.life.bypass; b != nil {
		c.life.bypass = nil
		close(b.over)
		c.watch()
	}
	return err
}

// propose offers one end the audio of the other, and returns what it answers. The
// platform's leg falls silent.
func (c *Call) propose(ctx context.Context, to end, at *sdp.Session) (*sdp.Session, error) {
	var local sdp.Local
	if err := c.owned(func() (err error) { local, err = to.side.standIn(at); return err }); err != nil {
		return nil, err
	}
	body, err := to.dialog.Reinvite(ctx, sip.Change{Offer: sdp.Offer(local)})
	if err != nil {
		return nil, err
	}
	answer, err := sdp.Parse(body)
	if err == nil && !answer.Bare() {
		_, err = sdp.Negotiate(local, answer)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNegotiation, err)
	}
	return answer, c.owned(to.side.withdraw)
}

// standIn is the description of one end that has the other's audio in place of ours:
// where that is, which way it goes, how it is protected, and what of it we could speak
// as well, for the day it comes back. Of audio that the other has taken away nothing
// is left but a port of zero (RFC 3264 section 8.2).
func (l *side) standIn(said *sdp.Session) (sdp.Local, error) {
	local, at := l.local, said.Audio
	switch {
	case said.Bare():
		local.Addr, local.Keying = netip.AddrPortFrom(local.Addr.Addr(), 0), sdp.Keying{}
		l.local.Version++
		return local, nil
	case at == nil:
		return sdp.Local{}, sdp.ErrNoAudio
	}
	local.Codecs = slices.DeleteFunc(slices.Clone(at.Codecs), func(theirs sdp.Codec) bool {
		return !slices.ContainsFunc(l.local.Codecs, func(ours sdp.Codec) bool { return codecOf(ours).Same(codecOf(theirs)) })
	})
	if len(local.Codecs) == 0 {
		return sdp.Local{}, sdp.ErrNoCommonCodec
	}
	keying, err := l.secure.Relay(at.Keying)
	if err != nil {
		return sdp.Local{}, err
	}
	local.Addr, local.Events, local.Direction, local.Ptime = at.RTP, at.Events, at.Direction, at.Ptime
	local.Keying, local.Noise, local.Apart = keying, false, !at.Mux
	l.local.Version++
	return local, nil
}

// withdraw takes the platform's leg out of the conversation.
func (l *side) withdraw() error {
	spoken := l.agreed()
	l.secure.Settle(secure.Choice{})
	return l.leg.Connect(media.FarEnd{Events: sdp.NoEvents, ClockRate: spoken.ClockRate}, spoken)
}

func codecOf(c sdp.Codec) codec.Codec {
	return codec.Codec{Name: c.Name, PayloadType: c.PayloadType, ClockRate: c.ClockRate, Format: c.Format}
}

// passedOn hands a re-INVITE to the other end, if the audio of whom it is of bypasses
// the platform; nil is the caller. False: it is for us to answer.
func (c *Call) passedOn(of *Party, offer *sip.Reinvite) bool {
	b := c.life.bypass
	if b == nil || of != nil && of != b.party {
		return false
	}
	if b.busy != nil {
		c.beside(func() { c.warn("refuse re-INVITE", offer.Reject(context.Background(), 491, "Request Pending")) })
		return true
	}
	b.busy = make(chan struct{})
	to, from := c.ends(b.party)
	if of == nil {
		from, to = to, from
	}
	c.beside(func() {
		defer func() { _ = c.owned(c.exchanged) }() // a call that is over has nothing to end
		ctx, cancel := context.WithTimeout(context.Background(), passing)
		defer cancel()
		if err := c.hand(ctx, from, to, offer); err != nil {
			r := declined(err)
			c.log.Warn("re-INVITE refused while the audio bypasses the platform", "leg", from.side.leg.Name(), "status", r.Status, "error", err)
			// One that was accepted cannot be refused any more.
			if err := offer.Reject(context.Background(), r.Status, r.Reason); err != nil {
				c.log.Debug("refuse re-INVITE", "error", err)
			}
		}
	})
	return true
}

// hand hands a re-INVITE on. What cannot go from end to end, the platform answers
// itself, and has the audio of both back.
func (c *Call) hand(ctx context.Context, from, to end, offer *sip.Reinvite) error {
	if offer.Offer == nil {
		return c.passBack(ctx, from, to, offer)
	}
	said, err := sdp.Parse(offer.Offer)
	if err != nil {
		return &Refusal{Status: 400, Reason: "Bad Session Description", Err: err}
	}
	err = c.pass(ctx, from, to, offer, said)
	if err == nil || !foreign(err) {
		return err
	}
	if failed := c.comeBack(ctx, from, to, offer); failed != nil {
		return fmt.Errorf("%w; through the platform: %w", err, failed)
	}
	c.log.Info("the audio passes the platform again", "leg", from.side.leg.Name(), "reason", err)
	return nil
}

// foreign tells whether it is what one end offers that the other does not take.
func foreign(err error) bool {
	var rejected *sip.RejectedError
	if errors.As(err, &rejected) {
		return rejected.Status == 415 || rejected.Status == 488 || rejected.Status == 606
	}
	return errors.Is(err, sdp.ErrNoCommonCodec) || errors.Is(err, secure.ErrRefused) || errors.Is(err, errNegotiation)
}

// pass has one end's offer answered by the other.
func (c *Call) pass(ctx context.Context, from, to end, offer *sip.Reinvite, said *sdp.Session) error {
	heard, err := c.propose(ctx, to, said)
	if err != nil {
		return err
	}
	answer, err := c.answerFor(from, said, heard)
	if err != nil {
		return fmt.Errorf("%w: %w", errNegotiation, err)
	}
	return offer.Accept(ctx, answer)
}

// comeBack has the platform answer one end's offer, and make one to the other.
func (c *Call) comeBack(ctx context.Context, from, to end, offer *sip.Reinvite) error {
	var answer []byte
	if err := c.owned(func() (err error) { answer, err = from.side.renegotiate(offer.Offer); return err }); err != nil {
		return err
	}
	if err := c.takeBack(ctx, to); err != nil {
		return errors.Join(err, c.owned(from.side.withdraw))
	}
	return errors.Join(offer.Accept(ctx, answer), c.owned(c.rejoin))
}

// takeBack offers one end the platform's audio again.
func (c *Call) takeBack(ctx context.Context, of end) error {
	var offer []byte
	err := c.owned(func() error {
		err := of.side.propose()
		offer = of.side.answer
		return err
	})
	if err != nil {
		return err
	}
	body, err := of.dialog.Reinvite(ctx, sip.Change{Offer: offer})
	if err != nil {
		return err
	}
	return c.owned(func() error { return of.side.settle(body) })
}

// passBack has the other end make the offer that one end asks for, and takes it the
// answer.
func (c *Call) passBack(ctx context.Context, from, to end, asked *sip.Reinvite) error {
	_, err := to.dialog.Reinvite(ctx, sip.Change{Answer: func(offer []byte) ([]byte, error) {
		said, err := sdp.Parse(offer)
		if err != nil {
			return nil, err
		}
		var local sdp.Local
		err = c.owned(func() (err error) { local, err = from.side.standIn(said); return err })
		if err != nil && foreign(err) {
			return c.comeBackBetween(ctx, from, to, asked, offer)
		}
		if err != nil {
			return nil, err
		}
		if err := asked.Accept(ctx, sdp.Offer(local)); err != nil {
			return nil, err
		}
		answer, err := sdp.Parse(from.dialog.RemoteSDP())
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNegotiation, err)
		}
		return c.answerFor(to, said, answer)
	}})
	return err
}

// comeBackBetween has the platform answer the offer that one end has made for the
// other, who is made one of the platform's own.
func (c *Call) comeBackBetween(ctx context.Context, from, to end, asked *sip.Reinvite, offer []byte) (answer []byte, err error) {
	var own []byte
	err = c.owned(func() (err error) {
		if answer, err = to.side.renegotiate(offer); err == nil {
			own, err = from.side.renegotiate(nil)
		}
		return err
	})
	if err == nil {
		err = asked.Accept(ctx, own)
	}
	if err != nil {
		return nil, errors.Join(err, c.owned(func() error { return errors.Join(to.side.withdraw(), from.side.withdraw()) }))
	}
	return answer, c.owned(func() error { return errors.Join(from.side.settle(from.dialog.RemoteSDP()), c.rejoin()) })
}

// answerFor answers one end's offer with the other's audio.
func (c *Call) answerFor(of end, offer, at *sdp.Session) (answer []byte, err error) {
	err = c.owned(func() error {
		local, err := of.side.standIn(at)
		switch {
		case err != nil:
		case offer.Audio == nil || at.Audio == nil:
			answer = sdp.Decline(offer, local)
		default:
			answer, _, err = sdp.Answer(offer, local)
		}
		return err
	})
	return answer, err
}

// declined says how a re-INVITE is refused that the other end did not take.
func declined(err error) *Refusal {
	var rejected *sip.RejectedError
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &rejected):
		return &Refusal{Status: rejected.Status, Reason: rejected.Reason, Err: err}
	case errors.Is(err, sip.ErrEnded): // the audio is about to come back
		return &Refusal{Status: 491, Reason: "Request Pending", Err: err}
	}
	return &Refusal{Status: 488, Reason: "Not Acceptable Here", Err: err}
}

// Restore brings the caller's audio back to the platform after Redirect. It waits for
// what the two are agreeing on.
func (c *Call) Restore(ctx context.Context) error {
	var busy chan struct{}
	var bypassed bool
	reclaim := func() error { bypassed, busy = c.reclaim(); return nil }
	err := c.owned(reclaim)
	for err == nil && busy != nil {
		select {
		case <-busy:
			err = c.owned(reclaim)
		case <-ctx.Done():
			err = fmt.Errorf("bring the caller's audio back: %w", ctx.Err())
		}
	}
	if err != nil || !bypassed {
		return err
	}
	if err := c.takeBack(ctx, end{&c.caller, c.dialog}); err != nil {
		return fmt.Errorf("bring the caller's audio back: %w", errors.Join(err, c.owned(c.exchanged)))
	}
	return c.owned(c.rejoin)
}

// reclaim tells whether the caller's audio is to be brought back, or what is to be
// waited for before.
func (c *Call) reclaim() (bypassed bool, busy chan struct{}) {
	b := c.life.bypass
	switch {
	case b == nil:
		return false, nil
	case b.busy != nil:
		return true, b.busy
	}
	b.busy = make(chan struct{})
	return true, nil
}
