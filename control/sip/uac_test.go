package sip

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"mcp/control/sip/siptest"
	"mcp/control/sip/wire"
)

// callee is the far end of a call that the agent places.
type callee struct {
	network string
	addr    string
	accept  func() *siptest.Peer // after the call was placed
}

func newCallee(t *testing.T, network string) callee {
	t.Helper()
	if network == "udp" {
		p := siptest.Listen(t)
		return callee{network, p.Addr(), func() *siptest.Peer { return p }}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return callee{network, ln.Addr().String(), func() *siptest.Peer {
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return siptest.Adopt(t, conn)
	}}
}

func (c callee) uri() string { return "sip:bob@" + c.addr + ";transport=" + c.network }

type placed struct {
	dialog *Dialog
	err    error
}

func place(ctx context.Context, a *Agent, out Outgoing) chan placed {
	done := make(chan placed, 1)
	if out.Offer == nil {
		out.Offer = []byte(someSDP)
	}
	go func() {
		d, err := a.Invite(ctx, out)
		done <- placed{d, err}
	}()
	return done
}

// accepted is the callee's 200 to an INVITE.
func accepted(invite siptest.Message, addr string) siptest.Message {
	m := siptest.Reply(invite, 200, "OK").WithSDP(otherSDP).Add("Contact", "<sip:bob@"+addr+">")
	return m.With("To", invite.Get("To")+";tag=bob")
}

func noCalls(context.Context, *Dialog) {}

func TestPlacedCallIsAnsweredAndHungUp(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, noCalls)
		far := newCallee(t, network)
		progress := make(chan int, 10)
		done := place(context.Background(), a, Outgoing{To: far.uri(), From: "sip:alice@example.com",
			Headers:  map[string]string{"X-Test": "1", "i": "evil", "contact": "evil", "Cseq": "evil", "A b": "evil"},
			Progress: func(p Provisional) { progress <- p.Status }})
		p := far.accept()
		invite := p.Next()
		if !strings.HasPrefix(invite.Start, "INVITE sip:bob@") || invite.Body != someSDP || invite.Get("X-Test") != "1" ||
			invite.Get("Max-Forwards") != "70" || invite.Get("User-Agent") != "test" || !contains(invite.Get("From"), "alice@example.com") {
			t.Fatalf("INVITE:\n%s", invite)
		}
		if contains(invite.String(), "evil") {
			t.Errorf("the agent's own headers given from outside:\n%s", invite)
		}
		p.Send(siptest.Reply(invite, 100, "Trying"))
		p.Send(siptest.Reply(invite, 180, "Ringing"))
		ok := accepted(invite, far.addr)
		p.Send(ok)
		ack := p.Expect("ACK", "INVITE")
		if !strings.HasPrefix(ack.Start, "ACK sip:bob@"+far.addr) || ack.Get("To") != ok.Get("To") || ack.Get("CSeq") != "1 ACK" ||
			siptest.Param(ack.Get("Via"), "branch") == siptest.Param(invite.Get("Via"), "branch") {
			t.Errorf("ACK:\n%s", ack)
		}
		p.Send(ok) // our ACK was lost
		if again := p.Expect("ACK"); again.String() != ack.String() {
			t.Errorf("another ACK:\n%s", again)
		}
		got := <-done
		if got.err != nil || string(got.dialog.RemoteSDP()) != otherSDP {
			t.Fatalf("%+v", got)
		}
		if first, second := <-progress, <-progress; first != 100 || second != 180 {
			t.Errorf("progress %d, %d", first, second)
		}
		hungUp := make(chan error, 1)
		go func() {
			hungUp <- got.dialog.ByeWith(context.Background(), Content{Type: "text/x", Body: []byte("a=1"), Headers: map[string]string{"Reason": "done"}})
		}()
		bye := p.Expect("BYE")
		if bye.Get("CSeq") != "2 BYE" || bye.Get("Reason") != "done" || bye.Get("Content-Type") != "text/x" || bye.Body != "a=1" {
			t.Errorf("BYE:\n%s", bye)
		}
		p.Send(siptest.Reply(bye, 200, "OK"))
		if err := <-hungUp; err != nil {
			t.Error(err)
		}
		if err := got.dialog.Bye(context.Background(), nil); err != nil {
			t.Errorf("second Bye: %v", err)
		}
	})
}

