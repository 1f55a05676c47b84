package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/header"
	"mcp/control/sip/wire"
)

// Refer asks the far end to call somebody (RFC 3515).
type Refer struct {
	// To is whom to call. Empty: the far end of Replaces, where it said it can
	// be reached.
	To string
	// Replaces is a call of ours that the far end's call is to take the place of
	// (RFC 3891); nil: none.
	Replaces *Dialog
	Headers  map[string]string
}

// Note is what a NOTIFY says of the call that a REFER asked for: the latest response
// to it.
type Note struct {
	Status int
	Reason string
}

// Final says whether nothing will follow.
func (n Note) Final() bool { return n.Status >= 200 }

// Subscription tells what becomes of a REFER that the far end has accepted.
type Subscription struct {
	seq   uint32
	notes chan Note
}

// Notes are what the far end notified of, the last one final. The channel is
// closed after that, and without one when the far end notifies of nothing more
// or the dialog ends.
func (s *Subscription) Notes() <-chan Note { return s.notes }

// Wait returns the final note; ErrEnded when none comes.
func (s *Subscription) Wait(ctx context.Context) (Note, error) {
	for {
		select {
		case n, ok := <-s.notes:
			if !ok {
				return Note{}, ErrEnded
			}
			if n.Final() {
				return n, nil
			}
		case <-ctx.Done():
			return Note{}, ctx.Err()
		}
	}
}

// Refer sends a REFER and returns when the far end has accepted it; with a
// RejectedError when it declines. The call itself goes on.
func (d *Dialog) Refer(ctx context.Context, r Refer) (*Subscription, error) {
	to, err := r.target()
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		req, link, err := d.prepare(ctx, sip.REFER)
		if err != nil {
			return nil, err
		}
		req.AppendHeader(sip.NewHeader("Refer-To", to))
		if _, given := r.Headers["Referred-By"]; !given {
			req.AppendHeader(sip.NewHeader("Referred-By", "<"+d.local+">"))
		}
		Content{Headers: r.Headers}.put(req)
		s, res, err := d.referOnce(ctx, req, link)
		if err != nil {
			return nil, err
		}
		if res.IsSuccess() {
			return s, nil
		}
		more, again := d.proves(try, r.Headers, req, res)
		if !again {
			return nil, rejectedBy(res)
		}
		r.Headers = more
	}
}

// referOnce sends the request. What becomes of it may be told before it is answered.
func (d *Dialog) referOnce(ctx context.Context, req *sip.Request, link wire.Link) (*Subscription, *sip.Response, error) {
	s := &Subscription{seq: req.CSeq().SeqNo, notes: make(chan Note, eventSlots+1)}
	if !d.subscribe(s) {
		return nil, nil, ErrEnded
	}
	res, _, err := d.agent.transact(ctx, req, link, newWaiter())
	if err != nil {
		d.unsubscribe(s)
		return nil, nil, fmt.Errorf("REFER: %w", err)
	}
	if !res.IsSuccess() || strings.EqualFold(header.First(res.Headers(), "refer-sub"), "false") { // RFC 4488
		d.unsubscribe(s)
	}
	return s, res, nil
}

// target is the Refer-To header's value.
func (r Refer) target() (string, error) {
	to := r.To
	if to == "" && r.Replaces != nil {
		r.Replaces.mu.Lock()
		to = r.Replaces.far.target.String()
		r.Replaces.mu.Unlock()
	}
	if to == "" || strings.ContainsAny(to, "\r\n<>") {
		return "", fmt.Errorf("refer to %q: not a URI", to)
	}
	if r.Replaces == nil {
		return "<" + to + ">", nil
	}
	separator := "?"
	if strings.Contains(to, "?") {
		separator = "&"
	}
	return "<" + to + separator + "Replaces=" + header.Escape(r.Replaces.replaceable()) + ">", nil
}

// replaceable names the dialog as its far end knows it.
func (d *Dialog) replaceable() string {
	return header.Replaces{CallID: d.id.call, To: d.id.remote, From: d.id.local}.String()
}

func (d *Dialog) subscribe(s *Subscription) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase == over {
		return false
	}
	d.referred = append(d.referred, s)
	return true
}

func (d *Dialog) unsubscribe(s *Subscription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, other := range d.referred {
		if other == s {
			d.referred = append(d.referred[:i], d.referred[i+1:]...)
			close(s.notes)
			return
		}
	}
}

