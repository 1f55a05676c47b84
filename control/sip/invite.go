package sip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"mcp/control/sip/wire"
)

// maxPlainUDP is how large a request may be before it must go over a transport
// that does not fragment (RFC 3261 section 18.1.1).
const maxPlainUDP = 1300

// viaAndContact is about what those two, which the link decides, will add.
const viaAndContact = 150

// Outgoing is a call to place.
type Outgoing struct {
	// To and From are SIP URIs; From is optional, we ourselves by default.
	To, From string
	// Offer is the session description; it is required.
	Offer   []byte
	Headers map[string]string
	// Transport overrides that of To: "udp" or "tcp".
	Transport string
	// Progress, when set, hears provisional responses. It must not block.
	Progress func(status int, reason string, sdp []byte)
}

// RejectedError is a final response of 300 or above.
type RejectedError struct {
	Status  int
	Reason  string
	Headers map[string][]string
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("call rejected: %d %s", e.Status, e.Reason)
}

// Invite places a call and returns when the far end has answered and the ACK is
// sent; with a RejectedError when it declined. When the context ends first the
// call is cancelled; an answer that crosses the CANCEL is acknowledged and hung
// up without the caller hearing of it.
func (a *Agent) Invite(ctx context.Context, out Outgoing) (*Dialog, error) {
	req, err := a.newInvite(out)
	if err != nil {
		return nil, err
	}
	link, err := a.linkFor(ctx, req, out)
	if err != nil {
		return nil, err
	}
	if out.From == "" {
		host, _ := a.wire.SentBy(link)
		req.From().Address.Host = host.String()
	}
	a.addContact(req, link)
	addHeaders(req, out.Headers)
	p := &placing{agent: a, req: req, link: link, progress: out.Progress, result: make(chan outcome, 1)}
	tx, err := a.wire.Request(req, link, p)
	if err != nil {
		return nil, err
	}
	select {
	case r := <-p.result:
		return p.settled(ctx, r)
	case <-ctx.Done():
	}
	if !p.abandon(tx) {
		return p.settled(ctx, <-p.result)
	}
	return nil, fmt.Errorf("call cancelled: %w", context.Cause(ctx))
}

// newInvite builds the request, except for what depends on the link.
func (a *Agent) newInvite(out Outgoing) (*sip.Request, error) {
	if len(out.Offer) == 0 {
		return nil, errors.New("a call needs an offer")
	}
	var to, from sip.Uri
	if err := sip.ParseUri(out.To, &to); err != nil || to.Host == "" {
		return nil, fmt.Errorf("To %q is not a SIP URI", out.To)
	}
	if out.From == "" {
		from = sip.Uri{Scheme: "sip", User: "mcp"} // the host comes with the link
	} else if err := sip.ParseUri(out.From, &from); err != nil || from.Host == "" {
		return nil, fmt.Errorf("From %q is not a SIP URI", out.From)
	}
	req := sip.NewRequest(sip.INVITE, to)
	maxForwards := sip.MaxForwardsHeader(70)
	id := sip.CallIDHeader(uuid.NewString())
	fromHeader := &sip.FromHeader{Address: from}
	fromHeader.Params.Add("tag", sip.GenerateTagN(16))
	// What belongs to the way, not to the person, has no place in To (8.1.1.2).
	person := to.Clone()
	person.UriParams, person.Headers = nil, nil
	req.AppendHeader(&maxForwards)
	req.AppendHeader(fromHeader)
	req.AppendHeader(&sip.ToHeader{Address: *person})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.INVITE})
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	a.sign(req)
	setSDP(req, out.Offer)
	return req, nil
}

// linkFor finds the way of a new call. What is too large for UDP goes over TCP
// unless UDP was asked for, and over UDP after all if there is no TCP there.
func (a *Agent) linkFor(ctx context.Context, req *sip.Request, out Outgoing) (wire.Link, error) {
	network := strings.ToLower(out.Transport)
	size := len(req.String())
	for name, value := range out.Headers {
		size += len(name) + len(": \r\n") + len(value)
	}
	explicit := network != "" || req.Recipient.UriParams.Has("transport")
	if network == "" {
		network = networkOf(req.Recipient, "udp")
	}
	if !explicit && size+viaAndContact > maxPlainUDP {
		if link, err := a.reach(ctx, "tcp", req.Recipient); err == nil {
			return link, nil
		}
	}
	return a.reach(ctx, network, req.Recipient)
}

