package call

import (
	"context"
	"strings"
	"testing"
	"time"

	"mcp/control/reporting"
	"mcp/control/sip/siptest"
)

// dialRaw establishes a call at the byte level, to send what no well-behaved
// agent would.
func dialRaw(t *testing.T, b *bench, body string) *siptest.Call {
	t.Helper()
	return dialRawWith(t, b, body, string(offer()))
}

// dialRawWith is dialRaw with the answer to the platform's offer that goes into the
// ACK when there is no body in the INVITE.
func dialRawWith(t *testing.T, b *bench, body, answer string) *siptest.Call {
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
		ack = ack.WithSDP(answer)
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

// A session can be prepared without media, to run when a re-INVITE brings some (RFC
// 5552 section 2.3): with a description that has no streams, with audio at port
// zero, or with such an answer to the platform's offer.
func TestServiceWaitsForMedia(t *testing.T) {
	bare := string(offer()[:strings.Index(string(offer()), "m=audio")])
	zero := strings.Replace(string(offer()), "m=audio 9 ", "m=audio 0 ", 1)
	for _, tt := range []struct{ name, invite, ack string }{
		{name: "no streams", invite: bare},
		{name: "port zero", invite: zero},
		{name: "port zero in the ACK", ack: zero},
	} {
		t.Run(tt.name, func(t *testing.T) {
			started := make(chan string, 1)
			b := newBench(t, Config{}, &scripted{run: func(ctx context.Context, c *Call) Ending {
				started <- c.Codec().Name
				return untilHungUp(ctx, c)
			}})
			c := dialRawWith(t, b, tt.invite, tt.ack)
			peer := c.Peer
			peer.Send(c.Request("INVITE").WithSDP(zero)) // no media still
			peer.Send(c.Ack(peer.Expect("SIP/2.0 200")))
			peer.Send(c.Request("OPTIONS"))
			peer.Expect("SIP/2.0 200")
			select {
			case <-started:
				t.Error("the service has begun without media")
			default:
			}
			peer.Send(c.Request("INVITE").WithSDP(string(offer())))
			ok := peer.Expect("SIP/2.0 200")
			peer.Send(c.Ack(ok))
			if spoken := <-started; spoken != "PCMU" || !strings.Contains(body(ok), "a=sendrecv") {
				t.Errorf("the service speaks %q after\n%s", spoken, body(ok))
			}
			peer.Send(c.Request("BYE"))
			peer.Expect("SIP/2.0 200")
			if r := b.record(); r.End.Cause != reporting.HangUp || r.AnsweredAt == nil {
				t.Errorf("record %+v", r.End)
			}
			b.empty()
		})
	}
}

// One that never gets its media ends: by either side, or when its time is over.
func TestSessionThatNeverGetsMedia(t *testing.T) {
	bare := string(offer()[:strings.Index(string(offer()), "m=audio")])
	for _, tt := range []struct {
		name   string
		config Config
		end    func(b *bench, c *siptest.Call)
		want   reporting.Cause
	}{
		{"hung up by the caller", Config{}, func(_ *bench, c *siptest.Call) {
			c.Peer.Send(c.Request("BYE"))
			c.Peer.Expect("SIP/2.0 200")
		}, reporting.HangUp},
		{"time is over", Config{HoldTimeout: 10 * time.Millisecond}, func(_ *bench, c *siptest.Call) {
			c.Peer.Send(siptest.Reply(c.Peer.Expect("BYE"), 200, "OK"))
		}, reporting.MediaTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.config, &scripted{run: func(context.Context, *Call) Ending {
				t.Error("the service has begun")
				return Ending{}
			}})
			tt.end(b, dialRaw(t, b, bare))
			if r := b.record(); r.End.Cause != tt.want {
				t.Errorf("record %+v", r.End)
			}
			b.empty()
		})
	}
}
