package sdp

import (
	"net/netip"
	"testing"
)

// BenchmarkAnswer is what the description of a call costs: SIPp's offer read and
// answered.
func BenchmarkAnswer(b *testing.B) {
	offer := []byte("v=0\r\no=user1 53655765 2353687637 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 6000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n")
	local := Local{Addr: netip.MustParseAddrPort("192.0.2.2:20000"), Events: 101, Noise: true, SessionID: 1<<60 + 1, Version: 1}
	b.ReportAllocs()
	for b.Loop() {
		s, err := Parse(offer)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := Answer(s, local); err != nil {
			b.Fatal(err)
		}
	}
}
