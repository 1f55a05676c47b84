package call

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"mcp/control/call/secure"
	"mcp/control/media"
	"mcp/control/reporting"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// talker is a far end that takes every change of the session that suits it.
type talker struct {
	t     *testing.T
	local sdp.Local
	// heard is what it is told of the audio of whom it speaks with.
	heard chan *sdp.Audio
	// refuses is the status that the next change is refused with; 0: it is taken.
	refuses chan int
	dialog  *sip.Dialog
	served  sync.WaitGroup
}

func newTalker(t *testing.T, port uint16) *talker {
	return &talker{
		t: t, heard: make(chan *sdp.Audio, 64), refuses: make(chan int, 1),
		local: sdp.Local{
			Addr: netip.AddrPortFrom(loopback, port), Codecs: []sdp.Codec{{Name: "PCMU", ClockRate: 8000}}, Events: 101,
			Direction: sdp.SendRecv, SessionID: uint64(port), Version: 1,
		},
	}
}

// serve takes what comes of a dialog until it is over.
func (p *talker) serve() {
	for ev := range p.dialog.Events() {
		again, ok := ev.(*sip.Reinvite)
		if !ok {
			continue
		}
		select {
		case status := <-p.refuses:
			_ = again.Reject(p.t.Context(), status, "")
			continue
		default:
		}
		if again.Offer == nil {
			_ = again.Accept(p.t.Context(), sdp.Offer(p.local))
			continue
		}
		if answer := p.answer(again.Offer); answer == nil {
			_ = again.Reject(p.t.Context(), 488, "")
		} else {
			_ = again.Accept(p.t.Context(), answer)
		}
	}
}

// answer is nil for an offer that does not suit.
func (p *talker) answer(offer []byte) []byte {
	said, err := sdp.Parse(offer)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	if said.Bare() {
		p.heard <- nil
		return sdp.Decline(said, p.local)
	}
	answer, _, err := sdp.Answer(said, p.local)
	if errors.Is(err, sdp.ErrKeying) || errors.Is(err, sdp.ErrNoCommonCodec) {
		return nil
	}
	if err != nil {
		p.t.Error(err)
		return nil
	}
	p.heard <- said.Audio
	return answer
}

// change offers its audio in a direction, and returns what it is told of the other's.
func (p *talker) change(d sdp.Direction) (*sdp.Audio, error) {
	local := p.local // serve has the other
	local.Direction = d
	return p.propose(local)
}

// propose offers another description of itself.
func (p *talker) propose(local sdp.Local) (*sdp.Audio, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	body, err := p.dialog.Reinvite(ctx, sip.Change{Offer: sdp.Offer(local)})
	if err != nil {
		return nil, err
	}
	answer, err := sdp.Parse(body)
	if err != nil {
		return nil, err
	}
	return answer.Audio, nil
}

// told waits for what it is told next of the other's audio.
func (p *talker) told() *sdp.Audio {
	p.t.Helper()
	select {
	case a := <-p.heard:
		return a
	case <-time.After(patience):
		p.t.Fatal("it is told nothing")
		return nil
	}
}

// conversation is a caller and a party in a call that does what a test says.
func conversation(t *testing.T, run func(*Call, *Party), then func(caller, party *talker)) {
	t.Helper()
	conversationUnder(t, secure.Policy{}, run, then)
}

func conversationUnder(t *testing.T, policy secure.Policy, run func(*Call, *Party), then func(caller, party *talker)) {
	t.Helper()
	caller, party := newTalker(t, 9), newTalker(t, 11)
	answered := make(chan struct{})
	who := &callee{ended: make(chan struct{}, 1), do: func(ctx context.Context, d *sip.Dialog) {
		party.dialog = d
		if err := d.Answer(ctx, party.answer(d.RemoteSDP())); err != nil {
			t.Error(err)
		}
		close(answered)
		party.serve()
	}}
	var b *bench
	var to string
	b = newBench(t, Config{HoldTimeout: 10 * time.Millisecond, SRTP: policy}, &scripted{run: func(_ context.Context, c *Call) Ending {
		p, err := c.Dial(Destination{To: to})
		if err != nil {
			t.Error(err)
			return Ending{}
		}
		wait(t, "the answer", p.Answered())
		run(c, p)
		return Ending{Cause: reporting.Completed}
	}})
	b.server.dialler = b.caller
	to = "sip:bob@" + b.agent(who, b.server.log).Addrs()[0].String() + ";transport=tcp"
	d, err := b.dial(sdp.Offer(caller.local))
	if err != nil {
		t.Fatal(err)
	}
	caller.dialog = d
	caller.served.Go(caller.serve)
	wait(t, "the party's answer", answered)
	<-party.heard // the platform's
	then(caller, party)
	if err := d.Bye(context.Background(), nil); err != nil && !errors.Is(err, sip.ErrEnded) {
		t.Error(err)
	}
	wait(t, "the party's end", who.ended)
	caller.served.Wait()
	b.record()
	b.empty()
}

