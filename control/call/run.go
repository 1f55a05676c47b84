package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"mcp/control/call/lifecycle"
	"mcp/control/call/stack"
	"mcp/control/logline"
	"mcp/control/media"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// life is the part of a call that only the owner touches, the goroutine that handles
// the inbox at the moment. Exceptions are gone, and what is set before the first message.
type life struct {
	state   lifecycle.State
	gone    chan struct{}
	steps   chan step          // what answers and serves, one after the other
	within  context.Context    // of what is done for the call
	abandon context.CancelFunc // ends the preparation; nil: that is over
	stop    context.CancelFunc // ends the program, after the grace
	grace   *time.Timer
	program Program
	kept    *sip.Reinvite // waits for the call to be up; the end of the dialog refuses it
	parties map[*Party]struct{}
	bypass  *bypass // nil: the caller's audio comes here
	facts   facts
}

// run takes the call from INVITE to record. It returns when everything the call used is
// released.
func (c *Call) run(ctx context.Context) {
	defer c.tasks.Wait()
	defer close(c.life.gone)
	prepare, abandon := context.WithTimeout(c.life.within, c.server.config.PrepareTime)
	c.life.abandon = abandon
	c.dialog.Notify(c.notified)
	defer context.AfterFunc(ctx, func() { c.tell(message{trigger: lifecycle.ShutDown}) })()
	c.prepare(prepare, abandon)
	for next := range c.life.steps {
		next(c)
	}
	c.finish()
}

// step is a piece of work of the goroutine that serves the call: to answer, to run the
// service. The owner asks for one once the one before has been reported done.
type step func(*Call)

// take handles a message. After the last one nothing is left to be done but to finish.
func (c *Call) take(m message) {
	c.handle(m)
	if c.life.state == lifecycle.Over && len(c.life.parties) == 0 {
		c.inbox.Close()
		close(c.life.steps)
	}
}

// notified is told of a dialog's events, of which the last, or nil, says that it is over.
func (c *Call) notified(ev sip.Event) {
	if ev == nil {
		c.tell(message{trigger: lifecycle.FarEndHungUp})
		return
	}
	c.tell(message{event: ev})
}

// signalled turns a dialog's event into a trigger.
func (c *Call) signalled(ev sip.Event) {
	switch ev := ev.(type) {
	case sip.Cancelled:
		c.message(true, strings.TrimSpace("CANCEL "+c.hearsWhy(ev.Reasons)))
		c.handle(message{trigger: lifecycle.Cancelled})
	case sip.ByeReceived:
		c.message(true, strings.TrimSpace("BYE "+c.hearsWhy(ev.Reasons)))
		c.handle(message{trigger: lifecycle.FarEndHungUp})
	case sip.Lost:
		c.handle(message{trigger: lifecycle.FarEndHungUp, err: ev.Err})
	case *sip.Reinvite:
		c.message(true, "INVITE, within the call")
		c.handle(message{trigger: lifecycle.Renegotiation, offer: ev})
	default:
		c.requested(ev)
	}
}

// hearsWhy keeps why the far end ends the call, and returns it as its headers have it.
func (c *Call) hearsWhy(said []string) string {
	if len(said) == 0 {
		return ""
	}
	why := strings.Join(said, ", ")
	c.reason.Store(&why)
	for _, r := range header.ParseReasons(said) {
		c.life.facts.reasons = append(c.life.facts.reasons, reporting.Reason{Protocol: r.Protocol, Cause: r.Cause, Text: r.Text})
	}
	return why
}

// handle moves the state machine by one message.
func (c *Call) handle(m message) {
	switch {
	case m.do != nil:
		m.do()
		return
	case m.event != nil:
		c.signalled(m.event)
		return
	case m.party != nil:
		c.handleParty(m)
		return
	}
	was := c.life.state
	state, effects := lifecycle.Next(was, m.trigger)
	c.life.facts.note(was, m)
	c.tracked(m)
	c.life.state = state
	c.log.Debug("call", "state", was, "trigger", m.trigger, "next", state)
	if m.program != nil {
		c.life.program, c.life.abandon = m.program, nil
	}
	for _, e := range effects {
		c.perform(e, m)
	}
}

