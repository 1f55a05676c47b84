package wire

import (
	"context"
	"errors"
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// Receiver takes what becomes of a request. Its methods are called in the
// order in which things happened, from a goroutine that reads a socket or from
// a timer, and must not block.
type Receiver interface {
	// Response takes a provisional or final response. Every 2xx to an INVITE
	// comes, the retransmitted ones and those of other branches too. The link is the
	// way the request went, which need not be the one asked for: what a closed
	// connection had lost went again over another.
	Response(*sip.Response, Link)
	// Failed says that no response will come: ErrTimeout, ErrClosed or what
	// the transport said.
	Failed(error)
}

// ClientTx is a request that was sent, waiting for its answer.
type ClientTx struct {
	transaction
	request *sip.Request
	ack     []byte // to the failure, once it came
	left    Link   // over which the request went first, if it went once more over another
}

// Request stamps a request and sends it over a link in a transaction of its own.
func (l *Layer) Request(req *sip.Request, link Link, r Receiver) (*ClientTx, error) {
	l.Stamp(req, link)
	k := otherClient
	if req.Method == sip.INVITE {
		k = inviteClient
	}
	tx := &ClientTx{request: req}
	tx.transaction = transaction{layer: l, kind: k, key: l.keys.client(req), link: link, state: birth(k), receiver: r}
	if err := l.enterClient(tx); err != nil {
		return nil, err
	}
	if err := tx.start(encode(req)); err != nil {
		return nil, fmt.Errorf("send %s: %w", req.Method, err)
	}
	return tx, nil
}

func (t *ClientTx) start(raw []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = raw
	t.watchLocked()
	t.armLocked(fxRetry | fxGiveUp)
	if err := t.link.write(raw); err != nil && !t.resendLocked(err) {
		t.state = terminated
		t.finishLocked()
		return err
	}
	return nil
}

func (t *ClientTx) watchLocked() {
	link := t.link
	t.unwatch = link.Watch(func(err error) { t.gone(link, err) })
}

// gone is what a connection calls when it is closed.
func (t *ClientTx) gone(link Link, err error) {
	t.mu.Lock()
	settled := t.left.SameCarrier(link) || t.resendLocked(err)
	t.mu.Unlock()
	if !settled {
		t.fail(err)
	}
}

// resendLocked has a request that no response has come to go once more, over a new
// connection: the old one may have been closed by a peer that never saw it. A peer
// that did knows it by its branch for the same. Only connections that we made can
// be made again.
func (t *ClientTx) resendLocked(why error) bool {
	old, ok := t.link.carrier.(*stream)
	if !ok || !old.dialled || t.left.Valid() || t.state != trying {
		return false
	}
	t.left = t.link
	t.unwatch()
	t.unwatch = nil
	return t.layer.beside(func(ctx context.Context) {
		link, err := t.layer.Connect(ctx, old.to)
		if err == nil {
			err = t.move(link)
		}
		if err != nil {
			t.fail(errors.Join(why, err))
			return
		}
		t.layer.log.Info("sip request sent again over a new connection", "method", t.request.Method,
			"call_id", callID(t.request), "peer", old.to.Addr, "error", why)
	})
}

// move sends the request over another link, if it still waits.
func (t *ClientTx) move(link Link) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != trying {
		return nil
	}
	t.link = link
	t.watchLocked()
	return link.write(t.last)
}

// Link is the way the request went.
func (t *ClientTx) Link() Link {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.link
}

// Cancel asks the far end to give up on an INVITE that has a provisional
// response and no final one (RFC 3261 section 9.1). If nothing comes of it the
// INVITE fails after 64*T1. Headers go along, such as a Reason.
func (t *ClientTx) Cancel(headers ...sip.Header) error {
	t.mu.Lock()
	if t.state != proceeding {
		t.mu.Unlock()
		return nil
	}
	t.armLocked(fxGiveUp)
	link := t.link
	t.mu.Unlock()
	req := hopRequest(sip.CANCEL, t.request, nil)
	for _, h := range headers {
		req.AppendHeader(h)
	}
	_, err := t.layer.Request(req, link, deaf{})
	return err
}

// deaf does not care what becomes of its request.
type deaf struct{}

func (deaf) Response(*sip.Response, Link) {}
func (deaf) Failed(error)                 {}

func (t *ClientTx) receive(res *sip.Response) {
	do, _, _ := t.drive(classify(res.StatusCode), nil)
	if do&fxAck != 0 {
		t.acknowledge(res)
	}
	if do&fxPass != 0 {
		t.receiver.Response(res, t.Link())
	}
}

// acknowledge answers a failure of an INVITE, and each time it comes again
// (RFC 3261 section 17.1.1.3).
func (t *ClientTx) acknowledge(res *sip.Response) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ack == nil {
		t.ack = encode(hopRequest(sip.ACK, t.request, res.To()))
	}
	if err := t.link.write(t.ack); err != nil {
		t.layer.log.Info("sip ACK not sent", "call_id", callID(t.request), "error", err)
	}
}

// hopRequest makes the ACK to a failure or the CANCEL of an INVITE: both go
// where it went, and carry its topmost Via.
func hopRequest(method sip.RequestMethod, invite *sip.Request, to *sip.ToHeader) *sip.Request {
	req := sip.NewRequest(method, invite.Recipient)
	req.AppendHeader(sip.HeaderClone(invite.Via()))
	sip.CopyHeaders("Route", invite, req)
	maxForwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	req.AppendHeader(sip.HeaderClone(invite.From()))
	if to == nil {
		to = invite.To()
	}
	req.AppendHeader(sip.HeaderClone(to))
	req.AppendHeader(sip.HeaderClone(invite.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: method})
	req.SetBody(nil)
	return req
}

func callID(req *sip.Request) string {
	if id := req.CallID(); id != nil {
		return string(*id)
	}
	return ""
}
