package wire

import (
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
