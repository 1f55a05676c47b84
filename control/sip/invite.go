package sip

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"mcp/control/sip/digest"
	"mcp/control/sip/header"
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
	// Offer is our session description. Without it the far end makes the offer,
	// and Answer says what we make of it.
	Offer   []byte
	Answer  func(offer []byte) ([]byte, error)
	Headers map[string]string
	// OfferType is the media type of Offer, which may have more than a description
	// in it; empty: application/sdp.
	OfferType string
	// Feature is a tag of our Contact that tells what we are (RFC 3840), such as
	// +sip.src.
	Feature string
	// Transport overrides that of To: "udp", "tcp" or "tls".
	Transport string
	// Direct leaves the configured routes aside.
	Direct bool
	// Progress, when set, hears provisional responses, of every far end that the
	// call is forked to. It must not block.
	Progress func(Provisional)
}

// RejectedError is a final response of 300 or above.
type RejectedError struct {
	Status  int
	Reason  string
	Headers map[string][]string
}

func rejectedBy(res *sip.Response) *RejectedError {
	return &RejectedError{res.StatusCode, res.Reason, headersOf(response{res})}
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("call rejected: %d %s", e.Status, e.Reason)
}

// Invite places a call and returns when the far end has answered and the ACK is
// sent; with a RejectedError when it declined. It goes out through the configured
// routes, the next one taking over when one cannot be reached, stays silent or
// answers 503. When the context ends first the call is cancelled, with the Reason
// that is the context's cause if it is one; an answer that crosses the CANCEL is
// acknowledged and hung up without the caller hearing of it.
func (a *Agent) Invite(ctx context.Context, out Outgoing) (*Dialog, error) {
	base, err := a.newInvite(out)
	if err != nil {
		return nil, err
	}
	c := &calling{agent: a, out: out, base: base, session: a.cfg.Session}
	hops := a.hopsFor(out)
	for i, h := range hops {
		var d *Dialog
		d, err = c.through(ctx, h, i+1 < len(hops))
		if h == "" {
			return d, err
		}
		if err == nil {
			a.routes.Worked(h)
			return d, nil
		}
		penalty, passes := passesOn(err)
		if !passes || ctx.Err() != nil {
			return nil, err
		}
		if a.routes.Failed(h, time.Now(), penalty) {
			a.log.Warn("sip route failed", "route", h, "call_id", string(*base.CallID()), "error", err)
		}
	}
	return nil, err
}

// hopsFor lists the routes of a call in the order to try; a single empty one is
// the direct way.
func (a *Agent) hopsFor(out Outgoing) []string {
	hops := a.routes.Order(time.Now())
	if out.Direct || len(hops) == 0 {
		return []string{""}
	}
	return hops
}

// errSilent ends the wait for a route that says nothing while another could.
var errSilent = errors.New("no response from the route in time")

// passesOn says whether another route may do better, and for how long this one
// is to be avoided.
func passesOn(err error) (penalty time.Duration, passes bool) {
	var rejected *RejectedError
	if !errors.As(err, &rejected) {
		return 0, true // unreachable, lost or silent
	}
	if rejected.Status != 503 {
		return 0, false
	}
	for _, value := range rejected.Headers["retry-after"] {
		if seconds, err := strconv.Atoi(header.ParseValue(value).Text); err == nil && seconds > 0 {
			penalty = min(time.Duration(seconds)*time.Second, time.Hour)
		}
	}
	return penalty, true
}

// calling is the placing of one call, over as many requests as it takes.
type calling struct {
	agent *Agent
	out   Outgoing
	base  *sip.Request
	seq   uint32
	more  map[string]string // headers that prove who we are

	session, least time.Duration // of the session timer
}

// maxAmendments is how often a far end may ask for more: proof of who we are, a
// longer session, each perhaps on its own.
const maxAmendments = 4

// through places the call by way of one route, or directly.
func (c *calling) through(ctx context.Context, route string, others bool) (*Dialog, error) {
	for try := 0; ; try++ {
		p, err := c.prepare(ctx, route)
		if err != nil {
			return nil, err
		}
		var limit time.Duration
		if others {
			limit = c.agent.cfg.FailOver
		}
		d, err := p.run(ctx, limit)
		var rejected *RejectedError
		if !errors.As(err, &rejected) || try >= maxAmendments || !c.amend(p.req, rejected) {
			return d, err
		}
	}
}

// prepare makes the next request.
func (c *calling) prepare(ctx context.Context, route string) (*placing, error) {
	a := c.agent
	req := c.base.Clone()
	c.seq++
	req.CSeq().SeqNo = c.seq
	hop := req.Recipient
	if route != "" {
		hop = sip.Uri{}
		if err := sip.ParseUri(route, &hop); err != nil || hop.Host == "" {
			return nil, fmt.Errorf("route %q is not a SIP URI", route)
		}
		through := hop.Clone()
		if !through.UriParams.Has("lr") {
			through.UriParams.Add("lr", "")
		}
		req.AppendHeader(&sip.RouteHeader{Address: *through})
	}
	addHeaders(req, c.out.Headers)
	addHeaders(req, c.more)
	c.offerSession(req)
	link, err := a.linkFor(ctx, req, c.out, hop)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLost, err)
	}
	if c.out.From == "" {
		host, _ := a.wire.SentBy(link)
		req.From().Address.Host = host.String()
	}
	a.addContact(req, link)
	if c.out.Feature != "" {
		req.Contact().Params.Add(c.out.Feature, "")
	}
	return &placing{
		agent: a, req: req, link: link, out: c.out, headers: c.more,
		result: make(chan outcome, 1), responded: make(chan struct{}), early: map[string]*Dialog{},
	}, nil
}

