package sip

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/digest"
	"mcp/control/sip/header"
	"mcp/control/sip/wire"
)

// core is the agent as the transactions see it: every method here runs on the
// goroutine that reads a socket.
type core Agent

// Gate says whether new calls are taken; a Handler that has these methods is asked.
// They run on the goroutine that reads a socket and must not block.
type Gate interface {
	// Admit is asked for every INVITE that would begin a call, before anything is
	// spent on it; nil: it may.
	Admit() *Refusal
	// Capacity is what OPTIONS is told: headers that describe it, and how an INVITE
	// would be refused now (RFC 3261 section 11.2).
	Capacity() (headers map[string]string, refused *Refusal)
}

// Refusal is how a call is refused for want of capacity.
type Refusal struct {
	Status  int
	Headers map[string]string // Retry-After
}

// gate is the handler as a Gate; nil: it is none.
func (a *Agent) gate() Gate {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return closed{}
	}
	g, _ := a.handler.(Gate)
	return g
}

// closed is the gate of an agent that stops.
type closed struct{}

func (closed) Admit() *Refusal {
	return &Refusal{Status: 503, Headers: map[string]string{"Retry-After": "5"}}
}

func (c closed) Capacity() (map[string]string, *Refusal) { return nil, c.Admit() }

// Refuse turns away what would begin a call that there is no capacity for.
func (c *core) Refuse(again bool) *wire.Refusal {
	a := (*Agent)(c)
	var r *Refusal
	if again {
		r = closed{}.Admit()
	} else if g := a.gate(); g != nil {
		r = g.Admit()
	}
	if r == nil {
		return nil
	}
	refusal := &wire.Refusal{Status: r.Status, Reason: reasonFor(r.Status)}
	if a.about.server != nil {
		refusal.AppendHeader(a.about.server)
	}
	addHeaders(refusal, r.Headers)
	return refusal
}

// Request takes every new request except ACK.
func (c *core) Request(tx *wire.ServerTx) {
	a := (*Agent)(c)
	req := tx.Request
	if req.Method == sip.CANCEL {
		a.cancel(tx)
		return
	}
	if a.refused(tx) {
		return
	}
	if req.To.Tag != "" {
		a.within(tx)
		return
	}
	switch req.Method {
	case sip.INVITE:
		a.incoming(tx)
	case sip.OPTIONS:
		a.capabilities(tx, a.gate())
	default:
		a.answer(tx, 481, "")
	}
}

// Ack takes the ACK to a 2xx of ours.
func (c *core) Ack(req *wire.Request, from wire.Link) {
	a := (*Agent)(c)
	if d := a.find(req); d != nil {
		d.acknowledged(req, from)
		return
	}
	a.log.Debug("sip ACK for no dialog", "call_id", req.CallID)
}

// Stray takes a response without a transaction. A 2xx to an INVITE that comes
// late wants its ACK again.
func (c *core) Stray(res *sip.Response) {
	a := (*Agent)(c)
	cseq := res.CSeq()
	if !res.IsSuccess() || cseq == nil || cseq.MethodName != sip.INVITE {
		return
	}
	id := dialogID{string(*res.CallID()), tagOf(res.From().Params), tagOf(res.To().Params)}
	a.mu.Lock()
	d := a.dialogs[id]
	a.mu.Unlock()
	if d != nil {
		d.acknowledgeAgain()
	}
}

// refused answers what no part of the agent could do anything with.
func (a *Agent) refused(tx *wire.ServerTx) bool {
	req := tx.Request
	switch {
	case !methodAllowed(req.Method):
		a.answer(tx, 405, "", a.about.allow)
	case !schemeKnown(req.URI):
		a.answer(tx, 416, "Unsupported URI Scheme")
	default:
		var unknown []string
		for _, tag := range options(req, "Require") {
			if !a.understands(req, tag) {
				unknown = append(unknown, tag)
			}
		}
		if len(unknown) == 0 {
			return false
		}
		a.answer(tx, 420, "Bad Extension", sip.NewHeader("Unsupported", strings.Join(unknown, ", ")))
	}
	return true
}

