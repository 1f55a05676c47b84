package sip

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"mcp/control/sip/wire"
)

// acceptance is a 2xx of ours to an INVITE, resent until its ACK comes, over
// TCP too (RFC 3261 section 13.3.1.4). The agent may look at it T1 after it was
// settled, and must not keep a call for that which is over.
type acceptance struct {
	dialog  atomic.Pointer[Dialog] // nil when it is settled; its mu guards the others
	tx      *wire.ServerTx
	res     *wire.Response
	delayed bool // the offer is ours, the ACK has the answer

	timer *time.Timer // nil until it has been resent
	wait  time.Duration
	spent time.Duration
	done  chan struct{}
	err   error // why no ACK came; read after done
}

func (p *acceptance) settle(err error) {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.dialog.Store(nil)
	p.tx, p.res, p.err = nil, nil, err
	close(p.done)
}

// Answer accepts the call with 200 and returns when the ACK has come. When the
// INVITE had no offer the sdp is ours, and RemoteSDP then the answer.
//
// It fails with ErrCancelled when CANCEL was first, with ErrNoAck when the 200
// was not acknowledged within 64*T1 (BYE has been sent then), with ErrEnded
// when the caller hung up instead, and with the context's error when that ends;
// the call still stands in that case, until Bye or the handler's return.
func (d *Dialog) Answer(ctx context.Context, sdp []byte) error {
	return d.AnswerWith(ctx, Content{Body: sdp})
}

// AnswerWith is Answer with headers, or with a body of another type that has the
// session description in it.
func (d *Dialog) AnswerWith(ctx context.Context, c Content) error {
	if d.tx == nil {
		return errors.New("a call that we placed cannot be answered")
	}
	if err := d.awaitPrack(ctx); err != nil {
		return err
	}
	return d.accept(ctx, d.tx, c, sdpOf(d.tx.Request) == nil)
}

// accept accepts an INVITE; delayed says that it had no offer.
func (d *Dialog) accept(ctx context.Context, tx *wire.ServerTx, c Content, delayed bool) error {
	res := d.reply(tx.Request, 200, "OK")
	res.AddContact(d.contact(tx.From))
	res.AppendHeader(d.agent.about.allow)
	res.AppendHeader(d.agent.about.supported)
	d.agree(tx.Request, res, sdpIn(c))
	c.put(res)
	a := &acceptance{tx: tx, res: res, delayed: delayed, wait: d.agent.cfg.T1, done: make(chan struct{})}
	a.dialog.Store(d)
	if !d.begin(a) {
		if tx != d.tx { // a re-INVITE that the dialog's end did not see waiting
			_ = d.respond(tx, 487, "")
		}
		return d.tooLate()
	}
	if err := tx.Respond(res); err != nil {
		d.log().Info("sip answer not sent", "error", err)
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
	}
	select {
	case <-a.done: // the ACK came first, and a BYE at its heels
		return a.err
	default:
		return ctx.Err()
	}
}

// begin makes p the 2xx that waits for its ACK.
func (d *Dialog) begin(p *acceptance) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.tx == d.tx {
		to, ok := d.phase.after(mvAnswer)
		if !ok {
			return false
		}
		d.phase = to
	} else if d.phase != confirmed {
		return false
	}
	d.unacked = p
	d.agent.unacked.Add(p)
	return true
}

// resend repeats a 2xx at T1, 2*T1, ... up to every T2, for 64*T1 altogether.
func (p *acceptance) resend() {
	d := p.dialog.Load()
	if d == nil {
		return
	}
	t1 := d.agent.cfg.T1
	d.mu.Lock()
	if d.unacked != p {
		d.mu.Unlock()
		return
	}
	p.spent += p.wait
	if p.spent >= 64*t1 {
		p.settle(ErrNoAck)
		d.unacked = nil
		d.mu.Unlock()
		d.unacknowledged()
		return
	}
	p.wait = min(2*p.wait, 8*t1, 64*t1-p.spent)
	p.timer = time.AfterFunc(p.wait, p.resend)
	tx, res := p.tx, p.res
	d.mu.Unlock()
	if err := tx.Respond(res); err != nil {
		d.log().Debug("sip answer not resent", "error", err)
	}
}

// unacknowledged ends a call whose 2xx nobody acknowledged, with a BYE.
func (d *Dialog) unacknowledged() {
	if !d.finish(mvNoAck, Lost{Err: ErrNoAck}) {
		return
	}
	d.log().Warn("sip answer never acknowledged")
	d.leaveWith(nil)
}

// acknowledged takes the ACK to our 2xx.
func (d *Dialog) acknowledged(req *wire.Request, from wire.Link) {
	d.mu.Lock()
	p := d.unacked
	if p == nil || p.tx.Request.CSeq != req.CSeq {
		d.mu.Unlock()
		return
	}
	tx := p.tx
	d.unacked = nil
	if to, ok := d.phase.after(mvAck); ok {
		d.phase = to
	}
	if p.delayed {
		d.sdp = sdpOf(req)
	} else if tx != d.tx {
		d.sdp = sdpOf(tx.Request)
	}
	p.settle(nil)
	d.mu.Unlock()
	tx.Release()
	d.follow(from)
}

// Reject refuses the call with a final status of 300 or above.
func (d *Dialog) Reject(_ context.Context, status int, reason string, headers map[string]string) error {
	if status < 300 || status > 699 {
		return fmt.Errorf("status %d does not reject a call", status)
	}
	if d.tx == nil || !d.end(mvReject, nil) {
		return d.tooLate()
	}
	if reason == "" {
		reason = reasonFor(status)
	}
	res := d.reply(d.tx.Request, status, reason)
	addHeaders(res, headers)
	return d.tx.Respond(res)
}

// tooLate says why a call cannot be answered any more.
func (d *Dialog) tooLate() error {
	if d.tx == nil {
		return ErrEnded
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase == over && d.ending == mvCancel {
		return ErrCancelled
	}
	return ErrEnded
}

// reply makes a response with our tag in it.
func (d *Dialog) reply(req *wire.Request, status int, reason string) *wire.Response {
	return d.agent.reply(req, status, reason, d.id.local)
}

func (d *Dialog) respond(tx *wire.ServerTx, status int, reason string) error {
	if reason == "" {
		reason = reasonFor(status)
	}
	return tx.Respond(d.reply(tx.Request, status, reason))
}
