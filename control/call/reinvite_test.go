package call

import (
	"strings"
	"testing"

	"mcp/control/reporting"
	"mcp/control/sip/siptest"
)

// dialRaw establishes a call at the byte level, to send what no well-behaved
// agent would.
func dialRaw(t *testing.T, b *bench, body string) *siptest.Call {
	t.Helper()
	addr := strings.TrimSuffix(strings.TrimPrefix(b.target, "sip:ivr@"), ";transport=tcp")
	peer := siptest.Dial(t, "tcp", addr)
	c := siptest.NewCall(peer, b.target)
	invite := c.Request("INVITE")
	if body != "" {
		invite = invite.WithSDP(body)
	}
	peer.Send(invite)
	ok := peer.Expect("SIP/2.0 200", "SIP/2.0 100")
	c.Establish(ok)
	ack := c.Ack(ok)
	if body == "" { // the answer to the platform's offer
		ack = ack.WithSDP(string(offer()))
	}
	peer.Send(ack)
	return c
}

// body is what follows the headers of a message.
func body(m siptest.Message) string {
	_, b, _ := strings.Cut(m.String(), "\r\n\r\n")
	return b
}

func TestHoldAndResume(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: untilHungUp})
	c := dialRaw(t, b, string(offer()))
	peer := c.Peer
	for _, step := range []struct{ offered, answered string }{{"sendonly", "recvonly"}, {"inactive", "inactive"}, {"sendrecv", "sendrecv"}} {
		peer.Send(c.Request("INVITE").WithSDP(strings.Replace(string(offer()), "a=sendrecv", "a="+step.offered, 1)))
		ok := peer.Expect("SIP/2.0 200", "SIP/2.0 100")
		peer.Send(c.Ack(ok))
		if !strings.Contains(body(ok), "a="+step.answered) {
			t.Errorf("an offer that is %s is answered with\n%s", step.offered, body(ok))
		}
	}
	peer.Send(c.Request("BYE"))
	peer.Expect("SIP/2.0 200")
	if r := b.record(); r.End.Cause != reporting.HangUp {
		t.Errorf("record %+v", r.End)
	}
	b.empty()
}

// A far end that takes its audio away (port 0) stays in the call, and may bring it back.
func TestReinviteWithoutAudio(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: untilHungUp})
	c := dialRaw(t, b, string(offer()))
	peer := c.Peer
	for _, step := range []struct{ offered, answered string }{
		{strings.Replace(string(offer()), "m=audio 9 ", "m=audio 0 ", 1), "m=audio 0 RTP/AVP 0 101\r\n"},
		{string(offer()), "a=sendrecv"},
	} {
		peer.Send(c.Request("INVITE").WithSDP(step.offered))
		ok := peer.Expect("SIP/2.0 200", "SIP/2.0 100")
		peer.Send(c.Ack(ok))
		if !strings.Contains(body(ok), step.answered) {
			t.Errorf("the offer\n%s\nis answered with\n%s", step.offered, body(ok))
		}
	}
	if b.server.Active() != 1 {
		t.Error("the call is over")
	}
	peer.Send(c.Request("BYE"))
	peer.Expect("SIP/2.0 200")
	if r := b.record(); r.End.Cause != reporting.HangUp {
		t.Errorf("record %+v", r.End)
	}
	b.empty()
}

func TestReinviteThatCannotBeAcceptedChangesNothing(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: untilHungUp})
	c := dialRaw(t, b, string(offer()))
	peer := c.Peer
	peer.Send(c.Request("INVITE").WithSDP(strings.NewReplacer("RTP/AVP 0 101", "RTP/AVP 18", "a=rtpmap:0 PCMU/8000\r\n", "").Replace(string(offer()))))
	refused := peer.Expect("SIP/2.0 488", "SIP/2.0 100")
	peer.Send(c.Ack(refused))
	if b.server.Active() != 1 {
		t.Error("the call is over")
	}
	peer.Send(c.Request("BYE"))
	peer.Expect("SIP/2.0 200")
	b.record()
	b.empty()
}

func TestDelayedOffer(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: untilHungUp})
	c := dialRaw(t, b, "")
	c.Peer.Send(c.Request("BYE"))
	c.Peer.Expect("SIP/2.0 200")
	r := b.record()
	if r.AnsweredAt == nil || len(r.Media) != 1 || r.Media[0].Codec != "PCMU" || r.Media[0].Remote != "127.0.0.1:9" {
		t.Errorf("record %+v", r)
	}
	b.empty()
}
