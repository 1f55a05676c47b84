package sip

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/wire"
)

// serve runs the handler over a call that came, and sees to it that the call is
// over when it returns.
func (d *Dialog) serve() {
	d.agent.mu.Lock()
	h := d.agent.handler
	d.agent.mu.Unlock()
	h.Invite(d.agent.ctx, d)
	if d.isOver() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 128*d.agent.cfg.T1)
	defer cancel()
	if d.Reject(ctx, 500, "", nil) == nil {
		return
	}
	if err := d.Bye(ctx, nil); err != nil {
		d.log().Info("sip BYE", "error", err)
	}
}

// within takes a request that claims to belong to a dialog (RFC 3261 section
// 12.2.2).
func (a *Agent) within(tx *wire.ServerTx) {
	req := tx.Request
	d := a.find(req)
	if d == nil {
		a.answer(tx, 481, "")
		return
	}
	if !d.inOrder(req) {
		a.respond(tx, d.reply(req, 500, "Request out of order"))
		return
	}
	d.follow(tx.From)
	switch req.Method {
	case sip.BYE:
		d.hungUp(tx)
	case sip.INVITE:
		d.reinvited(tx)
	case sip.INFO:
		d.informed(tx)
	case sip.UPDATE:
		d.updated(tx)
	case sip.PRACK:
		d.pracked(tx)
	case sip.REFER:
		d.referredTo(tx)
	case sip.NOTIFY:
		d.notified(tx)
	default: // OPTIONS
		a.capabilities(tx, nil)
	}
}

// inOrder holds requests to a rising CSeq.
func (d *Dialog) inOrder(req *wire.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if req.CSeq < d.far.remoteSeq {
		return false
	}
	d.far.remoteSeq = req.CSeq
	return true
}

// hungUp takes the far end's BYE. One that crosses ours finds the dialog over,
// and is right all the same.
func (d *Dialog) hungUp(tx *wire.ServerTx) {
	d.agent.respond(tx, d.reply(tx.Request, 200, "OK"))
	req := tx.Request
	d.end(mvBye, ByeReceived{ContentType: req.First("content-type"), Body: req.Body(), Reasons: req.Values("reason")})
}

// reinvited takes a re-INVITE (RFC 3261 section 14.2).
func (d *Dialog) reinvited(tx *wire.ServerTx) {
	a := d.agent
	switch status := d.glare(); status {
	case 0:
	case 500:
		a.respond(tx, d.reply(tx.Request, 500, ""), sip.NewHeader("Retry-After", "3"))
		return
	default:
		a.respond(tx, d.reply(tx.Request, status, reasonFor(status)))
		return
	}
	if !a.acceptable(tx) || a.tooShort(tx) {
		return
	}
	d.retarget(tx.Request)
	tx.Trying()
	if !d.offer(tx, &Reinvite{Offer: sdpOf(tx.Request), Headers: headersOf(tx.Request), dialog: d, tx: tx}) {
		a.respond(tx, d.reply(tx.Request, 503, reasonFor(503)))
	}
}

// glare is the status for a re-INVITE or UPDATE that overlaps another one of
// this dialog: 500 while the far end's earlier one has no final response, 491
// while our own answer or change is on its way; 0 when nothing is in the way.
func (d *Dialog) glare() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.phase == over:
		return 481
	case d.unacked != nil, d.changing:
		return 491
	case d.phase == offered:
		return 500
	}
	for _, tx := range d.open {
		if changes(tx.Request) {
			return 500
		}
	}
	return 0
}

// retarget takes the far end's new Contact (RFC 3261 section 12.2.2).
func (d *Dialog) retarget(req *wire.Request) {
	contact := req.Contact()
	if contact == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.far.target = contact
}

func (d *Dialog) informed(tx *wire.ServerTx) {
	req := tx.Request
	info := &Info{ContentType: req.First("content-type"), Body: req.Body(), Headers: headersOf(req), dialog: d, tx: tx}
	if !d.offer(tx, info) {
		d.agent.respond(tx, d.reply(req, 503, reasonFor(503)))
	}
}

// disconnected is told that the connection the far end spoke over is gone. A
// call that is not up ends with it: its INVITE cannot be answered any more. One
// that is up survives if the far end can be reached anew.
func (d *Dialog) disconnected(link wire.Link, cause error) {
	d.mu.Lock()
	p, current := d.phase, d.far.link.SameCarrier(link)
	if current {
		d.far.unwatch = nil
	}
	d.mu.Unlock()
	if !current || p == over {
		return
	}
	d.log().Info("sip connection of the call closed", "error", cause)
	if p != confirmed || !d.agent.goCall(func() { d.seek(link) }) {
		d.end(mvLost, Lost{Err: ErrLost})
	}
}

// seek looks for the far end with OPTIONS within the dialog, again and again
// for 64*T1, unless it speaks up by itself. An answer that says there is no such
// dialog ends it too (RFC 3261 section 12.2.1.2).
func (d *Dialog) seek(lost wire.Link) {
	t1 := d.agent.cfg.T1
	for spent, wait := time.Duration(0), t1; spent < 64*t1; wait = min(2*wait, 8*t1) {
		ctx, cancel := context.WithTimeout(d.agent.ctx, 16*t1)
		res, link, err := d.send(ctx, sip.OPTIONS, Content{})
		cancel()
		if err == nil {
			if res.StatusCode == 481 || res.StatusCode == 408 {
				break
			}
			d.follow(link)
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-d.ended():
			timer.Stop()
			return
		case <-d.agent.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if !d.link().SameCarrier(lost) {
			return
		}
		spent += wait
	}
	d.end(mvLost, Lost{Err: ErrLost})
}
