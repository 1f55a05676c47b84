package sip

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"mcp/control/sip/header"
	"mcp/control/sip/siptest"
)

func TestCallIsAnsweredAndHungUpByTheCaller(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		events := make(chan []Event, 1)
		var seen *Dialog
		a := startAgent(t, func(ctx context.Context, d *Dialog) {
			seen = d
			if err := d.Ring(ctx); err != nil {
				t.Error(err)
			}
			if err := d.Answer(ctx, []byte(otherSDP)); err != nil {
				t.Error(err)
			}
			events <- untilOver(ctx, d)
		})
		p, c := newCall(t, a, network)
		c.Target += ";voicexml=http%3A%2F%2Fweb%2Fa.vxml"
		p.Send(c.Request("INVITE").WithSDP(someSDP).Add("X-Genesys-CallUUID", "abc").Add("s", "hello"))
		ringing := p.Expect("SIP/2.0 180")
		ok := p.Expect("SIP/2.0 200")
		tag := siptest.Param(ok.Get("To"), "tag")
		if tag == "" || siptest.Param(ringing.Get("To"), "tag") != tag {
			t.Fatalf("180 and 200 must share a tag:\n%s\n%s", ringing, ok)
		}
		if ok.Body != otherSDP || ok.Get("Content-Type") != "application/sdp" {
			t.Fatalf("no answer in\n%s", ok)
		}
		if uri := siptest.URI(ok.Get("Contact")); !contains(uri, addrOf(a, network)) || (network == "tcp") != contains(uri, "transport=tcp") {
			t.Errorf("Contact %q does not lead to us", uri)
		}
		c.Establish(ok)
		p.Send(c.Ack(ok))
		p.Send(c.Request("BYE").Add("Reason", "Q.850;cause=16"))
		p.Expect("SIP/2.0 200")
		got := <-events
		bye, is := got[len(got)-1].(ByeReceived)
		if len(got) != 1 || !is || bye.Reasons[0] != "Q.850;cause=16" {
			t.Errorf("events: %v", got)
		}
		checkFacts(t, seen, c)
	})
}

// checkFacts holds a dialog to what its INVITE said.
func checkFacts(t *testing.T, d *Dialog, c *siptest.Call) {
	t.Helper()
	if d.CallID() != c.ID || string(d.RemoteSDP()) != someSDP {
		t.Errorf("Call-ID %q, SDP %q", d.CallID(), d.RemoteSDP())
	}
	uri := d.RequestURI()
	if uri.User != "ivr" || uri.Host != "127.0.0.1" || uri.Port == 0 || uri.Params["voicexml"] != "http://web/a.vxml" {
		t.Errorf("Request-URI %+v", uri)
	}
	if v := d.Header("x-genesys-calluuid"); len(v) != 1 || v[0] != "abc" {
		t.Errorf("X-Genesys-CallUUID %q", v)
	}
	if v := header.Values(d.Headers(), "subject"); len(v) != 1 || v[0] != "hello" {
		t.Errorf("Subject, abbreviated, %q", v)
	}
	if !contains(d.RemoteURI(), "caller@") || !contains(d.LocalURI(), "ivr@") {
		t.Errorf("remote %q, local %q", d.RemoteURI(), d.LocalURI())
	}
	if d.RemoteHost().String() != "127.0.0.1" || d.LocalHost().String() != "127.0.0.1" {
		t.Errorf("remote host %v, local host %v", d.RemoteHost(), d.LocalHost())
	}
}

func TestDelayedOfferTakesTheAnswerFromTheAck(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		answer := make(chan string, 1)
		a := startAgent(t, func(ctx context.Context, d *Dialog) {
			if d.RemoteSDP() != nil {
				t.Error("an offer out of nowhere")
			}
			if err := d.Answer(ctx, []byte(someSDP)); err != nil {
				t.Error(err)
			}
			answer <- string(d.RemoteSDP())
			untilOver(ctx, d)
		})
		p, c := newCall(t, a, network)
		p.Send(c.Request("INVITE"))
		ok := p.Expect("SIP/2.0 200")
		if ok.Body != someSDP {
			t.Fatalf("no offer in\n%s", ok)
		}
		c.Establish(ok)
		p.Send(c.Ack(ok).WithSDP(otherSDP))
		if got := <-answer; got != otherSDP {
			t.Errorf("answer %q", got)
		}
		p.Send(c.Request("BYE"))
		p.Expect("SIP/2.0 200")
	})
}

