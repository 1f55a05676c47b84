package selftest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"mcp/control/sdp"
	"mcp/control/sip"
)

// greeting is the key whose tones the page plays at once.
const greeting = 'A'

// eventType is the payload type that telephone-event is offered with.
const eventType = 101

// goodbye bounds how long hanging up may take when the call's time is over.
const goodbye = time.Second

// call makes one call.
func (t *Tester) call(ctx context.Context) (err error) {
	line, err := openLine(t.config.Media, t.config.Above)
	if err != nil {
		return &Error{Media, fmt.Errorf("no port for the caller: %w", err)}
	}
	defer line.close()
	offer := sdp.Local{Addr: line.local(), Codecs: t.config.Codecs, Events: eventType, SessionID: rand.Uint64() >> 1}
	dialog, agreed, err := t.invite(ctx, offer)
	if err != nil {
		return &Error{Signalling, err}
	}
	events := make(chan struct{})
	go func() {
		defer close(events)
		for ev := range dialog.Events() {
			_ = sip.Decline(ev) // whatever the platform asks of its test; it may be gone
		}
	}()
	defer func() {
		err = hangUp(ctx, dialog, err)
		<-events
	}()
	if err := line.start(agreed); err != nil {
		return &Error{Media, err}
	}
	if err := line.await(ctx, greeting); err != nil {
		return &Error{Media, err}
	}
	key := "0123456789"[rand.IntN(10)]
	line.press(key)
	if err := line.await(ctx, key); err != nil {
		return &Error{Dialogue, fmt.Errorf("pressed %c: %w", key, err)}
	}
	return nil
}

// invite calls, and finds out what the answer agrees to.
func (t *Tester) invite(ctx context.Context, offer sdp.Local) (*sip.Dialog, sdp.Negotiated, error) {
	d, err := t.caller.Invite(ctx, sip.Outgoing{
		To:    fmt.Sprintf("sip:%s@%s;transport=%s", t.name, t.config.Target, t.config.Transport),
		Offer: sdp.Offer(offer), Direct: true,
	})
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%s %s does not answer", t.config.Transport, t.config.Target)
		}
		return nil, sdp.Negotiated{}, err
	}
	answer, err := sdp.Parse(d.RemoteSDP())
	if err == nil {
		var agreed sdp.Negotiated
		if agreed, err = sdp.Negotiate(offer, answer); err == nil {
			return d, agreed, nil
		}
	}
	return nil, sdp.Negotiated{}, errors.Join(fmt.Errorf("the answer: %w", err), d.Bye(ctx, nil))
}

// hangUp ends the call, whatever became of it, and adds what goes wrong in doing so.
func hangUp(ctx context.Context, d *sip.Dialog, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	bye := d.Bye(ctx, nil)
	if err == nil && bye != nil && !errors.Is(bye, sip.ErrEnded) {
		return &Error{HangingUp, bye}
	}
	return err
}
