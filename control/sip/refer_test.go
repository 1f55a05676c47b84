package sip

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"mcp/control/sip/siptest"
)

type subscribed struct {
	sub *Subscription
	err error
}

func refer(d *Dialog, r Refer) chan subscribed {
	done := make(chan subscribed, 1)
	go func() {
		s, err := d.Refer(context.Background(), r)
		done <- subscribed{s, err}
	}()
	return done
}

// notify is the far end's NOTIFY of what became of a REFER.
func notify(c *siptest.Call, state, event string, status int) siptest.Message {
	m := c.Request("NOTIFY").Add("Event", event).Add("Subscription-State", state).Add("Content-Type", "message/sipfrag;version=2.0")
	m.Body = fmt.Sprintf("SIP/2.0 %d Whatever\r\n", status)
	return m
}

func TestReferOfOursIsFollowed(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		_, d, p, c := established(t, network)
		done := refer(d, Refer{To: "sip:agent@192.0.2.1;x=1", Headers: map[string]string{"X-Genesys-CallUUID": "U1"}})
		m := p.Expect("REFER")
		if m.Get("Refer-To") != "<sip:agent@192.0.2.1;x=1>" || m.Get("X-Genesys-CallUUID") != "U1" || m.Get("Referred-By") == "" || m.Get("Contact") == "" {
			t.Errorf("REFER:\n%s", m)
		}
		p.Send(notify(c, "active;expires=60", "refer", 100)) // overtakes the 202
		p.Expect("SIP/2.0 200", "REFER")
		p.Send(siptest.Reply(m, 202, "Accepted"))
		got := <-done
		if got.err != nil {
			t.Fatal(got.err)
		}
		p.Send(notify(c, "active;expires=60", "refer;id="+fmt.Sprint(got.sub.seq), 180))
		p.Expect("SIP/2.0 200", "REFER")
		p.Send(notify(c, "terminated;reason=noresource", "refer", 200))
		p.Expect("SIP/2.0 200", "REFER")
		var heard []int
		for n := range got.sub.Notes() {
			heard = append(heard, n.Status)
		}
		if fmt.Sprint(heard) != "[100 180 200]" {
			t.Errorf("heard %v", heard)
		}
		p.Send(notify(c, "terminated", "refer", 200))
		p.Expect("SIP/2.0 481", "SIP/2.0 200")
		p.Send(notify(c, "active", "presence", 200))
		p.Expect("SIP/2.0 489", "SIP/2.0 481")
		hangUp(p, c)
	})
}

func TestReferOfOursIsDeclined(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	done := refer(d, Refer{To: "sip:agent@192.0.2.1"})
	p.Send(siptest.Reply(p.Expect("REFER"), 603, "Decline"))
	var rejected *RejectedError
	if got := <-done; !errors.As(got.err, &rejected) || rejected.Status != 603 {
		t.Errorf("%+v", got)
	}
	if _, err := d.Refer(context.Background(), Refer{}); err == nil {
		t.Error("a REFER to nobody")
	}
	if _, err := d.Refer(context.Background(), Refer{To: "sip:x>\r\nEvil: 1"}); err == nil {
		t.Error("a REFER with a line break")
	}
	hangUp(p, c)
}

func TestReferOfOursEndsWithTheDialog(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	done := refer(d, Refer{To: "sip:agent@192.0.2.1"})
	p.Send(siptest.Reply(p.Expect("REFER"), 202, "Accepted"))
	got := <-done
	hangUp(p, c)
	if _, err := got.sub.Wait(context.Background()); !errors.Is(err, ErrEnded) {
		t.Errorf("%v", err)
	}
}

func TestConsultedCallIsReplaced(t *testing.T) {
	a, d, p, c := established(t, "tcp")
	far := newCallee(t, "udp")
	consulted := place(context.Background(), a, Outgoing{To: far.uri()})
	agent := far.accept()
	invite := agent.Next()
	agent.Send(accepted(invite, far.addr))
	agent.Expect("ACK", "INVITE")
	second := <-consulted
	done := refer(d, Refer{Replaces: second.dialog})
	m := p.Expect("REFER")
	from := siptest.Param(invite.Get("From"), "tag")
	want := "<sip:bob@" + far.addr + "?Replaces=" + url.QueryEscape(invite.Get("Call-ID")+";to-tag=bob;from-tag="+from) + ">"
	if m.Get("Refer-To") != want {
		t.Errorf("Refer-To %s, want %s", m.Get("Refer-To"), want)
	}
	p.Send(siptest.Reply(m, 202, "Accepted"))
	<-done
	endPlaced(agent, second.dialog)
	hangUp(p, c)
}

