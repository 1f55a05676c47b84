package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mcp/control/media"
	"mcp/control/media/dtmf"
	"mcp/control/sdp"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// Requests are what a call asks of its far end within the dialog.
type Requests interface {
	Info(ctx context.Context, c sip.Content) error
	Refer(ctx context.Context, r sip.Refer) (*sip.Subscription, error)
	Reinvite(ctx context.Context, c sip.Change) ([]byte, error)
}

// Listener is a Program that takes the caller's requests within the call: INFO
// and REFER.
type Listener interface {
	// Heard takes a request and answers it in its own time; false: it does not
	// take it, and it is declined. It must not block.
	Heard(ev sip.Event) bool
}

// Abandoner is a Program that holds something from when it is prepared.
type Abandoner interface {
	// Abandon lets go of it: the call has ended, and Run was never called.
	Abandon()
}

// requested hands a request of the caller to the program.
func (c *Call) requested(ev sip.Event) {
	switch ev := ev.(type) {
	case *sip.Info:
		c.message(true, "INFO "+ev.ContentType)
		if dtmf.InInfo(ev.ContentType) {
			c.pressed(ev)
			return
		}
	case *sip.Referral:
		c.message(true, "REFER")
	}
	// A request may overtake the news of the ACK.
	up := c.life.state == Up || c.life.state == Answering
	if l, ok := c.life.program.(Listener); ok && up && l.Heard(ev) {
		return
	}
	c.log.Debug("request refused: no service takes it", "event", fmt.Sprintf("%T", ev))
	c.beside(func() { c.warn("refuse a request within the call", sip.Decline(ev)) })
}

// pressed takes a key that the caller's far end tells of in an INFO.
func (c *Call) pressed(info *sip.Info) {
	status := 200
	if key, err := dtmf.ParseInfo(string(info.Body)); err != nil {
		status = 400
	} else if !c.caller.leg.Signalled(key, time.Now()) {
		c.log.Debug("key in an INFO is not taken: telephone-event is agreed on")
	}
	c.beside(func() { c.warn("answer INFO", info.Respond(status)) })
}

// Bodies are the bodies of the INVITE, the session description among them.
func (c *Call) Bodies() []header.Part { return c.dialog.Parts() }

// Inform sends the far end an INFO (RFC 6086) and waits for its answer.
func (c *Call) Inform(ctx context.Context, content sip.Content) error {
	c.message(false, "INFO "+content.Type)
	return c.dialog.Info(ctx, content)
}

// Refer asks the far end to call somebody (RFC 3515), in the place of a party
// whom this call has called, if one is given (RFC 3891).
func (c *Call) Refer(ctx context.Context, to string, inPlaceOf *Party) (*sip.Subscription, error) {
	c.message(false, "REFER") // where to may be private
	r := sip.Refer{To: to}
	if inPlaceOf != nil {
		if r.Replaces = inPlaceOf.signalling(); r.Replaces == nil {
			return nil, errors.New("refer: the party has not answered")
		}
	}
	return c.dialog.Refer(ctx, r)
}

// ErrRedirect says that audio cannot go from far end to far end.
var ErrRedirect = errors.New("audio cannot bypass the platform")

// Redirect lets the caller and a party send their audio to each other and no more
// to the platform, by a re-INVITE of each; their signalling stays. Only those who
// speak the same codec can, and to whom nobody else listens, such as a recording.
func (c *Call) Redirect(ctx context.Context, p *Party) error {
	if a, b := c.Codec(), p.side.agreed(); !a.Same(b) {
		return fmt.Errorf("%w: one speaks %s, the other %s", ErrRedirect, a.Name, b.Name)
	}
	if c.caller.secure.Agreed() != nil || p.side.secure.Agreed() != nil {
		return fmt.Errorf("%w: it is protected on its way here", ErrRedirect)
	}
	if c.caller.leg.Overheard() || p.side.leg.Overheard() {
		return fmt.Errorf("%w: it is listened to here", ErrRedirect)
	}
	target, err := sdp.Parse(p.signalling().RemoteSDP())
	if err != nil || target.Audio == nil {
		return fmt.Errorf("%w: the party's description: %w", ErrRedirect, errors.Join(err, sdp.ErrNoAudio))
	}
	c.redirected.Store(true)
	answer, err := redirect(ctx, c.dialog, &c.caller, target.Audio)
	if err != nil {
		c.redirected.Store(false)
		return fmt.Errorf("redirect the caller: %w", err)
	}
	if _, err = redirect(ctx, p.signalling(), &p.side, answer); err == nil {
		return nil
	}
	return fmt.Errorf("redirect the party: %w", errors.Join(err, c.Restore(ctx)))
}

// redirect points one far end at where the other receives, and tells where it
// receives itself. The platform's leg falls silent.
func redirect(ctx context.Context, to Requests, s *side, at *sdp.Audio) (*sdp.Audio, error) {
	spoken := s.agreed()
	local := s.local
	local.Addr, local.Events, local.Version = at.RTP, at.Events, s.local.Version+1
	local.Codecs = []sdp.Codec{{Name: spoken.Name, PayloadType: spoken.PayloadType, ClockRate: spoken.ClockRate, Format: spoken.Format}}
	s.local.Version++
	body, err := to.Reinvite(ctx, sip.Change{Offer: sdp.Offer(local)})
	if err != nil {
		return nil, err
	}
	answer, err := sdp.Parse(body)
	if err == nil {
		_, err = sdp.Negotiate(local, answer)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNegotiation, err)
	}
	return answer.Audio, s.leg.Connect(media.FarEnd{Events: sdp.NoEvents, ClockRate: spoken.ClockRate}, spoken)
}

// Restore brings the caller's audio back to the platform after Redirect.
func (c *Call) Restore(ctx context.Context) error {
	if !c.redirected.Load() {
		return nil
	}
	c.caller.local.Version++
	body, err := c.dialog.Reinvite(ctx, sip.Change{Offer: sdp.Offer(c.caller.local)})
	if err != nil {
		return fmt.Errorf("bring the caller's audio back: %w", err)
	}
	defer c.redirected.Store(false)
	return c.caller.complete(body)
}
