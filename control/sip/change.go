package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/wire"
)

// Change is a change of the session that we ask the far end for.
type Change struct {
	// Offer is our new session description. Without it the far end makes the
	// offer, and Answer says what we make of it.
	Offer   []byte
	Answer  func(offer []byte) ([]byte, error)
	Headers map[string]string
	// OfferType is the media type of Offer, as in Outgoing.
	OfferType string
}

// maxGlare is how often a change is tried that meets one of the far end's.
const maxGlare = 8

// errPending marks a change that meets another one.
var errPending = errors.New("another change of the session is pending")

// Reinvite changes the session by a re-INVITE and returns the far end's answer,
// or its offer if we made none. When the far end refuses, with a RejectedError,
// the session is as it was. A change that crosses one of the far end's is tried
// again after the waits of RFC 3261 section 14.1.
func (d *Dialog) Reinvite(ctx context.Context, c Change) ([]byte, error) {
	if (len(c.Offer) == 0) == (c.Answer == nil) {
		return nil, errors.New("a change needs either an offer or somebody to answer one")
	}
	return d.change(ctx, c.Offer, func() (*sip.Response, error) { return d.reinvite(ctx, c) })
}

// Update changes the session by an UPDATE (RFC 3311), which unlike a re-INVITE
// the far end answers without asking anybody, and returns its answer.
func (d *Dialog) Update(ctx context.Context, offer []byte, headers map[string]string) ([]byte, error) {
	return d.change(ctx, offer, func() (*sip.Response, error) {
		return d.ask(ctx, sip.UPDATE, Content{Body: offer, Headers: headers})
	})
}

// Tell tells the far end something by an UPDATE that leaves the session as it is,
// such as a recording server's wish for metadata.
func (d *Dialog) Tell(ctx context.Context, c Content) error {
	res, err := d.ask(ctx, sip.UPDATE, c)
	if err == nil && !res.IsSuccess() {
		err = rejectedBy(res)
	}
	return err
}

// change makes one change of the session at a time.
func (d *Dialog) change(ctx context.Context, offer []byte, attempt func() (*sip.Response, error)) ([]byte, error) {
	for tries := 1; ; tries++ {
		res, err := d.attempt(attempt)
		glare := errors.Is(err, errPending) || err == nil && res.StatusCode == 491
		switch {
		case !glare && err != nil:
			return nil, err
		case !glare && !res.IsSuccess():
			return nil, rejectedBy(res)
		case !glare:
			return d.changed(res, offer), nil
		case tries == maxGlare:
			return nil, errPending
		}
		if err := d.wait(ctx, d.glareWait()); err != nil {
			return nil, err
		}
	}
}

func (d *Dialog) attempt(attempt func() (*sip.Response, error)) (*sip.Response, error) {
	if err := d.beginChange(); err != nil {
		return nil, err
	}
	defer func() {
		d.mu.Lock()
		d.changing = false
		d.mu.Unlock()
	}()
	return attempt()
}

// beginChange claims the session for a change of ours.
func (d *Dialog) beginChange() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase != confirmed && d.phase != answered {
		return ErrEnded
	}
	if d.changing || d.unacked != nil || d.phase == answered {
		return errPending
	}
	for _, tx := range d.open {
		if changes(tx.Request) {
			return errPending
		}
	}
	d.changing = true
	return nil
}

// changes says whether a request may change the session.
func changes(req *wire.Request) bool {
	return req.Method == sip.INVITE || req.Method == sip.UPDATE && sdpOf(req) != nil
}

// glareWait is between 2.1 and 4 s for the side that chose the Call-ID, and
// between 0 and 2 s for the other, as long as T1 is what it is by default.
func (d *Dialog) glareWait() time.Duration {
	unit := d.agent.cfg.T1 / 50 // 10 ms
	if d.tx == nil {
		return time.Duration(210+rand.IntN(191)) * unit
	}
	return time.Duration(rand.IntN(201)) * unit
}

func (d *Dialog) wait(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-d.ended():
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// changed takes what a successful answer says of the far end.
func (d *Dialog) changed(res *sip.Response, offer []byte) []byte {
	d.agreed(res, offer)
	sdp := sdpOf(response{res})
	d.mu.Lock()
	defer d.mu.Unlock()
	if sdp != nil {
		d.sdp = sdp
	}
	if contact := res.Contact(); contact != nil && contact.Address.Host != "" {
		d.far.target = contact.Address.Clone()
	}
	return sdp
}

// reinvite sends a re-INVITE, again where the far end asks who we are, and acknowledges
// its 2xx.
func (d *Dialog) reinvite(ctx context.Context, c Change) (*sip.Response, error) {
	for try := 0; ; try++ {
		req, res, err := d.reinviteOnce(ctx, c)
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == 481 || res.StatusCode == 408:
			d.end(mvLost, Lost{Err: rejectedBy(res)})
			return res, nil
		case res.IsSuccess():
			return res, d.confirmChange(ctx, c, res)
		}
		more, again := d.proves(try, c.Headers, req, res)
		if !again {
			return res, nil
		}
		c.Headers = more
	}
}

