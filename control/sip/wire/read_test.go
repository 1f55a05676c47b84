package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

const (
	testHeaders = "Via: SIP/2.0/UDP h:5060;branch=z9hG4bKx;rport\r\nFrom: \"A\" <sip:a@b>;tag=1\r\nTo: <sip:a@b;p=%41>\r\n" +
		"Call-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:[::1]:5>\r\nSupported: timer, 100rel\r\nX-Own : own \r\n"
	testInvite = "INVITE sip:dialog@h;voicexml=http://h/a.vxml SIP/2.0\r\n" + testHeaders
)

// What is in order is read as the library reads it, and what is not gets the answer that
// it deserves.
func TestReadRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		message string
		status  int // 0: it is in order
	}{
		"request":          {testInvite + "Content-Length: 3\r\n\r\nabc", 0},
		"no length":        {testInvite + "\r\nabc", 0},
		"length too small": {testInvite + "Content-Length: 2\r\n\r\nabc", 0},
		"length twice":     {testInvite + "l: 2\r\nContent-Length: 2\r\n\r\nabc", 0},
		"two lengths":      {testInvite + "l: 2\r\nContent-Length: 3\r\n\r\nabc", 400},
		"length too large": {testInvite + "Content-Length: 4\r\n\r\nabc", 400},
		"length no number": {testInvite + "Content-Length: x\r\n\r\nabc", 400},
		"tel":              {"INVITE tel:1 SIP/2.0\r\n" + testHeaders + "\r\n", 0},
		"method in small":  {"Invite sip:a SIP/2.0\r\n" + testHeaders + "\r\n", 0},
		"another method":   {"BYE sip:a SIP/2.0\r\n" + testHeaders + "\r\n", 400},
		"folded":           {testInvite + "Subject: a \r\n \tb\r\n  c\r\n\r\n", 0},
		"folded CSeq":      {strings.Replace(testInvite, "1 INVITE", "0009\r\n  INVITE", 1) + "\r\n", 0},
		"list of hops":     {testInvite + "Record-Route: <sip:h;lr>, <sip:i>\r\nv: SIP/2.0/UDP i, SIP/2.0/TCP j\r\n\r\n", 0},
		"hop no address":   {testInvite + "Record-Route: <sip:h;lr>, <\r\n\r\n", 400},
		"lone carriage":    {testInvite + "Subject: a\rb\r\n\r\n", 400},
		"two carriages":    {testInvite + "Subject: a\r\r\n\r\n", 400},
		"no colon":         {testInvite + "Subject\r\n\r\n", 400},
		"no name":          {testInvite + ": a\r\n\r\n", 400},
		"no end":           {testInvite, 400},
		"no headers":       {"OPTIONS sip:a SIP/2.0\r\n\r\n", 400},
		"wildcard":         {"INVITE * SIP/2.0\r\n" + testHeaders + "\r\n", 400},
		"other version":    {"INVITE sip:a SIP/7.0\r\n" + testHeaders + "\r\n", 505},
		"other scheme":     {"INVITE soap.beep:x SIP/2.0\r\n" + testHeaders + "\r\n", 416},
		"space in the URI": {"INVITE sip:a; lr SIP/2.0\r\n" + testHeaders + "\r\n", 400},
		"space behind":     {"INVITE sip:a SIP/2.0 \r\n" + testHeaders + "\r\n", 400},
		"parameter twice":  {"INVITE sip:a;b=1;B SIP/2.0\r\n" + testHeaders + "\r\n", 400},
	} {
		req, bad := readRequest([]byte(tc.message))
		status := 0
		if bad != nil {
			status = bad.status
		}
		if req == nil || status != tc.status {
			t.Errorf("%s: read as %+v, %+v", name, req, bad)
		} else if status == 0 {
			sameAsLibrary(t, tc.message)
		}
	}
	for _, garbage := range []string{"", "\r\n\r\n", "x", "INVITE sip:a\r\n" + testHeaders + "\r\n", "INVITE sip:a HTTP/1.1\r\n\r\n"} {
		if req, _ := readRequest([]byte(garbage)); req != nil {
			t.Errorf("%q is read as %+v", garbage, req)
		}
	}
}

