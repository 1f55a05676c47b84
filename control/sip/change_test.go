package sip

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mcp/control/sip/siptest"
)

type changed struct {
	sdp []byte
	err error
}

func reinvite(d *Dialog, c Change) chan changed {
	done := make(chan changed, 1)
	go func() {
		sdp, err := d.Reinvite(context.Background(), c)
		done <- changed{sdp, err}
	}()
	return done
}

func TestReinviteOfOurs(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		_, d, p, c := established(t, network)
		done := reinvite(d, Change{Offer: []byte(otherSDP), Headers: map[string]string{"X-Why": "hold"}})
		invite := p.Expect("INVITE")
		if invite.Body != otherSDP || invite.Get("X-Why") != "hold" || invite.Get("Contact") == "" || !contains(invite.Get("CSeq"), "INVITE") {
			t.Errorf("re-INVITE:\n%s", invite)
		}
		ok := siptest.Reply(invite, 200, "OK").WithSDP(otherSDP).Add("Contact", c.Contact())
		p.Send(ok)
		ack := p.Expect("ACK", "INVITE")
		if number, _, _ := strings.Cut(invite.Get("CSeq"), " "); ack.Get("CSeq") != number+" ACK" {
			t.Errorf("ACK:\n%s", ack)
		}
		p.Send(ok) // the ACK was lost
		if again := p.Expect("ACK", "INVITE"); again.String() != ack.String() {
			t.Errorf("another ACK:\n%s", again)
		}
		if got := <-done; got.err != nil || string(got.sdp) != otherSDP || string(d.RemoteSDP()) != otherSDP {
			t.Errorf("%+v", got)
		}
		hangUp(p, c)
	})
}

func TestReinviteOfOursWithoutOffer(t *testing.T) {
	_, d, p, c := established(t, "udp")
	done := reinvite(d, Change{Answer: func(offer []byte) ([]byte, error) { return append([]byte("for "), offer...), nil }})
	invite := p.Expect("INVITE")
	p.Send(siptest.Reply(invite, 200, "OK").WithSDP(otherSDP).Add("Contact", c.Contact()))
	if ack := p.Expect("ACK", "INVITE"); invite.Body != "" || ack.Body != "for "+otherSDP {
		t.Errorf("ACK:\n%s", ack)
	}
	if got := <-done; got.err != nil || string(got.sdp) != otherSDP {
		t.Errorf("%+v", got)
	}
	hangUp(p, c)
}

func TestReinviteOfOursIsRefused(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	done := reinvite(d, Change{Offer: []byte(otherSDP)})
	p.Send(siptest.Reply(p.Expect("INVITE"), 488, "Not Acceptable Here"))
	p.Expect("ACK")
	var rejected *RejectedError
	if got := <-done; !errors.As(got.err, &rejected) || rejected.Status != 488 || string(d.RemoteSDP()) != someSDP {
		t.Errorf("%+v, %s", got, d.RemoteSDP())
	}
	hangUp(p, c)
}

// The far end knows of no such call any more (RFC 3261 section 12.2.1.2).
func TestReinviteOfOursFindsTheDialogGone(t *testing.T) {
	_, d, p, _ := established(t, "tcp")
	done := reinvite(d, Change{Offer: []byte(otherSDP)})
	p.Send(siptest.Reply(p.Expect("INVITE"), 481, "Call Does Not Exist"))
	p.Expect("ACK")
	<-done
	if _, lost := (<-d.Events()).(Lost); !lost {
		t.Error("the dialog goes on")
	}
}

// Two re-INVITEs that cross are both refused, and ours is tried again (RFC 3261
// section 14.1).
func TestGlare(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		_, d, p, c := established(t, network)
		done := reinvite(d, Change{Offer: []byte(otherSDP)})
		ours := p.Expect("INVITE")
		theirs := c.Request("INVITE").WithSDP(otherSDP)
		p.Send(theirs)
		p.Send(c.Ack(p.Expect("SIP/2.0 491", "INVITE")))
		p.Send(siptest.Reply(ours, 491, "Request Pending"))
		p.Expect("ACK", "SIP/2.0 491", "INVITE")
		again := p.Expect("INVITE", "SIP/2.0 491", "ACK")
		for again.Get("CSeq") == ours.Get("CSeq") {
			again = p.Expect("INVITE", "SIP/2.0 491", "ACK")
		}
		p.Send(siptest.Reply(again, 200, "OK").WithSDP(otherSDP).Add("Contact", c.Contact()))
		p.Expect("ACK", "INVITE", "SIP/2.0 491")
		if got := <-done; got.err != nil {
			t.Errorf("%+v", got)
		}
		hangUp(p, c)
	})
}

func TestUpdateOfOurs(t *testing.T) {
	_, d, p, c := established(t, "udp")
	done := make(chan changed, 1)
	go func() {
		sdp, err := d.Update(context.Background(), []byte(otherSDP), map[string]string{"X": "y"})
		done <- changed{sdp, err}
	}()
	update := p.Expect("UPDATE")
	if update.Body != otherSDP || update.Get("X") != "y" || update.Get("Contact") == "" {
		t.Errorf("UPDATE:\n%s", update)
	}
	p.Send(siptest.Reply(update, 200, "OK").WithSDP(otherSDP).Add("Contact", c.Contact()))
	if got := <-done; got.err != nil || string(got.sdp) != otherSDP {
		t.Errorf("%+v", got)
	}
	hangUp(p, c)
}

