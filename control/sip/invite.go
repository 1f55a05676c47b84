package sip

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	// Offer is our session description. Without it the far end makes the offer,
	// and Answer says what we make of it.
	Offer   []byte
	Answer  func(offer []byte) ([]byte, error)
	Headers map[string]string
	// Transport overrides that of To: "udp" or "tcp".
	Transport string
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
	return &RejectedError{res.StatusCode, res.Reason, headersOf(res.Headers())}
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("call rejected: %d %s", e.Status, e.Reason)
}

// Invite places a call and returns when the far end has answered and the ACK is
// sent; with a RejectedError when it declined. When the context ends first the
// call is cancelled, with the Reason that is the context's cause if it is one;
// an answer that crosses the CANCEL is acknowledged and hung up without the
// caller hearing of it.
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
	p := &placing{agent: a, req: req, link: link, out: out, result: make(chan outcome, 1), early: map[string]*Dialog{}}
	tx, err := a.wire.Request(req, link, p)
	if err != nil {
		return nil, err
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

// newInvite builds the request, except for what depends on the link.
func (a *Agent) newInvite(out Outgoing) (*sip.Request, error) {
	if (len(out.Offer) == 0) == (out.Answer == nil) {
		return nil, errors.New("a call needs either an offer or somebody to answer one")
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
	req.AppendHeader(sip.NewHeader("Supported", supported))
	a.sign(req)
	Content{Body: out.Offer}.put(req)
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
