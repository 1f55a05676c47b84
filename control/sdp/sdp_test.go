package sdp

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// text joins lines as they go onto the wire.
func text(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n") + "\r\n") }

func local() Local {
	return Local{Addr: netip.MustParseAddrPort("192.0.2.1:20000"), Events: 101, SessionID: 7, Version: 1}
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// What real equipment offers.
var (
	sippOffer = text("v=0", "o=user1 53655765 2353687637 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1",
		"t=0 0", "m=audio 6000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000")
	baresipOffer = text("v=0", "o=- 1234567 7654321 IN IP4 10.0.0.5", "s=-", "c=IN IP4 10.0.0.5", "t=0 0",
		"a=tool:baresip 1.0.0", "m=audio 10042 RTP/AVP 96 8 0 101", "b=AS:125", "a=rtpmap:96 opus/48000/2",
		"a=fmtp:96 stereo=1;sprop-stereo=1", "a=rtpmap:8 PCMA/8000", "a=rtpmap:0 PCMU/8000",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=rtcp:10043", "a=sendrecv", "a=label:1",
		"a=rtcp-rsize", "a=ssrc:123 cname:sip:a@b", "a=ptime:20", "m=video 10044 RTP/AVP 97",
		"a=rtpmap:97 H264/90000", "a=sendrecv")
	mrcpOffer = text("v=0", "o=UniMRCPClient 0 0 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
		"m=application 9 TCP/MRCPv2 1", "a=setup:active", "a=connection:new", "a=resource:speechrecog", "a=cmid:1",
		"m=audio 4000 RTP/AVP 0 8 9 96 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:9 G722/8000",
		"a=rtpmap:96 L16/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=sendonly", "a=ptime:20", "a=mid:1")
	ciscoOffer = text("v=0", "o=CiscoSystemsCCM-SIP 2000 1 IN IP4 10.1.1.1", "s=SIP Call", "c=IN IP4 10.1.1.2", "b=TIAS:64000",
		"a=sendrecv", "t=0 0", "m=image 4444 udptl t38", "m=audio 24588 RTP/AVP 18 8 110", "a=ptime:30",
		"a=rtpmap:110 telephone-event/8000", "a=fmtp:110 0-15")
)

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		offer  []byte
		codec  Codec
		events int
		remote string
		ptime  time.Duration
		media  []string // the answer's m= lines
		has    []string // lines the answer must have
		lacks  []string
	}{
		{name: "SIPp", offer: sippOffer, codec: narrow("PCMU", 0), events: NoEvents, remote: "127.0.0.1:6000",
			ptime: DefaultPtime, media: []string{"m=audio 20000 RTP/AVP 0"},
			has:   []string{"a=rtpmap:0 PCMU/8000", "a=sendrecv", "c=IN IP4 192.0.2.1", "o=mcp 7 1 IN IP4 192.0.2.1"},
			lacks: []string{"telephone-event"}},
		{name: "baresip", offer: baresipOffer, codec: narrow("PCMA", 8), events: 101, remote: "10.0.0.5:10042",
			ptime: DefaultPtime, media: []string{"m=audio 20000 RTP/AVP 8 101", "m=video 0 RTP/AVP 97"},
			has: []string{"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15"}, lacks: []string{"opus", "H264", "rtcp-rsize"}},
		{name: "MRCP client", offer: mrcpOffer, codec: narrow("PCMU", 0), events: 101, remote: "127.0.0.1:4000",
			ptime: DefaultPtime, media: []string{"m=application 0 TCP/MRCPv2 1", "m=audio 20000 RTP/AVP 0 101"},
			has: []string{"a=recvonly", "a=mid:1"}},
		{name: "Cisco, attributes before t=, fax stream first", offer: ciscoOffer, codec: narrow("PCMA", 8), events: 110,
			remote: "10.1.1.2:24588", ptime: 30 * time.Millisecond,
			media: []string{"m=image 0 udptl t38", "m=audio 20000 RTP/AVP 8 110"},
			has:   []string{"a=ptime:30", "a=rtpmap:110 telephone-event/8000"}},
		{name: "payload types moved about", offer: text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=5 9",
			"m=audio 5000 RTP/AVP 111 97", "a=rtpmap:97 telephone-event/8000", "a=rtpmap:111 pcmu/8000"),
			codec: narrow("PCMU", 111), events: 97, remote: "1.2.3.4:5000", ptime: DefaultPtime,
			media: []string{"m=audio 20000 RTP/AVP 111 97"}, has: []string{"t=5 9", "a=rtpmap:111 PCMU/8000"}},
		{name: "events at two rates", offer: text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0",
			"m=audio 5000 RTP/AVP 0 100 101", "a=rtpmap:100 telephone-event/48000", "a=rtpmap:101 telephone-event/8000"),
			codec: narrow("PCMU", 0), events: 101, remote: "1.2.3.4:5000", ptime: DefaultPtime,
			media: []string{"m=audio 20000 RTP/AVP 0 101"}},
		{name: "bare line feeds and no s=", offer: []byte("v=0\no=- x y IN IP4 1.2.3.4\nc=IN IP4 1.2.3.4\nm=audio 5000 RTP/AVP 8\n"),
			codec: narrow("PCMA", 8), events: NoEvents, remote: "1.2.3.4:5000", ptime: DefaultPtime,
			media: []string{"m=audio 20000 RTP/AVP 8"}},
		{name: "two audio streams", offer: text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "t=0 0",
			"m=audio 0 RTP/AVP 0", "c=IN IP4 1.2.3.4", "m=audio 5000 RTP/AVP 0", "c=IN IP4 5.6.7.8", "m=audio 6000 RTP/AVP 0", "c=IN IP4 5.6.7.8"),
			codec: narrow("PCMU", 0), events: NoEvents, remote: "5.6.7.8:5000", ptime: DefaultPtime,
			media: []string{"m=audio 0 RTP/AVP 0", "m=audio 20000 RTP/AVP 0", "m=audio 0 RTP/AVP 0"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			offer, err := Parse(tc.offer)
			if err != nil {
				t.Fatal(err)
			}
			answer, n, err := Answer(offer, local())
			if err != nil {
				t.Fatal(err)
			}
			if n.Codec != tc.codec || n.Events != tc.events || n.Remote != addr(tc.remote) || n.Ptime != tc.ptime {
				t.Errorf("negotiated %+v", n)
			}
			checkLines(t, answer, tc.media, tc.has, tc.lacks)
		})
	}
}

