package call

import (
	"strings"
	"testing"

	"mcp/control/sip/siptest"
)

// An offer that cannot be read is refused with 400, one that is in order but of no use
// with 488 (RFC 3261 section 21.4.26), and one with something of use in it answered
// with that alone; the platform goes on whatever comes.
func TestAbusiveOffers(t *testing.T) {
	head := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
	const audio = "m=audio 9 RTP/AVP 0\r\n"
	tests := []struct{ name, offer, want string }{
		{"thousands of streams", head + strings.Repeat(audio, 2000), "SIP/2.0 400"},
		{"too much for each of many streams", head + strings.Repeat("a=x:1\r\n", 5000) + strings.Repeat(audio, 60), "SIP/2.0 400"},
		{"port out of range", head + "m=audio 70000 RTP/AVP 0\r\n", "SIP/2.0 400"},
		{"a line that ends in CR alone", strings.ReplaceAll(head+audio, "\r\n", "\r"), "SIP/2.0 400"},
		{"broadcast", strings.Replace(head+audio, "c=IN IP4 127.0.0.1", "c=IN IP4 255.255.255.255", 1), "SIP/2.0 400"},
		{"video alone", head + "m=video 9 RTP/AVP 31\r\n", "SIP/2.0 488"},
		{"a transport that nobody knows", head + "m=audio 9 RTP/XXX 0\r\n", "SIP/2.0 488"},
		{"rtpmap flood without a codec", head + "m=audio 9 RTP/AVP 96\r\n" + strings.Repeat("a=rtpmap:96 X/8000\r\n", 2000), "SIP/2.0 488"},
		{"rtpmap flood with one", head + audio + strings.Repeat("a=rtpmap:96 X/8000\r\n", 2000), "SIP/2.0 200"},
		{"audio among dozens of others", head + strings.Repeat("m=x 9 y z\r\n", 60) + audio, "SIP/2.0 200"},
	}
	b := newBench(t, Config{}, &scripted{run: untilHungUp})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := strings.TrimSuffix(strings.TrimPrefix(b.target, "sip:ivr@"), ";transport=tcp")
			peer := siptest.Dial(t, "tcp", addr)
			c := siptest.NewCall(peer, "sip:ivr@"+addr)
			peer.Send(c.Request("INVITE").WithSDP(tt.offer))
			res := peer.Next()
			for strings.HasPrefix(res.Start, "SIP/2.0 100") {
				res = peer.Next()
			}
			if !strings.HasPrefix(res.Start, tt.want) {
				t.Errorf("%s", res.Start)
			}
			if strings.HasPrefix(res.Start, "SIP/2.0 200") {
				if streams := strings.Count(body(res), "m="); streams != strings.Count(tt.offer, "m=") || !strings.Contains(body(res), "RTP/AVP 0") {
					t.Errorf("answered with %d streams:\n%s", streams, body(res))
				}
				c.Establish(res)
				peer.Send(c.Ack(res))
				peer.Send(c.Request("BYE"))
				peer.Expect("SIP/2.0 200")
			} else {
				peer.Send(c.Ack(res))
			}
			b.record()
		})
	}
	b.empty()
}
