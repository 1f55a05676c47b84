package sip

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"mcp/control/sip/siptest"
)

// established is a call in progress whose events the test takes.
func established(t *testing.T, network string) (*Agent, *Dialog, *siptest.Peer, *siptest.Call) {
	t.Helper()
	dialogs := make(chan *Dialog, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		if err := d.Answer(ctx, []byte(someSDP)); err != nil {
			t.Error(err)
		}
		dialogs <- d
		select {
		case <-d.ended():
		case <-ctx.Done():
		}
	})
	p, c := newCall(t, a, network)
	establish(t, c)
	return a, <-dialogs, p, c
}

func hangUp(p *siptest.Peer, c *siptest.Call) {
	p.Send(c.Request("BYE"))
	finalOf(p, c, "BYE")
}

func TestReinviteIsAccepted(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		_, d, p, c := established(t, network)
		p.Send(c.Request("INVITE").WithSDP(otherSDP))
		re := (<-d.Events()).(*Reinvite)
		if string(re.Offer) != otherSDP || string(d.RemoteSDP()) != someSDP {
			t.Errorf("offer %q", re.Offer)
		}
		done := make(chan error, 1)
		go func() { done <- re.Accept(context.Background(), []byte(otherSDP)) }()
		ok := p.Expect("SIP/2.0 200")
		if again := p.Expect("SIP/2.0 200"); again.String() != ok.String() {
			t.Error("the 200 to the re-INVITE changed")
		}
		p.Send(c.Ack(ok))
		if err := <-done; err != nil || string(d.RemoteSDP()) != otherSDP {
			t.Errorf("accept: %v, SDP %q", err, d.RemoteSDP())
		}
		if err := re.Reject(context.Background(), 488, ""); !errors.Is(err, ErrEnded) {
			t.Errorf("answered twice: %v", err)
		}
		hangUp(p, c)
	})
}

func TestReinviteWithoutOfferTakesTheAnswerFromTheAck(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	p.Send(c.Request("INVITE"))
	re := (<-d.Events()).(*Reinvite)
	if re.Offer != nil {
		t.Errorf("offer %q", re.Offer)
	}
	done := make(chan error, 1)
	go func() { done <- re.Accept(context.Background(), []byte(someSDP)) }()
	p.Send(c.Ack(p.Expect("SIP/2.0 200")).WithSDP(otherSDP))
	if err := <-done; err != nil || string(d.RemoteSDP()) != otherSDP {
		t.Errorf("accept: %v, SDP %q", err, d.RemoteSDP())
	}
	hangUp(p, c)
}

func TestReinviteIsRejected(t *testing.T) {
	_, d, p, c := established(t, "udp")
	p.Send(c.Request("INVITE").WithSDP(otherSDP))
	re := (<-d.Events()).(*Reinvite)
	if err := re.Reject(context.Background(), 488, ""); err != nil {
		t.Error(err)
	}
	res := p.Expect("SIP/2.0 488")
	if !strings.HasPrefix(res.Start, "SIP/2.0 488 Not Acceptable Here") {
		t.Error(res.Start)
	}
	p.Send(c.Ack(res))
	hangUp(p, c)
}

func TestOverlappingInvites(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	first := c.Request("INVITE").WithSDP(otherSDP)
	p.Send(first)
	re := (<-d.Events()).(*Reinvite)
	p.Send(c.Request("INVITE").WithSDP(otherSDP))
	res := p.Expect("SIP/2.0 500")
	if res.Get("Retry-After") == "" {
		t.Errorf("no Retry-After in\n%s", res)
	}
	p.Send(c.Ack(res))
	done := make(chan error, 1)
	go func() { done <- re.Accept(context.Background(), []byte(someSDP)) }()
	p.Expect("SIP/2.0 200")
	p.Send(c.Request("INVITE").WithSDP(otherSDP)) // our 200 has no ACK yet
	p.Send(c.Ack(p.Expect("SIP/2.0 491", "SIP/2.0 200")))
	ack := c.Ack(siptest.Message{Start: "SIP/2.0 200 OK"})
	p.Send(ack.With("CSeq", strings.Replace(first.Get("CSeq"), "INVITE", "ACK", 1)))
	if err := <-done; err != nil {
		t.Error(err)
	}
	hangUp(p, c)
}

func TestReinviteIsCancelled(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	p.Send(c.Request("INVITE").WithSDP(otherSDP))
	re := (<-d.Events()).(*Reinvite)
	p.Send(c.Request("CANCEL"))
	p.Expect("SIP/2.0 200")
	p.Send(c.Ack(p.Expect("SIP/2.0 487")))
	if err := re.Accept(context.Background(), []byte(someSDP)); !errors.Is(err, ErrEnded) {
		t.Errorf("accept: %v", err)
	}
	hangUp(p, c)
}

