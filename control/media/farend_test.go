package media

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media/codec"
)

// Two legs must not be told to send to each other, and a refused far end changes nothing.
func TestALegIsNoFarEnd(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	other, _ := s.open("other")
	before := c.far
	loop := agreed(codec.PCMU)
	for _, at := range []netip.AddrPort{caller.Local(), other.Local(), netip.AddrPortFrom(localhost, other.Local().Port()+1)} {
		loop.RTP = at
		if err := caller.Connect(loop, codec.PCMU); !errors.Is(err, ErrFarEnd) {
			t.Errorf("connected to %s: %v", at, err)
		}
	}
	if c.far != before {
		t.Errorf("far end is %+v, was %+v", c.far, before)
	}
	loop.RTP = other.Local()
	s.must(other.Close())
	s.must(caller.Connect(loop, codec.PCMU))
}

// Until the far end's address is learned a prompt goes by unheard, as on hold.
func TestUnlatchedIsNoError(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	c.refusing(ErrUnlatched)
	if err := caller.send(caller.state.Load(), Payload{}); err != nil {
		t.Error(err)
	}
}

func TestWhatIsSentIsMarked(t *testing.T) {
	s := newStudio(t)
	s.engine.dscp = 46
	if _, c := s.connected("caller", codec.PCMU); c.far.DSCP != 46 {
		t.Errorf("DSCP is %d", c.far.DSCP)
	}
}

func TestMaxRate(t *testing.T) {
	for ptime, want := range map[time.Duration]int{
		0: 0, 5 * time.Millisecond: 800, 20 * time.Millisecond: 200, 60 * time.Millisecond: 200, // events come each 20 ms
	} {
		if got := (FarEnd{Ptime: ptime}).MaxRate(); got != want {
			t.Errorf("%s: %d packets a second, want %d", ptime, got, want)
		}
	}
}
