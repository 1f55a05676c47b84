package sip

import (
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/header"
	"mcp/control/sip/wire"
)

// Dialog is one INVITE dialog, begun by either side. Its methods may be called
// from any goroutine.
type Dialog struct {
	agent    *Agent
	id       dialogID
	seq      uint32         // of its INVITE
	opening  message        // with which the far end opened the dialog: its INVITE or its 2xx
	tx       *wire.ServerTx // of the INVITE that came; nil when we placed it
	replaces *Dialog        // which its INVITE asked to replace; nil: none
	named

	mu sync.Mutex
	audience
	phase  phase
	ending move          // the one that led to over
	done   chan struct{} // closed when it is over; nil: nobody has asked to be told
	far    farEnd
	sdp    []byte
	pending
}

// message is a request that came, or a response.
type message interface {
	Values(name string) []string
	First(name string) string
	Fields() header.Fields
	Body() []byte
}

// response is a response as a message.
type response struct{ *sip.Response }

func (r response) Values(name string) []string { return header.Values(r.Headers(), name) }
func (r response) First(name string) string    { return header.First(r.Headers(), name) }
func (r response) Fields() header.Fields       { return fieldsOf(r.Headers()) }

// pending is what a dialog still waits for.
type pending struct {
	unacked   *acceptance      // our 2xx without its ACK
	unpracked *reliable        // our provisional response without its PRACK
	lastRSeq  uint32           // of the last reliable provisional response, whoever sends them
	open      []*wire.ServerTx // requests without the user's answer
	ack       *sip.Request     // what acknowledged the 2xx to our INVITE, should that come again
	changing  bool             // a re-INVITE or UPDATE of ours has no final response
	referred  []*Subscription  // to what becomes of REFERs of ours
	session   session
}

// farEnd is what a dialog knows of the other side (RFC 3261 section 12.1).
type farEnd struct {
	local     string // From of our requests
	remote    string // and To
	target    *sip.Uri
	feature   sip.HeaderParams // of our Contact, as our INVITE told it
	routes    []sip.Uri
	link      wire.Link
	unwatch   func()
	localSeq  uint32
	remoteSeq uint32
}

// newIncoming makes the dialog of an INVITE that came, whose caller can be reached at a
// contact.
func (a *Agent) newIncoming(tx *wire.ServerTx, contact *sip.Uri) *Dialog {
	req := tx.Request
	d := &Dialog{
		agent:   a,
		id:      dialogID{req.CallID, sip.GenerateTagN(16), req.From.Tag},
		seq:     req.CSeq,
		opening: req,
		tx:      tx,
		named:   named{local: req.To.URI, remote: req.From.URI, asked: req.URI},
		sdp:     sdpOf(req),
	}
	d.far = farEnd{
		local:     req.To.Text + ";tag=" + d.id.local,
		remote:    req.From.Text,
		target:    contact,
		routes:    req.Routes(),
		link:      tx.From,
		remoteSeq: req.CSeq,
		localSeq:  1,
	}
	return d
}

// newOutgoing makes the early dialog that a response to our INVITE begins.
func (a *Agent) newOutgoing(req *sip.Request, res *sip.Response, link wire.Link) *Dialog {
	d := &Dialog{
		agent:   a,
		id:      dialogID{string(*req.CallID()), tagOf(req.From().Params), tagOf(res.To().Params)},
		seq:     req.CSeq().SeqNo,
		opening: response{res},
		named:   named{local: req.From().Address.String(), remote: res.To().Address.String(), asked: req.Recipient.String()},
		phase:   early,
		sdp:     sdpOf(response{res}),
	}
	d.far = farEnd{
		local:    req.From().Value(),
		remote:   res.To().Value(),
		target:   req.Recipient.Clone(),
		link:     link,
		localSeq: req.CSeq().SeqNo,
	}
	if contact := req.Contact(); contact != nil {
		d.far.feature = contact.Params
	}
	d.far.learn(res)
	return d
}

// learn takes route set and target from a response to our INVITE. The caller's
// route set is the recorded one in reverse (section 12.1.2).
func (f *farEnd) learn(res *sip.Response) {
	if contact := res.Contact(); contact != nil && contact.Address.Host != "" {
		f.target = contact.Address.Clone()
	}
	f.routes = recordedRoutes(res)
	slices.Reverse(f.routes)
}

// confirm makes an early dialog of ours a call; false when it is over. The 2xx
// counts for the route set, whatever a provisional response said (13.2.2.4).
func (d *Dialog) confirm(res *sip.Response) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.phase.after(mvConfirm)
	if !ok {
		return false
	}
	d.phase, d.opening = p, response{res}
	d.far.learn(res)
	if sdp := sdpOf(response{res}); sdp != nil {
		d.sdp = sdp
	}
	return true
}

func recordedRoutes(res *sip.Response) []sip.Uri {
	var routes []sip.Uri
	for _, h := range res.Headers() {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			routes = append(routes, *rr.Address.Clone())
		}
	}
	return routes
}

func (d *Dialog) offerID() offerID {
	return offerID{d.id.call, d.id.remote, d.seq}
}