func TestFarEndRefersUs(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		_, d, p, c := established(t, network)
		p.Send(c.Request("REFER").Add("Refer-To", `"Agent" <sip:agent@192.0.2.1?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&X=y>`).Add("Referred-By", "<sip:x@y>"))
		r := (<-d.Events()).(*Referral)
		if r.To.URI != "sip:agent@192.0.2.1" || r.To.Name != "Agent" || r.To.Header("replaces") != "a@b;to-tag=1;from-tag=2" || r.Headers["referred-by"][0] != "<sip:x@y>" {
			t.Errorf("%+v", r)
		}
		done := make(chan error, 1)
		go func() { done <- r.Accept(context.Background()) }()
		p.Expect("SIP/2.0 202")
		trying := p.Expect("NOTIFY", "SIP/2.0 202")
		if trying.Body != "SIP/2.0 100 Trying\r\n" || trying.Get("Event") != fmt.Sprintf("refer;id=%d", c.Seq) ||
			!contains(trying.Get("Subscription-State"), "active") || !contains(trying.Get("Content-Type"), "message/sipfrag") {
			t.Errorf("NOTIFY:\n%s", trying)
		}
		p.Send(siptest.Reply(trying, 200, "OK"))
		if err := <-done; err != nil {
			t.Error(err)
		}
		go func() { done <- r.Notify(context.Background(), 486, "") }()
		last := p.Expect("NOTIFY")
		for last.Get("CSeq") == trying.Get("CSeq") {
			last = p.Expect("NOTIFY")
		}
		if last.Body != "SIP/2.0 486 Busy Here\r\n" || !contains(last.Get("Subscription-State"), "terminated") {
			t.Errorf("NOTIFY:\n%s", last)
		}
		p.Send(siptest.Reply(last, 200, "OK"))
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := r.Notify(context.Background(), 200, ""); !errors.Is(err, errNotified) {
			t.Errorf("notified after the end: %v", err)
		}
		hangUp(p, c)
	})
}

func TestReferThatIsNotTaken(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	p.Send(c.Request("REFER").Add("Refer-To", "nobody"))
	p.Expect("SIP/2.0 400")
	p.Send(c.Request("REFER").Add("Refer-To", "sip:a@b").Add("Refer-To", "sip:c@d"))
	p.Expect("SIP/2.0 400")
	p.Send(c.Request("REFER").Add("r", "sip:a@b"))
	if err := Decline(<-d.Events()); err != nil {
		t.Error(err)
	}
	p.Expect("SIP/2.0 603")
	hangUp(p, c)
}

// An INVITE with Replaces names the call it is to take the place of (RFC 3891
// section 3).
func TestInviteThatReplaces(t *testing.T) {
	replaced := make(chan *Dialog, 10)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		replaced <- d.Replaces()
		if d.Answer(ctx, []byte(someSDP)) == nil {
			untilOver(ctx, d)
		}
	})
	p, c := newCall(t, a, "tcp")
	ok := establish(t, c)
	if <-replaced != nil {
		t.Error("the first call replaces something")
	}
	name := fmt.Sprintf("%s;to-tag=%s;from-tag=%s", c.ID, siptest.Param(ok.Get("To"), "tag"), siptest.Param(c.From, "tag"))
	for value, want := range map[string]string{
		name + "x":                   "SIP/2.0 481",
		name + ";early-only":         "SIP/2.0 486",
		"nonsense":                   "SIP/2.0 400",
		c.ID + ";to-tag=a;from-tag=": "SIP/2.0 400",
	} {
		q, second := newCall(t, a, "tcp")
		q.Send(second.Request("INVITE").WithSDP(someSDP).Add("Replaces", value))
		q.Send(second.Ack(q.Expect(want)))
	}
	q, second := newCall(t, a, "tcp")
	q.Send(second.Request("INVITE").WithSDP(someSDP).Add("Replaces", name).Add("Require", "replaces"))
	res := q.Expect("SIP/2.0 200")
	second.Establish(res)
	q.Send(second.Ack(res))
	if d := <-replaced; d == nil || d.CallID() != c.ID {
		t.Errorf("replaces %v", d)
	}
	hangUp(p, c)
	hangUp(q, second)
}

func TestInviteWithSeveralBodies(t *testing.T) {
	parts := make(chan []string, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		var all []string
		for _, p := range d.Parts() {
			all = append(all, p.Type, string(p.Body))
		}
		parts <- append(all, string(d.RemoteSDP()))
		if d.Answer(ctx, []byte(someSDP)) == nil {
			untilOver(ctx, d)
		}
	})
	p, c := newCall(t, a, "tcp")
	m := c.Request("INVITE").Add("Content-Type", `multipart/mixed; boundary="a b"`)
	m.Body = "preamble\r\n--a b\r\nContent-Type: application/sdp\r\n\r\n" + otherSDP + "\r\n--a b\r\nContent-Type: application/msml+xml\r\n\r\n<msml/>\r\n--a b--\r\n"
	p.Send(m)
	res := p.Expect("SIP/2.0 200")
	c.Establish(res)
	p.Send(c.Ack(res))
	if got := <-parts; fmt.Sprintf("%q", got) != fmt.Sprintf("%q", []string{"application/sdp", otherSDP, "application/msml+xml", "<msml/>", otherSDP}) {
		t.Errorf("%q", got)
	}
	hangUp(p, c)
	q, second := newCall(t, a, "tcp")
	m = second.Request("INVITE").Add("Content-Type", "multipart/mixed;boundary=b")
	m.Body = "--b\r\nContent-Type: application/sdp\r\n\r\n" + someSDP // never ends
	q.Send(m)
	q.Send(second.Ack(q.Expect("SIP/2.0 400")))
}
