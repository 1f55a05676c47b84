package wire

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/header"
)

// Request is a request that came. Its texts are parts of one, as they were written; only
// what an answer takes has been read of them.
type Request struct {
	Method   sip.RequestMethod
	URI      string // whom it asks for
	From, To Party
	CallID   string
	CSeq     uint32

	fields []Field
	body   []byte
	hop    hop
	source netip.AddrPort // where it came from
}

// Field is one header. Those that SIP itself needs have their full names, as RFC 3261
// spells them.
type Field struct{ name, value string }

// Name is the name of the header, perhaps abbreviated.
func (f Field) Name() string { return f.name }

// Value is what follows the name, without white space around it.
func (f Field) Value() string { return f.value }

// Party is a From or a To.
type Party struct {
	Text string // as written
	URI  string // without brackets
	Tag  string // empty: none
}

// Fields are all headers of the request.
func (r *Request) Fields() header.Fields {
	fields := make(header.Fields, len(r.fields))
	for i := range r.fields {
		fields[i] = &r.fields[i]
	}
	return fields
}

// Values are those of one header, as header.Values has them.
func (r *Request) Values(name string) []string { return header.Values(r.fields, name) }

// First is the first of the Values; "": there is none.
func (r *Request) First(name string) string { return header.First(r.fields, name) }

// Body is the body of the request; nil: it has none.
func (r *Request) Body() []byte { return r.body }

// Contact is where the sender can be reached; nil: it does not say, or not so that
// anybody could.
func (r *Request) Contact() *sip.Uri {
	for _, one := range header.Split(r.First("contact"), ',') {
		text, _ := cutAddress(one)
		if u := new(sip.Uri); sip.ParseUri(text, u) == nil && u.Host != "" && !u.Wildcard {
			return u
		}
		break
	}
	return nil
}

// Routes are what the Record-Route headers have, in their order.
func (r *Request) Routes() []sip.Uri {
	var routes []sip.Uri
	for _, value := range r.Values("record-route") {
		for _, one := range header.Split(value, ',') {
			text, _ := cutAddress(one)
			var u sip.Uri
			if sip.ParseUri(text, &u) == nil { // as it was when the request was read
				routes = append(routes, u)
			}
		}
	}
	return routes
}

// Ancient tells whether the sender is of RFC 2543, which knew no magic cookie.
func (r *Request) Ancient() bool {
	return !strings.HasPrefix(r.hop.branch, sip.RFC3261BranchMagicCookie)
}

// hop is the topmost Via: the last that the request was sent by.
type hop struct {
	sentBy string // as written, the protocol before it
	params string // from the first semicolon on
	host   string // without brackets
	port   int
	branch string
	rport  bool // the answer is wanted where the request came from (RFC 3581)
}

// append writes the Via with where the request really came from (RFC 3261 section
// 18.2.1, RFC 3581 section 4).
func (h *hop) append(b []byte, source netip.AddrPort) []byte {
	said, err := netip.ParseAddr(h.host)
	stamped := h.rport || err != nil || said != source.Addr()
	b = append(b, h.sentBy...)
	for rest := h.params; rest != ""; {
		var param string
		param, rest = cutParam(rest)
		switch name, _ := cutValue(param); {
		case stamped && strings.EqualFold(name, "received"), name == "":
		case strings.EqualFold(name, "rport"):
			b = strconv.AppendUint(append(b, ";rport="...), uint64(source.Port()), 10)
		default:
			b = append(append(b, ';'), param...)
		}
	}
	if stamped {
		b = source.Addr().AppendTo(append(b, ";received="...))
	}
	return b
}

// ServerTx is a request that came in, to be answered.
type ServerTx struct {
	*transaction
	// Request has been validated: Via, From, To, Call-ID and CSeq are there.
	Request *Request
	// From is where it came from; answers go where RFC 3261 section 18.2.2 and
	// RFC 3581 say, which over UDP need not be the same port.
	From Link
	// Cancels is the INVITE that a CANCEL is about, nil when there is none without a
	// final response. Late says that it has one.
	Cancels *ServerTx
	Late    bool
}

func newServerTx(l *Layer, req *Request, from Link, key txKey) *ServerTx {
	k := otherServer
	if req.Method == sip.INVITE {
		k = inviteServer
	}
	tx := &ServerTx{Request: req, From: from}
	tx.transaction = &transaction{layer: l, kind: k, key: key, link: replyLink(req, from), name: nameOf(req), state: birth(k), open: tx}
	return tx
}

func nameOf(req *Request) name { return name{string(req.Method), req.CallID} }

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
func (t *ServerTx) Respond(res *Response) error {
	t.mu.Lock()
	_, ok, err := t.driveLocked(classify(res.status), res.write())
	t.mu.Unlock()
	if err != nil {
		return fmt.Errorf("send %d: %w", res.status, err)
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
func (t *transaction) receive(req *Request) bool {
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

// answers are the final responses that are given once more when their requests come
// again. They are kept together in large pieces of memory, of which the collector has
// little to look after: at a thousand calls a second there are tens of thousands.
type answers struct {
	room  []byte // what the latest piece has left
	given map[txKey][]byte
}

// roomOf is how large a piece is.
const roomOf = 32 << 10

// keep adds a response; an empty one only says that there was one.
func (a *answers) keep(key txKey, response []byte) {
	if cap(a.room)-len(a.room) < len(response) {
		a.room = make([]byte, 0, max(roomOf, len(response)))
	}
	begin := len(a.room)
	a.room = append(a.room, response...)
	a.given[key] = a.room[begin:len(a.room):len(a.room)]
}

// retire leaves of a transaction over UDP what RFC 3261 section 17.2 still needs of it
// for 64*T1: that there was one, and its response if that is to be repeated, which a
// 2xx to INVITE is not (RFC 6026 section 7.1).
func (l *Layer) retire(t *transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.servers[t.key] != t {
		return
	}
	delete(l.servers, t.key)
	if t.state == accepted {
		l.keep(t.key, nil)
	} else {
		l.keep(t.key, t.last)
	}
	l.retired.Add(t.key)
}

// expire forgets what retire has left.
func (l *Layer) expire(key txKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.given, key)
}

// repeat answers a request that came again as it was answered before.
func (l *Layer) repeat(response []byte, req *Request, from Link) {
	if len(response) == 0 {
		return
	}
	if err := replyLink(req, from).write(response); err != nil {
		l.undelivered(nameOf(req), err)
	}
}

func (l *Layer) undelivered(request name, err error) {
	l.log.Info("sip response not delivered", "method", request.method, "call_id", request.callID, "error", err)
}