func methodAllowed(m sip.RequestMethod) bool {
	switch m {
	case sip.INVITE, sip.BYE, sip.OPTIONS, sip.INFO, sip.UPDATE, sip.PRACK, sip.REFER, sip.NOTIFY:
		return true
	}
	return false
}

func schemeKnown(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	return scheme == "sip" || scheme == "sips" || scheme == "tel"
}

// incoming begins a dialog (RFC 3261 section 13.3.1).
func (a *Agent) incoming(tx *wire.ServerTx) {
	req := tx.Request
	if !a.acceptable(tx) || !a.authentic(tx) || a.tooShort(tx) {
		return
	}
	contact := callerOf(req)
	if contact == nil {
		a.answer(tx, 400, "Missing or malformed Contact header")
		return
	}
	if a.merged(req) {
		a.answer(tx, 482, "Loop Detected")
		return
	}
	old, status := a.replaced(req)
	if status != 0 {
		a.answer(tx, status, "")
		return
	}
	d := a.newIncoming(tx, contact)
	d.replaces = old
	if !a.enter(d) {
		a.answer(tx, 503, "")
		return
	}
	tx.Trying()
	d.follow(tx.From)
	if !a.goCall(d.serve) {
		d.end(mvLost, nil)
	}
}

// callerOf is where the caller can be reached: one of RFC 2543 that does not say where
// From says; nil: nowhere.
func callerOf(req *wire.Request) *sip.Uri {
	if !req.Ancient() || req.First("contact") != "" {
		return req.Contact()
	}
	from := new(sip.Uri)
	if sip.ParseUri(req.From.URI, from) != nil || from.Host == "" {
		return nil
	}
	return from
}

// authentic challenges a caller who has not proved who it is, if it must.
func (a *Agent) authentic(tx *wire.ServerTx) bool {
	if a.cfg.Callers == nil {
		return true
	}
	req, now, late := tx.Request, time.Now(), false
	for _, value := range req.Values("authorization") {
		r := digest.Request{Method: string(req.Method), URI: req.URI, Body: req.Body()}
		user, stale := a.cfg.Callers.Verify(value, r, now)
		if user != "" {
			a.log.Debug("sip caller proved who it is", "call_id", req.CallID, "user", user)
			return true
		}
		late = late || stale
	}
	var challenges []sip.Header
	for _, value := range a.cfg.Callers.Challenges(now, late) {
		challenges = append(challenges, sip.NewHeader("WWW-Authenticate", value))
	}
	a.answer(tx, 401, "", challenges...)
	return false
}

// acceptable refuses a body that nobody here understands.
func (a *Agent) acceptable(tx *wire.ServerTx) bool {
	req := tx.Request
	if len(req.Body()) == 0 {
		return true
	}
	kind := req.First("content-type")
	known := kind != "" && req.First("content-encoding") == ""
	if known {
		parts, err := header.Parts(kind, req.First("content-disposition"), req.Body())
		if err != nil {
			a.answer(tx, 400, "Malformed multipart body")
			return false
		}
		for _, p := range parts {
			known = known && (slices.ContainsFunc(a.about.accepts, p.Is) || p.Optional())
		}
	}
	if !known {
		a.answer(tx, 415, "", sip.NewHeader("Accept", acceptable), sip.NewHeader("Accept-Encoding", "identity"))
	}
	return known
}

// cancel answers a CANCEL and ends the INVITE it is about, if that is not
// answered yet (RFC 3261 section 9.2).
func (a *Agent) cancel(tx *wire.ServerTx) {
	if tx.Cancels == nil && !tx.Late {
		a.answer(tx, 481, "")
		return
	}
	req := tx.Request
	if d := a.find(req); d != nil { // of a re-INVITE
		a.respond(tx, d.reply(req, 200, "OK"))
		if d.settle(tx.Cancels) {
			a.respond(tx.Cancels, d.reply(tx.Cancels.Request, 487, reasonFor(487)))
		}
		return
	}
	a.mu.Lock()
	d := a.offers[offerID{req.CallID, req.From.Tag, req.CSeq}]
	a.mu.Unlock()
	if d == nil {
		a.answer(tx, 200, "")
		return
	}
	a.respond(tx, d.reply(req, 200, "OK"))
	d.end(mvCancel, Cancelled{Reasons: req.Values("reason")})
}

