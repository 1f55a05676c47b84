package header

import (
	"reflect"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for value, want := range map[string][]string{
		"":                                nil,
		"a, b ,c":                         {"a", "b", "c"},
		`"a, b" <sip:x@y,z>, <sip:c@d>`:   {`"a, b" <sip:x@y,z>`, "<sip:c@d>"},
		`"say \", then" <sip:a@b>,,sip:c`: {`"say \", then" <sip:a@b>`, "sip:c"},
		`"never closed, <`:                {`"never closed, <`},
	} {
		if got := Split(value, ','); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q", value, got)
		}
	}
}

func TestParties(t *testing.T) {
	for _, tc := range []struct {
		value string
		want  []Party
	}{
		{`"Alice \"A\" B" <sip:alice@example.com;user=phone?X=1&Y=a%20b>;index=1`, []Party{
			{`Alice "A" B`, "sip:alice@example.com;user=phone", "X=1&Y=a%20b", map[string]string{"index": "1"}}}},
		{"sip:bob@example.com;reason=unconditional", []Party{
			{"", "sip:bob@example.com", "", map[string]string{"reason": "unconditional"}}}},
		// RFC 7044 section 5: a retargeted call.
		{"<sip:bob@example.com>;index=1, <sip:bob@192.0.2.4>;index=1.1;rc=1", []Party{
			{"", "sip:bob@example.com", "", map[string]string{"index": "1"}},
			{"", "sip:bob@192.0.2.4", "", map[string]string{"index": "1.1", "rc": "1"}}}},
		// RFC 3325 section 10.1: a SIP and a tel identity.
		{`"Cullen Jennings" <sip:fluffy@cisco.com>, tel:+14085264000`, []Party{
			{"Cullen Jennings", "sip:fluffy@cisco.com", "", map[string]string{}},
			{"", "tel:+14085264000", "", map[string]string{}}}},
		{"<sip:never closed", nil},
		{"nonsense", nil},
	} {
		if got := ParseParties([]string{tc.value}); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", tc.value, got, tc.want)
		}
	}
	p, _ := ParseParty("<sip:a@b?Replaces=x%3Bto-tag%3D1&X=%zz>")
	if p.Header("replaces") != "x;to-tag=1" || p.Header("x") != "%zz" || p.Header("y") != "" || len(p.Headers()) != 2 {
		t.Errorf("%+v", p)
	}
}

func TestReasons(t *testing.T) {
	got := ParseReasons([]string{`SIP ;cause=580 ;text="Precondition Failure"`, `Q.850;cause=16;text="Terminated", SIP;cause=600`, "nonsense", "SIP;cause=x"})
	want := []Reason{{"SIP", 580, "Precondition Failure"}, {"Q.850", 16, "Terminated"}, {"SIP", 600, ""}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if s := (Reason{"Q.850", 102, "a\"b\r\nEvil: 1"}).String(); s != `Q.850;cause=102;text="a\"bEvil: 1"` {
		t.Error(s)
	}
}

func TestReplaces(t *testing.T) {
	r, ok := ParseReplaces("98732@sip.example.com\r\n ;from-tag=r33th4x0r\r\n ;to-tag=ff87ff;early-only")
	if !ok || r != (Replaces{"98732@sip.example.com", "ff87ff", "r33th4x0r", true}) {
		t.Errorf("%+v %v", r, ok)
	}
	if again, ok := ParseReplaces(r.String()); !ok || again != r {
		t.Errorf("%+v", again)
	}
	for _, bad := range []string{"", "a", "a;to-tag=b", ";to-tag=a;from-tag=b"} {
		if r, ok := ParseReplaces(bad); ok {
			t.Errorf("%q: %+v", bad, r)
		}
	}
}

func TestFragments(t *testing.T) {
	if got := string(Fragment(200, "OK\r\nEvil: 1")); got != "SIP/2.0 200 OKEvil: 1\r\n" {
		t.Errorf("%q", got)
	}
	for body, want := range map[string]int{"SIP/2.0 200 OK": 200, "SIP/2.0 486 Busy Here\r\nX: y\r\n": 486, "SIP/2.0 603": 603} {
		if status, _, ok := ParseFragment([]byte(body)); !ok || status != want {
			t.Errorf("%q: %d", body, status)
		}
	}
	for _, bad := range []string{"", "INVITE sip:x SIP/2.0", "SIP/2.0 99 x", "SIP/2.0 x"} {
		if status, _, ok := ParseFragment([]byte(bad)); ok {
			t.Errorf("%q: %d", bad, status)
		}
	}
}

func TestParts(t *testing.T) {
	mediaType, body := Join("b", Part{Type: "application/sdp", Body: []byte("v=0\r\n")}, Part{Type: "text/plain;x=y", Disposition: "render;handling=optional", Body: []byte("--no boundary")})
	parts, err := Parts(mediaType, "", body)
	if err != nil || len(parts) != 2 || !parts[0].Is("application/SDP") || string(parts[0].Body) != "v=0\r\n" ||
		!parts[1].Is("text/plain") || !parts[1].Optional() || string(parts[1].Body) != "--no boundary" || parts[0].Optional() {
		t.Errorf("%+v %v", parts, err)
	}
	if parts, err = Parts("text/plain", "", []byte("x")); err != nil || len(parts) != 1 || string(parts[0].Body) != "x" {
		t.Errorf("%+v %v", parts, err)
	}
	lines := "--b\nContent-Type: text/plain\n\nhello\n--b--\n" // LF alone
	if parts, err = Parts("multipart/mixed; boundary=b", "", []byte(lines)); err != nil || string(parts[0].Body) != "hello" {
		t.Errorf("%+v %v", parts, err)
	}
	for name, bad := range map[string]string{
		"no end": "--b\r\n\r\nx", "no boundary": "", "another boundary": "--c\r\n\r\n\r\n--c--",
		"many parts": strings.Repeat("--b\r\n\r\nx\r\n", maxParts+2) + "--b--", "no colon": "--b\r\nnonsense\r\n\r\n--b--",
	} {
		if parts, err := Parts("multipart/mixed;boundary=b", "", []byte(bad)); err == nil {
			t.Errorf("%s: %+v", name, parts)
		}
	}
	if _, err := Parts("multipart/mixed;boundary="+strings.Repeat("x", 71), "", []byte("x")); err == nil {
		t.Error("a boundary of 71 characters")
	}
}

func TestEscape(t *testing.T) {
	const all = "a@b;to-tag=1 %\x00\xff<>?&"
	if got := Escape(all); strings.ContainsAny(got, "@;= <>?&\x00") || Unescape(got) != all {
		t.Errorf("%q", got)
	}
}

// FuzzHeaders holds every reader here to not failing, and what was written to
// being read.
func FuzzHeaders(f *testing.F) {
	f.Add(`"A" <sip:a@b?X=%20>;q="1"`, "--b\r\n\r\nx\r\n--b--")
	f.Fuzz(func(t *testing.T, value, body string) {
		for _, p := range ParseParties([]string{value}) {
			_ = p.Headers()
		}
		_, _ = Parts(value, value, []byte(body))
		_, _, _ = ParseFragment([]byte(body))
		for _, r := range ParseReasons([]string{value}) {
			if strings.ContainsAny(r.Protocol, `",<`) {
				continue
			}
			if again := ParseReasons([]string{r.String()}); len(again) != 1 {
				t.Errorf("%v reads as %v", r, again)
			}
		}
		if Unescape(Escape(body)) != body {
			t.Errorf("%q", body)
		}
	})
}
