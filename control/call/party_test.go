package call

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mcp/control/reporting"
	"mcp/control/sdp"
	"mcp/control/sip"
	"mcp/control/sip/siptest"
)

// callee is somebody who can be called.
type callee struct {
	do    func(ctx context.Context, d *sip.Dialog)
	ended chan struct{} // one for each dialog that is over
}

func (c *callee) Invite(ctx context.Context, d *sip.Dialog) {
	c.do(ctx, d)
	for range d.Events() {
	}
	c.ended <- struct{}{}
}

// answering is what a callee does who takes calls.
func answering(ctx context.Context, d *sip.Dialog) {
	offer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		return
	}
	answer, _, err := sdp.Answer(offer, sdp.Local{Addr: netip.AddrPortFrom(loopback, 11), Codecs: sdp.DefaultCodecs(), Events: 101, SessionID: 2, Version: 1})
	if err == nil {
		_ = d.Answer(ctx, answer)
	}
}

// callOut runs a call whose program calls somebody, and returns the call's record.
func callOut(t *testing.T, who *callee, to Destination, then func(*Call, *Party)) *reporting.Record {
	t.Helper()
	who.ended = make(chan struct{}, 8)
	b := newBench(t, Config{}, &scripted{run: func(ctx context.Context, c *Call) Ending {
		p, err := c.Dial(to)
		if err != nil {
			t.Error(err)
			return Ending{}
		}
		then(c, p)
		return Ending{Cause: reporting.Completed}
	}})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	b.server.dialler = b.caller
	if to.To == "" {
		to.To = "sip:bob@" + b.agent(who, log).Addrs()[0].String() + ";transport=tcp"
	}
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	for range d.Events() {
	}
	r := b.record()
	b.empty()
	return r
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Errorf("waited in vain for %s", what)
	}
}

func TestPartyAnswersAndIsHungUpWithTheCall(t *testing.T) {
	who := &callee{do: answering}
	r := callOut(t, who, Destination{}, func(c *Call, p *Party) {
		wait(t, "the answer", p.Answered())
		if err := errors.Join(c.Media().Join(c.Caller(), p.Leg()), c.Media().Join(p.Leg(), c.Caller())); err != nil {
			t.Error(err)
		}
		if p.Since().IsZero() || p.Err() != nil {
			t.Errorf("since %v, error %v", p.Since(), p.Err())
		}
	})
	wait(t, "the party's end", who.ended)
	if len(r.Media) != 2 || r.Media[0].Name != "party-1" || r.Media[0].Remote != "127.0.0.1:11" || r.Media[1].Name != "caller" {
		t.Errorf("media %+v", r.Media)
	}
}

func TestPartyHangsUp(t *testing.T) {
	who := &callee{do: func(ctx context.Context, d *sip.Dialog) {
		answering(ctx, d)
		_ = d.Bye(ctx, nil)
	}}
	callOut(t, who, Destination{}, func(_ *Call, p *Party) {
		wait(t, "the party's end", p.Gone())
		select {
		case <-p.Answered():
		default:
			t.Error("it never answered")
		}
		if p.Lost() {
			t.Error("it is told to be lost")
		}
		p.HangUp() // comes too late, and changes nothing
	})
	if n := len(who.ended); n > 1 {
		t.Errorf("it was called %d times", n)
	}
}

// TestPartyIsLost has a party's network forget the call.
func TestPartyIsLost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	uri := "sip:bob@" + listener.Addr().String() + ";transport=tcp"
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		peer := siptest.Adopt(t, conn)
		for {
			m, ok := peer.Within(patience)
			switch {
			case !ok:
				return
			case strings.HasPrefix(m.Start, "INVITE "):
				local := sdp.Local{Addr: netip.AddrPortFrom(loopback, 11), Codecs: sdp.DefaultCodecs(), Events: 101, SessionID: 2, Version: 1}
				offer, _ := sdp.Parse([]byte(m.Body))
				answer, _, _ := sdp.Answer(offer, local)
				peer.Send(siptest.Reply(m, 200, "OK").Add("Contact", "<"+uri+">").WithSDP(string(answer)))
			case strings.HasPrefix(m.Start, "INFO "):
				peer.Send(siptest.Reply(m, 481, "Call/Transaction Does Not Exist"))
				return
			}
		}
	}()
	callOut(t, &callee{}, Destination{To: uri}, func(_ *Call, p *Party) {
		wait(t, "the answer", p.Answered())
		_ = p.signalling().Info(t.Context(), sip.Content{Type: "text/plain"})
		wait(t, "the party's end", p.Gone())
		if !p.Lost() {
			t.Error("it is not told that the network has lost the party")
		}
	})
}

func TestPartyRefuses(t *testing.T) {
	who := &callee{do: func(ctx context.Context, d *sip.Dialog) { _ = d.Reject(ctx, 486, "Busy Here", nil) }}
	callOut(t, who, Destination{}, func(_ *Call, p *Party) {
		wait(t, "the refusal", p.Gone())
		var refused *sip.RejectedError
		if !errors.As(p.Err(), &refused) || refused.Status != 486 {
			t.Errorf("error %v", p.Err())
		}
	})
}

func TestPartyThatDoesNotAnswerIsGivenUp(t *testing.T) {
	who := &callee{do: func(ctx context.Context, d *sip.Dialog) { _ = d.Ring(ctx) }}
	callOut(t, who, Destination{Patience: 100 * time.Millisecond}, func(_ *Call, p *Party) {
		wait(t, "the end of patience", p.Gone())
		if !errors.Is(p.Err(), ErrNoAnswer) {
			t.Errorf("error %v", p.Err())
		}
	})
	wait(t, "the CANCEL", who.ended)
}

func TestPartyIsCancelledWithTheCall(t *testing.T) {
	ringing := make(chan struct{})
	who := &callee{do: func(ctx context.Context, d *sip.Dialog) { _ = d.Ring(ctx); close(ringing) }}
	callOut(t, who, Destination{}, func(*Call, *Party) { wait(t, "ringing", ringing) })
	wait(t, "the CANCEL", who.ended)
}

func TestPartyThatCannotBeReached(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: func(_ context.Context, c *Call) Ending {
		if _, err := c.Dial(Destination{To: "sip:bob@127.0.0.1"}); !errors.Is(err, errNoDialler) {
			t.Errorf("error %v", err)
		}
		c.server.dialler = stubborn{}
		p, err := c.Dial(Destination{To: "sip:bob@127.0.0.1"})
		if err != nil {
			t.Error(err)
			return Ending{}
		}
		wait(t, "the party's end", p.Gone())
		if !errors.Is(p.Err(), errStubborn) {
			t.Errorf("error %v", p.Err())
		}
		return Ending{Cause: reporting.Completed}
	}})
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	for range d.Events() {
	}
	b.record()
	b.empty()
}

var errStubborn = errors.New("nobody there")

type stubborn struct{}

func (stubborn) Invite(context.Context, sip.Outgoing) (*sip.Dialog, error) { return nil, errStubborn }
