package media

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media/codec"
)

// TestFarEndsThatAreNone holds SDP to addresses that a call's audio may go to.
func TestFarEndsThatAreNone(t *testing.T) {
	h := host{
		networks: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("10.1.2.3/20"),
			netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::7/64"),
		},
		taken: func(port uint16) bool { return port&^1 == 20000 },
	}
	for _, tt := range []struct {
		local, rtp, rtcp string
		fine             bool
	}{
		{local: "10.1.2.3", fine: true}, // muted
		{local: "10.1.2.3", rtp: "198.51.100.1:4000", fine: true},
		{local: "10.1.2.3", rtp: "10.1.2.4:20000", fine: true},
		{local: "10.1.2.3", rtp: "10.1.2.3:30000", fine: true}, // a neighbour on this host
		{local: "10.1.2.3", rtp: "10.1.2.3:20000"},
		{local: "10.1.2.3", rtp: "10.1.2.3:20001"},
		{local: "10.1.2.3", rtp: "192.0.2.7:20000"},
		{local: "10.1.2.3", rtp: "[::ffff:10.1.2.3]:20000"},
		{local: "10.1.2.3", rtp: "198.51.100.1:4000", rtcp: "10.1.2.3:20001"},
		{local: "10.1.2.3", rtp: "198.51.100.1:4000", rtcp: "127.0.0.1:4001"},
		{local: "10.1.2.3", rtp: "198.51.100.1:4000", rtcp: "198.51.100.2:4001", fine: true},
		{local: "10.1.2.3", rtp: "127.0.0.1:4000"},
		{local: "10.1.2.3", rtp: "127.9.9.9:4000"},
		{local: "10.1.2.3", rtp: "[::ffff:127.0.0.1]:4000"},
		{local: "127.0.0.1", rtp: "127.0.0.1:4000", fine: true},
		{local: "127.0.0.1", rtp: "127.0.0.2:20000"},
		{local: "10.1.2.3", rtp: "0.0.0.0:4000"},
		{local: "10.1.2.3", rtp: "198.51.100.1:0"},
		{local: "10.1.2.3", rtp: "224.0.0.1:4000"},
		{local: "10.1.2.3", rtp: "239.255.255.255:4000"},
		{local: "10.1.2.3", rtp: "255.255.255.255:4000"},
		{local: "10.1.2.3", rtp: "10.1.15.255:4000"},
		{local: "10.1.2.3", rtp: "10.1.2.255:4000", fine: true}, // of no network of ours
		{local: "127.0.0.1", rtp: "127.255.255.255:4000"},
		{local: "10.1.2.3", rtp: "169.254.169.254:80"},
		{local: "169.254.1.1", rtp: "169.254.1.2:4000", fine: true},
		{local: "2001:db8::7", rtp: "[2001:db8::8]:4000", fine: true},
		{local: "2001:db8::7", rtp: "[2001:db8::7]:20000"},
		{local: "2001:db8::7", rtp: "[::1]:4000"},
		{local: "2001:db8::7", rtp: "[::]:4000"},
		{local: "2001:db8::7", rtp: "[ff02::1]:4000"},
		{local: "2001:db8::7", rtp: "[fe80::1]:4000"},
	} {
		var f FarEnd
		f.RTP, _ = netip.ParseAddrPort(tt.rtp)
		f.RTCP, _ = netip.ParseAddrPort(tt.rtcp)
		err := h.check(f, netip.MustParseAddr(tt.local))
		if (err == nil) != tt.fine || err != nil && !errors.Is(err, ErrFarEnd) {
			t.Errorf("from %s to %s, RTCP %s: %v", tt.local, tt.rtp, tt.rtcp, err)
		}
	}
}

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
