package mrcp

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp/speech"
)

func testMedia() speech.Media {
	return speech.Media{Addr: netip.MustParseAddrPort("192.0.2.12:49170"), Events: 101,
		Codecs: []speech.Codec{{PayloadType: 0, Name: "PCMU", ClockRate: 8000}, {PayloadType: 8, Name: "PCMA", ClockRate: 8000}}}
}

func lines(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n") }

func TestOffer(t *testing.T) {
	want := lines(`
v=0
o=mcp 4711 1 IN IP4 192.0.2.12
s=-
c=IN IP4 192.0.2.12
t=0 0
m=application 9 TCP/MRCPv2 1
a=setup:active
a=connection:new
a=resource:speechsynth
a=cmid:1
m=application 9 TCP/MRCPv2 1
a=setup:active
a=connection:new
a=resource:speechrecog
a=cmid:1
m=audio 49170 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
a=ptime:20
a=mid:1
`)
	if got := string(offer(testMedia(), 4711, ConnectionNew).Marshal()); got != want {
		t.Errorf("got\n%s", got)
	}
}

// answerRFC is the answer of RFC 6787 section 4.2's third example.
const answerRFC = `
v=0
o=- 2890842808 2890842809 IN IP4 192.0.2.11
s=-
c=IN IP4 192.0.2.11
t=0 0
m=application 32416 TCP/MRCPv2 1
a=setup:passive
a=connection:existing
a=channel:32AECB234338@speechsynth
a=cmid:1
m=audio 48260 RTP/AVP 0 96
a=rtpmap:0 pcmu/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
a=sendrecv
a=mid:1
m=application 32416 TCP/MRCPv2 1
a=setup:passive
a=connection:existing
a=channel:32AECB234338@speechrecog
a=cmid:1
`

func TestAgree(t *testing.T) {
	both := func(existing bool, port string) map[string]channelAt {
		at := netip.MustParseAddrPort("192.0.2.11:" + port)
		return map[string]channelAt{"speechsynth": {"32AECB234338@speechsynth", at, existing},
			"speechrecog": {"32AECB234338@speechrecog", at, existing}}
	}
	for _, row := range []struct {
		name     string
		edit     []string // pairs for a strings.Replacer over answerRFC
		channels map[string]channelAt
		media    string
		codec    string
		events   int
		err      error
	}{
		{"RFC 6787 section 4.2", nil, both(true, "32416"), "192.0.2.11:48260", "PCMU", 96, nil},
		{"connection:new", []string{"connection:existing", "connection:new"}, both(false, "32416"), "192.0.2.11:48260", "PCMU", 96, nil},
		{"no setup, no cmid, no mid", []string{"a=setup:passive\n", "", "a=cmid:1\n", "", "a=mid:1\n", ""}, both(true, "32416"), "192.0.2.11:48260", "PCMU", 96, nil},
		{"no format", []string{"TCP/MRCPv2 1", "TCP/MRCPv2"}, both(true, "32416"), "192.0.2.11:48260", "PCMU", 96, nil},
		{"no rtpmap", []string{"a=rtpmap:0 pcmu/8000\n", ""}, both(true, "32416"), "192.0.2.11:48260", "PCMU", 96, nil},
		{"no telephone-event", []string{"AVP 0 96", "AVP 8", "a=rtpmap:0 pcmu/8000", "a=rtpmap:8 PCMA/8000/1"}, both(true, "32416"), "192.0.2.11:48260", "PCMA", -1, nil},
		{"audio elsewhere", []string{"0 96\n", "0 96\nc=IN IP4 192.0.2.99\n"}, both(true, "32416"), "192.0.2.99:48260", "PCMU", 96, nil},
		{"recognizer refused", []string{"m=application 32416 TCP/MRCPv2 1\na=setup:passive\na=connection:existing\na=channel:32AECB234338@speechrecog", "m=application 0 TCP/MRCPv2 19"}, nil, "", "", 0, speech.ErrUnavailable},
		{"no channel", []string{"a=channel:32AECB234338@speechsynth\n", ""}, nil, "", "", 0, speech.ErrUnavailable},
		{"audio refused as UniMRCP does", []string{"m=audio 48260 RTP/AVP 0 96", "m=audio 0 RTP/AVP 19"}, nil, "", "", 0, speech.ErrNoCodec},
		{"no common codec", []string{"AVP 0 96", "AVP 18 96", "a=rtpmap:0 pcmu/8000", "a=rtpmap:18 G729/8000"}, nil, "", "", 0, speech.ErrNoCodec},
		{"no answer", []string{"v=0", "hello"}, nil, "", "", 0, speech.ErrUnavailable},
	} {
		answer := lines(strings.NewReplacer(row.edit...).Replace(answerRFC))
		got, err := agree(offer(testMedia(), 1, ConnectionNew), []byte(answer))
		if !errors.Is(err, row.err) || (err != nil) != (row.err != nil) {
			t.Errorf("%s: %v, want %v", row.name, err, row.err)
		}
		if err != nil || row.err != nil {
			continue
		}
		for resource, want := range row.channels {
			if got.channels[resource] != want {
				t.Errorf("%s: %s at %+v, want %+v", row.name, resource, got.channels[resource], want)
			}
		}
		m := got.media
		if m.Addr.String() != row.media || len(m.Codecs) != 1 || m.Codecs[0].Name != row.codec || m.Events != row.events {
			t.Errorf("%s: media %+v", row.name, m)
		}
	}
}

func TestChannelIdentifiersOutsideTheGrammar(t *testing.T) {
	answer := lines(strings.ReplaceAll(answerRFC, "32AECB234338@", "a84b4c-76e.66710@10.0.0.1@"))
	got, err := agree(offer(testMedia(), 1, ConnectionNew), []byte(answer))
	if err != nil || got.channels["speechrecog"].id != "a84b4c-76e.66710@10.0.0.1@speechrecog" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Every SDP in the captures is understood.
func TestCapturedDescriptions(t *testing.T) {
	files, err := filepath.Glob("testdata/captures/v2-*.txt")
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
			d, err := ParseDescription([]byte(lines(string(body)) + "\r\n"))
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
		d, err := ParseDescription([]byte(lines(row.sdp)))
		if (err != nil) != (row.control == "") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (d.Controls()[0].Addr.String() != row.control || d.Audio().Addr.String() != row.audio) {
			t.Errorf("%s: %v %v", name, d.Controls()[0].Addr, d.Audio().Addr)
		}
	}
	six := offer(speech.Media{Addr: netip.MustParseAddrPort("[2001:db8::2]:4000"), Codecs: testMedia().Codecs, Events: -1}, 1, ConnectionNew).Marshal()
	if d, err := ParseDescription(six); err != nil || d.Addr.String() != "2001:db8::2" || d.Audio().Events != -1 {
		t.Errorf("%v\n%s", err, six)
	}
}

func TestRefreshMirrorsTheServersLines(t *testing.T) {
	ours := offer(testMedia(), 4711, ConnectionNew)
	r := &refresher{ours: ours}
	agreed, err := agree(ours, []byte(lines(answerRFC)))
	if err != nil {
		t.Fatal(err)
	}
	r.settle(agreed.media)
	want := lines(`
v=0
o=mcp 4711 2 IN IP4 192.0.2.12
s=-
c=IN IP4 192.0.2.12
t=0 0
m=application 9 TCP/MRCPv2 1
a=setup:active
a=connection:existing
a=resource:speechsynth
a=cmid:1
m=audio 49170 RTP/AVP 0 96
a=rtpmap:0 PCMU/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
a=sendrecv
a=ptime:20
a=mid:1
m=application 9 TCP/MRCPv2 1
a=setup:active
a=connection:existing
a=resource:speechrecog
a=cmid:1
m=video 0 RTP/AVP 31
`)
	if got := string(r.answer([]byte(lines(answerRFC + "m=video 5000 RTP/AVP 31\n")))); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := string(r.answer(nil)); !strings.Contains(got, "a=resource:speechrecog") {
		t.Errorf("a re-INVITE without an offer is answered\n%s", got)
	}
}

func FuzzParseDescription(f *testing.F) {
	f.Add([]byte(lines(answerRFC)))
	f.Add(offer(testMedia(), 1, ConnectionNew).Marshal())
	f.Fuzz(func(_ *testing.T, b []byte) {
		if d, err := ParseDescription(b); err == nil {
			d.Marshal()
			_, _ = agree(offer(testMedia(), 1, ConnectionNew), b)
			refresh(offer(testMedia(), 1, ConnectionNew), d, testMedia()).Marshal()
		}
	})
}
