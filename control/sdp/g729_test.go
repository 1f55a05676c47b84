package sdp

import (
	"net/netip"
	"strings"
	"testing"
)

// Annex B is what a far end takes for granted unless it is told otherwise (RFC 4856
// section 2.1.9).
func TestG729IsOfferedWithoutItsSilence(t *testing.T) {
	body := string(Offer(Local{Addr: netip.MustParseAddrPort("10.0.0.1:20000"), Codecs: []Codec{narrow("G729", 18), narrow("GSM", 3)}}))
	for _, want := range []string{"RTP/AVP 18 3", "a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n", "a=rtpmap:3 GSM/8000"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}
