package v2

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/wire"
)

func testMedia() speech.Media {
	return speech.Media{Addr: netip.MustParseAddrPort("192.0.2.12:49170"), Events: 101,
		Codecs: []speech.Codec{{PayloadType: 0, Name: "PCMU", ClockRate: 8000}, {PayloadType: 8, Name: "PCMA", ClockRate: 8000}}}
}

// testOffer is an offer of both resources.
func testOffer(id uint64) *sdp.Description {
	return offer(mrcp.Opening{Media: testMedia(), Resources: []string{wire.Synthesizer, wire.Recognizer}}, id, sdp.ConnectionNew, nil)
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
	if got := string(testOffer(4711).Marshal()); got != want {
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
		return map[string]channelAt{"speechsynth": {id: "32AECB234338@speechsynth", addr: at, existing: existing},
			"speechrecog": {id: "32AECB234338@speechrecog", addr: at, existing: existing}}
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
		{"LF alone", []string{"\n", "{LF}"}, both(true, "32416"), "192.0.2.11:48260", "PCMU", 96, nil},
		{"audio first", []string{"m=application 32416 TCP/MRCPv2 1\na=setup:passive\na=connection:existing\na=channel:32AECB234338@speechsynth\na=cmid:1\n", "",
			"a=mid:1\n", "a=mid:1\nm=application 32416 TCP/MRCPv2 1\na=channel:32AECB234338@speechsynth\na=connection:existing\n"},
			both(true, "32416"), "192.0.2.11:48260", "PCMU", 96, nil},
		{"other case", []string{"@speechrecog", "@SpeechRecog", "connection:existing", "connection:Existing"}, map[string]channelAt{"speechrecog": {
			id: "32AECB234338@SpeechRecog", addr: netip.MustParseAddrPort("192.0.2.11:32416"), existing: true}}, "192.0.2.11:48260", "PCMU", 96, nil},
		{"attributes nobody knows", []string{"a=cmid:1", "a=cmid:1\na=x-license:7\na=rtcp:48261"}, both(true, "32416"), "192.0.2.11:48260", "PCMU", 96, nil},
		{"audio refused, its formats kept", []string{"m=audio 48260", "m=audio 0"}, nil, "", "", 0, speech.ErrNoCodec},
		{"no rtpmap", []string{"a=rtpmap:0 pcmu/8000\n", ""}, both(true, "32416"), "192.0.2.11:48260", "PCMU", 96, nil},
		{"no telephone-event", []string{"AVP 0 96", "AVP 8", "a=rtpmap:0 pcmu/8000", "a=rtpmap:8 PCMA/8000/1"}, both(true, "32416"), "192.0.2.11:48260", "PCMA", -1, nil},
		{"audio elsewhere", []string{"0 96\n", "0 96\nc=IN IP4 192.0.2.99\n"}, both(true, "32416"), "192.0.2.99:48260", "PCMU", 96, nil},
		{"recognizer refused", []string{"m=application 32416 TCP/MRCPv2 1\na=setup:passive\na=connection:existing\na=channel:32AECB234338@speechrecog", "m=application 0 TCP/MRCPv2 19"}, nil, "", "", 0, speech.ErrUnavailable},
		{"no channel", []string{"a=channel:32AECB234338@speechsynth\n", ""}, nil, "", "", 0, speech.ErrUnavailable},
		{"audio refused as UniMRCP does", []string{"m=audio 48260 RTP/AVP 0 96", "m=audio 0 RTP/AVP 19"}, nil, "", "", 0, speech.ErrNoCodec},
		{"no common codec", []string{"AVP 0 96", "AVP 18 96", "a=rtpmap:0 pcmu/8000", "a=rtpmap:18 G729/8000"}, nil, "", "", 0, speech.ErrNoCodec},
		{"no answer", []string{"v=0", "hello"}, nil, "", "", 0, speech.ErrUnavailable},
	} {
		answer := strings.ReplaceAll(lines(strings.NewReplacer(row.edit...).Replace(answerRFC)), "{LF}", "\n")
		got, err := agree(testOffer(1), []byte(answer))
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
	got, err := agree(testOffer(1), []byte(answer))
	if err != nil || got.channels["speechrecog"].id != "a84b4c-76e.66710@10.0.0.1@speechrecog" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRefreshMirrorsTheServersLines(t *testing.T) {
	ours := testOffer(4711)
	r := &link{ours: ours, carriage: New(Config{}, nil, slog.New(slog.DiscardHandler))}
	agreed, err := agree(ours, []byte(lines(answerRFC)))
	if err != nil {
		t.Fatal(err)
	}
	r.media = agreed.media
	ours.Version++
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

// A session gains a resource at the end of its description and gives up the last
// one; UniMRCP would take back all that follow the one given up.
func TestAlterDescription(t *testing.T) {
	both := testOffer(1)
	agreed := testMedia()
	agreed.Codecs = agreed.Codecs[:1]
	for _, row := range []struct {
		name  string
		from  *sdp.Description
		to    []string
		want  string // the control lines and the audio's direction
		still []string
	}{
		{"the last is given up", both, []string{"speechsynth"}, "speechsynth:9 speechrecog:0 recvonly", []string{"speechsynth"}},
		{"the first stays", both, []string{"speechrecog"}, "speechsynth:9 speechrecog:9 sendrecv", []string{"speechsynth", "speechrecog"}},
		{"one more", both, []string{"recorder", "speechrecog", "speechsynth"}, "speechsynth:9 speechrecog:9 sendrecv recorder:9", []string{"speechsynth", "speechrecog", "recorder"}},
		{"given up and asked for again", alter(both, agreed, []string{"speechsynth"}), []string{"speechsynth", "speechrecog"},
			"speechsynth:9 speechrecog:9 sendrecv", []string{"speechsynth", "speechrecog"}},
		{"only hearing", testOfferOf("speechrecog"), []string{"speechrecog"}, "speechrecog:9 sendonly", []string{"speechrecog"}},
	} {
		got := alter(row.from, agreed, row.to)
		var text []string
		for _, l := range got.Lines {
			switch {
			case l.Control != nil:
				text = append(text, fmt.Sprintf("%s:%d", l.Control.Resource, l.Control.Addr.Port()))
				if l.Control.Addr.Port() != 0 && l.Control.Connection != sdp.ConnectionExisting {
					t.Errorf("%s: %s offers connection:%s", row.name, l.Control.Resource, l.Control.Connection)
				}
			case l.Audio != nil:
				text = append(text, l.Audio.Direction)
				if len(l.Audio.Codecs) != 1 {
					t.Errorf("%s: %d codecs", row.name, len(l.Audio.Codecs))
				}
			}
		}
		if strings.Join(text, " ") != row.want || !slices.Equal(wanted(got), row.still) {
			t.Errorf("%s: %s, %v", row.name, text, wanted(got))
		}
	}
	if wanted(both)[1] != "speechrecog" || both.Controls()[1].Addr.Port() != 9 {
		t.Error("the description it was made from has changed")
	}
}

func testOfferOf(resources ...string) *sdp.Description {
	return offer(mrcp.Opening{Media: testMedia(), Resources: resources}, 1, sdp.ConnectionNew, nil)
}

func FuzzAgree(f *testing.F) {
	f.Add([]byte(lines(answerRFC)))
	f.Add(testOffer(1).Marshal())
	f.Fuzz(func(_ *testing.T, b []byte) {
		if d, err := sdp.Parse(b); err == nil {
			_, _ = agree(testOffer(1), b)
			refresh(testOffer(1), d, testMedia()).Marshal()
		}
	})
}
