// Package call is one telephone call: its dialog, its caller's leg, the service
// that answers it, and its end. Whatever happens to the call reaches its inbox as
// a trigger, and a pure state machine says what is to be done. Who handles what is
// in the inbox, one message after the other, owns the call meanwhile; what takes
// its time is done by one goroutine, from INVITE to record. The package owns
// nothing beyond its calls.
package call

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"

	"mcp/control/call/inbox"
	"mcp/control/call/lifecycle"
	"mcp/control/call/progress"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/reporting"
	"mcp/control/route"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// Dialog is what a call needs of its SIP dialog; *sip.Dialog is one.
type Dialog interface {
	Identity
	Signalling
	Requests
	Hosts
}

// Identity is what the INVITE said.
type Identity interface {
	CallID() string
	LocalURI() string
	RemoteURI() string
	RequestURI() sip.URI
	Headers() header.Fields
}

// Signalling ends, answers and follows a dialog.
type Signalling interface {
	RemoteSDP() []byte
	Answer(ctx context.Context, sdp []byte) error
	Reject(ctx context.Context, status int, reason string, headers map[string]string) error
	ByeWith(ctx context.Context, c sip.Content) error
	Notify(f func(sip.Event)) // as *sip.Dialog
}

// Hosts are the addresses that the dialog's messages travel between, our tag in
// them, and the bodies of the first.
type Hosts interface {
	LocalHost() netip.Addr
	RemoteHost() netip.Addr
	Parts() []header.Part
	LocalTag() string
}

// Call is one inbound call. Services use its exported methods, from any goroutine.
type Call struct {
	id      string
	log     *slog.Logger
	dialog  Dialog
	server  *Server
	session *media.Session
	caller  side
	request route.Request // set before the service is prepared
	dialled atomic.Int32  // parties so far, for their legs' names

	inbox  inbox.Inbox[message]
	tasks  sync.WaitGroup // what runs beside the call's goroutine
	hungUp chan struct{}  // closed once the far end is gone
	reason atomic.Pointer[string]
	life   life // touched by the owner only
	kept
}

// kept is where what happens in a call is kept.
type kept struct {
	trail    *reporting.Trail
	recorded recorded
}

// ID is the platform's own name for the call, unique for ever.
func (c *Call) ID() string { return c.id }

// Log is a logger whose lines carry the call's identifiers.
func (c *Call) Log() *slog.Logger { return c.log }

// Invite is what the caller's INVITE said.
func (c *Call) Invite() Identity { return c.dialog }

// Tag is our tag in the call's dialog, by which MSML knows the call.
func (c *Call) Tag() string { return c.dialog.LocalTag() }

// Request is what the caller asks the service for.
func (c *Call) Request() route.Request { return c.request }

// Media is the call's media session.
func (c *Call) Media() *media.Session { return c.session }

// Caller is the leg towards the caller, and Codec what it speaks.
func (c *Call) Caller() *media.Leg { return c.caller.leg }

// Codec is the audio codec agreed with the caller.
func (c *Call) Codec() codec.Codec { return c.caller.agreed() }

// Progress is what became of a call that the platform made; false: nothing is known.
func (c *Call) Progress() (progress.Result, bool) {
	if p, ours := c.dialog.(*Placed); ours {
		return p.Progress()
	}
	return progress.Result{}, false
}

// analysed waits until it is known who has answered a call that is listened to.
func (c *Call) analysed() {
	p, ours := c.dialog.(*Placed)
	if !ours || p.analysis.Load() == nil {
		return
	}
	select {
	case <-p.analysis.Load().Found():
	case <-c.hungUp:
	}
}

// HungUp is closed when the far end is gone, whoever ended the call.
func (c *Call) HungUp() <-chan struct{} { return c.hungUp }

// Reason is why the far end hung up, after HungUp, as the Reason header of its BYE,
// or CANCEL, has it (RFC 3326); empty when it did not say.
func (c *Call) Reason() string {
	if r := c.reason.Load(); r != nil {
		return *r
	}
	return ""
}

// HangUp ends the dialog; the program goes on until it returns.
func (c *Call) HangUp() { c.HangUpWith(sip.Content{}) }

// HangUpWith is HangUp with a body for the BYE.
func (c *Call) HangUpWith(last sip.Content) {
	c.tell(message{trigger: lifecycle.HangUp, ending: &Ending{Last: last}})
}

// message is a trigger with what came with it.
type message struct {
	trigger  lifecycle.Trigger
	happened lifecycle.PartyTrigger // to the party that it is about
	dial     bool                   // the party is to be called
	party    *Party                 // nil: it is about the caller
	err      error                  // with Refused, AnswerFailed, FarEndHungUp, MediaSilent
	program  Program                // with Prepared
	ending   *Ending                // with ServiceEnded; with HangUp, for its Last
	offer    *sip.Reinvite          // with Renegotiation
	event    sip.Event              // of the dialog; no trigger
	do       func()                 // what is to be done in turn; no trigger
	early    []byte                 // with Rang
}

// tell puts a message into the inbox, and has it handled beside. Once the call is over,
// messages are dropped.
func (c *Call) tell(m message) {
	if c.inbox.Put(m) {
		c.tasks.Go(c.handleAll)
	}
}

// report is tell for a goroutine that may take its time: it handles the message itself,
// unless another does.
func (c *Call) report(m message) {
	if c.inbox.Put(m) {
		c.handleAll()
	}
}

// handleAll handles what waits in the inbox.
func (c *Call) handleAll() { c.inbox.Handle(c.take) }