func (d *Dialog) reinviteOnce(ctx context.Context, c Change) (*sip.Request, *sip.Response, error) {
	req, link, err := d.prepare(ctx, sip.INVITE)
	if err != nil {
		return nil, nil, err
	}
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	req.AppendHeader(sip.NewHeader("Supported", supported))
	Content{Type: c.OfferType, Body: c.Offer, Headers: c.Headers}.put(req)
	r := &reinviting{dialog: d, seq: req.CSeq().SeqNo, waiter: newWaiter()}
	tx, err := d.agent.wire.Request(req, link, r)
	if err != nil {
		return nil, nil, err
	}
	res, err := r.await(ctx)
	if err != nil {
		if ctx.Err() != nil {
			r.abandon(tx)
		}
		return nil, nil, fmt.Errorf("re-INVITE: %w", err)
	}
	return req, res, nil
}

// confirmChange acknowledges the far end's 2xx. When we have no answer to its
// offer the ACK goes without one, and the session with it (RFC 3261 section
// 14.1 leaves nothing else).
func (d *Dialog) confirmChange(ctx context.Context, c Change, res *sip.Response) error {
	ack := Content{Headers: proofIn(c.Headers)}
	if c.Answer != nil {
		answer, err := c.Answer(sdpOf(response{res}))
		if err != nil {
			_ = d.acknowledge(ctx, res.CSeq().SeqNo, Content{})
			return fmt.Errorf("answer the far end's offer: %w", err)
		}
		ack.Body = answer
	}
	if err := d.acknowledge(ctx, res.CSeq().SeqNo, ack); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// proofIn is how headers prove who we are, which the ACK repeats (RFC 3261 section 22.1).
func proofIn(headers map[string]string) map[string]string {
	var out map[string]string
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		if value := headers[name]; value != "" {
			out = proof{name: name, value: value}.with(out)
		}
	}
	return out
}

// reinviting is a re-INVITE of ours and its transaction's user: whatever becomes
// of it, its 2xx is acknowledged.
type reinviting struct {
	waiter
	dialog *Dialog
	seq    uint32

	mu          sync.Mutex
	got         bool // a 2xx has come
	provisional bool
	abandoned   *wire.ClientTx
}

// Response takes what the transaction hears.
func (r *reinviting) Response(res *sip.Response, over wire.Link) {
	r.mu.Lock()
	again := r.got && res.IsSuccess()
	r.got = r.got || res.IsSuccess()
	r.provisional = r.provisional || res.IsProvisional()
	abandoned := r.abandoned
	r.mu.Unlock()
	d := r.dialog
	switch {
	case again:
		d.acknowledgeAgain()
	case abandoned == nil:
		r.waiter.Response(res, over)
	case res.IsProvisional():
		_ = abandoned.Cancel()
	case res.IsSuccess():
		d.agent.goCall(func() {
			if err := d.acknowledge(d.agent.ctx, r.seq, Content{}); err != nil {
				d.log().Info("sip ACK", "error", err)
			}
		})
	}
}

// abandon cancels a re-INVITE whose outcome nobody waits for any more.
func (r *reinviting) abandon(tx *wire.ClientTx) {
	r.mu.Lock()
	r.abandoned = tx
	now, late := r.provisional && !r.got, r.got
	r.mu.Unlock()
	if now {
		_ = tx.Cancel()
	}
	if late {
		r.dialog.agent.goCall(func() { _ = r.dialog.acknowledge(r.dialog.agent.ctx, r.seq, Content{}) })
	}
}

// updated takes the far end's UPDATE (RFC 3311 section 5.2). One without an
// offer only says where the far end is and that it is there.
func (d *Dialog) updated(tx *wire.ServerTx) {
	a, req := d.agent, tx.Request
	if !a.acceptable(tx) || a.tooShort(tx) {
		return
	}
	offer := sdpOf(req)
	if offer == nil {
		d.retarget(req)
		if parts := partsOf(req); len(parts) == 0 {
			a.respond(tx, d.noted(tx))
		} else if !d.offer(tx, &Told{Parts: parts, dialog: d, tx: tx}) {
			a.respond(tx, d.reply(req, 503, reasonFor(503)))
		}
		return
	}
	status := d.glare()
	if status == 0 {
		d.mu.Lock()
		if d.phase != confirmed {
			status = 500
		}
		d.mu.Unlock()
	}
	switch status {
	case 0:
	case 500:
		a.respond(tx, d.reply(req, 500, reasonFor(500)), sip.NewHeader("Retry-After", "3"))
		return
	default:
		a.respond(tx, d.reply(req, status, reasonFor(status)))
		return
	}
	d.retarget(req)
	if !d.offer(tx, &Reinvite{Offer: offer, Headers: headersOf(req), dialog: d, tx: tx}) {
		a.respond(tx, d.reply(req, 503, reasonFor(503)))
	}
}

// noted answers an UPDATE without an offer.
func (d *Dialog) noted(tx *wire.ServerTx) *wire.Response {
	res := d.reply(tx.Request, 200, "OK")
	res.AddContact(d.contact(tx.From))
	d.agree(tx.Request, res, nil)
	return res
}

// update accepts an UPDATE.
func (d *Dialog) update(r *Reinvite, sdp []byte) error {
	res := d.reply(r.tx.Request, 200, "OK")
	res.AddContact(d.contact(r.tx.From))
	d.agree(r.tx.Request, res, sdp)
	Content{Body: sdp}.put(res)
	d.mu.Lock()
	d.sdp = r.Offer
	d.mu.Unlock()
	return r.tx.Respond(res)
}
