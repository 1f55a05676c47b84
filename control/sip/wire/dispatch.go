package wire

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// datagram takes one whole message as it came.
func (l *Layer) datagram(data []byte, from Link) {
	if blank(data) {
		return
	}
	m, err := parse(l.library, data)
	switch {
	case err != nil:
		if l.garbage.Add(1) == 1 { // who sends garbage sends much: watch counts the rest
			l.log.Warn("sip message dropped", "from", from.remote, "bytes", len(data), "error", err)
		}
	case m.request != nil:
		l.request(m.request, m.bad, from)
	default:
		l.response(m.res)
	}
}

// blank is a keep-alive: nothing but line ends or zeros.
func blank(data []byte) bool {
	for _, c := range data {
		if c != '\r' && c != '\n' && c != 0 {
			return false
		}
	}
	return true
}

// unframed answers what a stream became unreadable with, as far as it can be
// answered, before the connection is closed.
func (l *Layer) unframed(data []byte, from Link, why error) {
	l.log.Warn("sip stream cannot be read on", "from", from.remote, "error", why)
	m, err := parse(l.library, data)
	if err != nil || m.request == nil {
		return
	}
	bad := &fault{400, "Bad Content-Length"}
	if why == errTooLarge {
		bad = &fault{513, "Message Too Large"}
	}
	l.request(m.request, bad, from)
}

func (l *Layer) request(req *Request, bad *fault, from Link) {
	req.source = from.remote
	switch {
	case req.hop.host == "":
		l.log.Warn("sip request without Via dropped", "from", from.remote, "call_id", req.CallID)
	case bad != nil && req.Method == sip.ACK:
		l.log.Warn("sip ACK dropped", "from", from.remote, "call_id", req.CallID, "error", bad.reason)
	case bad != nil:
		l.refuse(req, bad, from)
	case req.Method == sip.ACK:
		l.ack(req, from)
	default:
		l.serve(req, from)
	}
}

// refuse answers without a transaction: the same request gets the same answer
// however often it comes.
func (l *Layer) refuse(req *Request, bad *fault, from Link) {
	l.log.Warn("sip request refused", "from", from.remote, "method", req.Method, "call_id", req.CallID,
		"status", bad.status, "reason", bad.reason)
	link := replyLink(req, from)
	if err := link.write(Reply(req, bad.status, bad.reason, "").write()); err != nil {
		l.log.Info("sip response not delivered", "to", link.remote, "error", err)
	}
}

// ack belongs to the transaction of a refused INVITE if its branch says so, and
// to the dialog otherwise.
func (l *Layer) ack(req *Request, from Link) {
	key := l.keys.server(req, sip.INVITE)
	l.mu.Lock()
	tx := l.servers[key]
	l.mu.Unlock()
	if tx == nil || tx.receive(req) {
		l.core.Ack(req, from)
	}
}

func (l *Layer) serve(req *Request, from Link) {
	key := l.keys.server(req, req.Method)
	l.mu.Lock()
	old, closed := l.servers[key], l.closed
	response, answered := l.given[key]
	l.mu.Unlock()
	switch {
	case old != nil:
		old.receive(req)
		return
	case answered:
		l.repeat(response, req, from)
		return
	case closed:
		return
	}
	if req.Method == sip.INVITE && l.turnAway(req, from, key) {
		return
	}
	tx := newServerTx(l, req, from, key)
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.servers[key] = tx.transaction
	l.mu.Unlock()
	if req.Method == sip.CANCEL {
		l.matchCancel(tx)
	}
	l.core.Request(tx)
}

// matchCancel finds what a CANCEL is about (RFC 3261 section 9.2).
func (l *Layer) matchCancel(tx *ServerTx) {
	key := l.keys.server(tx.Request, sip.INVITE)
	l.mu.Lock()
	invite := l.servers[key]
	_, answered := l.given[key]
	l.mu.Unlock()
	if invite != nil {
		tx.Cancels = invite.unanswered()
	}
	tx.Late = tx.Cancels == nil && (invite != nil || answered)
}

func (l *Layer) response(res *sip.Response) {
	if res.CallID() == nil || res.To() == nil || res.From() == nil {
		l.log.Warn("sip response dropped", "status", res.StatusCode, "error", "a mandatory header is missing")
		return
	}
	tidyParams(res.To().Params)
	tidyParams(res.From().Params)
	key := l.keys.client(res)
	l.mu.Lock()
	tx := l.clients[key]
	l.mu.Unlock()
	if tx == nil {
		l.core.Stray(res)
		return
	}
	tx.receive(res)
}

func (l *Layer) enterClient(tx *ClientTx) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.clients[tx.key] != nil {
		return errors.New("the branch is in use")
	}
	l.clients[tx.key] = tx
	return nil
}

// forget takes a terminated transaction out of the tables.
func (l *Layer) forget(t *transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.kind.server() {
		delete(l.servers, t.key)
	} else {
		delete(l.clients, t.key)
	}
}

// txKey stands for what the messages of a transaction have in common and no other's:
// a hash of it, for that many are kept. Two of a million that are the same are less
// likely than one in ten million.
type txKey uint64

// keys makes keys, which nobody outside can foretell.
type keys struct{ seed maphash.Seed }

// server is for what a request, its retransmissions, its ACK and its CANCEL have in
// common (RFC 3261 section 17.2.3); method stands for that of the request.
func (k keys) server(req *Request, method sip.RequestMethod) txKey {
	var room [192]byte
	key := append(append(room[:0], req.hop.branch...), '|')
	key = append(append(key, strings.ToLower(req.hop.host)...), '|')
	key = append(strconv.AppendInt(key, int64(req.hop.port), 10), '|')
	key = append(key, method...)
	if req.Ancient() || len(req.hop.branch) == len(sip.RFC3261BranchMagicCookie) {
		key = fmt.Appendf(key, "|%s|%s|%d", req.From.Tag, req.CallID, req.CSeq)
	}
	return txKey(maphash.Bytes(k.seed, key))
}

// client is for what a response and its request have in common (RFC 3261 section
// 17.1.3); 0 for a response without it.
func (k keys) client(msg sip.Message) txKey {
	via, cseq := msg.Via(), msg.CSeq()
	if via == nil || cseq == nil {
		return 0
	}
	var room [128]byte
	branch, _ := via.Params.Get("branch")
	key := append(append(room[:0], branch...), '|')
	return txKey(maphash.Bytes(k.seed, append(key, cseq.MethodName...)))
}
