package sip

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"mcp/control/sip/digest"
	"mcp/control/sip/siptest"
)

// unreachable is the URI of a TCP port that nobody listens at.
func unreachable(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return "sip:" + ln.Addr().String() + ";transport=tcp"
}

func refuse(p *siptest.Peer, invite siptest.Message, status int, header, value string) {
	p.Send(siptest.Reply(invite, status, "No").With("To", invite.Get("To")+";tag=x").Add(header, value))
	p.Expect("ACK", "INVITE")
}

// The first route cannot be reached, the second is overloaded, the third serves.
func TestCallsPassOnToTheNextRoute(t *testing.T) {
	busy, good := newCallee(t, "udp"), newCallee(t, "tcp")
	a := startAgent(t, noCalls, func(c *Config) {
		c.Routes = []string{unreachable(t), "sip:" + busy.addr, "sip:" + good.addr + ";transport=tcp"}
	})
	done := place(context.Background(), a, Outgoing{To: "sip:alice@192.0.2.1:5060"})
	second := busy.accept()
	invite := second.Next()
	if invite.Start != "INVITE sip:alice@192.0.2.1:5060 SIP/2.0" || invite.Get("Route") != "<sip:"+busy.addr+";lr>" {
		t.Errorf("INVITE:\n%s", invite)
	}
	refuse(second, invite, 503, "Retry-After", "120 (I'm in a meeting);duration=60")
	third := good.accept()
	next := third.Next()
	if next.Get("Call-ID") != invite.Get("Call-ID") || next.Get("CSeq") == invite.Get("CSeq") || len(next.All("Route")) != 1 {
		t.Errorf("INVITE:\n%s", next)
	}
	third.Send(accepted(next, good.addr))
	third.Expect("ACK")
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	endPlaced(third, got.dialog)

	// The next call goes to the good one at once; a refusal that is the far end's
	// own is final.
	done = place(context.Background(), a, Outgoing{To: "sip:alice@192.0.2.1:5060"})
	refuse(third, third.Expect("INVITE"), 486, "X", "y")
	var rejected *RejectedError
	if got := <-done; !errors.As(got.err, &rejected) || rejected.Status != 486 {
		t.Errorf("%+v", got)
	}
}

func TestSilentRouteIsGivenUp(t *testing.T) {
	silent, good := newCallee(t, "udp"), newCallee(t, "udp")
	a := startAgent(t, noCalls, func(c *Config) {
		c.Routes = []string{"sip:" + silent.addr, "sip:" + good.addr}
		c.FailOver = 3 * testT1
	})
	done := place(context.Background(), a, Outgoing{To: "sip:alice@192.0.2.1"})
	first := silent.accept()
	late := first.Next()
	p := good.accept()
	invite := p.Next()
	first.Send(siptest.Reply(late, 180, "Ringing")) // awake after all: cancelled
	c := first.Expect("CANCEL", "INVITE")
	first.Send(siptest.Reply(c, 200, "OK"))
	refuse(first, late, 487, "X", "y")
	p.Send(accepted(invite, good.addr))
	p.Expect("ACK", "INVITE")
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	endPlaced(p, got.dialog)
}

func TestDirectCallsLeaveTheRoutesAside(t *testing.T) {
	far := newCallee(t, "udp")
	a := startAgent(t, noCalls, func(c *Config) { c.Routes = []string{unreachable(t)} })
	done := place(context.Background(), a, Outgoing{To: far.uri(), Direct: true})
	p := far.accept()
	invite := p.Next()
	if invite.Get("Route") != "" {
		t.Errorf("INVITE:\n%s", invite)
	}
	refuse(p, invite, 603, "X", "y")
	<-done
	if _, err := a.Invite(context.Background(), Outgoing{To: far.uri(), Offer: []byte(someSDP)}); err == nil {
		t.Error("a call through a route that cannot be reached")
	}
}

var secret = digest.Credentials{{Realm: "gvp", User: "mcp", Password: "secret"}}