// notified takes the far end's NOTIFY.
func (d *Dialog) notified(tx *wire.ServerTx) {
	req := tx.Request
	event := header.ParseValue(req.First("event"))
	if !strings.EqualFold(event.Text, "refer") {
		d.agent.respond(tx, d.reply(req, 489, "Bad Event"))
		return
	}
	s := d.subscription(event.Params["id"])
	if s == nil {
		d.agent.respond(tx, d.reply(req, 481, "Subscription Does Not Exist"))
		return
	}
	status, reason, ok := header.ParseFragment(req.Body())
	if ok {
		s.note(Note{Status: status, Reason: reason})
	}
	state := header.ParseValue(req.First("subscription-state"))
	if strings.EqualFold(state.Text, "terminated") || ok && status >= 200 {
		d.unsubscribe(s)
	}
	d.agent.respond(tx, d.reply(req, 200, "OK"))
}

// subscription finds what a NOTIFY is about; the id may be left out of that of
// the first REFER, and often is of others (RFC 3515 section 2.4.6).
func (d *Dialog) subscription(id string) *Subscription {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.referred {
		if id == "" || id == strconv.FormatUint(uint64(s.seq), 10) {
			return s
		}
	}
	return nil
}

// note keeps the last slot for what is final.
func (s *Subscription) note(n Note) {
	if n.Final() || len(s.notes) < eventSlots {
		s.notes <- n
	}
}

// Referral is the far end's wish that we call somebody. It must be accepted or
// rejected; if the dialog ends first that is done for it.
type Referral struct {
	// To is whom to call. Its URI's headers say with what: Replaces, perhaps.
	To      header.Party
	Headers map[string][]string

	dialog *Dialog
	tx     *wire.ServerTx
	quiet  bool // the far end wants no notifications (RFC 4488)

	mu    sync.Mutex
	ended bool
}

var errNotified = errors.New("the referral's outcome has been told")

// Accept answers with 202; Notify then tells what becomes of it, and must end
// with a final status.
func (r *Referral) Accept(ctx context.Context) error {
	if !r.dialog.settle(r.tx) {
		return ErrEnded
	}
	res := r.dialog.reply(r.tx.Request, 202, reasonFor(202))
	res.AddContact(r.dialog.contact(r.tx.From))
	if r.quiet {
		res.Add("Refer-Sub", "false")
	}
	if err := r.tx.Respond(res); err != nil {
		return err
	}
	return r.Notify(ctx, 100, "")
}

// Notify tells the far end a response to the call it asked for; the usual phrase
// goes with the status when reason is empty. One of 200 or above is the last.
func (r *Referral) Notify(ctx context.Context, status int, reason string) error {
	r.mu.Lock()
	ended := r.ended
	r.ended = ended || status >= 200
	r.mu.Unlock()
	if ended {
		return errNotified
	}
	if r.quiet {
		return nil
	}
	if reason == "" {
		reason = reasonFor(status)
	}
	state := "active;expires=180"
	if status >= 200 {
		state = "terminated;reason=noresource"
	}
	res, err := r.dialog.ask(ctx, sip.NOTIFY, Content{
		Type: "message/sipfrag;version=2.0", Body: header.Fragment(status, reason),
		Headers: map[string]string{
			"Event":              "refer;id=" + strconv.FormatUint(uint64(r.tx.Request.CSeq), 10),
			"Subscription-State": state,
		},
	})
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		return rejectedBy(res)
	}
	return nil
}

// Reject declines to call anybody.
func (r *Referral) Reject(status int, reason string) error {
	if !r.dialog.settle(r.tx) {
		return ErrEnded
	}
	return r.dialog.respond(r.tx, status, reason)
}

// referredTo takes the far end's REFER.
func (d *Dialog) referredTo(tx *wire.ServerTx) {
	req := tx.Request
	values := req.Values("refer-to")
	var to header.Party
	ok := len(values) == 1
	if ok {
		to, ok = header.ParseParty(values[0])
	}
	if !ok {
		d.agent.respond(tx, d.reply(req, 400, "Bad Refer-To"))
		return
	}
	r := &Referral{To: to, Headers: headersOf(req), dialog: d, tx: tx}
	r.quiet = strings.EqualFold(req.First("refer-sub"), "false")
	if !d.offer(tx, r) {
		d.agent.respond(tx, d.reply(req, 503, reasonFor(503)))
	}
}

// replaced finds the dialog that an INVITE is to take the place of, and the
// status of the refusal if that cannot be (RFC 3891 section 3); 0, nil when it
// replaces none.
func (a *Agent) replaced(req *wire.Request) (*Dialog, int) {
	values := req.Values("replaces")
	if len(values) == 0 {
		return nil, 0
	}
	r, ok := header.ParseReplaces(values[0])
	if !ok || len(values) > 1 {
		return nil, 400
	}
	a.mu.Lock()
	d := a.dialogs[dialogID{r.CallID, r.To, r.From}]
	a.mu.Unlock()
	if d == nil {
		return nil, 481
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.phase == over:
		return nil, 603
	case d.phase == offered: // an early dialog that we did not begin
		return nil, 481
	case r.EarlyOnly && d.phase != early:
		return nil, 486
	}
	return d, 0
}
