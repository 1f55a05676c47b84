package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/control/sip/siptest"
)

func TestCancelBeforeTheAnswer(t *testing.T) {
	for _, ring := range []bool{false, true} {
		bothTransports(t, func(t *testing.T, network string) {
			result := make(chan error, 1)
			a := startAgent(t, func(ctx context.Context, d *Dialog) {
				if ring {
					if err := d.Ring(ctx); err != nil {
						t.Error(err)
					}
				}
				if !isEvent[Cancelled](untilOver(ctx, d)) {
					t.Error("no Cancelled event")
				}
				result <- d.Answer(ctx, []byte(someSDP))
			})
			p, c := newCall(t, a, network)
			p.Send(c.Request("INVITE").WithSDP(someSDP))
			tag := ""
			if ring {
				tag = siptest.Param(p.Expect("SIP/2.0 180").Get("To"), "tag")
			} else if m := p.Next(); m.Status() != 100 {
				t.Errorf("want 100, got\n%s", m)
			}
			p.Send(c.Request("CANCEL"))
			ok := p.Expect("SIP/2.0 200", "SIP/2.0 487")
			terminated := p.Expect("SIP/2.0 487")
			if !contains(ok.Get("CSeq"), "CANCEL") || siptest.Param(ok.Get("To"), "tag") != siptest.Param(terminated.Get("To"), "tag") {
				t.Errorf("tags differ:\n%s\n%s", ok, terminated)
			}
			if tag != "" && siptest.Param(terminated.Get("To"), "tag") != tag {
				t.Errorf("the 487's tag is not the 180's:\n%s", terminated)
			}
			if network == "udp" {
				// The answer that came too late must not take the 487's place.
				if err := <-result; !errors.Is(err, ErrCancelled) {
					t.Errorf("answer: %v", err)
				}
				p.Expect("SIP/2.0 487")
			}
			p.Send(c.Ack(terminated))
			if network == "tcp" {
				if err := <-result; !errors.Is(err, ErrCancelled) {
					t.Errorf("answer: %v", err)
				}
			}
		})
	}
}

func TestCancelInTheSameSegmentAsTheInvite(t *testing.T) {
	events := make(chan []Event, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		_ = d.Ring(ctx)
		events <- untilOver(ctx, d)
	})
	p, c := newCall(t, a, "tcp")
	for range 50 {
		p.Raw(c.Request("INVITE").WithSDP(someSDP).String() + c.Request("CANCEL").String())
		terminated := p.Expect("SIP/2.0 487", "SIP/2.0 200", "SIP/2.0 180")
		p.Send(c.Ack(terminated))
		if got := <-events; !isEvent[Cancelled](got) {
			t.Errorf("events %v", got)
		}
	}
}

func TestCancelAfterTheAnswerChangesNothing(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, answerAndWait)
		p, c := newCall(t, a, network)
		p.Send(c.Request("INVITE").WithSDP(someSDP))
		ok := p.Expect("SIP/2.0 200", "SIP/2.0 180")
		p.Send(c.Request("CANCEL"))
		for {
			if m := p.Expect("SIP/2.0 200"); contains(m.Get("CSeq"), "CANCEL") {
				break
			}
		}
		c.Establish(ok)
		p.Send(c.Ack(ok))
		p.Send(c.Request("BYE"))
		for {
			if m := p.Expect("SIP/2.0 200"); contains(m.Get("CSeq"), "BYE") {
				break
			}
		}
	})
}

// TestCancelCrossingTheAnswer lets both happen at the same moment, many times:
// exactly one of them wins, and both sides agree which.
func TestCancelCrossingTheAnswer(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		results := make(chan error, 1)
		a := startAgent(t, func(ctx context.Context, d *Dialog) {
			results <- d.Answer(ctx, []byte(someSDP))
			untilOver(ctx, d)
		})
		p, c := newCall(t, a, network)
		for i := range 100 {
			p.Send(c.Request("INVITE").WithSDP(someSDP))
			time.Sleep(time.Duration(i%10) * 20 * time.Microsecond)
			p.Send(c.Request("CANCEL"))
			var final siptest.Message
			for final.Start == "" || final.Status() < 200 {
				if m := p.Next(); contains(m.Get("CSeq"), "INVITE") {
					final = m
				}
			}
			if final.Status() == 487 {
				p.Send(c.Ack(final))
				if err := <-results; !errors.Is(err, ErrCancelled) {
					t.Fatalf("487 was sent, answer says %v", err)
				}
				continue
			}
			call := *c
			call.Establish(final)
			p.Send(call.Ack(final))
			if err := <-results; err != nil {
				t.Fatalf("200 was sent, answer says %v", err)
			}
			bye := call.Request("BYE")
			p.Send(bye)
			for {
				if m := p.Next(); contains(m.Get("CSeq"), "BYE") {
					break
				}
			}
			c.Seq = call.Seq
		}
	})
}