// outcome is how the placing of a call ended.
type outcome struct {
	dialog *Dialog
	err    error
}

// placing is a call of ours that has no final response yet, and for a while
// after: 2xx responses may come again, and from more than one far end.
type placing struct {
	agent    *Agent
	req      *sip.Request
	link     wire.Link
	progress func(int, string, []byte)
	result   chan outcome

	mu          sync.Mutex
	tx          *wire.ClientTx // set when cancelled before there was a response
	provisional bool
	abandoned   bool
	dialogs     []*Dialog
}

// Response takes what the transaction hears.
func (p *placing) Response(res *sip.Response) {
	switch {
	case res.IsProvisional():
		p.proceed(res)
	case res.IsSuccess():
		p.succeed(res)
	default:
		p.tell(outcome{err: &RejectedError{res.StatusCode, res.Reason, headersOf(res.Headers())}})
	}
}

// Failed says that there will be no answer.
func (p *placing) Failed(err error) { p.tell(outcome{err: fmt.Errorf("invite: %w", err)}) }

func (p *placing) tell(o outcome) {
	select {
	case p.result <- o:
	default:
	}
}

func (p *placing) proceed(res *sip.Response) {
	p.mu.Lock()
	p.provisional = true
	tx := p.tx
	p.tx = nil
	p.mu.Unlock()
	if tx != nil {
		p.cancel(tx)
		return
	}
	if p.progress != nil {
		p.progress(res.StatusCode, res.Reason, sdpOf(res))
	}
}

// succeed begins a dialog with whoever answered. The first is the call; one
// that answers after the call was given up, or besides, is hung up.
func (p *placing) succeed(res *sip.Response) {
	p.mu.Lock()
	for _, d := range p.dialogs {
		if d.id.remote == tagOf(res.To().Params) {
			p.mu.Unlock()
			d.acknowledgeAgain()
			return
		}
	}
	d := p.agent.newOutgoing(p.req, res, p.link)
	p.dialogs = append(p.dialogs, d)
	wanted := len(p.dialogs) == 1 && !p.abandoned
	p.mu.Unlock()
	entered := p.agent.enter(d)
	d.follow(p.link)
	switch {
	case wanted && entered:
		p.tell(outcome{dialog: d})
	case !p.agent.goCall(d.decline):
		d.end(mvLost, Lost{Err: wire.ErrClosed})
		p.tell(outcome{err: wire.ErrClosed})
	}
}

// abandon gives the call up. False when it has been answered meanwhile.
func (p *placing) abandon(tx *wire.ClientTx) bool {
	p.mu.Lock()
	if len(p.dialogs) > 0 {
		p.mu.Unlock()
		return false
	}
	p.abandoned = true
	now := p.provisional
	if !now {
		// CANCEL must wait for a provisional response (RFC 3261 section 9.1).
		p.tx = tx
	}
	p.mu.Unlock()
	if now {
		p.cancel(tx)
	}
	return true
}

func (p *placing) cancel(tx *wire.ClientTx) {
	if err := tx.Cancel(); err != nil {
		p.agent.log.Info("sip CANCEL", "call_id", string(*p.req.CallID()), "error", err)
	}
}

// settled acknowledges the answer, if that is what came.
func (p *placing) settled(ctx context.Context, o outcome) (*Dialog, error) {
	if o.err != nil {
		return nil, o.err
	}
	if err := o.dialog.acknowledge(ctx); err != nil {
		p.agent.goCall(o.dialog.decline)
		return nil, fmt.Errorf("acknowledge: %w", err)
	}
	return o.dialog, nil
}

// acknowledge sends the ACK to a 2xx; it is a request of its own (13.2.2.4).
func (d *Dialog) acknowledge(ctx context.Context) error {
	req, link, err := d.prepare(ctx, sip.ACK)
	if err != nil {
		return err
	}
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
		d.log.Info("sip ACK not resent", "error", err)
	}
}

// decline ends a call that was answered too late: ACK, then BYE.
func (d *Dialog) decline() {
	ctx, cancel := context.WithTimeout(d.agent.ctx, 64*d.agent.cfg.T1)
	defer cancel()
	if err := d.acknowledge(ctx); err != nil {
		d.log.Info("sip ACK", "error", err)
	}
	if err := d.Bye(ctx, nil); err != nil {
		d.log.Info("sip BYE", "error", err)
	}
}
