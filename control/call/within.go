package call

import (
	"context"
	"errors"
	"fmt"

	"mcp/control/call/lifecycle"
	"mcp/control/media/dtmf"
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

// Abandoner is a Program that holds resources before it runs.
type Abandoner interface {
	// Abandon releases them. It is called in place of Run when the call has ended before
	// its program could run.
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
	up := c.life.state == lifecycle.Up || c.life.state == lifecycle.Answering
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
	} else if !c.caller.leg.Signalled(key) {
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