func TestByeRightBehindTheAck(t *testing.T) {
	answers, ends := make(chan error, 1), make(chan struct{}, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		answers <- d.Answer(ctx, []byte(someSDP))
		if !isEvent[ByeReceived](untilOver(ctx, d)) {
			t.Error("no ByeReceived event")
		}
		ends <- struct{}{}
	})
	p, c := newCall(t, a, "tcp")
	for range 50 {
		p.Send(c.Request("INVITE").WithSDP(someSDP))
		ok := finalOf(p, c, "INVITE")
		call := *c
		call.Establish(ok)
		p.Raw(call.Ack(ok).String() + call.Request("BYE").String())
		finalOf(p, &call, "BYE") // the answer to the INVITE may come twice before
		if err := <-answers; err != nil {
			t.Errorf("answer: %v", err)
		}
		<-ends
		c.Seq = call.Seq
	}
}

func TestByeInsteadOfTheAck(t *testing.T) {
	answers := make(chan error, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) { answers <- d.Answer(ctx, []byte(someSDP)) })
	p, c := newCall(t, a, "udp")
	p.Send(c.Request("INVITE").WithSDP(someSDP))
	c.Establish(p.Expect("SIP/2.0 200"))
	p.Send(c.Request("BYE"))
	finalOf(p, c, "BYE")
	if err := <-answers; !errors.Is(err, ErrEnded) {
		t.Errorf("answer: %v", err)
	}
}

func TestByeInTheEarlyDialog(t *testing.T) {
	events := make(chan []Event, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		_ = d.Ring(ctx)
		events <- untilOver(ctx, d)
	})
	p, c := newCall(t, a, "tcp")
	p.Send(c.Request("INVITE").WithSDP(someSDP))
	ringing := p.Expect("SIP/2.0 180")
	call := *c
	call.Establish(ringing)
	p.Send(call.Request("BYE"))
	p.Expect("SIP/2.0 200")
	p.Send(c.Ack(p.Expect("SIP/2.0 487")))
	if got := <-events; !isEvent[ByeReceived](got) {
		t.Errorf("events %v", got)
	}
}

func TestByesThatCross(t *testing.T) {
	byes := make(chan error, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		if err := d.Answer(ctx, []byte(someSDP)); err != nil {
			t.Error(err)
		}
		byes <- d.Bye(ctx, nil)
	})
	p, c := newCall(t, a, "tcp")
	establish(t, c)
	theirs := p.Expect("BYE")
	p.Send(c.Request("BYE"))
	p.Expect("SIP/2.0 200")
	p.Send(siptest.Reply(theirs, 200, "OK"))
	if err := <-byes; err != nil {
		t.Error(err)
	}
}

func TestConnectionClosedWithoutBye(t *testing.T) {
	for _, moment := range []string{"before the answer", "before the ACK", "during the call"} {
		t.Run(moment, func(t *testing.T) {
			over := make(chan []Event, 1)
			a := startAgent(t, func(ctx context.Context, d *Dialog) {
				if moment != "before the answer" {
					_ = d.Answer(ctx, []byte(someSDP))
				}
				over <- untilOver(ctx, d)
			}, hasty)
			p, c := newCall(t, a, "tcp")
			if moment == "during the call" {
				establish(t, c)
			} else {
				p.Send(c.Request("INVITE").WithSDP(someSDP))
				p.Next()
			}
			p.Close()
			if got := <-over; !isEvent[Lost](got) {
				t.Errorf("events %v", got)
			}
			eventually(t, "the connection is forgotten", func() bool { return a.wire.Streams() == 0 })
		})
	}
}

