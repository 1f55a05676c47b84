package sip

import (
	"context"
	"errors"
	"testing"

	"mcp/control/sip/header"
	"mcp/control/sip/siptest"
)

// early is a reliable provisional response of one far end.
func earlyMedia(invite siptest.Message, p *siptest.Peer, tag, rseq, sdp string) siptest.Message {
	return siptest.Reply(invite, 183, "Session Progress").WithSDP(sdp).With("To", invite.Get("To")+";tag="+tag).
		Add("Contact", "<sip:bob@"+p.Addr()+";transport="+p.Network()+">").Add("Require", "100rel").Add("RSeq", rseq)
}

func TestReliableProvisionalResponseIsAcknowledgedOnce(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, noCalls)
		far := newCallee(t, network)
		heard := make(chan Provisional, 10)
		done := place(context.Background(), a, Outgoing{To: far.uri(), Progress: func(p Provisional) { heard <- p }})
		p := far.accept()
		invite := p.Next()
		if !hasToken(invite.Get("Supported"), "100rel") {
			t.Errorf("Supported: %s", invite.Get("Supported"))
		}
		first := earlyMedia(invite, p, "bob", "7", otherSDP)
		p.Send(first)
		prack := p.Expect("PRACK", "INVITE")
		if prack.Get("RAck") != "7 1 INVITE" || prack.Get("CSeq") != "2 PRACK" || !contains(prack.Start, "sip:bob@"+p.Addr()) {
			t.Errorf("PRACK:\n%s", prack)
		}
		p.Send(siptest.Reply(prack, 200, "OK"))
		p.Send(first)                                               // again: no second PRACK
		p.Send(earlyMedia(invite, p, "bob", "9", someSDP))          // one before it is missing
		p.Send(earlyMedia(invite, p, "bob", "8", someSDP))          // the next
		p.Send(siptest.Reply(p.Expect("PRACK", "INVITE"), 200, "")) // of the eighth
		p.Send(siptest.Reply(invite, 200, "OK").With("To", invite.Get("To")+";tag=bob").Add("Contact", "<sip:bob@"+p.Addr()+">"))
		p.Expect("ACK")
		got := <-done
		if got.err != nil || string(got.dialog.RemoteSDP()) != someSDP {
			t.Fatalf("%+v", got)
		}
		if one, two := <-heard, <-heard; one.Status != 183 || string(one.SDP) != otherSDP || one.Branch != "bob" || string(two.SDP) != someSDP || len(heard) != 0 {
			t.Errorf("heard %+v, %+v and %d more", one, two, len(heard))
		}
		endPlaced(p, got.dialog)
	})
}

func hasToken(value, token string) bool {
	for _, part := range header.Split(value, ',') {
		if part == token {
			return true
		}
	}
	return false
}

// endPlaced hangs up a call that the agent placed.
func endPlaced(p *siptest.Peer, d *Dialog) {
	done := make(chan error, 1)
	go func() { done <- d.Bye(context.Background(), nil) }()
	p.Send(siptest.Reply(p.Expect("BYE", "ACK"), 200, "OK"))
	<-done
}

func TestForkedCallIsTheFirstThatAnswers(t *testing.T) {
	a := startAgent(t, noCalls)
	far := newCallee(t, "udp")
	branches := make(chan string, 10)
	done := place(context.Background(), a, Outgoing{To: far.uri(), Progress: func(p Provisional) { branches <- p.Branch }})
	p := far.accept()
	invite := p.Next()
	for _, tag := range []string{"ann", "bob", "cat"} {
		p.Send(siptest.Reply(invite, 180, "Ringing").With("To", invite.Get("To")+";tag="+tag).Add("Contact", "<sip:"+tag+"@"+p.Addr()+">"))
	}
	answer := func(tag string) siptest.Message {
		return siptest.Reply(invite, 200, "OK").WithSDP(otherSDP).With("To", invite.Get("To")+";tag="+tag).Add("Contact", "<sip:"+tag+"@"+p.Addr()+">")
	}
	p.Send(answer("bob"))
	ack := p.Expect("ACK", "INVITE")
	if !contains(ack.Start, "sip:bob@") {
		t.Errorf("ACK:\n%s", ack)
	}
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	p.Send(answer("cat")) // answered as well: acknowledged and hung up
	late := p.Expect("ACK", "INVITE")
	bye := p.Expect("BYE")
	if !contains(late.Start, "sip:cat@") || !contains(bye.Start, "sip:cat@") {
		t.Errorf("the second answer got\n%s\n%s", late, bye)
	}
	p.Send(siptest.Reply(bye, 200, "OK"))
	if one, two, three := <-branches, <-branches, <-branches; one != "ann" || two != "bob" || three != "cat" {
		t.Errorf("branches %s %s %s", one, two, three)
	}
	endPlaced(p, got.dialog)
}