func TestAnswerIsResentUntilAcknowledged(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, answerAndWait)
		p, c := newCall(t, a, network)
		p.Send(c.Request("INVITE").WithSDP(someSDP))
		first := p.Expect("SIP/2.0 200", "SIP/2.0 180")
		for range 2 {
			if again := p.Expect("SIP/2.0 200"); again.String() != first.String() {
				t.Fatalf("the answer changed:\n%s\n%s", first, again)
			}
		}
		c.Establish(first)
		p.Send(c.Ack(first))
		p.Send(c.Request("BYE"))
		for {
			if m := p.Expect("SIP/2.0 200"); contains(m.Get("CSeq"), "BYE") {
				return
			}
		}
	})
}

func TestAnswerNeverAcknowledgedEndsInBye(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		result := make(chan error, 1)
		a := startAgent(t, func(ctx context.Context, d *Dialog) {
			result <- d.Answer(ctx, []byte(someSDP))
			if !isEvent[Lost](untilOver(ctx, d)) {
				t.Error("no event tells of it")
			}
		}, hasty)
		p, c := newCall(t, a, network)
		p.Send(c.Request("INVITE").WithSDP(someSDP))
		bye := p.Expect("BYE", "SIP/2.0 200")
		p.Send(siptest.Reply(bye, 200, "OK"))
		if err := <-result; !errors.Is(err, ErrNoAck) {
			t.Errorf("answer: %v", err)
		}
	})
}

func TestRetransmittedInviteIsOneCall(t *testing.T) {
	calls := make(chan *Dialog, 10)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		calls <- d
		answerAndWait(ctx, d)
	})
	p, c := newCall(t, a, "udp")
	invite := c.Request("INVITE").WithSDP(someSDP)
	for range 5 {
		p.Send(invite)
	}
	ok := p.Expect("SIP/2.0 200", "SIP/2.0 180")
	p.Send(invite) // absorbed in Accepted, RFC 6026
	c.Establish(ok)
	p.Send(c.Ack(ok))
	bye := c.Request("BYE")
	p.Send(bye)
	p.Expect("SIP/2.0 200", "SIP/2.0 180")
	p.Send(bye)
	for {
		if m := p.Expect("SIP/2.0 200", "SIP/2.0 180"); contains(m.Get("CSeq"), "BYE") {
			break
		}
	}
	if len(calls) != 1 {
		t.Errorf("%d calls", len(calls))
	}
}

func TestRejectionIsResentUntilAcknowledged(t *testing.T) {
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		if err := d.Reject(ctx, 486, "", map[string]string{"Retry-After": "5", "X-Evil": "a\r\nBad: b"}); err != nil {
			t.Error(err)
		}
		if err := d.Answer(ctx, []byte(someSDP)); !errors.Is(err, ErrEnded) {
			t.Errorf("answer after rejection: %v", err)
		}
	}, hasty)
	p, c := newCall(t, a, "udp")
	p.Send(c.Request("INVITE").WithSDP(someSDP))
	busy := p.Expect("SIP/2.0 486")
	if busy.Get("Retry-After") != "5" || busy.Get("Bad") != "" || busy.Get("X-Evil") != "a" {
		t.Errorf("headers of\n%s", busy)
	}
	p.Expect("SIP/2.0 486")
	p.Send(c.Ack(busy))
	eventually(t, "the transaction is gone", func() bool { return leftovers(a) == 0 })
}

func TestHandlerThatReturnsEndsItsCall(t *testing.T) {
	t.Run("unanswered", func(t *testing.T) {
		a := startAgent(t, func(context.Context, *Dialog) {})
		p, c := newCall(t, a, "tcp")
		p.Send(c.Request("INVITE").WithSDP(someSDP))
		p.Send(c.Ack(p.Expect("SIP/2.0 500")))
	})
	t.Run("answered", func(t *testing.T) {
		a := startAgent(t, func(ctx context.Context, d *Dialog) {
			if err := d.Answer(ctx, []byte(someSDP)); err != nil {
				t.Error(err)
			}
		})
		p, c := newCall(t, a, "tcp")
		establish(t, c)
		p.Send(siptest.Reply(p.Expect("BYE"), 200, "OK"))
	})
	t.Run("answer not acknowledged yet", func(t *testing.T) {
		a := startAgent(t, func(ctx context.Context, d *Dialog) {
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			if err := d.Answer(short, []byte(someSDP)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("answer: %v", err)
			}
		})
		p, c := newCall(t, a, "tcp")
		p.Send(c.Request("INVITE").WithSDP(someSDP))
		ok := p.Expect("SIP/2.0 200")
		p.Expect("SIP/2.0 200") // no BYE before the ACK
		c.Establish(ok)
		p.Send(c.Ack(ok))
		p.Send(siptest.Reply(p.Expect("BYE", "SIP/2.0 200"), 200, "OK"))
	})
}