// capabilities answers OPTIONS as the gate would an INVITE (RFC 3261 section 11.2).
func (a *Agent) capabilities(tx *wire.ServerTx, g Gate) {
	status := 200
	var headers map[string]string
	if g != nil {
		var refused *Refusal
		if headers, refused = g.Capacity(); refused != nil {
			status = refused.Status
			headers = merged(headers, refused.Headers)
		}
	}
	res := a.reply(tx.Request, status, reasonFor(status), "")
	res.AddContact(a.contact(tx.From))
	addHeaders(res, headers)
	a.respond(tx, res,
		a.about.allow,
		sip.NewHeader("Accept", acceptable),
		sip.NewHeader("Accept-Encoding", "identity"),
		a.about.supported)
}

// merged has what both maps have; the second counts.
func merged(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

func (a *Agent) answer(tx *wire.ServerTx, status int, reason string, headers ...sip.Header) {
	if reason == "" {
		reason = reasonFor(status)
	}
	a.respond(tx, a.reply(tx.Request, status, reason, ""), headers...)
}

// respond sends a response from a place that can only log that it failed.
func (a *Agent) respond(tx *wire.ServerTx, res *wire.Response, headers ...sip.Header) {
	for _, h := range headers {
		res.AppendHeader(h)
	}
	if err := tx.Respond(res); err != nil {
		a.log.Info("sip response not delivered", "method", tx.Request.Method, "status", res.Status(),
			"call_id", tx.Request.CallID, "error", err)
	}
}

// reply makes a response that says who we are.
func (a *Agent) reply(req *wire.Request, status int, reason, tag string) *wire.Response {
	res := wire.Reply(req, status, reason, tag)
	if a.about.server != nil {
		res.AppendHeader(a.about.server)
	}
	return res
}

// sign says who we are.
func (a *Agent) sign(req *sip.Request) {
	if a.about.userAgent != nil {
		req.AppendHeader(a.about.userAgent)
	}
}

// understands says whether we can do what an option tag asks. A recording server may
// ask its client for metadata (RFC 7866 section 9.2).
func (a *Agent) understands(req *wire.Request, tag string) bool {
	return slices.Contains(header.Split(supported, ','), tag) || slices.Contains(a.cfg.Extensions, tag) ||
		tag == "siprec" && req.Method == sip.UPDATE
}

// addContact says in a request of ours where the peer of a link reaches us.
func (a *Agent) addContact(req *sip.Request, link wire.Link) {
	contact := a.contact(link)
	if req.Recipient.Scheme == "sips" { // RFC 3261 section 8.1.1.8
		contact.Address.Scheme = "sips"
	}
	req.AppendHeader(contact)
}

// contact says where the peer of a link reaches us.
func (a *Agent) contact(link wire.Link) *sip.ContactHeader {
	host, port := a.wire.SentBy(link)
	uri := sip.Uri{Scheme: "sip", Host: host.String(), Port: int(port)}
	if network := link.Network(); network != "udp" {
		uri.UriParams = sip.HeaderParams{{K: "transport", V: network}}
	}
	return &sip.ContactHeader{Address: uri}
}

// contact is ours, with the features that the INVITE of a call of ours told.
func (d *Dialog) contact(link wire.Link) *sip.ContactHeader {
	contact := d.agent.contact(link)
	if strings.HasPrefix(d.asked, "sips:") { // RFC 3261 section 12.1.1
		contact.Address.Scheme = "sips"
	}
	contact.Params = d.far.feature
	return contact
}
