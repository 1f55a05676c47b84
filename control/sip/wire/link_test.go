package wire

import (
	"testing"

	"github.com/emiago/sipgo/sip"
)

// A Via says where its request really came from (RFC 3261 section 18.2.1, RFC 3581).
func TestStampVia(t *testing.T) {
	for _, tc := range []struct{ via, from, stamped string }{
		{"h", "192.0.2.1:5061", "h;received=192.0.2.1"},
		{"192.0.2.1:5060", "192.0.2.1:5061", "192.0.2.1:5060"},
		{"192.0.2.1:5060;rport", "192.0.2.1:5061", "192.0.2.1:5060;rport=5061;received=192.0.2.1"},
		{"192.0.2.9;rport", "192.0.2.1:5061", "192.0.2.9;rport=5061;received=192.0.2.1"},
		{"192.0.2.9", "192.0.2.1:5061", "192.0.2.9;received=192.0.2.1"},
		{"[2001:DB8::1]", "[2001:db8::1]:5061", "[2001:DB8::1];received=2001:db8::1"},
		{"[2001:db8::1]", "[2001:db8::1]:5061", "[2001:db8::1]"},
	} {
		msg, _, err := newParser().parse([]byte("OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP " + tc.via + "\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		stampVia(msg.(*sip.Request), addrPort(tc.from))
		if got := string(appendValue(nil, msg.Via())); got != "SIP/2.0/UDP "+tc.stamped {
			t.Errorf("%s from %s is stamped %s", tc.via, tc.from, got)
		}
	}
}
