package sdp

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp/speech"
)

func lines(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n") }

// Every SDP in the captures is understood.
func TestCapturedDescriptions(t *testing.T) {
	files, err := filepath.Glob("../testdata/captures/v2-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	seen := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for rest := text; ; {
			at := bytes.Index(rest, []byte("\nv=0\n"))
			if at < 0 {
				break
			}
			body, after, _ := bytes.Cut(rest[at+1:], []byte("\n\n"))
			rest = after
			d, err := Parse([]byte(lines(string(body)) + "\r\n"))
			if err != nil || len(d.Controls()) != 1 {
				t.Errorf("%s: %v\n%s", file, err, body)
				continue
			}
			seen++
			// UniMRCP offers with direction, answers with a channel, or lists what it can do.
			c := d.Controls()[0]
			if c.Resource == "" && c.Channel == "" && c.Addr.Port() != 0 {
				t.Errorf("%s: control line %+v", file, c)
			}
			if a := d.Audio(); a != nil && (a.Events != 101 || a.Ptime != 20*time.Millisecond || a.MID != "1") {
				t.Errorf("%s: audio line %+v", file, a)
			}
		}
	}
	if seen < 9 {
		t.Errorf("only %d descriptions seen", seen)
	}
}

// The protocol of a media line may be in any case.
func TestProtocolsInAnyCase(t *testing.T) {
	for _, protocol := range []string{"tcp/mrcpv2", "TCP/MRCPV2", "tcp/tls/MRCPv2"} {
		d, err := Parse([]byte(lines("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n" +
			"m=application 6075 " + protocol + " 1\na=channel:1@speechrecog\nm=audio 4000 rtp/avp 0\n")))
		if err != nil || len(d.Controls()) != 1 || d.Audio() == nil {
			t.Errorf("%s: %+v, %v", protocol, d, err)
		}
	}
}

// Nuance's manuals put c= at the media level; the control line may have none then.
func TestAddresses(t *testing.T) {
	const head, control, audio = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n", "t=0 0\nm=application 6075 TCP/MRCPv2 1\n", "m=audio 4000 RTP/AVP 0\n"
	for name, row := range map[string]struct{ sdp, control, audio string }{
		"session level":        {head + "c=IN IP4 192.0.2.2\n" + control + audio, "192.0.2.2:6075", "192.0.2.2:4000"},
		"media level":          {head + control + audio + "c=IN IP4 192.0.2.3/127\n", "192.0.2.3:6075", "192.0.2.3:4000"},
		"each its own":         {head + control + "c=IN IP4 192.0.2.4\n" + audio + "c=IN IP4 192.0.2.3\n", "192.0.2.4:6075", "192.0.2.3:4000"},
		"the origin's":         {head + control + audio, "192.0.2.1:6075", "192.0.2.1:4000"},
		"IPv6":                 {head + "c=IN IP6 2001:db8::1\n" + control + audio, "[2001:db8::1]:6075", "[2001:db8::1]:4000"},
		"a name is no address": {head + "c=IN IP4 speech.example.com\n" + control + audio, "", ""},
		"no port":              {head + "c=IN IP4 192.0.2.2\n" + control + "m=audio 70000 RTP/AVP 0\n", "", ""},
	} {
		d, err := Parse([]byte(lines(row.sdp)))
		if (err != nil) != (row.control == "") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (d.Controls()[0].Addr.String() != row.control || d.Audio().Addr.String() != row.audio) {
			t.Errorf("%s: %v %v", name, d.Controls()[0].Addr, d.Audio().Addr)
		}
	}
	host := netip.MustParseAddr("2001:db8::2")
	six := (&Description{User: "mcp", Addr: host, Lines: []Line{{Audio: &Audio{Addr: netip.AddrPortFrom(host, 4000), Events: -1,
		Codecs: []speech.Codec{{Name: "PCMU", ClockRate: 8000}}, Direction: "sendrecv"}}}}).Marshal()
	if d, err := Parse(six); err != nil || d.Addr.String() != "2001:db8::2" || d.Audio().Events != -1 {
		t.Errorf("%v\n%s", err, six)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(lines("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\nm=application 6075 TCP/MRCPv2 1\na=channel:1@speechsynth\nm=audio 4000 RTP/AVP 0 8 101\na=rtpmap:101 telephone-event/8000\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b)
		if err != nil {
			return
		}
		if _, err := Parse(d.Marshal()); err != nil {
			t.Errorf("%v\n%s", err, d.Marshal())
		}
	})
}
