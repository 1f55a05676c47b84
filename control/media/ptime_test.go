package media_test

import (
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/conference"
	"mcp/control/media/measure"
	"mcp/control/media/mediatest"
)

var ptimes = []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 30 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond}

// A way on which audio goes through userspace, from the caller to the other.
type path struct {
	name string
	from codec.Codec
	to   codec.Codec
	open func(*room) error
}

// room is a call of two legs, and a conference beside it.
type room struct {
	session       *media.Session
	caller, other *media.Leg
	conference    *conference.Conference // nil: none is needed
	bridge        *conference.Bridge
}

// Packets of any length become packets of any other, whole and without a gap, on
// every way through userspace.
func TestPacketsOfEveryLengthBecomeThoseOfEveryOther(t *testing.T) {
	copied := func(r *room) error { _, err := r.session.CopySaid(r.caller, r.other); return err }
	joined := func(r *room) error { return r.session.Join(r.caller, r.other) }
	for _, p := range []path{
		{"the other law", codec.PCMU, codec.PCMA, joined},
		{"transcoded", codec.PCMA, codec.G722, joined},
		{"transcoded from Opus", codec.Opus, codec.PCMU, joined},
		{"copied to a recording server", codec.PCMU, codec.PCMA, copied},
		{"heard, and copied to a recording server", codec.PCMU, codec.PCMA, overhear},
		{"mixed", codec.PCMU, codec.PCMU, mixed},
		{"mixed in two codecs", codec.PCMA, codec.G722, mixed},
	} {
		for _, in := range ptimes {
			for _, out := range ptimes {
				t.Run(fmt.Sprint(p.name, in, out), func(t *testing.T) { p.carries(t, in, out) })
			}
		}
	}
}

// overhear copies what a third leg hears of the caller.
func overhear(r *room) error {
	third, err := r.session.OpenLeg("third", netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		return err
	}
	err = third.Connect(media.FarEnd{
		RTP: netip.MustParseAddrPort("192.0.2.9:4000"), PayloadType: codec.PCMU.PayloadType, Events: 101,
		ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
	}, codec.PCMU)
	if err != nil {
		return err
	}
	if _, err = r.session.CopyHeard(third, r.other); err != nil {
		return err
	}
	return r.session.Join(r.caller, third)
}

func mixed(r *room) (err error) {
	r.bridge = conference.NewBridge(new(clock.Clock), slog.New(slog.DiscardHandler))
	if r.conference, err = r.bridge.Open("room", conference.Options{}); err != nil {
		return err
	}
	for i, l := range []*media.Leg{r.caller, r.other} {
		// A gain keeps two of one codec from being relayed.
		if err := r.conference.Join(l, conference.Member{ID: fmt.Sprint(i), Gain: 0.1}); err != nil {
			return err
		}
	}
	return nil
}

func (p path) carries(t *testing.T, in, out time.Duration) {
	plane := mediatest.NewPlane()
	engine, err := media.NewEngine(media.Config{}, plane, slog.New(slog.DiscardHandler))
	must(t, err)
	r := &room{session: engine.NewSession("call")}
	defer func() {
		if r.bridge != nil {
			must(t, r.bridge.Close())
		}
		r.session.Close()
		must(t, engine.Close())
	}()
	r.caller, err = r.session.OpenLeg("caller", netip.MustParseAddr("127.0.0.1"))
	must(t, err)
	r.other, err = r.session.OpenLeg("other", netip.MustParseAddr("127.0.0.1"))
	must(t, err)
	in = p.from.Span(in)
	says, err := plane.Connect(r.caller, p.from, in)
	must(t, err)
	hears, err := plane.Connect(r.other, p.to, out)
	must(t, err)
	must(t, p.open(r))
	p.say(t, r, says, in)
	p.judge(t, hears, p.to.Span(out))
}

// say says 1.2 s of a tone, in time with the conference.
func (p path) say(t *testing.T, r *room, says *mediatest.Far, in time.Duration) {
	rate := p.from.SampleRate()
	frame := make([]int16, int(in*time.Duration(rate)/time.Second))
	said, ticked := 0, time.Duration(0)
	for at := time.Duration(0); at < 1200*time.Millisecond; at += in {
		for i := range frame {
			frame[i] = int16(8000 * math.Sin(2*math.Pi*500*float64(said)/float64(rate)))
			said++
		}
		must(t, says.Say(frame))
		for ; r.conference != nil && ticked <= at; ticked += clock.Frame {
			r.conference.Tick()
		}
	}
}

func (p path) judge(t *testing.T, hears *mediatest.Far, out time.Duration) {
	t.Helper()
	heard, err := hears.Heard(0)
	must(t, err)
	rate := p.to.SampleRate()
	if len(heard) < rate {
		t.Fatalf("%d samples of 1.2 s", len(heard))
	}
	middle := heard[rate*3/10 : rate*95/100]
	if l := measure.Tone(middle, rate, 500); math.Abs(l+9.1) > 1 {
		t.Errorf("the tone is at %.1f dBm0", l)
	}
	if gaps := measure.Gaps(middle, rate, -35, 4*time.Millisecond); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
	if at := hears.Broken(); at != 0 {
		t.Errorf("the stream breaks at packet %d", at)
	}
	for i, sent := range hears.Packets() {
		if got := time.Duration(p.to.Ticks(sent.Payload)) * time.Second / time.Duration(p.to.ClockRate); got != out {
			t.Errorf("packet %d is of %s, want %s", i, got, out)
			break
		}
	}
}