func (c *Call) perform(e lifecycle.Effect, m message) {
	switch e {
	case lifecycle.SendAnswer:
		c.sendAnswer()
	case lifecycle.SendRefusal:
		c.sendRefusal(m)
	case lifecycle.AbandonPrepare:
		c.life.abandon()
	case lifecycle.StartService:
		c.startService()
	case lifecycle.TellService:
		c.tellService()
	case lifecycle.SendBye:
		c.sendBye(m)
	case lifecycle.Renegotiate:
		c.renegotiate(m.offer)
	case lifecycle.KeepOffer:
		c.life.kept = m.offer
	case lifecycle.AwaitMedia:
		c.awaitMedia()
	case lifecycle.RefuseOffer:
		c.beside(func() { c.warn("refuse re-INVITE", m.offer.Reject(context.Background(), 491, "Request Pending")) })
	case lifecycle.Finish:
		c.dismissAll()
	}
}

// prepare opens the caller's leg and makes the service ready.
func (c *Call) prepare(ctx context.Context, abandon context.CancelFunc) {
	defer abandon()
	program, err := c.ready(ctx)
	if err != nil {
		c.report(message{trigger: lifecycle.Refused, err: err})
		return
	}
	c.report(message{trigger: lifecycle.Prepared, program: program})
}

func (c *Call) ready(ctx context.Context) (Program, error) {
	choice, err := c.server.selector.Select(c.dialog)
	if err != nil {
		c.trail.Step(reporting.StepRoute, "refused")
		return nil, err
	}
	c.trail.Step(reporting.StepRoute, choice.Service.Name())
	c.request = choice.Request
	if err := c.openCaller(); err != nil {
		return nil, err
	}
	if err := c.recordVital(ctx); err != nil {
		return nil, err
	}
	return choice.Service.Prepare(ctx, c)
}

func (c *Call) sendAnswer() {
	if c.placed() {
		c.message(false, "INVITE "+c.dialog.RemoteURI())
	} else {
		c.message(false, "200 OK")
	}
	c.life.steps <- (*Call).answer
}

// answer has the dialog answered. It ends the waiting itself: with the ACK, a CANCEL, a
// BYE, or after 64*T1 (RFC 3261 section 13.3.1.4).
func (c *Call) answer() {
	body := c.caller.answer
	c.caller.answer = nil
	if err := c.dialog.Answer(context.Background(), body); err != nil {
		c.report(message{trigger: lifecycle.AnswerFailed, err: err})
		return
	}
	if err := c.agree(); err != nil {
		c.warn("end the dialog", c.dialog.ByeWith(context.Background(), sip.Content{}))
		c.report(message{trigger: lifecycle.AnswerFailed, err: fmt.Errorf("%w: %w", errNegotiation, err)})
		return
	}
	if c.caller.bare.Load() {
		c.report(message{trigger: lifecycle.AcknowledgedBare})
		return
	}
	c.report(message{trigger: lifecycle.Acknowledged})
}

// awaitMedia gives a far end that has no media yet the time that one on hold has.
func (c *Call) awaitMedia() {
	c.log.Info("call answered without media", "limit", c.server.config.HoldTimeout)
	c.watch()
	c.givenUp()
	if c.life.kept != nil {
		c.renegotiate(c.life.kept)
		c.life.kept = nil
	}
}

// watch has the media tell when the caller's audio stays away, or has no keys.
func (c *Call) watch() {
	c.caller.leg.Watch(media.Watch{
		Timeout: c.server.config.MediaTimeout, HoldTimeout: c.server.config.HoldTimeout, Silent: c.silent, Insecure: c.insecure,
	})
}

// agree settles on the media when the offer was ours.
func (c *Call) agree() error {
	if !c.caller.offers {
		return nil
	}
	return c.owned(func() error {
		if c.placed() {
			return c.caller.complete(c.dialog.RemoteSDP())
		}
		return c.caller.settle(c.dialog.RemoteSDP())
	})
}

func (c *Call) sendRefusal(m message) {
	r := &Refusal{Status: 503, Reason: "Service Unavailable", Err: errors.New("shutting down")}
	if m.trigger == lifecycle.Refused {
		r = refusalOf(m.err)
	}
	c.message(false, fmt.Sprintf("%d %s", r.Status, r.Reason))
	c.beside(func() { c.warn("refuse call", c.dialog.Reject(context.Background(), r.Status, r.Reason, r.headers())) })
}