// TestCallSurvivesAReconnect closes the caller's connection in mid-call; the
// agent finds the caller at its Contact, and the call goes on over that.
func TestCallSurvivesAReconnect(t *testing.T) {
	events := make(chan []Event, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		if err := d.Answer(ctx, []byte(someSDP)); err != nil {
			t.Error(err)
		}
		events <- untilOver(ctx, d)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p, c := newCall(t, a, "tcp")
	p.Send(c.Request("INVITE").WithSDP(someSDP).With("Contact", "<sip:caller@"+ln.Addr().String()+";transport=tcp>"))
	ok := p.Expect("SIP/2.0 200")
	c.Establish(ok)
	p.Send(c.Ack(ok))
	p.Send(c.Request("OPTIONS")) // answered after the ACK was taken
	p.Expect("SIP/2.0 200")
	p.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	again := siptest.Adopt(t, conn)
	options := again.Expect("OPTIONS")
	again.Send(siptest.Reply(options, 200, "OK"))
	c.Peer = again
	again.Send(c.Request("BYE"))
	again.Expect("SIP/2.0 200")
	if got := <-events; isEvent[Lost](got) || !isEvent[ByeReceived](got) {
		t.Errorf("events %v", got)
	}
}

func TestByeToAFarEndThatIsGone(t *testing.T) {
	byes := make(chan error, 1)
	a := startAgent(t, func(ctx context.Context, d *Dialog) {
		if err := d.Answer(ctx, []byte(someSDP)); err != nil {
			t.Error(err)
		}
		byes <- d.Bye(ctx, nil)
	}, hasty)
	p, c := newCall(t, a, "udp")
	establish(t, c)
	p.Expect("BYE")
	if err := <-byes; err == nil {
		t.Error("a BYE without an answer must say so")
	}
}

func TestAgentThatStopsHangsUp(t *testing.T) {
	p, addr, stop := stoppable(t)
	c := siptest.NewCall(p, "sip:x@"+addr)
	establish(t, c)
	p.Send(c.Request("OPTIONS"))
	p.Expect("SIP/2.0 200")
	stop()
	p.Send(siptest.Reply(p.Expect("BYE"), 200, "OK"))
}

// stoppable is an agent that the test stops by hand.
func stoppable(t *testing.T) (p *siptest.Peer, addr string, stop func()) {
	t.Helper()
	a, err := New(Config{Listen: []string{"udp:127.0.0.1:0"}, T1: testT1}, discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, handle(answerAndWait)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if n := leftovers(a); n != 0 {
			t.Errorf("%d things left", n)
		}
	})
	addr = addrOf(a, "udp")
	return siptest.Dial(t, "udp", addr), addr, cancel
}

// TestThousandCallsLeaveNothing places a thousand calls, fifty at a time, each
// of which ends in one of the ways a call can end.
func TestThousandCallsLeaveNothing(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		a := startAgent(t, answerAndWait, hasty)
		var callers sync.WaitGroup
		for worker := range 50 {
			callers.Go(func() {
				p, c := newCall(t, a, network)
				defer p.Close()
				for i := range 20 {
					callInSomeWay(p, c, worker+i)
				}
			})
		}
		callers.Wait()
		eventually(t, "nothing is left", func() bool { return leftovers(a)+a.wire.Streams() == 0 })
	})
}

func callInSomeWay(p *siptest.Peer, c *siptest.Call, way int) {
	call := siptest.NewCall(p, c.Target)
	p.Send(call.Request("INVITE").WithSDP(someSDP))
	if way%4 == 0 {
		p.Send(call.Request("CANCEL"))
	}
	final := finalOf(p, call, "INVITE")
	if final.Status() != 200 {
		p.Send(call.Ack(final))
		return
	}
	call.Establish(final)
	if way%4 != 1 {
		p.Send(call.Ack(final))
	}
	p.Send(call.Request("BYE"))
	finalOf(p, call, "BYE")
}

// finalOf waits for the final response to a request of a call, past whatever
// else comes.
func finalOf(p *siptest.Peer, c *siptest.Call, method string) siptest.Message {
	for {
		m := p.Next()
		if m.Status() >= 200 && m.Get("Call-ID") == c.ID && strings.HasSuffix(m.Get("CSeq"), fmt.Sprintf("%d %s", c.Seq, method)) {
			return m
		}
	}
}