func TestRecordRouteMakesTheRouteSet(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, func(ctx context.Context, d *Dialog) { _ = d.Answer(ctx, []byte(someSDP)) })
		p, c := newCall(t, a, network)
		invite := c.Request("INVITE").WithSDP(someSDP).With("Contact", "<sip:caller@192.0.2.9:5080>")
		near := "<sip:" + p.Addr() + ";transport=" + network + ";lr>"
		far := "<sip:192.0.2.7;lr>"
		p.Send(invite.Add("Record-Route", near+", "+far))
		ok := p.Expect("SIP/2.0 200")
		if got := strings.Join(ok.All("Record-Route"), ", "); got != near+", "+far {
			t.Errorf("Record-Route in the 200: %s", got)
		}
		c.Establish(ok)
		p.Send(c.Ack(ok))
		bye := p.Expect("BYE")
		if bye.Start != "BYE sip:caller@192.0.2.9:5080 SIP/2.0" || strings.Join(bye.All("Route"), ", ") != near+", "+far {
			t.Errorf("BYE not along the route set:\n%s", bye)
		}
		p.Send(siptest.Reply(bye, 200, "OK"))
	})
}

func TestStrictRouterGetsTheRequestURI(t *testing.T) {
	a := startAgent(t, func(ctx context.Context, d *Dialog) { _ = d.Answer(ctx, []byte(someSDP)) })
	p, c := newCall(t, a, "udp")
	p.Send(c.Request("INVITE").WithSDP(someSDP).Add("Record-Route", "<sip:"+p.Addr()+">"))
	ok := p.Expect("SIP/2.0 200")
	c.Establish(ok)
	p.Send(c.Ack(ok))
	bye := p.Expect("BYE")
	if !strings.HasPrefix(bye.Start, "BYE sip:"+p.Addr()+" ") || !contains(bye.Get("Route"), "caller@") {
		t.Errorf("BYE:\n%s", bye)
	}
	p.Send(siptest.Reply(bye, 200, "OK"))
}

func TestViaGetsReceivedAndRport(t *testing.T) {
	a := startAgent(t, answerAndWait)
	p, c := newCall(t, a, "udp")
	options := c.Request("OPTIONS")
	p.Send(options.With("Via", "SIP/2.0/UDP host.invalid:9;branch=z9hG4bK-a;rport"))
	via := p.Expect("SIP/2.0 200").Get("Via")
	_, port, _ := strings.Cut(p.Addr(), ":")
	if siptest.Param(via, "received") != "127.0.0.1" || siptest.Param(via, "rport") != port {
		t.Errorf("Via %s", via)
	}
}

func TestAdvertisedAddressIsInContact(t *testing.T) {
	a := startAgent(t, answerAndWait, func(c *Config) {
		c.Listen = []string{"udp:0.0.0.0:0"}
		c.Advertise = mustAddr("192.0.2.1")
	})
	p := siptest.Dial(t, "udp", strings.Replace(addrOf(a, "udp"), "0.0.0.0", "127.0.0.1", 1))
	c := siptest.NewCall(p, "sip:x@192.0.2.1")
	ok := establish(t, c)
	if !contains(ok.Get("Contact"), "sip:192.0.2.1:") {
		t.Errorf("Contact %s", ok.Get("Contact"))
	}
	p.Send(c.Request("BYE"))
	p.Expect("SIP/2.0 200", "SIP/2.0 180")
}

func TestCallOverIPv6(t *testing.T) {
	if ln, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 on this machine: %v", err)
	} else {
		ln.Close()
	}
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, answerAndWait, func(c *Config) { c.Listen = []string{"udp:[::1]:0", "tcp:[::1]:0"} })
		p, c := newCall(t, a, network)
		ok := establish(t, c)
		if !contains(ok.Get("Contact"), "sip:[::1]:") {
			t.Errorf("Contact %s", ok.Get("Contact"))
		}
		d := a.all()[0]
		if d.RemoteHost() != mustAddr("::1") || d.LocalHost() != mustAddr("::1") {
			t.Errorf("remote %v, local %v", d.RemoteHost(), d.LocalHost())
		}
		hangUp(p, c)
	})
}

func TestNobodyRefusesCalls(t *testing.T) {
	a := startAgent(t, Nobody{}.Invite)
	p, c := newCall(t, a, "tcp")
	p.Send(c.Request("INVITE").WithSDP(someSDP))
	p.Send(c.Ack(p.Expect("SIP/2.0 480")))
}
