package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/wire"
)

// Bye ends the call from our side and returns when the far end has answered.
// It is idempotent. A call that is not answered yet is rejected with 480; one
// whose answer is not acknowledged yet waits for the ACK first, as RFC 3261
// section 15 asks. The dialog is over whatever the far end makes of the BYE.
func (d *Dialog) Bye(ctx context.Context, headers map[string]string) error {
	return d.ByeWith(ctx, Content{Headers: headers})
}

// ByeWith is Bye with a body, such as what a dialogue returns (RFC 5552 section 4.2).
func (d *Dialog) ByeWith(ctx context.Context, c Content) error {
	d.mu.Lock()
	p, waiting := d.phase, d.unacked
	d.mu.Unlock()
	if p == offered {
		if err := d.Reject(ctx, 480, "", c.Headers); err == nil {
			return nil
		}
	}
	if waiting != nil {
		select {
		case <-waiting.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !d.finish(mvBye, nil) {
		return nil
	}
	return d.goodbye(ctx, c)
}

// goodbye sends the BYE of a dialog that is over for us.
func (d *Dialog) goodbye(ctx context.Context, c Content) error {
	defer d.agent.leave(d)
	if _, _, err := d.send(ctx, sip.BYE, c); err != nil {
		return fmt.Errorf("bye: %w", err)
	}
	return nil
}

// Content is what a message carries besides what the agent writes itself.
type Content struct {
	// Type is the media type of Body; empty: application/sdp.
	Type string
	Body []byte
	// Headers are added; those that are the agent's own are left out.
	Headers map[string]string
}

// draft is a message that is being written.
type draft interface {
	headed
	SetBody([]byte)
}

// put makes a content part of a message.
func (c Content) put(msg draft) {
	addHeaders(msg, c.Headers)
	if len(c.Body) == 0 {
		msg.SetBody(nil)
		return
	}
	kind := sip.ContentTypeHeader(c.Type)
	if kind == "" {
		kind = "application/sdp"
	}
	msg.AppendHeader(&kind)
	msg.SetBody(c.Body)
}

// sdpIn is a content's session description, if it is nothing else.
func sdpIn(c Content) []byte {
	if c.Type != "" && !isSDP(c.Type) {
		return nil
	}
	return c.Body
}

// Info sends an INFO within the dialog (RFC 6086) and returns when it is
// answered: with a RejectedError when the answer is 300 or above, and with ErrEnded
// when the dialog is over before there is an answer.
func (d *Dialog) Info(ctx context.Context, c Content) error {
	res, err := d.ask(ctx, sip.INFO, c)
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		return rejectedBy(res)
	}
	return nil
}

// ask sends a request and heeds an answer that says the dialog is gone (RFC
// 3261 section 12.2.1.2, RFC 5057 section 5.1).
func (d *Dialog) ask(ctx context.Context, method sip.RequestMethod, c Content) (*sip.Response, error) {
	if d.isOver() {
		return nil, ErrEnded
	}
	res, _, err := d.send(ctx, method, c)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", method, err)
	case res.StatusCode == 481:
		d.end(mvLost, Lost{Err: rejectedBy(res)})
	}
	return res, nil
}

// send sends a request within the dialog and waits for its final response. Only a
// BYE has one that is worth waiting for when the dialog is over.
func (d *Dialog) send(ctx context.Context, method sip.RequestMethod, c Content) (*sip.Response, wire.Link, error) {
	for try := 0; ; try++ {
		req, link, err := d.prepare(ctx, method)
		if err != nil {
			return nil, link, err
		}
		c.put(req)
		w := newWaiter()
		if method != sip.BYE {
			w.over = d.ended()
		}
		res, link, err := d.agent.transact(ctx, req, link, w)
		if err != nil {
			return res, link, err
		}
		more, again := d.proves(try, c.Headers, req, res)
		if !again {
			return res, link, nil
		}
		c.Headers = more
	}
}

// proves tells whether a request of the dialog that was refused is worth another try,
// and with what headers: those that say who we are. Only a far end that we called may
// ask.
func (d *Dialog) proves(try int, headers map[string]string, req *sip.Request, res *sip.Response) (more map[string]string, again bool) {
	if d.tx != nil || try >= maxAmendments || res.StatusCode != 401 && res.StatusCode != 407 {
		return nil, false
	}
	p, ok := d.agent.prove(req, rejectedBy(res))
	if !ok || !p.adds(headers) {
		return nil, false
	}
	return p.with(headers), true
}

// transact sends a request and waits for its final response. The link it returns is
// the one the request went over.
func (a *Agent) transact(ctx context.Context, req *sip.Request, link wire.Link, w waiter) (*sip.Response, wire.Link, error) {
	tx, err := a.wire.Request(req, link, w)
	if err != nil {
		return nil, link, err
	}
	res, err := w.await(ctx)
	return res, tx.Link(), err
}

// prepare makes a request of the dialog and finds the link it goes over. An ACK
// is made by prepareAck.
func (d *Dialog) prepare(ctx context.Context, method sip.RequestMethod) (*sip.Request, wire.Link, error) {
	d.mu.Lock()
	d.far.localSeq++
	seq := d.far.localSeq
	d.mu.Unlock()
	return d.compose(ctx, sip.CSeqHeader{SeqNo: seq, MethodName: method})
}