// amend adds what a refusal asks for; false when it asks for nothing that we have.
func (c *calling) amend(req *sip.Request, refusal *RejectedError) bool {
	if refusal.Status == 422 {
		return c.lengthen(refusal)
	}
	proof, ok := c.agent.prove(req, refusal)
	if !ok || !proof.adds(c.more) {
		return false
	}
	c.more = proof.with(c.more)
	return true
}

// proof is a header that says who we are. One that is not stale is no better than one
// that was refused before.
type proof struct {
	name, value string
	stale       bool
}

// adds tells whether it may do where a request with headers was refused.
func (p proof) adds(headers map[string]string) bool { return p.stale || headers[p.name] == "" }

// with is headers and the proof.
func (p proof) with(headers map[string]string) map[string]string {
	all := maps.Clone(headers)
	if all == nil {
		all = map[string]string{}
	}
	all[p.name] = p.value
	return all
}

// prove answers a challenge to a request of ours, if it is of a realm that we
// have a credential for.
func (a *Agent) prove(req *sip.Request, refusal *RejectedError) (proof, bool) {
	challenge, name := "www-authenticate", "Authorization"
	switch refusal.Status {
	case 401:
	case 407:
		challenge, name = "proxy-authenticate", "Proxy-Authorization"
	default:
		return proof{}, false
	}
	made, ok := a.cfg.Credentials.Answer(refusal.Headers[challenge],
		digest.Request{Method: string(req.Method), URI: req.Recipient.String(), Body: req.Body()})
	return proof{name, made.Value, made.Stale}, ok
}

// newInvite builds the request, except for what depends on the link.
func (a *Agent) newInvite(out Outgoing) (*sip.Request, error) {
	if (len(out.Offer) == 0) == (out.Answer == nil) {
		return nil, errors.New("a call needs either an offer or somebody to answer one")
	}
	req, err := a.newRequest(sip.INVITE, out)
	if err != nil {
		return nil, err
	}
	req.AppendHeader(a.about.allow)
	req.AppendHeader(a.about.supported)
	a.sign(req)
	Content{Type: out.OfferType, Body: out.Offer}.put(req)
	return req, nil
}

// newRequest begins a request outside a dialog (RFC 3261 section 8.1.1).
func (a *Agent) newRequest(method sip.RequestMethod, out Outgoing) (*sip.Request, error) {
	var to, from sip.Uri
	if err := sip.ParseUri(out.To, &to); err != nil || to.Host == "" {
		return nil, fmt.Errorf("To %q is not a SIP URI", out.To)
	}
	if out.From == "" {
		from = sip.Uri{Scheme: "sip", User: "mcp"} // the host comes with the link
	} else if err := sip.ParseUri(out.From, &from); err != nil || from.Host == "" {
		return nil, fmt.Errorf("From %q is not a SIP URI", out.From)
	}
	to.Headers = nil // have no place in a Request-URI (RFC 3261 section 19.1.1)
	req := sip.NewRequest(method, to)
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
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: method})
	return req, nil
}

// Options asks directly, with OPTIONS outside a dialog (RFC 3261 section 11), whether
// a far end is there. It fails with a RejectedError when the answer is 300 or above.
func (a *Agent) Options(ctx context.Context, to string) error {
	out := Outgoing{To: to, Direct: true}
	req, err := a.newRequest(sip.OPTIONS, out)
	if err != nil {
		return err
	}
	req.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	a.sign(req)
	req.SetBody(nil)
	link, err := a.linkFor(ctx, req, out, req.Recipient)
	if err != nil {
		return err
	}
	host, _ := a.wire.SentBy(link)
	req.From().Address.Host = host.String()
	a.addContact(req, link)
	res, _, err := a.transact(ctx, req, link, newWaiter())
	if err != nil {
		return fmt.Errorf("options: %w", err)
	}
	if !res.IsSuccess() {
		return rejectedBy(res)
	}
	return nil
}

// linkFor finds the way to a new call's next hop. What is too large for UDP goes
// over TCP unless UDP was asked for, and over UDP after all if there is no TCP
// there.
func (a *Agent) linkFor(ctx context.Context, req *sip.Request, out Outgoing, hop sip.Uri) (wire.Link, error) {
	network := strings.ToLower(out.Transport)
	size := len(req.String())
	explicit := network != "" || hop.UriParams.Has("transport") || hop.Scheme == "sips"
	if network == "" {
		network = networkOf(hop, "udp")
	}
	if !explicit && size+viaAndContact > maxPlainUDP {
		if link, err := a.reach(ctx, "tcp", hop); err == nil {
			return link, nil
		}
	}
	return a.reach(ctx, network, hop)
}
