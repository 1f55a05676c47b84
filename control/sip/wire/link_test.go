package wire

import "testing"

// A Via says where its request really came from (RFC 3261 section 18.2.1, RFC 3581).
func TestStampVia(t *testing.T) {
	for _, tc := range []struct{ via, from, stamped string }{
		{"h", "192.0.2.1:5061", "h;received=192.0.2.1"},
		{"192.0.2.1:5060", "192.0.2.1:5061", "192.0.2.1:5060"},
		{"192.0.2.1:5060;rport", "192.0.2.1:5061", "192.0.2.1:5060;rport=5061;received=192.0.2.1"},
		{"192.0.2.9;rport", "192.0.2.1:5061", "192.0.2.9;rport=5061;received=192.0.2.1"},
		{"192.0.2.9", "192.0.2.1:5061", "192.0.2.9;received=192.0.2.1"},
		{"[2001:DB8::1]", "[2001:db8::1]:5061", "[2001:DB8::1]"},
		{"[2001:db8::1]", "[2001:db8::1]:5061", "[2001:db8::1]"},
		{"[2001:db8::1]:5060;branch=x;RPORT;received=", "[2001:db8::2]:5061", "[2001:db8::1]:5060;branch=x;rport=5061;received=2001:db8::2"},
		{" 192.0.2.1 : 5060", "192.0.2.1:5061", " 192.0.2.1 : 5060"},
		{"192.0.2.1;received=192.0.2.9", "192.0.2.1:5061", "192.0.2.1;received=192.0.2.9"},
		{`192.0.2.9 ;x="a;rport\";b" ; rport = 1;y;;z=1`, "192.0.2.1:5061", `192.0.2.9 ;x="a;rport\";b" ;rport=5061;y;z=1;received=192.0.2.1`},
	} {
		h, ok := readHop("SIP/2.0/UDP " + tc.via)
		if !ok {
			t.Fatalf("%s is no Via", tc.via)
		}
		if got := string(h.append(nil, addrPort(tc.from))); got != "SIP/2.0/UDP "+tc.stamped {
			t.Errorf("%s from %s is stamped %s", tc.via, tc.from, got)
		}
	}
}