func checkLines(t *testing.T, answer []byte, media, has, lacks []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(answer), "\r\n"), "\r\n")
	var got []string
	all := map[string]bool{}
	for _, line := range lines {
		all[line] = true
		if strings.HasPrefix(line, "m=") {
			got = append(got, line)
		}
	}
	if strings.Join(got, "|") != strings.Join(media, "|") {
		t.Errorf("m= lines %q, want %q", got, media)
	}
	for _, line := range has {
		if !all[line] {
			t.Errorf("no %q in\n%s", line, answer)
		}
	}
	for _, part := range lacks {
		if strings.Contains(string(answer), part) {
			t.Errorf("%q in\n%s", part, answer)
		}
	}
}

// held is an offer of audio with a direction and an address.
func held(host string, attributes ...string) []byte {
	lines := []string{"v=0", "o=- 1 2 IN IP4 1.2.3.4", "s=-", "c=IN IP4 " + host, "t=0 0"}
	lines = append(lines, "m=audio 5000 RTP/AVP 0")
	return text(append(lines, attributes...)...)
}

func TestHold(t *testing.T) {
	for _, tc := range []struct {
		name          string
		offer         []byte
		ours          Direction
		answer        string
		send, receive bool
	}{
		{"no attribute", held("1.2.3.4"), SendRecv, "a=sendrecv", true, true},
		{"sendonly", held("1.2.3.4", "a=sendonly"), SendRecv, "a=recvonly", false, true},
		{"recvonly", held("1.2.3.4", "a=recvonly"), SendRecv, "a=sendonly", true, false},
		{"inactive", held("1.2.3.4", "a=inactive"), SendRecv, "a=inactive", false, false},
		{"address zero", held("0.0.0.0"), SendRecv, "a=recvonly", false, true},
		{"address zero and sendonly", held("0.0.0.0", "a=sendonly"), SendRecv, "a=recvonly", false, true},
		{"we only send", held("1.2.3.4"), SendOnly, "a=sendonly", true, false},
		{"both only send", held("1.2.3.4", "a=sendonly"), SendOnly, "a=inactive", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			offer, err := Parse(tc.offer)
			if err != nil {
				t.Fatal(err)
			}
			l := local()
			l.Direction = tc.ours
			answer, n, err := Answer(offer, l)
			if err != nil {
				t.Fatal(err)
			}
			checkLines(t, answer, []string{"m=audio 20000 RTP/AVP 0"}, []string{tc.answer}, nil)
			if n.Send != tc.send || n.Receive != tc.receive {
				t.Errorf("send %v, receive %v", n.Send, n.Receive)
			}
			if strings.HasPrefix(tc.name, "address zero") && n.Remote.IsValid() {
				t.Errorf("remote %v", n.Remote)
			}
		})
	}
}