// log names the call in every line; most calls have none.
func (d *Dialog) log() *slog.Logger { return d.agent.log.With("call_id", d.id.call) }

// CallID is the dialog's Call-ID.
func (d *Dialog) CallID() string { return d.id.call }

// LocalTag is our tag in From or To.
func (d *Dialog) LocalTag() string { return d.id.local }

// RemoteTag is the far end's tag in From or To.
func (d *Dialog) RemoteTag() string { return d.id.remote }

// named are a dialog's addresses in writing, which many ask for.
type named struct {
	local, remote string
	asked         string // for by the INVITE
	once          sync.Once
	request       URI // asked, once anybody wants it taken apart
}

// LocalURI is our side's address: To of a call that came, From of one we placed.
func (d *Dialog) LocalURI() string { return d.local }

// RemoteURI is the far end's address.
func (d *Dialog) RemoteURI() string { return d.remote }

// RequestURI is whom the INVITE asked for. Its parameters must not be changed.
func (d *Dialog) RequestURI() URI {
	d.once.Do(func() {
		var u sip.Uri
		if sip.ParseUri(d.asked, &u) == nil { // as when the request was read
			d.request = newURI(u)
		}
	})
	return d.request
}

// Header returns one header's values from the message with which the far end
// opened the dialog: its INVITE, or its 2xx. The name's case does not matter,
// nor whether the message abbreviated it.
func (d *Dialog) Header(name string) []string { return d.opening.Values(name) }

// Headers are all headers of the message with which the far end opened the dialog.
func (d *Dialog) Headers() header.Fields { return d.opening.Fields() }

// Parts are the bodies of the message with which the far end opened the dialog,
// the session description among them.
func (d *Dialog) Parts() []header.Part { return partsOf(d.opening) }

// Replaces is the call that the caller wants this one to take the place of (RFC
// 3891); nil: none. Whoever answers this one is to end that one.
func (d *Dialog) Replaces() *Dialog { return d.replaces }

// RemoteSDP is the far end's latest offer or answer; nil while a delayed offer
// is not answered.
func (d *Dialog) RemoteSDP() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sdp
}

// RemoteHost is the network address signalling comes from.
func (d *Dialog) RemoteHost() netip.Addr { return d.link().Remote().Addr() }

// LocalHost is our address as the peer sees it, which is the one for media.
func (d *Dialog) LocalHost() netip.Addr { return d.link().Host() }

// Confidential tells whether the far end's messages are encrypted on their last hop
// to us.
func (d *Dialog) Confidential() bool { return d.link().Network() == "tls" }

func (d *Dialog) link() wire.Link {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.far.link
}

// follow makes a link the one the far end is known to speak over, and watches
// its connection.
func (d *Dialog) follow(link wire.Link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase == over || d.far.unwatch != nil && d.far.link.SameCarrier(link) {
		return
	}
	if d.far.unwatch != nil {
		d.far.unwatch()
	}
	d.far.link = link
	d.far.unwatch = link.Watch(func(err error) { d.disconnected(link, err) })
}

// offer hands the user an event that waits for an answer in tx. False when it
// has too many already.
func (d *Dialog) offer(tx *wire.ServerTx, ev Event) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase == over || len(d.open) >= mostOpen || !d.tellLocked(ev) {
		return false
	}
	d.open = append(d.open, tx)
	return true
}

// settle takes a request off those that wait; false when it waits no more.
func (d *Dialog) settle(tx *wire.ServerTx) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, waiting := range d.open {
		if waiting == tx {
			d.open = append(d.open[:i], d.open[i+1:]...)
			return true
		}
	}
	return false
}

// ended is closed when the dialog is over.
func (d *Dialog) ended() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
		if d.phase == over {
			close(d.done)
		}
	}
	return d.done
}

// isOver tells whether it is.
func (d *Dialog) isOver() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.phase == over
}

// end moves the dialog to its end and out of the agent's tables. False when it
// was not possible: the dialog was over already, or the move came too late.
func (d *Dialog) end(m move, last Event) bool {
	if !d.finish(m, last) {
		return false
	}
	d.agent.leave(d)
	return true
}

// finish is end, except that requests of the far end still find the dialog.
func (d *Dialog) finish(m move, last Event) bool {
	d.mu.Lock()
	was := d.phase
	p, ok := was.after(m)
	if !ok {
		d.mu.Unlock()
		return false
	}
	d.concludeLocked(last)
	d.phase, d.ending = p, m
	if d.done != nil {
		close(d.done)
	}
	open := d.open
	d.open = nil
	if d.unacked != nil {
		d.unacked.settle(ErrEnded)
		d.unacked = nil
	}
	if d.unpracked != nil {
		d.unpracked.settle(ErrEnded)
		d.unpracked = nil
	}
	d.session.stop()
	for _, s := range d.referred {
		close(s.notes)
	}
	d.referred = nil
	if d.far.unwatch != nil {
		d.far.unwatch()
	}
	d.mu.Unlock()
	if was == offered && m != mvReject {
		open = append(open, d.tx)
	}
	for _, tx := range open {
		// A response that cannot be delivered has been logged where it failed,
		// and the dialog is over either way.
		_ = d.respond(tx, 487, reasonFor(487))
	}
	return true
}