// Whom we call may ask who we are, for the INVITE and for what follows.
func TestChallengeIsAnswered(t *testing.T) {
	server := digest.NewServer("gvp", map[string]string{"mcp": "secret"})
	a := startAgent(t, noCalls, func(c *Config) { c.Credentials = secret })
	far := newCallee(t, "udp")
	done := place(context.Background(), a, Outgoing{To: far.uri()})
	p := far.accept()
	invite := p.Next()
	refuse(p, invite, 407, "Proxy-Authenticate", server.Challenges(time.Now(), false)[0])
	again := p.Expect("INVITE", "ACK")
	r := digest.Request{Method: "INVITE", URI: far.uri()}
	if user, _ := server.Verify(again.Get("Proxy-Authorization"), r, time.Now()); user != "mcp" {
		t.Errorf("INVITE:\n%s", again)
	}
	p.Send(accepted(again, far.addr))
	if ack := p.Expect("ACK", "INVITE"); ack.Get("Proxy-Authorization") != again.Get("Proxy-Authorization") {
		t.Errorf("ACK:\n%s", ack)
	}
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	ended := make(chan error, 1)
	go func() { ended <- got.dialog.Bye(context.Background(), nil) }()
	p.Send(siptest.Reply(p.Expect("BYE", "ACK"), 401, "No").Add("WWW-Authenticate", server.Challenges(time.Now(), false)[1]))
	bye := p.Expect("BYE")
	for bye.Get("Authorization") == "" {
		bye = p.Expect("BYE")
	}
	p.Send(siptest.Reply(bye, 200, "OK"))
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A proof whose nonce has become too old is made anew, in the INVITE as in what
// follows it, a few times at most.
func TestStaleNonce(t *testing.T) {
	server := digest.NewServer("gvp", map[string]string{"mcp": "secret"})
	a := startAgent(t, noCalls, func(c *Config) { c.Credentials = secret })
	far := newCallee(t, "tcp")
	done := place(context.Background(), a, Outgoing{To: far.uri()})
	p := far.accept()
	// challenged has a request refused twice, and returns the third.
	challenged := func(method string, others ...string) siptest.Message {
		t.Helper()
		for _, stale := range []bool{false, true} {
			m := p.Expect(method, others...)
			res := siptest.Reply(m, 407, "No").Add("Proxy-Authenticate", server.Challenges(time.Now(), stale)[0])
			if !strings.Contains(m.Get("To"), ";tag=") {
				res = res.With("To", m.Get("To")+";tag=x")
			}
			if p.Send(res); method == "INVITE" {
				p.Expect("ACK")
			}
		}
		m := p.Expect(method, others...)
		uri, _, _ := strings.Cut(strings.TrimPrefix(m.String(), method+" "), " ")
		if user, _ := server.Verify(m.Get("Proxy-Authorization"), digest.Request{Method: method, URI: uri}, time.Now()); user != "mcp" {
			t.Errorf("%s:\n%s", method, m)
		}
		return m
	}
	p.Send(accepted(challenged("INVITE", "ACK"), far.addr))
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	changed := make(chan error, 1)
	go func() {
		_, err := got.dialog.Reinvite(context.Background(), Change{Offer: []byte(someSDP)})
		changed <- err
	}()
	again := challenged("INVITE", "ACK")
	p.Send(siptest.Reply(again, 200, "OK").WithSDP(otherSDP).Add("Contact", "<sip:bob@"+far.addr+">"))
	if ack := p.Expect("ACK"); ack.Get("Proxy-Authorization") != again.Get("Proxy-Authorization") {
		t.Errorf("ACK:\n%s", ack)
	}
	if err := <-changed; err != nil {
		t.Error(err)
	}
	referred := make(chan error, 1)
	go func() {
		_, err := got.dialog.Refer(context.Background(), Refer{To: "sip:bob@example.com"})
		referred <- err
	}()
	p.Send(siptest.Reply(challenged("REFER"), 202, "Accepted"))
	if err := <-referred; err != nil {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- got.dialog.Bye(context.Background(), nil) }()
	for range maxAmendments + 1 { // whoever says so for ever is not believed
		p.Send(siptest.Reply(p.Expect("BYE"), 407, "No").Add("Proxy-Authenticate", server.Challenges(time.Now(), true)[0]))
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A challenge is answered once, only if the realm is ours, and never on a call
// that came in (CVE-2021-41158).
func TestChallengesThatAreNotAnswered(t *testing.T) {
	server := digest.NewServer("gvp", nil)
	t.Run("again", func(t *testing.T) {
		a := startAgent(t, noCalls, func(c *Config) { c.Credentials = secret })
		far := newCallee(t, "tcp")
		done := place(context.Background(), a, Outgoing{To: far.uri()})
		p := far.accept()
		for range 2 {
			refuse(p, p.Expect("INVITE"), 401, "WWW-Authenticate", server.Challenges(time.Now(), false)[0])
		}
		var rejected *RejectedError
		if got := <-done; !errors.As(got.err, &rejected) || rejected.Status != 401 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("realm", func(t *testing.T) {
		a := startAgent(t, noCalls, func(c *Config) { c.Credentials = secret })
		far := newCallee(t, "tcp")
		done := place(context.Background(), a, Outgoing{To: far.uri()})
		p := far.accept()
		refuse(p, p.Next(), 401, "WWW-Authenticate", digest.NewServer("evil", nil).Challenges(time.Now(), false)[0])
		var rejected *RejectedError
		if got := <-done; !errors.As(got.err, &rejected) || rejected.Status != 401 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("incoming", func(t *testing.T) {
		dialogs := make(chan *Dialog, 1)
		a := startAgent(t, func(ctx context.Context, d *Dialog) {
			_ = d.Answer(ctx, []byte(someSDP))
			dialogs <- d
			untilOver(ctx, d)
		}, func(c *Config) { c.Credentials = secret })
		p, c := newCall(t, a, "udp")
		establish(t, c)
		d := <-dialogs
		ended := make(chan error, 1)
		go func() { ended <- d.Bye(context.Background(), nil) }()
		bye := p.Expect("BYE")
		p.Send(siptest.Reply(bye, 407, "No").Add("Proxy-Authenticate", server.Challenges(time.Now(), false)[0]))
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if m, more := p.Within(4 * testT1); more && m.Get("Proxy-Authorization") != "" {
			t.Errorf("the caller was told who we are:\n%s", m)
		}
	})
}

// A caller who says again what has served before is told that it is stale, and is let
// in with a new proof; one who guesses is not told so.
func TestProofsServeOnce(t *testing.T) {
	a := startAgent(t, answerAndWait, func(c *Config) {
		c.Callers = digest.NewServer("gvp", map[string]string{"mcp": "secret"})
	})
	p, first := newCall(t, a, "tcp")
	// ask sends an INVITE with a proof, and returns the challenge it meets.
	ask := func(c *siptest.Call, proof string) (challenge string) {
		t.Helper()
		p.Send(c.Request("INVITE").WithSDP(someSDP).With("Authorization", proof))
		res := p.Expect("SIP/2.0 401")
		p.Send(c.Ack(res))
		return res.Get("WWW-Authenticate")
	}
	challenge := ask(first, "Digest")
	uri, _, _ := strings.Cut(strings.TrimPrefix(first.Request("INVITE").String(), "INVITE "), " ")
	r := digest.Request{Method: "INVITE", URI: uri, Body: []byte(someSDP)}
	proof, ok := secret.Answer([]string{challenge}, r)
	if !ok || proof.Stale {
		t.Fatalf("challenged with %s", challenge)
	}
	guess, _ := digest.Credentials{{Realm: "gvp", User: "mcp", Password: "guess"}}.Answer([]string{challenge}, r)
	if again, _ := secret.Answer([]string{ask(first, guess.Value)}, r); again.Stale {
		t.Error("a guess is taken for a proof that is stale")
	}
	enter := func(c *siptest.Call, proof string) {
		t.Helper()
		p.Send(c.Request("INVITE").WithSDP(someSDP).With("Authorization", proof))
		ok := p.Expect("SIP/2.0 200", "SIP/2.0 180")
		c.Establish(ok)
		p.Send(c.Ack(ok))
		hangUp(p, c)
	}
	enter(first, proof.Value)
	second := siptest.NewCall(p, uri)
	again, ok := secret.Answer([]string{ask(second, proof.Value)}, r)
	if !ok || !again.Stale {
		t.Errorf("a proof that has served is answered with %+v", again)
	}
	enter(second, again.Value)
}

func TestCallersProveWhoTheyAre(t *testing.T) {
	callee := startAgent(t, answerAndWait, func(c *Config) {
		c.Callers = digest.NewServer("gvp", map[string]string{"mcp": "secret"})
	})
	to := "sip:ivr@" + addrOf(callee, "tcp") + ";transport=tcp"
	known := startAgent(t, noCalls, func(c *Config) { c.Credentials = secret })
	d, err := known.Invite(context.Background(), Outgoing{To: to, Offer: []byte(someSDP)})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Bye(context.Background(), nil); err != nil {
		t.Error(err)
	}
	for what, c := range map[string]digest.Credentials{"nobody": nil, "a guess": {{Realm: "gvp", User: "mcp", Password: "guess"}}} {
		stranger := startAgent(t, noCalls, func(cfg *Config) { cfg.Credentials = c })
		var rejected *RejectedError
		if _, err := stranger.Invite(context.Background(), Outgoing{To: to, Offer: []byte(someSDP)}); !errors.As(err, &rejected) || rejected.Status != 401 {
			t.Errorf("%s: %v", what, err)
		}
	}
}
