package wire

import (
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// ServerTx is a request that came in, to be answered.
type ServerTx struct {
	*transaction
	// Request has been validated: Via, From, To, Call-ID and CSeq are there.
	Request *sip.Request
	// From is where it came from; answers go where RFC 3261 section 18.2.2 and
	// RFC 3581 say, which over UDP need not be the same port.
	From Link
	// Cancels is the INVITE that a CANCEL is about, nil when there is none without a
	// final response. Late says that it has one.
	Cancels *ServerTx
	Late    bool
}

func newServerTx(l *Layer, req *sip.Request, from Link, key string) *ServerTx {
	k := otherServer
	if req.Method == sip.INVITE {
		k = inviteServer
	}
	// What outlives the answer keeps no hold of the request.
	kept, n := string(req.Method)+callID(req), len(req.Method)
	lost := func(err error) {
		l.log.Info("sip response not delivered", "method", kept[:n], "call_id", kept[n:], "error", err)
	}
	tx := &ServerTx{Request: req, From: from}
	tx.transaction = &transaction{layer: l, kind: k, key: key, link: replyLink(req, from), state: birth(k), lost: lost, open: tx}
	return tx
}

// Trying sends 100 Trying to an INVITE if no other response goes within T1/5, at
// once when the INVITE comes again: whoever answers in less than 200 ms may leave
// it out (RFC 3261 section 17.2.1).
func (t *ServerTx) Trying() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == proceeding && t.last == nil {
		t.layer.trying.Add(t.transaction)
	}
}

// Respond sends a response: any number of provisional ones, one final one, and
// after a 2xx to INVITE that same 2xx again until its ACK comes (RFC 6026).
func (t *ServerTx) Respond(res *sip.Response) error {
	_, ok, err := t.drive(classify(res.StatusCode), encode(res))
	if err != nil {
		return fmt.Errorf("send %d: %w", res.StatusCode, err)
	}
	if !ok {
		return ErrAnswered
	}
	return nil
}

// Release ends the transaction of an INVITE whose 2xx was acknowledged. Over a
// reliable transport nothing can come again that would need it.
func (t *ServerTx) Release() {
	if t.link.Reliable() {
		t.end()
	}
}

// receive takes a request that matches the transaction. True says that it is an
// ACK to a 2xx, which is the user's.
func (t *transaction) receive(req *sip.Request) bool {
	in := inRequest
	if req.Method == sip.ACK {
		in = inAck
	}
	do, _, _ := t.drive(in, nil)
	return do&fxPass != 0
}

// unanswered is the request as long as it has no final response.
func (t *transaction) unanswered() *ServerTx {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}
