package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/sip"
)

func calling(c *node.Config) { c.Calls.Outbound.MSML = true }

// order has the platform call somebody, as attributes say.
func (s *steerer) order(to, attributes string) string {
	s.t.Helper()
	result := s.ask(`<mcp:createconnection` + own + ` to="` + to + `" ` + attributes + `/>`)
	if result.Response != 200 || len(result.Connections) != 1 {
		s.t.Fatalf("%+v", result)
	}
	return result.Connections[0]
}

// TestMSMLConnection has a telephone called, joins it with a caller, and speaks to it.
func TestMSMLConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, calling)
	r.pages.tunes()
	s, b := r.steer(t), newBob(t, "listen; say hum 700 200ms; await")
	created := s.ask(`<mcp:createconnection` + own + ` to="` + b.uri() + `" from="sip:100@example.com" name="bob" aai="7"><mcp:header name="X-Campaign" value="9"/></mcp:createconnection>`)
	const id = "conn:bob"
	if created.Response != 200 || !slices.Equal(created.Connections, []string{id}) {
		t.Fatalf("%+v", created)
	}
	if again := s.ask(`<mcp:createconnection` + own + ` to="` + b.uri() + `" name="bob"/>`); again.Response != 431 {
		t.Errorf("%+v", again)
	}
	s.event("mcp:connection.answered", id)
	p := r.participate(t, "wait 800ms; say hum 400 200ms; listen")
	if result := s.ask(`<join id1="` + p.id + `" id2="` + id + `"/>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	if got := p.end(); !slices.Equal(got, []float64{700}) {
		t.Errorf("the caller heard %v", got)
	}
	r.record(1) // of the caller: what bob hears is free again
	result := s.ask(`<dialogstart target="` + id + `" name="d"><play><audio uri="` + r.pages.server.URL + `/1000/300ms"/></play></dialogstart>`)
	if result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	if exit := s.event("msml.dialog.exit", id+"/dialog:d"); len(exit.Values) > 0 {
		t.Errorf("%+v", exit)
	}
	if result := s.ask(`<mcp:destroyconnection` + own + ` id="` + id + `"/>`); result.Response != 200 {
		t.Errorf("%+v", result)
	}
	s.event("mcp:connection.ended", id)
	if got := heard(b.last()); !slices.Equal(got, []float64{400, 1000}) {
		t.Errorf("bob heard %v", got)
	}
	if b.from[0] != "sip:100@example.com" || b.told[0] != "0437;encoding=hex" || b.campaigns[0] != "9" {
		t.Errorf("bob was called from %s, told %q for campaign %q", b.from[0], b.told[0], b.campaigns[0])
	}
	if result := s.ask(`<mcp:destroyconnection` + own + ` id="` + id + `"/>`); result.Response != 430 {
		t.Errorf("%+v", result)
	}
}

// TestMSMLConnectionEnds tells the client how, where it has not ended it.
func TestMSMLConnectionEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, calling)
	s := r.steer(t)
	busy, deaf, given, short := newBob(t, ""), newBob(t, ""), newBob(t, ""), newBob(t, "wait 50ms; hangup")
	busy.refuse, deaf.silent, given.silent = 486, true, true
	refused, unanswered := s.order(busy.uri(), ""), s.order(deaf.uri(), `timeout="300ms"`)
	cancelled, ended := s.order(given.uri(), ""), s.order(short.uri(), "")
	if result := s.ask(`<mcp:destroyconnection` + own + ` id="` + cancelled + `"/>`); result.Response != 200 {
		t.Errorf("%+v", result)
	}
	nowhere := s.order("sip:bob@127.0.0.1:1;transport=tcp", "")
	for _, tt := range []struct{ id, outcome, status string }{
		{refused, "refused", "486"}, {unanswered, "noanswer", ""}, {cancelled, "cancelled", ""}, {nowhere, "failed", ""},
	} {
		e := s.event("mcp:connection.failed", tt.id)
		if e.value("connection.outcome") != tt.outcome || e.value("connection.status") != tt.status {
			t.Errorf("%+v, want %s", e, tt.outcome)
		}
	}
	s.event("mcp:connection.answered", ended)
	s.event("mcp:connection.ended", ended)
}

// TestMSMLConnectionEndsWithItsClient hangs up on those who have answered, and gives up
// on those who have not.
func TestMSMLConnectionEndsWithItsClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, calling)
	s := r.steer(t)
	up, ringing := newBob(t, "await"), newBob(t, "")
	ringing.silent = true
	s.order(ringing.uri(), "")
	s.event("mcp:connection.answered", s.order(up.uri(), ""))
	await(t, "the call", func() bool { ringing.mu.Lock(); defer ringing.mu.Unlock(); return len(ringing.from) > 0 })
	s.hangUp()
	up.last()
	ringing.last()
	r.nothingLeft()
}

// TestMSMLConnectionIsAnalysed before the answer and after.
func TestMSMLConnectionIsAnalysed(t *testing.T) {
	t.Parallel()
	y := newTelephony(t)
	r := newRig(t, func(c *node.Config) { analysing(c); calling(c) })
	s := r.steer(t)
	person := s.order(newFar(t, y, "", "wait 200ms; say hello; await").uri(), `profile="normal"`)
	busy := s.order(newFar(t, y, "say busy; wait 9s", "await").uri(), `until="beep"`)
	if e := s.event("mcp:connection.answered", person); e.value("progress.outcome") != "human" || e.value("progress.answered") != "true" {
		t.Errorf("%+v", e)
	}
	if e := s.event("mcp:connection.failed", busy); e.value("connection.outcome") != "busy" || e.value("progress.answered") != "false" {
		t.Errorf("%+v", e)
	}
}

// TestMSMLConnectionSteersNothing by itself: only clients do.
func TestMSMLConnectionSteersNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, calling)
	said := make(chan error, 1)
	var agent *sip.Agent
	agent = serveAgent(t, handler(func(ctx context.Context, d *sip.Dialog) {
		var saying sync.WaitGroup
		defer saying.Wait()
		say := func(d *sip.Dialog) {
			const body = `<?xml version="1.0"?><msml version="1.1"><createconference name="mine"/></msml>`
			saying.Go(func() { said <- d.Info(ctx, sip.Content{Type: "application/msml+xml", Body: []byte(body)}) })
		}
		if _, err := caller.NewPhone(agent, caller.Config{Voice: hum, Up: say}).Answer(ctx, d, steps(t, "await")); err != nil {
			t.Error(err)
		}
	}))
	s := r.steer(t)
	s.event("mcp:connection.answered", s.order("sip:x@"+agent.Addrs()[0].String()+";transport=tcp", ""))
	var refused *sip.RejectedError
	if err := <-said; !errors.As(err, &refused) {
		t.Errorf("MSML from the called party: %v", err)
	}
	if result := s.ask(`<destroyconference id="conf:mine"/>`); result.Response != 430 {
		t.Errorf("%+v", result)
	}
}

// TestMSMLConnectionIsRefused where it may not be, and where it cannot.
func TestMSMLConnectionIsRefused(t *testing.T) {
	t.Parallel()
	b := newBob(t, "await")
	for _, tt := range []struct {
		name, ops string
		config    func(*node.Config)
		code      int
	}{
		{"not configured", `to="` + b.uri() + `"`, nil, 520},
		{"no further calls", `to="` + b.uri() + `"`, func(c *node.Config) { calling(c); c.Calls.Max = 1 }, 520},
		{"no port", `to="sip:bob@127.0.0.1:sip"`, calling, 410},
		{"not allowed", `to="` + b.uri() + `"`, func(c *node.Config) { calling(c); c.Calls.Outbound.Allow = []string{"10.0.0.0/8"} }, 520},
		{"more than can be told", `to="` + b.uri() + `" aai="` + strings.Repeat("x", 129) + `"`, calling, 410},
		{"no name", `to="` + b.uri() + `" name="a/b"`, calling, 410},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.config)
			s := r.steer(t)
			if result := s.ask(`<mcp:createconnection` + own + ` ` + tt.ops + `/>`); result.Response != tt.code || result.Description == "" || result.Connections != nil {
				t.Errorf("%+v, want %d", result, tt.code)
			}
			if result := s.ask(`<mcp:destroyconnection` + own + ` id="` + s.id + `"/>`); result.Response != 430 {
				t.Errorf("%+v", result)
			}
		})
	}
	if len(b.from) > 0 {
		t.Errorf("bob was called from %v", b.from)
	}
}
