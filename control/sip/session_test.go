package sip

import (
	"context"
	"errors"
	"testing"
	"time"

	"mcp/control/sip/siptest"
)

// brief lets sessions be as short as a test wants.
func brief(c *Config) { c.MinSession = time.Second }

// The refresher that a caller asks for, or else the caller if it is able, or
// else we (RFC 4028 section 9).
func TestSessionTimerInOurAnswer(t *testing.T) {
	for _, tc := range []struct{ name, supported, expires, least, want, require string }{
		{"nothing", "", "", "", "1800;refresher=uas", ""},
		{"able", "timer", "", "", "1800;refresher=uac", "timer"},
		{"asked", "timer", "600", "", "600;refresher=uac", "timer"},
		{"asked of us", "timer", "600;refresher=uas", "", "600;refresher=uas", ""},
		{"by a proxy", "", "600", "", "600;refresher=uas", ""},
		{"asked of who is not able", "", "600;refresher=uac", "", "600;refresher=uas", ""},
		{"asked of nobody known", "timer", "600;refresher=b2b", "", "600;refresher=uac", "timer"},
		{"proxy's least", "timer", "600", "700", "700;refresher=uac", "timer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := startAgent(t, answerAndWait)
			p, c := newCall(t, a, "tcp")
			p.Send(c.Request("INVITE").WithSDP(someSDP).With("Supported", tc.supported).With("x", tc.expires).With("Min-SE", tc.least))
			ok := p.Expect("SIP/2.0 200", "SIP/2.0 180")
			if ok.Get("Session-Expires") != tc.want || ok.Get("Require") != tc.require {
				t.Errorf("answered by\n%s", ok)
			}
			c.Establish(ok)
			p.Send(c.Ack(ok))
			hangUp(p, c)
		})
	}
}

func TestSessionIntervalTooSmall(t *testing.T) {
	a := startAgent(t, answerAndWait)
	p, c := newCall(t, a, "tcp")
	p.Send(c.Request("INVITE").WithSDP(someSDP).Add("Supported", "timer").Add("Session-Expires", "60"))
	res := p.Expect("SIP/2.0 422")
	if res.Get("Min-SE") != "90" {
		t.Errorf("refused by\n%s", res)
	}
	p.Send(c.Ack(res))
}

func TestFarEndThatDoesNotRefreshIsHungUp(t *testing.T) {
	events := make(chan []Event, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		if d.Answer(ctx, []byte(someSDP)) == nil {
			events <- untilOver(ctx, d)
		}
	}, brief)
	p, c := newCall(t, a, "tcp")
	p.Send(c.Request("INVITE").WithSDP(someSDP).Add("Supported", "timer").Add("Session-Expires", "2;refresher=uac"))
	ok := p.Expect("SIP/2.0 200")
	c.Establish(ok)
	p.Send(c.Ack(ok))
	p.Send(c.Request("UPDATE").Add("Supported", "timer").Add("Session-Expires", "1;refresher=uac").Add("Contact", c.Contact()))
	if res := p.Expect("SIP/2.0 200"); res.Get("Session-Expires") != "1;refresher=uac" {
		t.Errorf("UPDATE answered by\n%s", res)
	}
	bye := p.Expect("BYE")
	if !contains(bye.Get("Reason"), "cause=408") {
		t.Errorf("BYE:\n%s", bye)
	}
	p.Send(siptest.Reply(bye, 200, "OK"))
	var lost Lost
	for _, e := range <-events {
		lost, _ = e.(Lost)
	}
	if !errors.Is(lost.Err, errExpired) {
		t.Errorf("lost by %v", lost.Err)
	}
}

// We refresh by UPDATE, or by a re-INVITE of what was agreed if the far end does
// not allow it; time and again.
func TestSessionsAreRefreshed(t *testing.T) {
	for _, method := range []string{"UPDATE", "INVITE"} {
		t.Run(method, func(t *testing.T) {
			a := startAgent(t, answerAndWait, brief)
			p, c := newCall(t, a, "tcp")
			p.Send(c.Request("INVITE").WithSDP(someSDP).Add("Session-Expires", "1").Add("Allow", "INVITE, ACK, BYE, "+method))
			ok := p.Expect("SIP/2.0 200", "SIP/2.0 180")
			c.Establish(ok)
			p.Send(c.Ack(ok))
			for range 2 {
				req := p.Expect(method)
				if req.Get("Session-Expires") != "1;refresher=uac" || (req.Body != "") != (method == "INVITE") || method == "INVITE" && req.Body != someSDP {
					t.Errorf("refreshed by\n%s", req)
				}
				res := siptest.Reply(req, 200, "OK").Add("Contact", c.Contact()).Add("Session-Expires", "1;refresher=uac")
				if method == "INVITE" {
					res = res.WithSDP(otherSDP)
				}
				p.Send(res)
				if method == "INVITE" {
					p.Expect("ACK")
				}
			}
			p.Send(c.Request("BYE"))
			p.Expect("SIP/2.0 200", method)
		})
	}
}

func TestSessionTimerOfAPlacedCall(t *testing.T) {
	a := startAgent(t, noCalls, brief)
	far := newCallee(t, "tcp")
	done := place(context.Background(), a, Outgoing{To: far.uri()})
	p := far.accept()
	invite := p.Next()
	if invite.Get("Session-Expires") != "1800" || !hasToken(invite.Get("Supported"), "timer") {
		t.Errorf("INVITE:\n%s", invite)
	}
	refuse(p, invite, 422, "Min-SE", "3600")
	again := p.Expect("INVITE")
	if again.Get("Session-Expires") != "3600" || again.Get("Min-SE") != "3600" || again.Get("Call-ID") != invite.Get("Call-ID") {
		t.Errorf("INVITE:\n%s", again)
	}
	p.Send(accepted(again, far.addr).Add("Session-Expires", "1;refresher=uac").Add("Allow", "UPDATE"))
	p.Expect("ACK")
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	update := p.Expect("UPDATE")
	p.Send(siptest.Reply(update, 200, "OK").Add("Session-Expires", "1;refresher=uac"))
	// A refresh that finds no dialog ends it.
	p.Send(siptest.Reply(p.Expect("UPDATE"), 481, "No"))
	if _, lost := (<-got.dialog.Events()).(Lost); !lost {
		t.Error("the dialog goes on")
	}
}