// sameAsLibrary holds our reading of a request to the library's.
func sameAsLibrary(t *testing.T, message string) {
	t.Helper()
	req, bad := readRequest([]byte(message))
	msg, err := sip.NewParser().ParseSIP([]byte(message))
	library, ok := msg.(*sip.Request)
	if bad != nil || err != nil || !ok {
		t.Errorf("%s\nis refused with %+v, and by the library with %v", message, bad, err)
		return
	}
	tidyParams(library.From().Params)
	tidyParams(library.To().Params)
	via, rport := library.Via(), library.Via().Params.Has("rport")
	fromTag, _ := library.From().Params.Get("tag")
	toTag, _ := library.To().Params.Get("tag")
	branch, _ := via.Params.Get("branch")
	ours := fmt.Sprintln(req.URI, req.From.URI, req.From.Tag, req.To.URI, req.To.Tag, req.CallID, req.CSeq, req.Method,
		req.hop.host, req.hop.port, req.hop.branch, req.hop.rport, req.First("subject"), req.First("X-OWN"))
	theirs := fmt.Sprintln(library.Recipient.String(), library.From().Address.String(), fromTag, library.To().Address.String(), toTag,
		*library.CallID(), library.CSeq().SeqNo, strings.TrimSpace(string(library.CSeq().MethodName)),
		via.Host, via.Port, strings.TrimSpace(branch), rport, valueOf(library, "subject"), valueOf(library, "x-own"))
	if ours != theirs || !bytes.Equal(req.Body(), library.Body()) {
		t.Errorf("%s\nis read as\n%s%q\nand by the library as\n%s%q", message, ours, req.Body(), theirs, library.Body())
	}
	if routes := library.GetHeaders("record-route"); len(routes) != len(req.Routes()) {
		t.Errorf("%v are read as %v", routes, req.Routes())
	}
}

func valueOf(req *sip.Request, name string) string {
	if h := req.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}

// However odd a header is, it is read as the library reads it, or refused.
func TestReadHeaders(t *testing.T) {
	for name, tc := range map[string]struct{ good, bad []string }{
		"Via": {
			[]string{"SIP/2.0/UDP h", "SIP/2.0/TCP [::1]:5060;branch=x", "SIP/2.0/UDP h ;branch=x", "SIP/2.0/UDP h;branch=x;",
				"SIP/2.0/UDP h;a=1;b=2;c=3;branch=x;rport;e=5", "SIP/1.0/UDP h;branch=x"},
			[]string{"", "h", "SIP/2.0/UDP", "SIP/2.0/UDP h:x;branch=x", "SIP/2.0/UDP :5060", "SIP/2.0/UDP h;;,;,,", "SIP/2.0/UDP [::1]x"},
		},
		"From": {
			[]string{"<sip:a@b>", "sip:a@b;tag=1", "A B <sip:a@b>;tag=1", "\"A <;\\\"\" <sip:a@b>;tag=1", "<sip:a@b;c=d?e=f>;tag=1", "<sip:a@b> ;tag=1",
				"<sip:a@b> ; tag = 1;x", "<sip:+49@b;user=phone>;x;Tag=1", "<tel:1>;tag=1", "<sips:[::1]:5061>;tag=1", "sip:a@b", "<SIP:a@b>", "<sip:u:p@b:5>"},
			[]string{"", "<>", "<sip:a@b", "A;b <sip:a@b>", "\"A <sip:a@b>", "<*>", "<:a>", "a", "< sip:a@b>", "<sip:a:x>", "<sip:a>\r\nFrom: <sip:a>"},
		},
		"Call-ID": {[]string{"a", "a b"}, []string{"", "a\r\ni: b"}},
		"CSeq":    {[]string{"1 INVITE", "1\tINVITE", "2147483647 INVITE"}, []string{"", "1", "x INVITE", "2147483648 INVITE", "1 BYE", "1 INVITE\r\nCSeq: 2 INVITE"}},
	} {
		for _, value := range tc.good {
			sameAsLibrary(t, with(name, value))
		}
		for _, value := range tc.bad {
			if req, bad := readRequest([]byte(with(name, value))); bad == nil {
				t.Errorf("%s: %s is read as %+v", name, value, req)
			}
		}
	}
}

