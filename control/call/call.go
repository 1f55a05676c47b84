// Package call serves telephone calls, each from its INVITE to its record: it brings
// together the SIP dialog, the media leg towards the caller, and the service that the
// call asks for.
//
// Whatever happens to a call, a SIP event, silence on its leg, the end of its service,
// becomes a message in the call's inbox. The messages are handled one after the other, by
// one goroutine at a time; while that handles them it is the call's owner, and nobody else
// touches the call's state. Package lifecycle decides what a message leads to. What takes
// its time, to prepare, answer and run the service, is done by the goroutine that
// serves the call.
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

// Identity is whom a call is from and for, as its INVITE said.
type Identity interface {
	CallID() string
	LocalURI() string
	RemoteURI() string
	RequestURI() sip.URI
	Headers() header.Fields
}

// Signalling answers, refuses, ends and follows a dialog.
type Signalling interface {
	RemoteSDP() []byte
	Answer(ctx context.Context, sdp []byte) error
	Reject(ctx context.Context, status int, reason string, headers map[string]string) error
	ByeWith(ctx context.Context, c sip.Content) error
	Notify(f func(sip.Event)) // as *sip.Dialog
}

// Hosts tells the addresses between which the dialog's messages travel, our tag in
// them, and the bodies of the message with which the far end opened the dialog.
type Hosts interface {
	LocalHost() netip.Addr
	RemoteHost() netip.Addr
	Parts() []header.Part
	LocalTag() string
}

// Call is one call, which has come in or which the platform has placed (see Placed);
// in both cases the far end is called the caller. Services use its exported methods,
// from any goroutine.
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

// Caller is the media leg towards the caller.
func (c *Call) Caller() *media.Leg { return c.caller.leg }

// Codec is the audio codec agreed with the caller.
func (c *Call) Codec() codec.Codec { return c.caller.agreed() }

// Progress is what call progress analysis has found of a call that the platform has
// placed; false: nothing yet, or the call has come in.
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

// HangUp ends the dialog. The program is not stopped: HungUp tells it that the call is
// over, and it has Config.Grace to return.
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