func TestPlacedCallHearsTheFarEnd(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, noCalls)
		far := newCallee(t, network)
		done := place(context.Background(), a, Outgoing{To: far.uri()})
		p := far.accept()
		invite := p.Next()
		p.Send(accepted(invite, far.addr))
		// A BYE at once must find the dialog: it is entered before the ACK goes.
		c := &siptest.Call{Peer: p, Target: siptest.URI(invite.Get("Contact")), ID: invite.Get("Call-ID"),
			From: invite.Get("To") + ";tag=bob", To: invite.Get("From"), Seq: 100}
		p.Expect("ACK", "INVITE")
		p.Send(c.Request("OPTIONS"))
		p.Expect("SIP/2.0 200")
		p.Send(c.Request("INVITE").WithSDP(otherSDP))
		got := <-done
		re := (<-got.dialog.Events()).(*Reinvite)
		accepts := make(chan error, 1)
		go func() { accepts <- re.Accept(context.Background(), []byte(someSDP)) }()
		ok := p.Expect("SIP/2.0 200")
		p.Send(c.Ack(ok))
		if err := <-accepts; err != nil || string(re.Offer) != otherSDP {
			t.Errorf("re-INVITE: %v", err)
		}
		p.Send(c.Request("BYE"))
		p.Expect("SIP/2.0 200")
		if e, is := (<-got.dialog.Events()).(ByeReceived); !is {
			t.Errorf("event %v", e)
		}
		if _, more := <-got.dialog.Events(); more {
			t.Error("events after the end")
		}
	})
}

func TestRejectionOfAPlacedCall(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, noCalls)
		far := newCallee(t, network)
		done := place(context.Background(), a, Outgoing{To: far.uri()})
		p := far.accept()
		invite := p.Next()
		busy := siptest.Reply(invite, 486, "Busy Here").Add("Retry-After", "7").With("To", invite.Get("To")+";tag=x")
		p.Send(busy)
		ack := p.Expect("ACK", "INVITE")
		if siptest.Param(ack.Get("Via"), "branch") != siptest.Param(invite.Get("Via"), "branch") || ack.Get("To") != busy.Get("To") {
			t.Errorf("ACK:\n%s", ack)
		}
		if network == "udp" {
			p.Send(busy)
			p.Expect("ACK", "INVITE")
		}
		var rejected *RejectedError
		if got := <-done; !errors.As(got.err, &rejected) || rejected.Status != 486 || rejected.Headers["retry-after"][0] != "7" {
			t.Errorf("%+v", got)
		}
	})
}

func TestRecordRouteReversedForTheCaller(t *testing.T) {
	a := startAgent(t, noCalls)
	far := newCallee(t, "udp")
	done := place(context.Background(), a, Outgoing{To: far.uri()})
	p := far.accept()
	ok := accepted(p.Next(), "192.0.2.5:5060")
	p.Send(ok.Add("Record-Route", "<sip:192.0.2.6;lr>").Add("Record-Route", "<sip:"+p.Addr()+";lr>"))
	ack := p.Expect("ACK", "INVITE")
	if got := strings.Join(ack.All("Route"), " "); got != "<sip:"+p.Addr()+";lr> <sip:192.0.2.6;lr>" {
		t.Errorf("Route %s", got)
	}
	got := <-done
	go func() { _ = got.dialog.Bye(context.Background(), nil) }()
	p.Send(siptest.Reply(p.Expect("BYE"), 200, "OK"))
}

func TestContextEndCancelsAfterAProvisionalResponse(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, noCalls)
		far := newCallee(t, network)
		ctx, cancel := context.WithCancel(context.Background())
		done := place(ctx, a, Outgoing{To: far.uri()})
		p := far.accept()
		invite := p.Next()
		cancel()
		if got := <-done; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%+v", got)
		}
		if m, early := p.Within(testT1); early && strings.HasPrefix(m.Start, "CANCEL") {
			t.Error("CANCEL before any response")
		}
		p.Send(siptest.Reply(invite, 180, "Ringing"))
		c := p.Expect("CANCEL", "INVITE")
		if siptest.Param(c.Get("Via"), "branch") != siptest.Param(invite.Get("Via"), "branch") || c.Get("CSeq") != "1 CANCEL" || len(c.All("Via")) != 1 {
			t.Errorf("CANCEL:\n%s", c)
		}
		p.Send(siptest.Reply(c, 200, "OK"))
		p.Send(siptest.Reply(invite, 487, "Request Terminated").With("To", invite.Get("To")+";tag=x"))
		p.Expect("ACK")
	})
}

