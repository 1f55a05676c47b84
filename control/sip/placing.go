package sip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/header"
	"mcp/control/sip/wire"
)

// maxBranches is how many far ends of a forked call are followed.
const maxBranches = 16

// outcome is how the placing of a call ended.
type outcome struct {
	dialog *Dialog
	err    error
}

// placing is a call of ours that has no final response yet, and for a while
// after: 2xx responses may come again, and from more than one far end.
type placing struct {
	agent     *Agent
	req       *sip.Request
	link      wire.Link
	out       Outgoing
	headers   map[string]string // that the ACK repeats: who we are
	result    chan outcome
	responded chan struct{} // closed by the first response

	mu        sync.Mutex
	heard     bool           // of the far end: responded is closed
	tx        *wire.ClientTx // set when cancelled before there was a response
	why       []sip.Header   // of the CANCEL
	abandoned bool
	early     map[string]*Dialog // by the far end's tag
	dialogs   []*Dialog
	answered  []byte // what out.Answer said
}

// run sends the INVITE and waits for its outcome. With a limit it gives up a far
// end that has not said anything by then.
func (p *placing) run(ctx context.Context, limit time.Duration) (*Dialog, error) {
	tx, err := p.agent.wire.Request(p.req, p.link, p)
	if err != nil {
		return nil, err
	}
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case <-p.responded:
		case <-timer.C:
			if p.abandon(tx, nil) {
				return nil, errSilent
			}
		case <-ctx.Done():
		}
	}
	select {
	case r := <-p.result:
		return p.settled(ctx, r)
	case <-ctx.Done():
	}
	if !p.abandon(tx, context.Cause(ctx)) {
		return p.settled(ctx, <-p.result)
	}
	return nil, fmt.Errorf("call cancelled: %w", context.Cause(ctx))
}

// Response takes what the transaction hears.
func (p *placing) Response(res *sip.Response, over wire.Link) {
	p.hear()
	switch {
	case res.IsProvisional():
		p.proceed(res, over)
	case res.IsSuccess():
		p.succeed(res, over)
	default:
		p.tell(outcome{err: rejectedBy(res)})
		p.forgetEarly()
	}
}

// Failed says that there will be no answer.
func (p *placing) Failed(err error) {
	p.hear()
	p.tell(outcome{err: fmt.Errorf("invite: %w: %w", ErrLost, err)})
	p.forgetEarly()
}

func (p *placing) hear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.heard {
		p.heard = true
		close(p.responded)
	}
}

func (p *placing) tell(o outcome) {
	select {
	case p.result <- o:
	default:
	}
}

func (p *placing) proceed(res *sip.Response, over wire.Link) {
	p.mu.Lock()
	tx := p.tx
	p.tx = nil
	p.mu.Unlock()
	if tx != nil {
		p.cancel(tx)
		return
	}
	tag := tagOf(res.To().Params)
	if d := p.branch(tag, res, over); d != nil {
		if !d.heard(res) {
			return
		}
		if hasOption(response{res}, "Require", "100rel") {
			p.agent.goCall(func() { p.prack(d, res) })
		}
	}
	if p.out.Progress != nil {
		p.out.Progress(Provisional{
			Status: res.StatusCode, Reason: res.Reason, SDP: sdpOf(response{res}), Headers: headersOf(response{res}), Branch: tag,
		})
	}
}

// branch is the early dialog with a far end, begun if there is none yet (RFC
// 3261 section 12.1.2); nil when the response begins none.
func (p *placing) branch(tag string, res *sip.Response, over wire.Link) *Dialog {
	if tag == "" || res.StatusCode == 100 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.early[tag]
	if d != nil || p.abandoned || len(p.dialogs) > 0 || len(p.early) >= maxBranches {
		return d
	}
	d = p.agent.newOutgoing(p.req, res, over)
	if !p.agent.enter(d) {
		return nil
	}
	p.early[tag] = d
	return d
}

// forgetEarly ends the early dialogs that a final response of another far end,
// or none, has made pointless.
func (p *placing) forgetEarly() {
	p.mu.Lock()
	early := p.early
	p.early = map[string]*Dialog{}
	p.mu.Unlock()
	for _, d := range early {
		d.end(mvLost, nil)
	}
}

