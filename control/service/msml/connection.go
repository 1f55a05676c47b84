package msml

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"mcp/control/call"
	"mcp/control/call/progress"
	"mcp/control/reporting"
	"mcp/control/route"
	"mcp/control/service/msml/dialog"
	"mcp/control/service/msml/doc"
	"mcp/control/sip"
)

// order is a connection that a client has had made with <mcp:createconnection>, an
// extension of our own, from the call to its end.
type order struct {
	id     string // conn:NAME
	key    string // of the call's request, which nobody else knows
	client *program
	placed *call.Placed // guarded by the hub; nil: the call is not being made yet
	served bool         // the party has answered; to be read after the end of placed
}

// order makes room for a connection; false: its name is taken.
func (h *hub) order(o *order) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.objects[o.id] != nil || h.orders[o.id] != nil {
		return false
	}
	h.orders[o.id] = o
	return true
}

// placed says which call an order has become.
func (h *hub) placed(o *order, as *call.Placed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o.placed = as
}

// fulfilled forgets an order.
func (h *hub) fulfilled(o *order) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.orders, o.id)
}

// ordered is the order that a call is made for; nil: there is none. Who calls the
// platform has ordered nothing, whatever it calls.
func (h *hub) ordered(invite call.Identity, key string) *order {
	if _, ours := invite.(*call.Placed); !ours {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.orders {
		if o.key == key {
			return o
		}
	}
	return nil
}

// hangUp ends the connections that a client has had made.
func (h *hub) hangUp(p *program) {
	h.mu.Lock()
	var all []*call.Placed
	for _, o := range h.orders {
		if o.client == p {
			all = append(all, o.placed)
		}
	}
	h.mu.Unlock()
	for _, placed := range all {
		placed.HangUp()
	}
}

// createConnection calls somebody. What becomes of the call the client is told.
func (p *program) createConnection(n *doc.Node, result *doc.Result) error {
	parts := p.service.parts
	if parts.Caller == nil {
		return doc.Faultf(doc.NoResource, "no calls are made for MSML here")
	}
	name := cmp.Or(n.Attr("name"), invented())
	if strings.ContainsAny(name, "*/") {
		return doc.Faultf(doc.InvalidValue, "a connection cannot be called %q", name)
	}
	what := call.Placement{
		Destination: call.Destination{To: n.Attr("to"), From: n.Attr("from"), Patience: doc.TimeOf(n, "timeout", parts.Patience)},
		Request:     route.Request{Service: route.MSML, ID: invented()},
		AAI:         n.Attr("aai"),
	}
	for _, h := range n.Elements() {
		if what.Headers == nil {
			what.Headers = map[string]string{}
		}
		what.Headers[h.Attr("name")] = h.Attr("value")
	}
	if n.Attr("until") != "" || n.Attr("profile") != "" {
		options := dialog.Analysis(n)
		if err := parts.Progress.Check(options); err != nil {
			return doc.Faultf(doc.NoResource, "%v", err)
		}
		what.Analysis = &options
	}
	o := &order{id: "conn:" + name, key: what.Request.ID, client: p}
	if !p.service.hub.order(o) {
		return doc.Faultf(doc.NameInUse, "%s is there already", o.id)
	}
	if err := p.place(o, what); err != nil {
		p.service.hub.fulfilled(o)
		return unplaced(err)
	}
	result.Connections = append(result.Connections, o.id)
	return nil
}

// place makes the call of an order and follows it. The client's end ends it.
func (p *program) place(o *order, what call.Placement) error {
	placed, err := p.service.parts.Caller.Place(context.Background(), what)
	if err != nil {
		return err
	}
	p.service.hub.placed(o, placed)
	p.call.Log().Info("msml connection", "id", o.id, "placed", placed.ID())
	p.orders.Go(func() {
		<-placed.Done()
		p.service.hub.fulfilled(o)
		p.tell(o.ending())
	})
	return nil
}

// unplaced is why no call is made, as a result.
func unplaced(err error) error {
	var refused *call.Refusal
	if errors.As(err, &refused) && !errors.Is(err, call.ErrOverload) && refused.Status != 403 {
		return doc.Faultf(doc.InvalidValue, "%v", err)
	}
	return doc.Faultf(doc.NoResource, "%v", err)
}

// destroyConnection hangs up, or gives up, what <mcp:createconnection> has made.
func (p *program) destroyConnection(n *doc.Node) error {
	h := p.service.hub
	h.mu.Lock()
	o := h.orders[n.Attr("id")]
	var placed *call.Placed
	if o != nil {
		placed = o.placed
	}
	h.mu.Unlock()
	if placed == nil {
		return doc.Faultf(doc.NoSuchObject, "there is no %s that was created", n.Attr("id"))
	}
	placed.HangUp()
	return nil
}

// ending tells the client of the end of the call.
func (o *order) ending() doc.Event {
	e := doc.Event{Name: "mcp:connection.ended", ID: o.id, Items: heard(o.placed)}
	if o.served {
		return e
	}
	e.Name = "mcp:connection.failed"
	err := o.placed.Err()
	var refused *sip.RejectedError
	var given *progress.FailedError
	switch outcome := "connection.outcome"; {
	case errors.As(err, &refused):
		e.Items = append(e.Items, doc.Item{Name: outcome, Value: "refused"}, doc.Item{Name: "connection.status", Value: strconv.Itoa(refused.Status)})
	case errors.As(err, &given):
		e.Items = append(e.Items, doc.Item{Name: outcome, Value: string(given.Outcome)})
	case errors.Is(err, call.ErrNoAnswer):
		e.Items = append(e.Items, doc.Item{Name: outcome, Value: "noanswer"})
	case err == nil, errors.Is(err, context.Canceled):
		e.Items = append(e.Items, doc.Item{Name: outcome, Value: "cancelled"})
	default:
		e.Items = append(e.Items, doc.Item{Name: outcome, Value: "failed"}, doc.Item{Name: "connection.description", Value: err.Error()})
	}
	return e
}

// heard is what the analysis of a call has found so far.
func heard(of interface {
	Progress() (progress.Result, bool)
}) []doc.Item {
	found, known := of.Progress()
	if !known {
		return nil
	}
	return []doc.Item{
		{Name: "progress.outcome", Value: string(found.Outcome)}, {Name: "progress.answered", Value: strconv.FormatBool(found.Answered)},
		{Name: "progress.beep", Value: strconv.FormatBool(found.Beep)},
	}
}

// served is the program of a call that a client has had made. Clients steer it as the
// connection that was ordered; its own far end steers nothing.
type served struct {
	order *order
	call  *call.Call
}

// Application implements call.Program.
func (s *served) Application() string { return "msml:" + s.order.id }

// Run implements call.Program: it ends when the far end is gone.
func (s *served) Run(ctx context.Context) call.Ending {
	o, service := s.order, s.order.client.service
	p := service.newProgram(s.call)
	p.client = o.client
	p.self = service.hub.connect(p, o.id)
	o.served = true
	p.tell(doc.Event{Name: "mcp:connection.answered", ID: o.id, Items: heard(s.call)})
	select {
	case <-s.call.HungUp():
	case <-ctx.Done():
	}
	service.hub.disconnect(p)
	p.silence()
	return call.Ending{Cause: reporting.Completed, Speech: p.voices.Used.Report()}
}
