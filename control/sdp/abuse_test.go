package sdp

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// abuse is what has brought other programs down, or made them spend more than it
// cost to send; each row with what becomes of it: an error, or an answer.
var abuse = []struct {
	name string
	text func() string
	want error // nil: answered, with PCMU
}{
	{"thousands of m= lines", func() string { return opened() + strings.Repeat("m=audio 5000 RTP/AVP 0\r\n", 2700) }, ErrMalformed},
	{"m= lines of kinds nobody knows", func() string { return opened() + strings.Repeat("m=x 1 y z\r\n", 60) + stream0 }, nil},
	{"rtpmap flood", func() string { return opened() + stream0 + numbered("a=rtpmap:%d X%d/8000\r\n", 2500) }, nil},
	{"rtpmap flood of one type", func() string { return opened() + stream0 + strings.Repeat("a=rtpmap:0 PCMU/8000\r\n", 2800) }, nil},
	{"formats without end", func() string { return opened() + "m=audio 5000 RTP/AVP 0" + strings.Repeat(" 96", 20000) + "\r\n" }, nil},
	{"fmtp flood", func() string { return opened() + stream0 + strings.Repeat("a=fmtp:0 x=y\r\n", 4000) }, nil},
	{"flood ahead of many streams", func() string {
		return opened() + strings.Repeat("a=x:1\r\n", 8000) + strings.Repeat(stream0, 64)
	}, ErrMalformed},
	{"long flood ahead of many streams", func() string {
		return opened() + "a=x:" + strings.Repeat("y", 60000) + "\r\n" + strings.Repeat(stream0, 64)
	}, ErrMalformed},
	{"keys ahead of many streams", func() string {
		return opened() + numbered("a=crypto:%d AES_CM_128_HMAC_SHA1_80 inline:%d\r\n", 1100) + strings.Repeat(stream0, 64)
	}, ErrMalformed},
	{"bandwidth lines", func() string { return opened() + strings.Repeat("b=AS:4294967296\r\n", 3000) + stream0 }, nil},
	{"origin of many digits", func() string {
		return "v=0\r\no=- " + strings.Repeat("9", 60000) + " 1 IN IP4 1.2.3.4\r\nc=IN IP4 1.2.3.4\r\n" + stream0
	}, nil},
	{"overlong line", func() string { return opened() + "a=" + strings.Repeat("x", 64<<10) + "\r\n" + stream0 }, ErrMalformed},
	{"overlong kind", func() string { return opened() + "m=" + strings.Repeat("x", 30000) + " 1 RTP/AVP 0\r\n" + stream0 }, nil},
	{"port 65536", func() string { return opened() + "m=audio 65536 RTP/AVP 0\r\n" }, ErrMalformed},
	{"port of many digits", func() string { return opened() + "m=audio " + strings.Repeat("9", 1000) + " RTP/AVP 0\r\n" }, ErrMalformed},
	{"port with a sign", func() string { return opened() + "m=audio -1 RTP/AVP 0\r\n" }, ErrMalformed},
	{"thousands of ports", func() string { return opened() + "m=audio 5000/4294967295 RTP/AVP 0\r\n" }, nil},
	{"port 65535", func() string { return opened() + "m=audio 65535 RTP/AVP 0\r\n" }, nil},
	{"port 1", func() string { return opened() + "m=audio 1 RTP/AVP 0\r\n" }, nil},
	{"CR alone", func() string { return strings.ReplaceAll(opened()+stream0, "\r\n", "\r") }, ErrMalformed},
	{"LF alone", func() string { return strings.ReplaceAll(opened()+stream0, "\r\n", "\n") }, nil},
	{"CR CR LF", func() string { return strings.ReplaceAll(opened()+stream0, "\r\n", "\r\r\n") }, nil},
	{"empty lines", func() string { return strings.ReplaceAll(opened()+stream0, "\r\n", strings.Repeat("\r\n", 4000)) }, nil},
	{"line folded", func() string { return opened() + "m=audio 5000\r\n RTP/AVP 0\r\n" }, ErrMalformed},
	{"CR hides a line", func() string { return opened() + "a=x\rm=audio 5000 RTP/AVP 0\r\n" }, ErrMalformed},
	{"NUL in fmtp", func() string { return opened() + stream0 + "a=fmtp:0 \x00\r\n" }, ErrMalformed},
	{"address of 1 kB", func() string { return "v=0\r\nc=IN IP4 " + strings.Repeat("1", 1024) + "\r\n" + stream0 }, ErrMalformed},
	{"zone in the address", func() string { return "v=0\r\nc=IN IP6 fe80::1%eth0\r\n" + stream0 }, ErrMalformed},
	{"broadcast", func() string { return "v=0\r\nc=IN IP4 255.255.255.255\r\n" + stream0 }, ErrMalformed},
}

const stream0 = "m=audio 5000 RTP/AVP 0\r\n"

func opened() string { return "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n" }

func numbered(line string, n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, line, i, i)
	}
	return b.String()
}

func TestAbuse(t *testing.T) {
	for _, tt := range abuse {
		t.Run(tt.name, func(t *testing.T) {
			text := []byte(tt.text())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s, err := Parse(text)
			var answer []byte
			var n Negotiated
			if err == nil {
				answer, n, err = Answer(s, local())
			}
			runtime.ReadMemStats(&after)
			if !errors.Is(err, tt.want) {
				t.Errorf("%v", err)
			}
			if tt.want == nil && err == nil && (n.Codec.Name != "PCMU" || len(answer) > 2*len(text)+1000) {
				t.Errorf("%+v, with an answer of %d bytes to %d", n, len(answer), len(text))
			}
			if spent, most := after.TotalAlloc-before.TotalAlloc, uint64(100*len(text)+64<<10); spent > most {
				t.Errorf("%d bytes allocated for %d", spent, len(text))
			}
		})
	}
}