func TestUpdateOfTheFarEnd(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		_, d, p, c := established(t, network)
		p.Send(c.Request("UPDATE").Add("Contact", c.Contact())) // says only that it is there
		if ok := p.Expect("SIP/2.0 200"); ok.Body != "" || ok.Get("Contact") == "" {
			t.Errorf("UPDATE answered by\n%s", ok)
		}
		p.Send(c.Request("UPDATE").WithSDP(otherSDP).Add("Contact", c.Contact()))
		ev := (<-d.Events()).(*Reinvite)
		if string(ev.Offer) != otherSDP {
			t.Errorf("offer %q", ev.Offer)
		}
		if err := ev.Accept(context.Background(), []byte(someSDP)); err != nil {
			t.Error(err)
		}
		if ok := p.Expect("SIP/2.0 200"); ok.Body != someSDP || string(d.RemoteSDP()) != otherSDP {
			t.Errorf("UPDATE answered by\n%s", ok)
		}
		p.Send(c.Request("UPDATE").WithSDP(otherSDP))
		if err := Decline(<-d.Events()); err != nil {
			t.Error(err)
		}
		p.Expect("SIP/2.0 488", "SIP/2.0 200")
		hangUp(p, c)
	})
}

// An UPDATE that tells something waits for its user, and is not in the way of a change
// of the session meanwhile.
func TestToldByUpdate(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	update := c.Request("UPDATE").With("Content-Type", "application/rs-metadata").Add("Contact", c.Contact())
	update.Body = "<requestsnapshot/>"
	p.Send(update)
	told := (<-d.Events()).(*Told)
	if len(told.Parts) != 1 || string(told.Parts[0].Body) != update.Body {
		t.Errorf("told %+v", told.Parts)
	}
	p.Send(c.Request("UPDATE").WithSDP(otherSDP).Add("Contact", c.Contact()))
	if err := (<-d.Events()).(*Reinvite).Accept(t.Context(), []byte(someSDP)); err != nil {
		t.Error(err)
	}
	p.Expect("SIP/2.0 200")
	if err := told.Accept(); err != nil {
		t.Error(err)
	}
	if ok := p.Expect("SIP/2.0 200"); ok.Body != "" || ok.Get("Contact") == "" || ok.Get("Session-Expires") == "" {
		t.Errorf("UPDATE answered by\n%s", ok)
	}
	if err := told.Accept(); !errors.Is(err, ErrEnded) {
		t.Errorf("accepted twice: %v", err)
	}
	hangUp(p, c)
}

func TestInfoOfOurs(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	done := make(chan error, 2)
	go func() {
		done <- d.Info(context.Background(), Content{Type: "application/dtmf-relay", Body: []byte("Signal=5\r\nDuration=160\r\n"), Headers: map[string]string{"X": "y"}})
	}()
	info := p.Expect("INFO")
	if info.Get("Content-Type") != "application/dtmf-relay" || info.Body != "Signal=5\r\nDuration=160\r\n" || info.Get("X") != "y" {
		t.Errorf("INFO:\n%s", info)
	}
	p.Send(siptest.Reply(info, 200, "OK"))
	if err := <-done; err != nil {
		t.Error(err)
	}
	go func() { done <- d.Info(context.Background(), Content{}) }()
	p.Send(siptest.Reply(p.Expect("INFO"), 415, "No"))
	var rejected *RejectedError
	if err := <-done; !errors.As(err, &rejected) || rejected.Status != 415 {
		t.Errorf("refused with %v", err)
	}
	hangUp(p, c)
}

// Who hangs up does not answer any more.
func TestInfoEndsWithTheDialog(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	done := make(chan error, 1)
	go func() { done <- d.Info(context.Background(), Content{}) }()
	p.Expect("INFO")
	hangUp(p, c)
	if err := <-done; !errors.Is(err, ErrEnded) {
		t.Errorf("the INFO ended with %v", err)
	}
	if err := d.Info(context.Background(), Content{}); !errors.Is(err, ErrEnded) {
		t.Errorf("another ended with %v", err)
	}
}

func TestInfoIsAnsweredWithABody(t *testing.T) {
	_, d, p, c := established(t, "tcp")
	m := c.Request("INFO").With("Content-Type", "application/msml+xml")
	m.Body = "<msml/>"
	p.Send(m)
	info := (<-d.Events()).(*Info)
	if info.ContentType != "application/msml+xml" || string(info.Body) != "<msml/>" {
		t.Errorf("%+v", info)
	}
	if err := info.Reply(200, Content{Type: "application/msml+xml", Body: []byte("<result/>")}); err != nil {
		t.Error(err)
	}
	if ok := p.Expect("SIP/2.0 200"); ok.Body != "<result/>" || ok.Get("Content-Type") != "application/msml+xml" {
		t.Errorf("INFO answered by\n%s", ok)
	}
	hangUp(p, c)
}