func TestSessionLevelDirectionHolds(t *testing.T) {
	s, err := Parse(text("v=0", "o=- 1 2 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "a=inactive", "m=audio 5000 RTP/AVP 0"))
	if err != nil || s.Audio.Direction != Inactive {
		t.Errorf("%v, %v", s, err)
	}
}

func TestRTCPAddress(t *testing.T) {
	for attribute, want := range map[string]string{
		"a=sendrecv":                  "1.2.3.4:5001",
		"a=rtcp:6000":                 "1.2.3.4:6000",
		"a=rtcp:6000 IN IP4 5.6.7.8":  "5.6.7.8:6000",
		"a=rtcp:6000 IN IP6 2001::1":  "[2001::1]:6000",
		"a=rtcp:99999999999999999999": "1.2.3.4:5001",
		"a=rtcp:":                     "1.2.3.4:5001",
	} {
		s, err := Parse(held("1.2.3.4", attribute))
		if err != nil || s.Audio.RTCP != addr(want) {
			t.Errorf("%s: %v, %v", attribute, s.Audio.RTCP, err)
		}
	}
}

func TestIPv6(t *testing.T) {
	offer, err := Parse(text("v=0", "o=- 1 1 IN IP6 2001:db8::9", "s=-", "c=IN IP6 2001:db8::9", "t=0 0", "m=audio 5000 RTP/AVP 0"))
	if err != nil {
		t.Fatal(err)
	}
	l := local()
	l.Addr = addr("[2001:db8::1]:20000")
	answer, n, err := Answer(offer, l)
	if err != nil || n.Remote != addr("[2001:db8::9]:5000") {
		t.Fatalf("%+v, %v", n, err)
	}
	checkLines(t, answer, []string{"m=audio 20000 RTP/AVP 0"}, []string{"c=IN IP6 2001:db8::1", "o=mcp 7 1 IN IP6 2001:db8::1"}, nil)
}

func TestOfferIsAnsweredByOurOwnAnswer(t *testing.T) {
	offerer := local()
	offerer.Ptime = 30 * time.Millisecond
	offer, err := Parse(Offer(offerer))
	if err != nil {
		t.Fatal(err)
	}
	if len(offer.Audio.Codecs) != 2 || offer.Audio.Events != 101 {
		t.Fatalf("offer %+v", offer.Audio)
	}
	answerer := Local{Addr: addr("192.0.2.2:30000"), Codecs: []Codec{narrow("PCMA", 8)}, Events: 96, Direction: RecvOnly}
	text, theirs, err := Answer(offer, answerer)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Negotiate(offerer, answer)
	if err != nil {
		t.Fatal(err)
	}
	want := Negotiated{Remote: addr("192.0.2.2:30000"), RTCP: addr("192.0.2.2:30000"), Codec: narrow("PCMA", 8),
		Events: 101, Ptime: 30 * time.Millisecond, Send: true}
	if ours != want || theirs.Codec != ours.Codec || theirs.Events != 101 || theirs.Send || !theirs.Receive {
		t.Errorf("ours %+v, theirs %+v", ours, theirs)
	}
}

// RTP and RTCP share a port only if both sides say so (RFC 5761 section 5.1.1).
func TestSharedPort(t *testing.T) {
	const plain = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
	for text, want := range map[string]string{
		plain:                                      "192.0.2.7:4001",
		plain + "a=rtcp:4444\r\n":                  "192.0.2.7:4444",
		plain + "a=rtcp-mux\r\n":                   "192.0.2.7:4000",
		plain + "a=rtcp:4444\r\na=rtcp-mux\r\n":    "192.0.2.7:4000",
		plain + "a=rtcp:4444 IN IP4 192.0.2.8\r\n": "192.0.2.8:4444",
	} {
		session, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		answer, agreed, err := Answer(session, Local{Addr: addr("192.0.2.1:20000")})
		if err != nil {
			t.Fatal(err)
		}
		if agreed.RTCP != addr(want) {
			t.Errorf("%q: RTCP to %s, want %s", text, agreed.RTCP, want)
		}
		if mux := strings.Contains(text, "rtcp-mux"); mux != strings.Contains(string(answer), "a=rtcp-mux\r\n") {
			t.Errorf("%q was answered with %q", text, answer)
		}
	}
}

func TestNothingInCommon(t *testing.T) {
	for name, tc := range map[string]struct {
		offer []byte
		want  error
	}{
		"other codecs":  {text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=audio 5000 RTP/AVP 18 4 101", "a=rtpmap:101 telephone-event/8000"), ErrNoCommonCodec},
		"wide mu-law":   {text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=audio 5000 RTP/AVP 96", "a=rtpmap:96 PCMU/16000"), ErrNoCommonCodec},
		"stereo mu-law": {text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=audio 5000 RTP/AVP 96", "a=rtpmap:96 PCMU/8000/2"), ErrNoCommonCodec},
		"port zero":     {text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=audio 0 RTP/AVP 0"), ErrNoAudio},
		"video only":    {text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=video 4 RTP/AVP 31"), ErrNoAudio},
		"SRTP only":     {text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=audio 4 RTP/SAVP 0"), ErrKeying},
		"no media":      {text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "t=0 0"), ErrNoAudio},
	} {
		s, err := Parse(tc.offer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, _, err := Answer(s, local()); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Negotiate(local(), s); !errors.Is(err, tc.want) {
			t.Errorf("%s, as an answer: %v", name, err)
		}
	}
}

func TestMalformedIsRefused(t *testing.T) {
	for name, offer := range map[string][]byte{
		"empty":             {},
		"binary":            {0xff, 0xfe, 0x00},
		"NUL":               []byte("v=0\r\no=- 1 1 IN IP4 1.2.3.4\x00\r\n"),
		"carriage return":   []byte("v=0\r\ns=a\rb\r\n"),
		"no v=":             text("o=- 1 1 IN IP4 1.2.3.4"),
		"no address":        text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "t=0 0", "m=audio 5000 RTP/AVP 0"),
		"host name":         held("media.example.com"),
		"multicast":         held("224.2.1.1/127"),
		"port out of range": text("v=0", "c=IN IP4 1.2.3.4", "m=audio 70000 RTP/AVP 0"),
		"port not a number": text("v=0", "c=IN IP4 1.2.3.4", "m=audio x RTP/AVP 0"),
		"port negative":     text("v=0", "c=IN IP4 1.2.3.4", "m=audio -5 RTP/AVP 0"),
		"m= line cut short": text("v=0", "c=IN IP4 1.2.3.4", "m=audio 5000"),
		"hundreds of m=":    text(append([]string{"v=0", "c=IN IP4 1.2.3.4"}, strings.Split(strings.Repeat("m=audio 5000 RTP/AVP 0|", 300), "|")...)...),
		"more than 64 KiB":  text("v=0", "s="+strings.Repeat("x", 70000)),
		"not a line of SDP": text("v=0", "hello"),
	} {
		if _, err := Parse(offer); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHostileButHarmless(t *testing.T) {
	s, err := Parse(text("v=0", "o=- "+strings.Repeat("9", 400)+" 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=99999999999999999999999 0",
		"m=audio 5000 RTP/AVP 4294967296 -1 256 0 999999999999999999999", "a=rtpmap:4294967296 PCMA/8000", "a=rtpmap:0 PCMU/8000",
		"a=rtpmap:0 PCMA/8000", "a=rtpmap:", "a=rtpmap", "a=", "a=ptime:-5", "a=ptime:nan", "a=fmtp:256 x"))
	if err != nil {
		t.Fatal(err)
	}
	answer, n, err := Answer(s, local())
	if err != nil || n.Codec != narrow("PCMU", 0) || n.Ptime != DefaultPtime {
		t.Fatalf("%+v, %v", n, err)
	}
	checkLines(t, answer, []string{"m=audio 20000 RTP/AVP 0"}, []string{"t=0 0"}, nil)
}

func FuzzParse(f *testing.F) {
	for _, seed := range [][]byte{sippOffer, baresipOffer, mrcpOffer, ciscoOffer, held("0.0.0.0", "a=sendonly", "a=rtcp:5 IN IP6 ::1")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		answer, _, err := Answer(s, local())
		if err != nil {
			return
		}
		mine, err := Parse(answer)
		if err != nil || mine.Audio == nil {
			t.Fatalf("own answer does not parse: %v\n%s", err, answer)
		}
		if len(mine.media) != len(s.media) {
			t.Fatalf("%d streams offered, %d answered", len(s.media), len(mine.media))
		}
	})
}

// Opus is told with two channels, whatever is sent (RFC 7587 section 7).
func TestOpus(t *testing.T) {
	opus := Codec{Name: "opus", PayloadType: 96, ClockRate: 48000}
	offer, err := Parse([]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n" +
		"m=audio 4000 RTP/AVP 111 112\r\na=rtpmap:111 OPUS/48000/2\r\na=rtpmap:112 L16/8000/2\r\n"))
	if err != nil || len(offer.Audio.Codecs) != 1 {
		t.Fatalf("%+v, %v", offer, err)
	}
	l := local()
	l.Codecs = []Codec{opus}
	text, n, err := Answer(offer, l)
	if err != nil || n.Codec != (Codec{Name: "opus", PayloadType: 111, ClockRate: 48000}) || !strings.Contains(string(text), "a=rtpmap:111 opus/48000/2\r\n") {
		t.Errorf("%+v, %v\n%s", n, err, text)
	}
}

func TestStreams(t *testing.T) {
	l := local()
	streams := []Stream{{Addr: addr("192.0.2.1:20000"), Label: "1"}, {Addr: addr("192.0.2.1:20002"), Label: "2", Held: true}}
	checkLines(t, OfferStreams(l, streams), []string{"m=audio 20000 RTP/AVP 0 8", "m=audio 20002 RTP/AVP 0 8"},
		[]string{"a=label:1", "a=label:2", "a=sendonly", "a=inactive"}, []string{"a=sendrecv"})
	head := "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
	for body, want := range map[string]error{
		"m=audio 4000 RTP/AVP 8\r\na=recvonly\r\nm=audio 4002 RTP/AVP 0\r\na=inactive\r\n": nil,
		"m=audio 0 RTP/AVP 8\r\nm=audio 0 RTP/AVP 0\r\n":                                   ErrNoAudio,
		"m=audio 4000 RTP/AVP 18\r\nm=audio 4002 RTP/AVP 18\r\n":                           ErrNoCommonCodec,
		"m=audio 4000\r\n": ErrMalformed,
	} {
		got, err := NegotiateStreams(l, []byte(head+body))
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", body, err, want)
		}
		if want == nil && (len(got) != 2 || !got[0].Send || got[0].Receive || got[1].Send || got[0].Codec.Name != "PCMA" || got[1].Remote != addr("192.0.2.7:4002")) {
			t.Errorf("%+v", got)
		}
	}
}