func TestFarEndMakesTheOffer(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, noCalls)
		far := newCallee(t, network)
		answer := func(offer []byte) ([]byte, error) {
			if string(offer) != otherSDP {
				return nil, errors.New("another offer")
			}
			return []byte(someSDP), nil
		}
		done := make(chan placed, 1)
		go func() {
			d, err := a.Invite(context.Background(), Outgoing{To: far.uri(), Answer: answer})
			done <- placed{d, err}
		}()
		p := far.accept()
		invite := p.Next()
		if invite.Body != "" || invite.Get("Content-Type") != "" {
			t.Errorf("INVITE:\n%s", invite)
		}
		p.Send(accepted(invite, far.addr))
		if ack := p.Expect("ACK", "INVITE"); ack.Body != someSDP || ack.Get("Content-Type") != "application/sdp" {
			t.Errorf("ACK:\n%s", ack)
		}
		got := <-done
		if got.err != nil {
			t.Fatal(got.err)
		}
		endPlaced(p, got.dialog)
	})
}

func TestCancelSaysWhy(t *testing.T) {
	a := startAgent(t, noCalls)
	far := newCallee(t, "udp")
	ctx, cancel := context.WithCancelCause(context.Background())
	ringing := make(chan bool, 2)
	done := place(ctx, a, Outgoing{To: far.uri(), Progress: func(Provisional) { ringing <- true }})
	p := far.accept()
	invite := p.Next()
	p.Send(siptest.Reply(invite, 180, "Ringing").With("To", invite.Get("To")+";tag=bob"))
	<-ringing
	cancel(header.Reason{Protocol: "SIP", Cause: 200, Text: "Call completed elsewhere"})
	c := p.Expect("CANCEL", "INVITE")
	if c.Get("Reason") != `SIP;cause=200;text="Call completed elsewhere"` {
		t.Errorf("CANCEL:\n%s", c)
	}
	p.Send(siptest.Reply(c, 200, "OK"))
	p.Send(siptest.Reply(invite, 487, "Request Terminated").With("To", invite.Get("To")+";tag=bob"))
	p.Expect("ACK")
	if got := <-done; !errors.As(got.err, &header.Reason{}) {
		t.Errorf("%+v", got)
	}
}

// A caller who insists on it gets its ringing reliably (RFC 3262 section 3).
func TestProvisionalResponsesOfOurs(t *testing.T) {
	for _, tc := range []struct {
		name, header, value string
		reliable            bool
	}{
		{"plain", "X", "y", false},
		{"supported", "Supported", "timer, 100rel", true},
		{"required", "Require", "100rel", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := startAgent(t, func(ctx context.Context, d *Dialog) {
				if err := d.Progress(ctx, 183, Content{Body: []byte(otherSDP), Headers: map[string]string{"X-Early": "1"}}); err != nil {
					t.Errorf("progress: %v", err)
				}
				if err := d.Answer(ctx, []byte(otherSDP)); err != nil {
					t.Errorf("answer: %v", err)
				}
				untilOver(ctx, d)
			})
			p, c := newCall(t, a, "udp")
			invite := c.Request("INVITE").WithSDP(someSDP).With(tc.header, tc.value)
			p.Send(invite)
			early := p.Expect("SIP/2.0 183")
			if early.Body != otherSDP || early.Get("X-Early") != "1" || (early.Get("RSeq") != "") != tc.reliable || (early.Get("Require") == "100rel") != tc.reliable {
				t.Errorf("183:\n%s", early)
			}
			if tc.reliable {
				again := p.Expect("SIP/2.0 183")
				if again.String() != early.String() {
					t.Errorf("resent differently:\n%s", again)
				}
				c.Establish(early)
				inviteSeq := c.Seq
				p.Send(c.Request("PRACK").Add("RAck", "1 1 INVITE"))
				p.Expect("SIP/2.0 481", "SIP/2.0 183")
				p.Send(c.Request("PRACK").Add("RAck", early.Get("RSeq")+" 1 INVITE"))
				ok := p.Expect("SIP/2.0 200", "SIP/2.0 183")
				if !contains(ok.Get("CSeq"), "PRACK") {
					t.Fatalf("answered before the PRACK was:\n%s", ok)
				}
				c.Seq = inviteSeq
			}
			res := p.Expect("SIP/2.0 200", "SIP/2.0 183")
			c.Establish(res)
			p.Send(c.Ack(res))
			c.Seq = 10
			hangUp(p, c)
		})
	}
}

func TestProvisionalResponseWithoutPrackEndsTheCall(t *testing.T) {
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		if err := d.Ring(ctx); !errors.Is(err, ErrEnded) {
			t.Errorf("ring: %v", err)
		}
		if events := untilOver(ctx, d); !isEvent[Lost](events) {
			t.Errorf("events %v", events)
		}
	}, hasty)
	p, c := newCall(t, a, "udp")
	p.Send(c.Request("INVITE").WithSDP(someSDP).With("Require", "100rel"))
	p.Send(c.Ack(p.Expect("SIP/2.0 504", "SIP/2.0 180")))
}
