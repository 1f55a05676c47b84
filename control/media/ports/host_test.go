package ports

import (
	"net/netip"
	"testing"
)

// TestFarEndsThatAreNone holds SDP to addresses that a call's audio may go to.
func TestFarEndsThatAreNone(t *testing.T) {
	h := Host{
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
		rtp, _ := netip.ParseAddrPort(tt.rtp)
		rtcp, _ := netip.ParseAddrPort(tt.rtcp)
		err := h.Check(netip.MustParseAddr(tt.local), rtp, rtcp)
		if (err == nil) != tt.fine {
			t.Errorf("from %s to %s, RTCP %s: %v", tt.local, tt.rtp, tt.rtcp, err)
		}
	}
}