// A far end whose audio bypasses the platform holds, resumes and moves as it would with
// the other beside it; what the other refuses is refused.
func TestHoldDuringARedirect(t *testing.T) {
	for _, tt := range []struct {
		name string
		ends func(caller, party *talker) (holds, held *talker)
	}{
		{"by the caller", func(caller, party *talker) (*talker, *talker) { return caller, party }},
		{"by the party", func(caller, party *talker) (*talker, *talker) { return party, caller }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			redirected := make(chan error, 1)
			conversation(t, func(c *Call, p *Party) {
				_, err := c.Redirect(context.Background(), p)
				redirected <- err
				<-c.HungUp()
			}, func(caller, party *talker) {
				if err := <-redirected; err != nil {
					t.Fatal(err)
				}
				if c, p := caller.told(), party.told(); c.RTP != party.local.Addr || p.RTP != caller.local.Addr {
					t.Fatalf("the caller speaks with %v, the party with %v", c.RTP, p.RTP)
				}
				holds, held := tt.ends(caller, party)
				for _, step := range []struct{ offered, answered sdp.Direction }{
					{sdp.SendOnly, sdp.RecvOnly}, {sdp.Inactive, sdp.Inactive}, {sdp.SendRecv, sdp.SendRecv},
				} {
					answer, err := holds.change(step.offered)
					if err != nil {
						t.Fatalf("%v: %v", step.offered, err)
					}
					if answer.RTP != held.local.Addr || answer.Direction != step.answered {
						t.Errorf("%v is answered with %v at %v", step.offered, answer.Direction, answer.RTP)
					}
					if got := held.told(); got.RTP != holds.local.Addr || got.Direction != step.offered {
						t.Errorf("the other is told %v at %v, want %v", got.Direction, got.RTP, step.offered)
					}
				}
				checkUnoffered(t, holds, held)
				held.refuses <- 603
				var refused *sip.RejectedError
				if _, err := holds.change(sdp.SendOnly); !errors.As(err, &refused) || refused.Status != 603 {
					t.Errorf("what the other refuses: %v", err)
				}
			})
		})
	}
}

// checkUnoffered has one end ask for an offer, which is that of the other, and answer it.
func checkUnoffered(t *testing.T, asks, asked *talker) {
	t.Helper()
	_, err := asks.dialog.Reinvite(t.Context(), sip.Change{Answer: func(offer []byte) ([]byte, error) {
		return asks.answer(offer), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := asks.told(); got.RTP != asked.local.Addr {
		t.Errorf("it is offered %v", got.RTP)
	}
	answer, err := sdp.Parse(asked.dialog.RemoteSDP())
	for until := time.Now().Add(patience); err == nil && answer.Audio.RTP != asks.local.Addr && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
		answer, err = sdp.Parse(asked.dialog.RemoteSDP())
	}
	if err != nil || answer.Audio.RTP != asks.local.Addr {
		t.Errorf("the other's offer is answered with %+v, %v", answer, err)
	}
}

// Both far ends change the session while the program sends the audio to and fro:
// whoever comes first, in the end it is where the program wants it.
func TestReinviteCrossesARedirect(t *testing.T) {
	over := make(chan struct{})
	conversation(t, func(c *Call, p *Party) {
		defer close(over)
		for range 5 {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			if _, err := c.Redirect(ctx, p); err != nil {
				t.Errorf("redirect: %v", err)
			}
			if err := c.Restore(ctx); err != nil {
				t.Errorf("restore: %v", err)
			}
			cancel()
		}
	}, func(caller, party *talker) {
		var changing sync.WaitGroup
		for _, p := range []*talker{caller, party} {
			changing.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-over:
						return
					default:
					}
					_, err := p.change([]sdp.Direction{sdp.SendOnly, sdp.SendRecv}[n%2])
					var refused *sip.RejectedError
					if err != nil && !errors.As(err, &refused) && !errors.Is(err, sip.ErrEnded) {
						t.Logf("change: %v", err)
					}
				}
			})
		}
		wait(t, "the program", over)
		changing.Wait()
		var last *sdp.Audio
		for len(caller.heard) > 0 {
			last = <-caller.heard
		}
		if last == nil || last.RTP == party.local.Addr {
			t.Errorf("in the end the caller's audio goes to %+v", last)
		}
	})
}

// No audio comes here from a caller whose audio bypasses the platform, which is no
// hold that lasts too long.
func TestRedirectIsNoHold(t *testing.T) {
	over := make(chan struct{})
	conversation(t, func(c *Call, p *Party) {
		defer close(over)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := c.Redirect(ctx, p); err != nil {
			t.Errorf("redirect: %v", err)
		}
		for range 2 { // the first may be told of before the caller would be
			late := make(chan struct{})
			p.side.leg.Watch(media.Watch{HoldTimeout: 10 * time.Millisecond, Silent: func(time.Duration) { close(late) }})
			wait(t, "a leg that is watched to be too long on hold", late)
		}
		if err := c.Restore(ctx); err != nil {
			t.Errorf("restore: %v", err)
		}
	}, func(_, _ *talker) { wait(t, "the program", over) })
}