// with is an INVITE whose header has another value.
func with(name, value string) string {
	lines := strings.SplitAfter(testInvite, "\r\n")
	for i, line := range lines {
		if strings.HasPrefix(line, name+":") {
			lines[i] = name + ": " + value + "\r\n"
		}
	}
	return strings.Join(lines, "") + "\r\n"
}

// Where the sender is reached can be read out of any Contact that has an address.
func TestContact(t *testing.T) {
	for value, want := range map[string]string{
		"<sip:a@b:5>": "sip:a@b:5", "sip:h;expires=1": "sip:h", "\"A, B\" <sip:h;lr>;q=1, <sip:i>": "sip:h;lr",
		"*": "", "<>": "", "\"broken": "", "<sip:>": "", "": "", "tel:1": "",
	} {
		req, _ := readRequest([]byte(with("Contact", value)))
		got := ""
		if u := req.Contact(); u != nil {
			got = u.String()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

// The usual message makes few objects.
func TestUsualMessageIsReadIntoFewObjects(t *testing.T) {
	library, message := sip.NewParser(), fmt.Appendf(nil, benchRequest, "BYE", 1, 2, 0, "")
	if n := testing.AllocsPerRun(100, func() { _, _ = parse(library, message) }); n > 3 {
		t.Errorf("%v allocations", n)
	}
}

// A response repeats what RFC 3261 section 8.2.6 says, as it was written.
func TestReply(t *testing.T) {
	req, bad := readRequest([]byte("OPTIONS sip:a SIP/2.0\r\nv: SIP/2.0/UDP h;rport;branch=x , SIP/2.0/TCP i\r\nTimestamp: 7\r\nRecord-Route: <sip:r;lr>\r\n" +
		"X: y\r\nf: \"A\" <sip:a>;tag=1\r\nt: B <sip:b>\r\ni: c\r\ncseq: 1 OPTIONS\r\n\r\n"))
	if bad != nil {
		t.Fatal(bad)
	}
	req.source = addrPort("192.0.2.1:5")
	const via = "Via: SIP/2.0/UDP h;rport=5;branch=x;received=192.0.2.1\r\nVia: SIP/2.0/TCP i\r\n"
	for status, want := range map[int]string{
		100: via + "Timestamp: 7\r\nFrom: \"A\" <sip:a>;tag=1\r\nTo: B <sip:b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n",
		200: via + "Record-Route: <sip:r;lr>\r\nFrom: \"A\" <sip:a>;tag=1\r\nTo: B <sip:b>;tag=t\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n",
		404: via + "From: \"A\" <sip:a>;tag=1\r\nTo: B <sip:b>;tag=t\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n",
	} {
		want = fmt.Sprintf("SIP/2.0 %d Said\r\n%sContent-Length: 0\r\n\r\n", status, want)
		if got := string(Reply(req, status, "Said", "t").write()); got != want {
			t.Errorf("written as\n%s\nwant\n%s", got, want)
		}
	}
}

// A response is whole in whatever order it is made, and once it was sent nothing of it changes.
func TestResponseStaysWhole(t *testing.T) {
	req, _ := readRequest([]byte(testInvite + "\r\n"))
	res := Reply(req, 200, "OK", "t")
	res.SetBody([]byte("abc"))
	res.Add("X", "y")
	sent := res.write()
	before := string(sent)
	if !strings.HasSuffix(before, "\r\nX: y\r\nContent-Length: 3\r\n\r\nabc") {
		t.Errorf("written as\n%s", before)
	}
	res.AppendHeader(sip.NewHeader("Y", "z"))
	res.SetBody([]byte("def"))
	if string(sent) != before || string(res.write()) != before {
		t.Errorf("%s\nhas become\n%s\nand\n%s", before, sent, res.write())
	}
}
