package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mcp/control/node"
	"mcp/control/reporting"
	"mcp/control/service/outbound"
)

// orderer asks the platform for calls.
type orderer struct {
	t     *testing.T
	base  string
	token string
}

func newOrderingRig(t *testing.T, token string, more ...func(*node.Config)) (*rig, *orderer) {
	r := newRig(t, func(c *node.Config) {
		c.Calls.Outbound.Listen, c.Calls.Outbound.Token = "127.0.0.1:0", token
		for _, change := range more {
			change(c)
		}
	})
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	listening := r.log.wait(t, "outbound calls")
	return r, &orderer{t: t, base: "http://" + listening["listen"].(string), token: token}
}

func (o *orderer) ask(method, path, body string) (int, outbound.State) {
	o.t.Helper()
	req, err := http.NewRequest(method, o.base+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	if o.token != "" {
		req.Header.Set("Authorization", "Bearer "+o.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	var state outbound.State
	if resp.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
			o.t.Error(err)
		}
	}
	return resp.StatusCode, state
}

// over waits for the end of a call.
func (o *orderer) over(id string) (state outbound.State) {
	o.t.Helper()
	await(o.t, "the end of the call", func() bool {
		_, state = o.ask("GET", "/v1/calls/"+id, "")
		return state.State == "over"
	})
	return state
}

func TestCallsOverHTTP(t *testing.T) {
	r, o := newOrderingRig(t, "secret")
	r.pages.tunes()
	b := newBob(t, "await")
	web := r.pages.server.URL
	r.pages.page("/app.vxml", `<form><block><prompt><audio src="/700/300ms"/></prompt><disconnect/></block></form>`)
	for service, want := range map[string]float64{"annc;play=" + web + "/400/300ms": 400, web + "/app.vxml": 700} {
		status, state := o.ask("POST", "/v1/calls", `{"to": "`+b.uri()+`", "from": "sip:100@example.com", "service": "`+service+`", "headers": {"X-Campaign": "7"}, "aai": "7"}`)
		if status != http.StatusAccepted || state.ID == "" || state.State == "over" {
			t.Fatalf("%d %+v", status, state)
		}
		if got := heard(b.last()); !slices.Equal(got, []float64{want}) {
			t.Errorf("bob heard %v, want %v", got, want)
		}
		if state = o.over(state.ID); state.Error != "" {
			t.Errorf("%+v", state)
		}
	}
	rec := r.record(1)
	if rec.AnsweredAt == nil || rec.SIPCallID == "" || rec.Parties.Remote != b.uri() || rec.Parties.Local != "sip:100@example.com" {
		t.Errorf("record: %+v", rec)
	}
	if b.told[0] != "0437;encoding=hex" || b.campaigns[0] != "7" {
		t.Errorf("bob was told %q for campaign %q", b.told[0], b.campaigns[0])
	}
	if b.from[0] != "sip:100@example.com" {
		t.Errorf("bob was called from %s", b.from[0])
	}
	r.nothingLeft()
}

func TestCallsOverHTTPThatFail(t *testing.T) {
	r, o := newOrderingRig(t, "")
	for _, tt := range []struct {
		name, body, says string
		status           int
	}{
		{"no JSON", `to: me`, "invalid", 400},
		{"unknown field", `{"to": "sip:a@127.0.0.1", "too": 1}`, "too", 400},
		{"nobody to call", `{}`, "to is missing", 400},
		{"no URI", `{"to": "bob"}`, "no SIP URI", 400},
		{"no duration", `{"to": "sip:a@127.0.0.1", "timeout": "soon"}`, "no duration", 400},
		{"header of ours", `{"to": "sip:a@127.0.0.1", "headers": {"Route": "<sip:b>"}}`, "platform's to write", 400},
		{"too much to tell", `{"to": "sip:a@127.0.0.1", "aai": "` + strings.Repeat("x", 129) + `"}`, "aai is too long", 400},
		{"service that cannot be", `{"to": "sip:a@127.0.0.1", "service": "annc"}`, "play", 400},
	} {
		if status, state := o.ask("POST", "/v1/calls", tt.body); status != tt.status || !strings.Contains(state.Error, tt.says) {
			t.Errorf("%s: %d %+v", tt.name, status, state)
		}
	}
	if status, _ := o.ask("GET", "/v1/calls/none", ""); status != http.StatusNotFound {
		t.Errorf("a call that is none: %d", status)
	}
	r.nothingLeft()
}

func TestPlacedCallEnds(t *testing.T) {
	page := `<form><field name="a"><grammar mode="dtmf" version="1.0" root="r" type="application/srgs+xml"><rule id="r"><item>1</item></rule></grammar></field></form>`
	for _, tt := range []struct {
		name   string
		bob    func(*bob)
		hangUp bool
		want   outbound.State
		cause  reporting.Cause
	}{
		{"refused", func(b *bob) { b.refuse = 486 }, false, outbound.State{State: "over", Status: 486, Error: "call rejected: 486 Busy Here"}, reporting.Refused},
		{"not answered", func(b *bob) { b.silent = true }, false, outbound.State{State: "over", Error: "no answer in time"}, reporting.Cancelled},
		{"hung up over HTTP", nil, true, outbound.State{State: "over"}, reporting.Disconnected},
		{"hung up by the party", func(b *bob) { b.script = "wait 100ms; hangup" }, false, outbound.State{State: "over"}, reporting.HangUp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, o := newOrderingRig(t, "")
			r.pages.page("/main.vxml", page)
			b := newBob(t, "await")
			if tt.bob != nil {
				tt.bob(b)
			}
			status, state := o.ask("POST", "/v1/calls", `{"to": "`+b.uri()+`", "timeout": "400ms"}`)
			if status != http.StatusAccepted {
				t.Fatalf("%d %+v", status, state)
			}
			if tt.hangUp {
				await(t, "the answer", func() bool { _, s := o.ask("GET", "/v1/calls/"+state.ID, ""); return s.State == "up" })
				if status, _ := o.ask("DELETE", "/v1/calls/"+state.ID, ""); status != http.StatusNoContent {
					t.Errorf("hang-up: %d", status)
				}
			}
			tt.want.ID = state.ID
			if got := o.over(state.ID); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if rec := r.record(1); rec.End.Cause != tt.cause {
				t.Errorf("record: %+v", rec.End)
			}
			b.last()
			r.nothingLeft()
		})
	}
}

