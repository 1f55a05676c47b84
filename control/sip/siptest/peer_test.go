package siptest

import (
	"net"
	"testing"
)

// between is two peers that speak to each other.
func between(t *testing.T) (caller, callee *Peer) {
	t.Helper()
	a, b := net.Pipe()
	return Adopt(t, a), Adopt(t, b)
}

// TestAnswersThatCrossTheirACK has an answer come again: what is expected next is
// not taken for it once it was acknowledged, and is before.
func TestAnswersThatCrossTheirACK(t *testing.T) {
	caller, callee := between(t)
	call := NewCall(caller, "sip:ivr@example.com")
	answer := func(req Message, which string) Message {
		return Reply(req, 200, "OK").With("To", "<sip:ivr@example.com>;tag=1").WithSDP(which)
	}
	caller.Send(call.Request("INVITE"))
	first := callee.Expect("INVITE")
	for range 2 {
		callee.Send(answer(first, "one"))
		ok := caller.Expect("SIP/2.0 200")
		if ok.Body != "one" {
			t.Fatalf("the answer to the first INVITE is %q", ok.Body)
		}
		call.Establish(ok)
	}
	callee.Send(answer(first, "one"))
	caller.Send(call.Request("ACK"))
	callee.Expect("ACK")
	caller.Send(call.Request("INVITE"))
	callee.Send(answer(callee.Expect("INVITE"), "two"))
	if ok := caller.Expect("SIP/2.0 200"); ok.Body != "two" {
		t.Errorf("the answer to the second INVITE is %q", ok.Body)
	}
	if m, came := caller.Within(0); came {
		t.Errorf("there is also %s", m)
	}
}