// TestReinviteAnsweredWhileTheFarEndHangsUp lets both happen at once; whichever
// is first, the re-INVITE gets a final response.
func TestReinviteAnsweredWhileTheFarEndHangsUp(t *testing.T) {
	a := startAgent(t, patientCallee)
	p, c := newCall(t, a, "tcp")
	for range 100 {
		call := siptest.NewCall(p, c.Target)
		establish(t, call)
		p.Raw(call.Request("INVITE").WithSDP(otherSDP).String() + call.Request("BYE").String())
		bye, reinvite := *call, *call
		reinvite.Seq--
		seen := map[string]int{}
		for len(seen) < 2 {
			m := p.Next()
			if m.Status() >= 200 && m.Get("Call-ID") == call.ID && !strings.HasPrefix(m.Get("CSeq"), "1 ") {
				seen[m.Get("CSeq")] = m.Status()
			}
		}
		if seen["3 BYE"] != 200 || seen["2 INVITE"] != 487 && seen["2 INVITE"] != 200 {
			t.Fatalf("answers %v", seen)
		}
		p.Send(reinvite.Ack(siptest.Message{Start: "SIP/2.0 200 x"}))
		p.Send(bye.Request("ACK").With("CSeq", "2 ACK"))
	}
}

func TestByeAnswersWhatIsOpen(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	p.Send(c.Request("INVITE").WithSDP(otherSDP))
	<-d.Events()
	reinvite := *c
	p.Send(c.Request("INFO"))
	<-d.Events()
	info := *c
	p.Send(c.Request("BYE"))
	for _, want := range []struct {
		call   siptest.Call
		method string
		status int
	}{{*c, "BYE", 200}, {reinvite, "INVITE", 487}, {info, "INFO", 487}} {
		if m := finalOf(p, &want.call, want.method); m.Status() != want.status {
			t.Errorf("%s got %s", want.method, m.Start)
		}
	}
	p.Send(reinvite.Ack(siptest.Message{Start: "SIP/2.0 487 x", Headers: [][2]string{{"To", c.To}}}))
}

func TestInfoReachesTheUser(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	m := c.Request("INFO").With("Content-Type", "application/dtmf-relay")
	m.Body = "Signal=5\r\nDuration=160\r\n"
	p.Send(m)
	info := (<-d.Events()).(*Info)
	if info.ContentType != "application/dtmf-relay" || string(info.Body) != m.Body {
		t.Errorf("%+v", info)
	}
	if err := info.Respond(200); err != nil {
		t.Error(err)
	}
	p.Expect("SIP/2.0 200")
	hangUp(p, c)
}

func TestUserThatDoesNotListenIsNotFlooded(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	for range eventSlots {
		p.Send(c.Request("INFO"))
	}
	p.Send(c.Request("INFO"))
	p.Expect("SIP/2.0 503")
	hangUp(p, c)
	events := 0
	for range d.Events() {
		events++
	}
	if events != eventSlots+1 {
		t.Errorf("%d events; the BYE must be among them", events)
	}
}

// Who is notified hears what came before, what comes then, and once that the dialog is over.
func TestNotifiedUserHearsAll(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	p.Send(c.Request("INFO"))
	for len(d.Events()) == 0 {
		runtime.Gosched()
	}
	heard := make(chan Event, 8)
	d.Notify(func(ev Event) { heard <- ev })
	p.Send(c.Request("INFO"))
	for range 2 {
		info, ok := (<-heard).(*Info)
		if !ok {
			t.Fatal("no INFO")
		}
		if err := info.Respond(200); err != nil {
			t.Error(err)
		}
		p.Expect("SIP/2.0 200")
	}
	hangUp(p, c)
	if bye, ok := (<-heard).(ByeReceived); !ok {
		t.Errorf("%T, want the BYE", bye)
	}
	d.Notify(func(ev Event) { heard <- ev })
	if again := <-heard; again != nil || len(heard) > 0 {
		t.Errorf("%T of a dialog that is over", again)
	}
}

func TestRequestOutOfOrder(t *testing.T) {
	_, _, p, c := established(t, "tcp")
	p.Send(c.Request("OPTIONS").With("CSeq", "50 OPTIONS"))
	p.Expect("SIP/2.0 200")
	p.Send(c.Request("BYE").With("CSeq", "49 BYE"))
	p.Expect("SIP/2.0 500")
	c.Seq = 50
	hangUp(p, c)
}

func TestRequestsWithoutADialog(t *testing.T) {
	a := startAgent(t, answerAndWait, hasty)
	p, c := newCall(t, a, "udp")
	for _, method := range []string{"BYE", "INFO", "CANCEL"} {
		p.Send(c.Request(method))
		p.Expect("SIP/2.0 481")
	}
	c.To += ";tag=nobody"
	for _, method := range []string{"BYE", "INVITE", "OPTIONS", "INFO"} {
		p.Send(c.Request(method))
		res := p.Expect("SIP/2.0 481")
		if method == "INVITE" {
			p.Send(c.Ack(res))
		}
	}
	p.Send(c.Request("ACK")) // no answer
	if m, ok := p.Within(2 * testT1); ok {
		t.Errorf("an ACK was answered:\n%s", m)
	}
}

func TestOptionsTellsWhatWeCan(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, answerAndWait)
		p, c := newCall(t, a, network)
		p.Send(c.Request("OPTIONS"))
		ok := p.Expect("SIP/2.0 200")
		if ok.Get("Allow") != allowed || ok.Get("Accept") != acceptable || len(ok.All("Supported")) != 1 || ok.Get("Server") != "test" {
			t.Errorf("OPTIONS answered by\n%s", ok)
		}
	})
}