func TestAnswerThatCrossesTheCancelIsHungUp(t *testing.T) {
	a := startAgent(t, noCalls)
	far := newCallee(t, "tcp")
	ctx, cancel := context.WithCancel(context.Background())
	done := place(ctx, a, Outgoing{To: far.uri()})
	p := far.accept()
	invite := p.Next()
	p.Send(siptest.Reply(invite, 180, "Ringing"))
	eventually(t, "the 180 is in", func() bool { cancel(); return len(done) == 1 })
	p.Expect("CANCEL")
	p.Send(accepted(invite, far.addr))
	p.Expect("ACK")
	p.Send(siptest.Reply(p.Expect("BYE"), 200, "OK"))
}

func TestFarEndThatNeverFinishesACancelledCall(t *testing.T) {
	a := startAgent(t, noCalls, hasty)
	far := newCallee(t, "udp")
	ctx, cancel := context.WithCancel(context.Background())
	done := place(ctx, a, Outgoing{To: far.uri()})
	p := far.accept()
	p.Send(siptest.Reply(p.Next(), 180, "Ringing"))
	cancel()
	<-done
	eventually(t, "the INVITE is given up", func() bool { return leftovers(a) == 0 })
}

func TestSilenceTimesOut(t *testing.T) {
	a := startAgent(t, noCalls, hasty)
	far := newCallee(t, "udp")
	done := place(context.Background(), a, Outgoing{To: far.uri()})
	p := far.accept()
	first := p.Next()
	if again := p.Next(); again.String() != first.String() {
		t.Errorf("the INVITE changed:\n%s\n%s", first, again)
	}
	if got := <-done; !errors.Is(got.err, wire.ErrTimeout) || !errors.Is(got.err, ErrLost) {
		t.Errorf("%+v", got)
	}
}

func TestNobodyListening(t *testing.T) {
	a := startAgent(t, noCalls)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	if _, err := a.Invite(context.Background(), Outgoing{To: "sip:x@" + addr + ";transport=tcp", Offer: []byte(someSDP)}); !errors.Is(err, ErrLost) {
		t.Errorf("a call to nobody: %v", err)
	}
	for _, bad := range []string{"", "bob", "sip:", "sip:x@127.0.0.1:99999", "sip:x@127.0.0.1;transport=sctp"} {
		if _, err := a.Invite(context.Background(), Outgoing{To: bad, Offer: []byte(someSDP)}); err == nil {
			t.Errorf("a call to %q", bad)
		}
	}
}

func TestConnectionThatClosesFailsTheCallAtOnce(t *testing.T) {
	a := startAgent(t, noCalls)
	far := newCallee(t, "tcp")
	done := place(context.Background(), a, Outgoing{To: far.uri()})
	p := far.accept()
	p.Next()
	start := time.Now()
	p.Close()
	again := far.accept()
	again.Next()
	again.Close()
	if got := <-done; got.err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("%+v after %v", got, time.Since(start))
	}
}