func TestPlacedCallThatReachesNobody(t *testing.T) {
	r, o := newOrderingRig(t, "")
	r.pages.tunes()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for i, tt := range []struct {
		name, service, says string
		want                reporting.End
	}{
		{"nobody there", "annc;play=" + r.pages.server.URL + "/400/300ms", "cannot be reached", reporting.End{Cause: reporting.DialogLost, By: reporting.Fault}},
		{"no application", r.pages.server.URL + "/none.vxml", "not made: 500", reporting.End{Cause: reporting.ApplicationError, By: reporting.Platform, SIPStatus: 500}},
	} {
		status, state := o.ask("POST", "/v1/calls", `{"to": "sip:x@`+closed.Addr().String()+`;transport=tcp", "service": "`+tt.service+`"}`)
		if status != http.StatusAccepted {
			t.Fatalf("%s: %d %+v", tt.name, status, state)
		}
		if got := o.over(state.ID); got.Status != 0 || !strings.Contains(got.Error, tt.says) {
			t.Errorf("%s: %+v", tt.name, got)
		}
		end := r.record(i + 1).End
		if end.Error = ""; !reflect.DeepEqual(end, tt.want) {
			t.Errorf("%s: record: %+v", tt.name, end)
		}
	}
	r.nothingLeft()
}

// Nobody is called whom the operator has not allowed, whatever a URI looks like.
func TestCallsOverHTTPGoWhereTheyMay(t *testing.T) {
	b := newBob(t, "hangup")
	addr := b.agent.Addrs()[0].String()
	r, o := newOrderingRig(t, "", func(c *node.Config) {
		c.Calls.Outbound.Allow = []string{"+49*@" + addr, "*.example.com"}
	})
	r.pages.page("/main.vxml", `<form/>`)
	for _, to := range []string{
		"sip:+4430@" + addr + ";transport=tcp", "sip:" + addr + ";transport=tcp", "sip:+4930@10.0.0.9", "sip:+4930@127.0.0.1",
		"sip:+4930@" + addr + ";transport=tcp;maddr=10.0.0.9", "sip:a@example.com", "sip:+4930@10.0.0.9@" + addr,
	} {
		if status, state := o.ask("POST", "/v1/calls", `{"to": "`+to+`"}`); status != http.StatusForbidden || !strings.Contains(state.Error, "may not be called") {
			t.Errorf("%s: %d %+v", to, status, state)
		}
	}
	if line := r.log.wait(t, "call not made: calls.outbound.allow does not name its destination"); line["to"] == "" {
		t.Errorf("the log says %v", line)
	}
	status, state := o.ask("POST", "/v1/calls", `{"to": "sip:%2B4930@`+addr+`;transport=tcp?Subject=x"}`)
	if status != http.StatusAccepted {
		t.Fatalf("%d %+v", status, state)
	}
	b.last()
	o.over(state.ID)
	if len(b.asked) != 1 || b.asked[0].User != "+4930" || strings.Contains(b.asked[0].Text, "Subject") {
		t.Errorf("bob was called as %+v", b.asked)
	}
	r.nothingLeft()
}

func TestTokenOfCallsOverHTTP(t *testing.T) {
	r, o := newOrderingRig(t, "secret")
	o.token = "guess"
	if status, state := o.ask("POST", "/v1/calls", `{"to": "sip:bob@127.0.0.1"}`); status != http.StatusUnauthorized || state.Error == "" {
		t.Errorf("%d %+v", status, state)
	}
	r.nothingLeft()
}
