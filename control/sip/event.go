package sip

import (
	"context"
	"fmt"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/header"
	"mcp/control/sip/wire"
)

// Event is something the far end did to a dialog: Cancelled, ByeReceived, Lost,
// *Reinvite, *Info, *Referral or *Told.
type Event interface{ event() }

// eventSlots is how many events may wait for a user that is busy. One more is
// kept for the event that ends the dialog, which is never dropped.
const eventSlots = 16

// mostOpen is how many requests may wait for the user's answer.
const mostOpen = 64

// audience is who is told what the far end does; the dialog's mu guards it.
type audience struct {
	events chan Event  // what waits; nil: nothing has, so far
	taker  func(Event) // takes it instead; nil: nobody does
}

// Events tells what the far end does. It is closed when the dialog is over.
func (d *Dialog) Events() <-chan Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waitingLocked()
}

func (d *Dialog) waitingLocked() chan Event {
	if d.events == nil {
		d.events = make(chan Event, eventSlots+1)
		if d.phase == over {
			close(d.events)
		}
	}
	return d.events
}

// Notify has f told what Events would tell, one event after the other. The last says that
// the dialog is over: Cancelled, ByeReceived or Lost, or nil if it ended otherwise. f must
// neither block nor use the dialog.
func (d *Dialog) Notify(f func(Event)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var last Event
	for len(d.events) > 0 {
		last = <-d.events
		f(last)
	}
	if d.phase != over {
		d.taker = f
	} else if !final(last) {
		f(nil)
	}
}

// final tells whether an event says that the dialog is over.
func final(ev Event) bool {
	switch ev.(type) {
	case Cancelled, ByeReceived, Lost:
		return true
	}
	return false
}

// tellLocked passes an event on; false: too many wait already.
func (d *Dialog) tellLocked(ev Event) bool {
	if d.taker != nil {
		d.taker(ev)
		return true
	}
	if len(d.events) >= eventSlots {
		return false
	}
	d.waitingLocked() <- ev
	return true
}

// concludeLocked tells the last event, if there is one, and that no more come.
func (d *Dialog) concludeLocked(last Event) {
	if d.taker != nil {
		d.taker(last)
		d.taker = nil
		return
	}
	if last != nil {
		d.waitingLocked() <- last // there is a place for it
	}
	if d.events != nil {
		close(d.events)
	}
}

// Decline answers an event that is of no use to whoever takes the dialog's events: the
// far end learns that what it asks for cannot be done. Events that need no answer are
// left alone.
func Decline(ev Event) error {
	switch ev := ev.(type) {
	case *Reinvite:
		return ev.Reject(context.Background(), 488, "")
	case *Info:
		return ev.Respond(415)
	case *Referral:
		return ev.Reject(603, "")
	case *Told:
		return ev.Accept()
	}
	return nil
}

// Cancelled says that the caller gave up before the answer.
type Cancelled struct {
	Reasons []string // values of Reason (RFC 3326)
}

// ByeReceived says that the far end hung up.
type ByeReceived struct {
	ContentType string
	Body        []byte
	Reasons     []string // values of Reason (RFC 3326)
}

// Lost says that the far end cannot be reached any more: its connection closed
// and no new one could be made, or it never acknowledged our answer.
type Lost struct{ Err error }

// Reinvite is the far end's wish to change the session, by re-INVITE or by
// UPDATE (RFC 3311). It must be accepted or rejected; if the dialog ends first
// that is done for it.
type Reinvite struct {
	// Offer is nil when the far end wants ours, which an UPDATE never does.
	Offer   []byte
	Headers map[string][]string

	dialog *Dialog
	tx     *wire.ServerTx
}

// Info is an INFO request within the dialog (RFC 6086); it must be answered.
type Info struct {
	ContentType string
	Body        []byte
	Headers     map[string][]string

	dialog *Dialog
	tx     *wire.ServerTx
}

// Told is what the far end told in an UPDATE that changes no session, such as its
// wish for a recording's metadata (RFC 7866 section 8.2); it must be accepted.
type Told struct {
	Parts []header.Part

	dialog *Dialog
	tx     *wire.ServerTx
}

func (Cancelled) event()   {}
func (ByeReceived) event() {}
func (Lost) event()        {}
func (*Reinvite) event()   {}
func (*Info) event()       {}
func (*Referral) event()   {}
func (*Told) event()       {}

// Accept answers with 200 and returns when the ACK has come. When the re-INVITE
// had no offer the sdp is ours, and the dialog's RemoteSDP then the answer.
func (r *Reinvite) Accept(ctx context.Context, sdp []byte) error {
	if !r.dialog.settle(r.tx) {
		return ErrEnded
	}
	if r.tx.Request.Method == sip.UPDATE {
		return r.dialog.update(r, sdp)
	}
	return r.dialog.accept(ctx, r.tx, Content{Body: sdp}, r.Offer == nil)
}

// Parts are the bodies of the request, the offer among them.
func (r *Reinvite) Parts() []header.Part { return partsOf(r.tx.Request) }

// Reject refuses the change; the session goes on as it was.
func (r *Reinvite) Reject(_ context.Context, status int, reason string) error {
	if !r.dialog.settle(r.tx) {
		return ErrEnded
	}
	return r.dialog.respond(r.tx, status, reason)
}

// Respond answers the INFO; the usual reason phrase goes with the status.
func (i *Info) Respond(status int) error { return i.Reply(status, Content{}) }

// Reply is Respond with headers or a body.
func (i *Info) Reply(status int, c Content) error {
	if !i.dialog.settle(i.tx) {
		return ErrEnded
	}
	res := i.dialog.reply(i.tx.Request, status, reasonFor(status))
	c.put(res)
	return i.tx.Respond(res)
}

// Accept answers with 200.
func (t *Told) Accept() error {
	if !t.dialog.settle(t.tx) {
		return ErrEnded
	}
	return t.tx.Respond(t.dialog.noted(t.tx))
}

// reasonFor is the phrase of RFC 3261 section 21 for the statuses in use here.
func reasonFor(status int) string {
	if phrase, ok := phrases[status]; ok {
		return phrase
	}
	return fmt.Sprintf("Status %d", status)
}

var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
	200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 408: "Request Timeout", 413: "Request Entity Too Large", 415: "Unsupported Media Type",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 422: "Session Interval Too Small", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 486: "Busy Here",
	487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
	500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable", 603: "Decline",
}