// prepareAck makes the ACK to a 2xx to the INVITE with a sequence number.
func (d *Dialog) prepareAck(ctx context.Context, seq uint32) (*sip.Request, wire.Link, error) {
	return d.compose(ctx, sip.CSeqHeader{SeqNo: seq, MethodName: sip.ACK})
}

func (d *Dialog) compose(ctx context.Context, cseq sip.CSeqHeader) (*sip.Request, wire.Link, error) {
	d.mu.Lock()
	req, hop := d.far.request(cseq.MethodName)
	link := d.far.link
	d.mu.Unlock()
	id := sip.CallIDHeader(d.id.call)
	req.AppendHeader(&id)
	req.AppendHeader(&cseq)
	link, err := d.agent.onward(ctx, link, hop)
	if err != nil {
		return nil, link, err
	}
	req.AppendHeader(d.contact(link))
	d.agent.sign(req)
	req.SetBody(nil)
	return req, link, nil
}

// request lays out a request along the route set, and says which URI is its
// next hop (RFC 3261 section 12.2.1.1).
func (f *farEnd) request(method sip.RequestMethod) (*sip.Request, sip.Uri) {
	target, routes, hop := *f.target, f.routes, *f.target
	if len(routes) > 0 {
		hop = routes[0]
		if !hop.UriParams.Has("lr") { // a strict router
			target, routes = routes[0], append(append([]sip.Uri{}, routes[1:]...), *f.target)
		}
	}
	target.Headers = nil
	req := sip.NewRequest(method, target)
	for _, r := range routes {
		req.AppendHeader(&sip.RouteHeader{Address: *r.Clone()})
	}
	maxForwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	req.AppendHeader(sip.NewHeader("From", f.local))
	req.AppendHeader(sip.NewHeader("To", f.remote))
	return req, hop
}

// onward is the link to a dialog's next hop. The connection that the far end
// spoke over last is preferred while it is open and leads to that host: behind
// a translator no other way may exist (RFC 5923 in spirit).
func (a *Agent) onward(ctx context.Context, current wire.Link, hop sip.Uri) (wire.Link, error) {
	network := networkOf(hop, current.Network())
	if current.Reliable() && current.Open() && network == current.Network() {
		host, err := netip.ParseAddr(strings.Trim(hop.Host, "[]"))
		if err != nil || host.Unmap() == current.Remote().Addr() {
			return current, nil
		}
	}
	return a.reach(ctx, network, hop)
}

// networkOf is the transport a URI asks for. Within a dialog one that asks for
// none means the one in use, whatever RFC 3263 says: far ends that speak TCP
// often leave it out of their Contact.
func networkOf(uri sip.Uri, otherwise string) string {
	if uri.Scheme == "sips" {
		return "tls"
	}
	for _, p := range uri.UriParams {
		if strings.EqualFold(p.K, "transport") {
			return strings.ToLower(p.V)
		}
	}
	return otherwise
}

// reach resolves a URI and connects to it.
func (a *Agent) reach(ctx context.Context, network string, uri sip.Uri) (wire.Link, error) {
	if uri.Port == 0 {
		uri.Port = sip.DefaultPort(network)
	}
	to, err := resolve(ctx, uri)
	if err != nil {
		return wire.Link{}, err
	}
	target := wire.Target{Network: network, Addr: to}
	if network == "tls" {
		target.Name = strings.Trim(uri.Host, "[]")
	}
	link, err := a.wire.Connect(ctx, target)
	if err != nil {
		return wire.Link{}, fmt.Errorf("reach %s over %s: %w", to, network, err)
	}
	return link, nil
}

// resolve finds a URI's address: a literal, or a host name's first address,
// IPv4 before IPv6.
func resolve(ctx context.Context, uri sip.Uri) (netip.AddrPort, error) {
	port := uri.Port
	if port < 0 || port > 65535 {
		return netip.AddrPort{}, fmt.Errorf("port %d in URI", port)
	}
	host := strings.Trim(uri.Host, "[]")
	if addr, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("resolve %q: %w", host, err)
	}
	best := addrs[0].Unmap()
	for _, addr := range addrs {
		if addr.Unmap().Is4() {
			best = addr.Unmap()
			break
		}
	}
	return netip.AddrPortFrom(best, uint16(port)), nil
}

// waiter waits for one final response.
type waiter struct {
	final  chan *sip.Response
	failed chan error
	over   <-chan struct{} // closed when nobody will answer any more; nil: somebody will
}

func newWaiter() waiter {
	return waiter{final: make(chan *sip.Response, 1), failed: make(chan error, 1)}
}

func (w waiter) await(ctx context.Context) (*sip.Response, error) {
	select {
	case res := <-w.final:
		return res, nil
	case err := <-w.failed:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.over:
	}
	select {
	case res := <-w.final: // the last thing that the far end said
		return res, nil
	default:
		return nil, ErrEnded
	}
}

func (w waiter) Response(res *sip.Response, _ wire.Link) {
	if !res.IsProvisional() {
		select {
		case w.final <- res:
		default:
		}
	}
}

func (w waiter) Failed(err error) {
	select {
	case w.failed <- err:
	default:
	}
}