func (c *Call) startService() {
	c.life.within, c.life.stop = context.WithCancel(c.life.within)
	logline.Info(c.log, "call answered", slog.String("codec", c.Codec().Name))
	c.watch()
	c.life.steps <- (*Call).serve
	if c.life.kept != nil {
		c.renegotiate(c.life.kept)
	}
	c.replace()
}

// serve runs the program.
func (c *Call) serve() {
	defer c.life.stop()
	defer c.unrecord()
	c.givenUp()
	c.record(c.life.within)
	c.analysed()
	ending := c.life.program.Run(c.life.within)
	c.report(message{trigger: lifecycle.ServiceEnded, ending: &ending})
}

// replace ends the call whose place this one takes (RFC 3891 section 3).
func (c *Call) replace() {
	d, ok := c.dialog.(interface{ Replaces() *sip.Dialog })
	if !ok {
		return
	}
	if replaced := d.Replaces(); replaced != nil {
		c.log.Info("takes another call's place", "replaced", replaced.CallID())
		c.beside(func() { c.warn("end the replaced call", replaced.Bye(context.Background(), nil)) })
	}
}

// insecure is told by the media that no keys could be made with the caller.
func (c *Call) insecure(err error) {
	c.tell(message{trigger: lifecycle.MediaSilent, err: fmt.Errorf("%w: %w", errInsecure, err)})
}

// silent is told by the media that the caller's audio has stayed away.
func (c *Call) silent(d time.Duration) {
	c.tell(message{trigger: lifecycle.MediaSilent, err: fmt.Errorf("no audio from the caller for %s", d.Round(time.Millisecond))})
}

// tellService lets the program finish what it is about (the final processing of
// VoiceXML 2.0 section 1.5.4), but not for ever.
func (c *Call) tellService() {
	close(c.hungUp)
	c.unrecord()
	c.life.grace = time.AfterFunc(c.server.config.Grace, c.life.stop)
}

func (c *Call) sendBye(m message) {
	var last sip.Content
	if m.ending != nil {
		last = m.ending.Last
	}
	last.Headers = c.life.facts.byeReason()
	c.message(false, "BYE")
	c.beside(func() { c.warn("send BYE", c.dialog.ByeWith(context.Background(), last)) })
}

func (c *Call) renegotiate(offer *sip.Reinvite) {
	if c.passedOn(nil, offer) {
		return
	}
	answer, err := c.caller.renegotiate(offer.Offer)
	c.reply(offer, answer, err, func() error { return c.caller.settle(c.dialog.RemoteSDP()) })
}

// reply answers a re-INVITE, or refuses it with an error. Settle is for a re-INVITE
// without an offer: it takes the answer to ours.
func (c *Call) reply(offer *sip.Reinvite, answer []byte, err error, settle func() error) {
	c.beside(func() {
		if err != nil {
			r := refusalOf(err)
			c.log.Warn("re-INVITE refused", "status", r.Status, "error", err)
			c.warn("refuse re-INVITE", offer.Reject(context.Background(), r.Status, r.Reason))
			return
		}
		err := c.accept(offer, answer, settle)
		c.warn("answer re-INVITE", err)
		if err == nil && !c.caller.bare.Load() {
			c.report(message{trigger: lifecycle.MediaAgreed})
		}
	})
}

// accept answers a re-INVITE. Where the offer in the answer is ours, settle takes
// what the ACK makes of it.
func (c *Call) accept(offer *sip.Reinvite, answer []byte, settle func() error) error {
	if err := offer.Accept(context.Background(), answer); err != nil || offer.Offer != nil {
		return err
	}
	return c.owned(settle)
}

// beside runs f on its own goroutine, which the call waits for at its end.
func (c *Call) beside(f func()) {
	c.tasks.Go(func() {
		stack.Deepen()
		f()
	})
}

func (c *Call) warn(doing string, err error) {
	if err != nil {
		c.log.Warn("signalling failed", "doing", doing, "error", err)
	}
}