// succeed begins a dialog with whoever answered. The first is the call; one
// that answers after the call was given up, or besides, is hung up.
func (p *placing) succeed(res *sip.Response, over wire.Link) {
	tag := tagOf(res.To().Params)
	p.mu.Lock()
	for _, d := range p.dialogs {
		if d.id.remote == tag {
			p.mu.Unlock()
			d.acknowledgeAgain()
			return
		}
	}
	d := p.early[tag]
	delete(p.early, tag)
	known := d != nil && d.confirm(res)
	if !known {
		d = p.agent.newOutgoing(p.req, res, over)
		d.phase = confirmed
	}
	p.dialogs = append(p.dialogs, d)
	wanted := len(p.dialogs) == 1 && !p.abandoned
	p.mu.Unlock()
	p.forgetEarly()
	entered := known || p.agent.enter(d)
	d.follow(over)
	switch {
	case wanted && entered:
		p.tell(outcome{dialog: d})
	case !p.agent.goCall(func() { p.decline(d) }):
		d.end(mvLost, Lost{Err: wire.ErrClosed})
		p.tell(outcome{err: wire.ErrClosed})
	}
}

// abandon gives the call up. False when it has been answered meanwhile.
func (p *placing) abandon(tx *wire.ClientTx, cause error) bool {
	p.mu.Lock()
	if len(p.dialogs) > 0 {
		p.mu.Unlock()
		return false
	}
	p.abandoned = true
	if reason := (header.Reason{}); errors.As(cause, &reason) {
		p.why = []sip.Header{sip.NewHeader("Reason", reason.String())}
	}
	now := p.heard
	if !now {
		// CANCEL must wait for a provisional response (RFC 3261 section 9.1).
		p.tx = tx
	}
	p.mu.Unlock()
	p.forgetEarly()
	if now {
		p.cancel(tx)
	}
	return true
}

func (p *placing) cancel(tx *wire.ClientTx) {
	if err := tx.Cancel(p.why...); err != nil {
		p.agent.log.Info("sip CANCEL", "call_id", string(*p.req.CallID()), "error", err)
	}
}

// answer is our answer to the far end's offer; it is asked for once.
func (p *placing) answer(offer []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered != nil {
		return p.answered, nil
	}
	answer, err := p.out.Answer(offer)
	if err != nil {
		return nil, fmt.Errorf("answer the far end's offer: %w", err)
	}
	p.answered = answer
	return answer, nil
}

// settled acknowledges the answer, if that is what came.
func (p *placing) settled(ctx context.Context, o outcome) (*Dialog, error) {
	if o.err != nil {
		return nil, o.err
	}
	d := o.dialog
	ack, err := p.inAck(d)
	if err == nil {
		err = d.acknowledge(ctx, p.req.CSeq().SeqNo, ack)
	}
	if err != nil {
		p.agent.goCall(func() { p.decline(d) })
		return nil, fmt.Errorf("acknowledge: %w", err)
	}
	p.mu.Lock()
	local := p.out.Offer
	if p.answered != nil {
		local = p.answered
	}
	p.mu.Unlock()
	if res, ok := d.opening.(response); ok {
		d.agreed(res.Response, local)
	}
	return d, nil
}

// inAck is what goes into the ACK: our answer, when the offer came with the 2xx.
// It repeats how the INVITE proved who we are (RFC 3261 section 22.1).
func (p *placing) inAck(d *Dialog) (Content, error) {
	p.mu.Lock()
	early := p.answered != nil
	p.mu.Unlock()
	if len(p.out.Offer) > 0 || early {
		return Content{Headers: p.headers}, nil
	}
	offer := d.RemoteSDP()
	if offer == nil {
		return Content{}, errors.New("the far end made no offer")
	}
	answer, err := p.answer(offer)
	return Content{Body: answer, Headers: p.headers}, err
}

// acknowledge sends the ACK to a 2xx; it is a request of its own (13.2.2.4).
func (d *Dialog) acknowledge(ctx context.Context, seq uint32, c Content) error {
	req, link, err := d.prepareAck(ctx, seq)
	if err != nil {
		return err
	}
	c.put(req)
	d.agent.wire.Stamp(req, link)
	d.mu.Lock()
	d.ack = req
	d.mu.Unlock()
	return link.Send(req)
}

// acknowledgeAgain repeats the ACK for a 2xx that came again.
func (d *Dialog) acknowledgeAgain() {
	d.mu.Lock()
	ack, link := d.ack, d.far.link
	d.mu.Unlock()
	if ack == nil {
		return
	}
	if err := link.Send(ack); err != nil {
		d.log().Info("sip ACK not resent", "error", err)
	}
}

// decline ends a call that was answered too late: ACK, then BYE.
func (p *placing) decline(d *Dialog) {
	ctx, cancel := context.WithTimeout(d.agent.ctx, 64*d.agent.cfg.T1)
	defer cancel()
	if err := d.acknowledge(ctx, p.req.CSeq().SeqNo, Content{Headers: p.headers}); err != nil {
		d.log().Info("sip ACK", "error", err)
	}
	if err := d.Bye(ctx, nil); err != nil {
		d.log().Info("sip BYE", "error", err)
	}
}
