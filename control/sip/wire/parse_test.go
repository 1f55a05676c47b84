package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// What comes in nearly every message is read the short way, and as the library reads
// it; the rest is left to the library.
func TestPlain(t *testing.T) {
	const headers = "Via: SIP/2.0/UDP h:5060;branch=z9hG4bKx;rport\r\nFrom: \"A\" <sip:a@b>;tag=1\r\nTo: <sip:a@b;p=%41>\r\n" +
		"Call-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:[::1]:5>\r\nSupported: timer, 100rel\r\nX-Own : own \r\n"
	const invite = "INVITE sip:dialog@h;voicexml=http://h/a.vxml SIP/2.0\r\n" + headers
	p := newParser()
	for name, tc := range map[string]struct {
		message string
		plain   bool
	}{
		"request":            {invite + "Content-Length: 3\r\n\r\nabc", true},
		"response":           {"SIP/2.0 200 OK\r\n" + headers + "l: 0\r\n\r\n", true},
		"no length":          {invite + "\r\nabc", true},
		"length too small":   {invite + "Content-Length: 2\r\n\r\nabc", true},
		"length twice":       {invite + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", true},
		"tel":                {"INVITE tel:1 SIP/2.0\r\n" + headers + "\r\n", true},
		"method in small":    {"Invite sip:a SIP/2.0\r\n" + headers + "\r\n", true},
		"no headers":         {"OPTIONS sip:a SIP/2.0\r\n\r\n", true},
		"length too large":   {invite + "Content-Length: 4\r\n\r\nabc", false},
		"length no number":   {invite + "Content-Length: x\r\n\r\nabc", false},
		"folded":             {invite + "Subject: a\r\n b\r\n\r\n", false},
		"list of hops":       {invite + "Record-Route: <sip:h;lr>, <sip:i>\r\n\r\n", false},
		"lone carriage":      {invite + "Subject: a\rb\r\n\r\n", false},
		"two carriages":      {invite + "Subject: a\r\r\n\r\n", false},
		"no colon":           {invite + "Subject\r\n\r\n", false},
		"no name":            {invite + ": a\r\n\r\n", false},
		"no end":             {invite, false},
		"wildcard":           {"OPTIONS * SIP/2.0\r\n" + headers + "\r\n", false},
		"other version":      {"INVITE sip:a SIP/7.0\r\n" + headers + "\r\n", false},
		"no reason":          {"SIP/2.0 200 \r\n" + headers + "\r\n", true},
		"no room for one":    {"SIP/2.0 200\r\n" + headers + "\r\n", false},
		"reason like a call": {"SIP/2.0 200 SIPs\r\n" + headers + "\r\n", false},
		"large":              {invite + "\r\n" + strings.Repeat("x", sip.ParseMaxMessageLength), false},
		"nothing":            {"\r\n\r\n", false},
	} {
		plain := p.plain([]byte(tc.message))
		if (plain != nil) != tc.plain {
			t.Errorf("%s: read as %v", name, plain)
		}
		if library, err := p.whole.ParseSIP([]byte(tc.message)); plain != nil && (err != nil || !reflect.DeepEqual(plain, library)) {
			t.Errorf("%s: read as\n%#v\nand by the library as\n%#v, %v", name, plain, library, err)
		}
	}
}

// However plain a header is, it is read as the library reads it.
func TestUsualHeadersAreReadAsByTheLibrary(t *testing.T) {
	p := newParser()
	for name, variants := range map[string][]string{
		"Via": {
			"SIP/2.0/UDP h", "SIP/2.0/UDP h:5060", "SIP/2.0/TCP [::1]:5060;branch=x", "SIP/2.0/UDP h;branch=z9hG4bKx;rport",
			"SIP/2.0/UDP h:x;branch=x", "SIP/2.0/UDP h:+5;branch=x", "SIP/2.0/UDP h:5:6;branch=x", "SIP/2.0/UDP :5060", "SIP/2.0/UDP  h",
			"SIP/2.0/ UDP h", "SIP / 2.0 / UDP h", "SIP/2.0/UDP h ;branch=x", "SIP/2.0/UDP h; branch = x", "SIP/2.0/UDP h;", "SIP/2.0/UDP h;a;",
			"SIP/2.0/UDP h;a=b;", "SIP/2.0/UDP h;a=;b=c", "SIP/2.0/UDP h;a=\"b;c\";d", "SIP/2.0/UDP h;a=b;a=c", "SIP/2.0/UDP h;\na", "SIP/2.0/UDP \nh", "SIP/2.0/UDP\n h", "SIP/2.0/UDP h;a=b=c;;d", "SIP/2.0/U\tDP h",
			"SIP/2.0/UDP h;a=1;b=2;c=3;d=4;e=5", "SIP/2.0/UDP h\r\nVia: SIP/2.0/UDP i;branch=y", "SIP/1.0/UDP h;branch=x",
		},
		"From": {
			"<sip:a@b>", "<sip:a@b>;tag=1", "sip:a@b;tag=1", "A B <sip:a@b>;tag=1", "\"A\" <sip:a@b>;tag=1", "A;b <sip:a@b>", "<sip:a@b>;tag=1;x",
			"<sip:a@b;c=d?e=f>;tag=1", "<sip:a@b> ;tag=1", "<sip:a@b>; tag=1", "<sip:a@b>;tag=\"1\"", "<sip:a@b>x", "<sip:a@b>>", "<<sip:a@b>", "<:a>;tag=1",
			"<tel:1>;tag=1", "<sip:a@b>;tag=1\r\nFrom: <sip:c@d>;tag=2", "<tel:1>;tag=1\r\nFrom: <tel:2>;tag=2", "<:a>\r\nFrom: <:b>;tag=2", "<sip:a@b>;=1",
			"<sip:a@b>;tag=", "<sip:a@b>;tag=1;tag=2", "<sip:a@b>;a=1;b=2;c=3", "<sips:[::1]:5061>;tag=1",
		},
		"Call-ID": {"a", "a b", "a\r\nCall-ID: b"},
		"CSeq":    {"1 INVITE", "1  INVITE", "1\tINVITE", "1 INVITE x", "2147483647 INVITE", "1 INVITE\r\nCSeq: 2 BYE"},
	} {
		for _, value := range variants {
			message := []byte("INVITE sip:a SIP/2.0\r\n" + name + ": " + value + "\r\n\r\n")
			library, err := p.whole.ParseSIP(message)
			if plain := p.plain(message); plain != nil && (err != nil || !reflect.DeepEqual(plain, library)) {
				t.Errorf("%s: %s\nis read as\n%#v\nand by the library as\n%#v, %v", name, value, plain, library, err)
			}
		}
	}
}

// The usual message makes few objects.
func TestUsualMessageIsReadIntoFewObjects(t *testing.T) {
	p, message := newParser(), fmt.Appendf(nil, benchRequest, "BYE", 1, 2, 0, "")
	if n := testing.AllocsPerRun(100, func() { p.plain(message) }); n > 9 {
		t.Errorf("%v allocations", n)
	}
}