// A peer may close a connection just as a request goes out over it: that goes once
// more, the same, over a new one, and the call goes on there.
func TestRequestGoesAgainOverANewConnection(t *testing.T) {
	a := startAgent(t, noCalls)
	far := newCallee(t, "tcp")
	done := place(context.Background(), a, Outgoing{To: far.uri()})
	p := far.accept()
	first := p.Next()
	p.Close()
	p = far.accept()
	if again := p.Next(); again.String() != first.String() {
		t.Errorf("the INVITE changed:\n%s\n%s", first, again)
	}
	p.Send(accepted(first, far.addr))
	p.Expect("ACK")
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	over := make(chan error, 1)
	go func() { over <- got.dialog.Bye(context.Background(), nil) }()
	bye := p.Expect("BYE")
	p.Close()
	p = far.accept()
	if again := p.Expect("BYE"); again.String() != bye.String() {
		t.Errorf("the BYE changed:\n%s\n%s", bye, again)
	}
	p.Send(siptest.Reply(bye, 200, "OK"))
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// What has been answered, if only with 100, is not sent again.
func TestAnsweredRequestIsNotSentAgain(t *testing.T) {
	a := startAgent(t, noCalls)
	far := newCallee(t, "tcp")
	heard := make(chan struct{})
	done := place(context.Background(), a, Outgoing{To: far.uri(), Progress: func(Provisional) { close(heard) }})
	p := far.accept()
	invite := p.Next()
	p.Send(siptest.Reply(invite, 100, "Trying"))
	<-heard
	p.Close()
	if got := <-done; got.err == nil {
		t.Error("the call was answered")
	}
	done = place(context.Background(), a, Outgoing{To: far.uri()})
	p = far.accept()
	next := p.Next()
	if next.Get("Call-ID") == invite.Get("Call-ID") {
		t.Errorf("sent again:\n%s", next)
	}
	p.Send(siptest.Reply(next, 486, "Busy Here").With("To", next.Get("To")+";tag=x"))
	p.Expect("ACK")
	<-done
}

func TestLargeOfferGoesOverTCP(t *testing.T) {
	a := startAgent(t, noCalls)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	offer := []byte(someSDP + strings.Repeat("a=x:0123456789\r\n", 100))
	done := place(context.Background(), a, Outgoing{To: "sip:bob@" + ln.Addr().String(), Offer: offer})
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p := siptest.Adopt(t, conn)
	invite := p.Next()
	p.Send(siptest.Reply(invite, 603, "Decline").With("To", invite.Get("To")+";tag=x"))
	p.Expect("ACK")
	<-done
}

func TestCallsToOnePeerShareAConnection(t *testing.T) {
	a := startAgent(t, noCalls)
	far := newCallee(t, "tcp")
	var all []chan placed
	for range 5 {
		all = append(all, place(context.Background(), a, Outgoing{To: far.uri()}))
	}
	p := far.accept()
	for range all {
		invite := p.Expect("INVITE", "ACK")
		p.Send(siptest.Reply(invite, 486, "Busy Here").With("To", invite.Get("To")+";tag=x"))
	}
	for _, done := range all {
		<-done
	}
	if n := a.wire.Streams(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestTwoAgentsTalk(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		callee := startAgent(t, answerAndWait)
		caller := startAgent(t, noCalls)
		for range 20 {
			d, err := caller.Invite(context.Background(), Outgoing{To: "sip:x@" + addrOf(callee, network) + ";transport=" + network, Offer: []byte(someSDP)})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Bye(context.Background(), nil); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "the callee's dialogs are gone", func() bool { return len(callee.all()) == 0 })
	})
}

func TestFarEndIsAskedWhetherItIsThere(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, noCalls)
		far := newCallee(t, network)
		ask := func(ctx context.Context) chan error {
			done := make(chan error, 1)
			go func() { done <- a.Options(ctx, far.uri()) }()
			return done
		}
		done := ask(t.Context())
		p := far.accept()
		options := p.Next()
		if !strings.HasPrefix(options.Start, "OPTIONS sip:bob@") || options.Get("CSeq") != "1 OPTIONS" || options.Get("Accept") != "application/sdp" ||
			options.Get("Max-Forwards") != "70" || siptest.Param(options.Get("From"), "tag") == "" || options.Get("Contact") == "" || options.Body != "" {
			t.Errorf("OPTIONS:\n%s", options)
		}
		p.Send(siptest.Reply(options, 200, "OK").With("To", options.Get("To")+";tag=bob"))
		if err := <-done; err != nil {
			t.Error(err)
		}
		done = ask(t.Context())
		p.Send(siptest.Reply(p.Expect("OPTIONS"), 503, "Service Unavailable"))
		var rejected *RejectedError
		if err := <-done; !errors.As(err, &rejected) || rejected.Status != 503 {
			t.Error(err)
		}
		ctx, giveUp := context.WithCancel(t.Context())
		done = ask(ctx)
		p.Expect("OPTIONS")
		giveUp()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	a := startAgent(t, noCalls)
	for _, uri := range []string{"sip:x@127.0.0.1:1;transport=tcp", "tel:5551000"} {
		if err := a.Options(t.Context(), uri); err == nil {
			t.Errorf("%s is there", uri)
		}
	}
}
