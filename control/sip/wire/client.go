package wire

import (
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// Receiver takes what becomes of a request. Its methods are called in the
// order in which things happened, from a goroutine that reads a socket or from
// a timer, and must not block.
type Receiver interface {
	// Response takes a provisional or final response. Every 2xx to an INVITE
	// comes, the retransmitted ones and those of other branches too.
	Response(*sip.Response)
	// Failed says that no response will come: ErrTimeout, ErrClosed or what
	// the transport said.
	Failed(error)
}

// ClientTx is a request that was sent, waiting for its answer.
type ClientTx struct {
	transaction
	request  *sip.Request
	receiver Receiver
	ack      []byte // to the failure, once it came
}

// Request stamps a request and sends it over a link in a transaction of its own.
func (l *Layer) Request(req *sip.Request, link Link, r Receiver) (*ClientTx, error) {
	l.Stamp(req, link)
	k := otherClient
	if req.Method == sip.INVITE {
		k = inviteClient
	}
	tx := &ClientTx{request: req, receiver: r}
	tx.transaction = transaction{layer: l, kind: k, key: clientKey(req), link: link, state: birth(k), lost: r.Failed}
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
	t.unwatch = t.link.Watch(t.fail)
	t.armLocked(fxRetry | fxGiveUp)
	if err := t.link.write(raw); err != nil {
		t.state = terminated
		t.finishLocked()
		return err
	}
	return nil
}

// Link is the way the request went.
func (t *ClientTx) Link() Link { return t.link }

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
	t.mu.Unlock()
	req := hopRequest(sip.CANCEL, t.request, nil)
	for _, h := range headers {
		req.AppendHeader(h)
	}
	_, err := t.layer.Request(req, t.link, deaf{})
	return err
}

// deaf does not care what becomes of its request.
type deaf struct{}

func (deaf) Response(*sip.Response) {}
func (deaf) Failed(error)           {}

func (t *ClientTx) receive(res *sip.Response) {
	do, _, _ := t.drive(classify(res.StatusCode), nil)
	if do&fxAck != 0 {
		t.acknowledge(res)
	}
	if do&fxPass != 0 {
		t.receiver.Response(res)
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
