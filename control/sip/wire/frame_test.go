package wire

import (
	"bytes"
	"errors"
	"hash/maphash"
	"testing"

	"github.com/emiago/sipgo/sip"
)

func TestFrame(t *testing.T) {
	for name, tc := range map[string]struct {
		data string
		n    int
		err  error
	}{
		"nothing":              {"", 0, errNoEnd},
		"half a header":        {"INVITE sip:x SIP/2.0\r\nContent-Le", 0, errNoEnd},
		"no body":              {"OPTIONS sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n", 44, nil},
		"more behind it":       {"OPTIONS sip:x SIP/2.0\r\nl:0\r\n\r\nBYE sip:x", 30, nil},
		"body":                 {"A b c\r\ncontent-length :  3 \r\n\r\nabc", 34, nil},
		"half a body":          {"A b c\r\nL: 3\r\n\r\nab", 18, errPartial},
		"same length twice":    {"A b c\r\nl: 1\r\nContent-Length: 1\r\n\r\nx", 35, nil},
		"two lengths":          {"A b c\r\nl: 1\r\nl: 2\r\n\r\nx", 0, errTwoLength},
		"no length":            {"A b c\r\nX: y\r\n\r\n", 0, errNoLength},
		"negative length":      {"A b c\r\nl: -1\r\n\r\n", 0, errNoLength},
		"length not a number":  {"A b c\r\nl: 1x\r\n\r\n", 0, errNoLength},
		"length beyond limit":  {"A b c\r\nl: 2000\r\n\r\n", 0, errTooLarge},
		"length beyond number": {"A b c\r\nl: 99999999999999999999\r\n\r\n", 0, errNoLength},
		"endless":              {string(bytes.Repeat([]byte("x"), 1001)), 0, errTooLarge},
	} {
		n, err := frame([]byte(tc.data), 0, 1000)
		if n != tc.n || !errors.Is(err, tc.err) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// FuzzReceive feeds bytes to framing, parsing, the checks and everything that
// is done to a request before the agent sees it.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h:5060;branch=z9hG4bKx;rport\r\nFrom: <sip:a@b>;tag=1\r\n" +
		"To: \"x\" <sip:a@b;p=%41>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:[::1]:5>\r\nRecord-Route: <sip:h;lr>, <sip:i>\r\nl: 3\r\n\r\nabc"))
	f.Add([]byte("CANCEL sip:a SIP/2.0\r\nv: SIP/2.0/TCP [::1]\r\nf: sip:a;tag=1\r\nt: sip:b\r\ni: c\r\nCSeq: 1 CANCEL\r\nl: 0\r\n\r\n"))
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: sip:a\r\nTo: sip:b\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nl: 0\r\n\r\n"))
	f.Add([]byte("BYE sip:a SIP/2.0\r\nVia: ,,;=\r\nnonsense\r\n\r\n"))
	for _, contact := range []string{"<sip:x@192.0.2.2:5061>", "Y <sip:h>;q=1;q=1", "<sip:h:>", "<sip:u:p@h>", "<SIP:h>", "*", "<sip:a,b@h>", "<sips:h;lr?x=y>"} {
		f.Add([]byte("OPTIONS sip:a@192.0.2.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx;rport;received=;x=1=2\r\n" +
			"From: X <sip:h>;tag=1\r\nTo: <sip:a@b:7>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContact: " + contact + "\r\nTimestamp: 1\r\n" +
			"Max-Forwards: 0\r\nMax-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"))
	}
	library, keys := sip.NewParser(), keys{maphash.MakeSeed()}
	from := Link{carrier: &packet{addr: addrPort("192.0.2.1:5060")}, remote: addrPort("192.0.2.2:5061")}
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := frame(data, 0, 1<<16); err == nil && (n <= 0 || n > len(data)) {
			t.Fatalf("frame of %d in %d bytes", n, len(data))
		}
		if m, err := parse(library, data); err == nil && m.res != nil {
			keys.client(m.res)
		} else if err == nil && m.request.hop.host != "" {
			answerable(t, library, data, m, from, keys)
		}
		if msg, err := library.ParseSIP(data); err == nil {
			if req, ok := msg.(*sip.Request); ok && len(req.Headers()) > 0 && string(encode(req)) != req.String() {
				t.Fatalf("written as\n%s\nand by the library as\n%s", encode(req), req)
			}
		}
	})
}

// answerable does to a request what is done to it before the agent sees it.
func answerable(t *testing.T, library *sip.Parser, data []byte, m message, from Link, keys keys) {
	req := m.request
	req.source = from.remote
	replyLink(req, from)
	req.Contact()
	req.Routes()
	if m.bad == nil {
		keys.server(req, req.Method)
	}
	_, err := library.ParseSIP(data)
	for _, status := range []int{100, 200, 400} {
		answer := Reply(req, status, "Said", "tag").write()
		if _, bad := library.ParseSIP(answer); bad != nil && m.bad == nil && err == nil {
			t.Fatalf("own answer to a good request does not parse: %v\n%s", bad, answer)
		}
	}
}
