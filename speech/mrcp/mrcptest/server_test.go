package mrcptest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/zaf/g711"
	"go.uber.org/goleak"

	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait; the machine may be busy.
const patience = 30 * time.Second

const offerText = `v=0
o=test 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
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
m=audio %d RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=sendrecv
a=mid:1
`

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// client speaks MRCP by hand.
type client struct {
	t       *testing.T
	server  *Server
	session *Session
	nc      net.Conn
	reader  *wire.Reader
	rtp     *net.UDPConn
	id      uint32
	seq     uint16
}

func newServer(t *testing.T, engine Engine, cfg Config) *Server {
	t.Helper()
	cfg.Timeouts = line.Timeouts{NoInput: 500 * time.Millisecond, Complete: 200 * time.Millisecond, Incomplete: 400 * time.Millisecond, MaxSpeech: 3 * time.Second}
	server, err := NewServer(cfg, engine, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func newClient(t *testing.T, server *Server) *client {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	offer := fmt.Sprintf(offerText, socket.LocalAddr().(*net.UDPAddr).Port)
	_, session, err := server.Answer(crlf(offer), netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close(); _ = nc.Close(); _ = socket.Close() })
	return &client{t: t, server: server, session: session, nc: nc, reader: wire.NewReader(nc, 0), rtp: socket}
}

// send sends a request, "METHOD resource" and header lines; its id is returned.
func (c *client) send(what, body string, fields ...string) uint32 {
	c.t.Helper()
	c.id++
	method, resource, _ := strings.Cut(what, " ")
	m := wire.NewRequest(method, c.id, c.session.ID()+"@"+resource)
	for i := 0; i+1 < len(fields); i += 2 {
		m.Header.Add(fields[i], fields[i+1])
	}
	m.Body = []byte(body)
	c.write(string(m.Append(nil)))
	return c.id
}

func (c *client) write(raw string) {
	c.t.Helper()
	if _, err := c.nc.Write([]byte(raw)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() *wire.Message {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	m, err := c.reader.Read()
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// expect reads a message and wants its start line, {n} standing for the id of
// the n-th request, and header fields in pairs.
func (c *client) expect(start string, fields ...string) *wire.Message {
	c.t.Helper()
	m := c.read()
	if m.String() != start {
		c.t.Errorf("got %q, want %q", m, start)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if got := m.Header.Get(fields[i]); got != fields[i+1] {
			c.t.Errorf("%s: %s is %q, want %q", m, fields[i], got, fields[i+1])
		}
	}
	return m
}

// say sends audio in real time.
func (c *client) say(pcm []int16) {
	c.t.Helper()
	ticker := time.NewTicker(line.Frame)
	defer ticker.Stop()
	for ; len(pcm) >= line.FrameSamples; pcm = pcm[line.FrameSamples:] {
		<-ticker.C
		payload := make([]byte, line.FrameSamples)
		for i := range payload {
			payload[i] = g711.EncodeUlawFrame(pcm[i])
		}
		raw, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: c.seq, SSRC: 7}, Payload: payload}).Marshal()
		if err != nil {
			c.t.Fatal(err)
		}
		c.seq++
		if _, err := c.rtp.WriteToUDPAddrPort(raw, c.session.Media()); err != nil {
			c.t.Fatal(err)
		}
	}
}

const (
	synth = "speechsynth"
	recog = "speechrecog"
	talk  = `<speak version="1.0">` + "a b c d e f g h i j k l m n o p q r s t u v w x y z" + `</speak>`
	gram  = `<grammar/>`
)

func (c *client) speak(body string, fields ...string) uint32 {
	c.t.Helper()
	return c.send("SPEAK "+synth, body, append([]string{"Content-Type", "application/ssml+xml"}, fields...)...)
}

func (c *client) recognize(fields ...string) uint32 {
	c.t.Helper()
	return c.send("RECOGNIZE "+recog, gram, append([]string{"Content-Type", "application/srgs+xml", "Content-Id", "<g@x>"}, fields...)...)
}

func TestAnswer(t *testing.T) {
	server := newServer(t, NewCanned(), Config{MaxSessions: 1})
	peer := netip.MustParseAddr("127.0.0.1")
	answer, session, err := server.Answer(crlf(fmt.Sprintf(offerText, 4000)+"m=video 6000 RTP/AVP 31\n"), peer)
	if err != nil {
		t.Fatal(err)
	}
	want := string(crlf(fmt.Sprintf(`v=0
o=mrcptest 2 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=application %[1]d TCP/MRCPv2 1
a=setup:passive
a=connection:new
a=channel:%[2]s@speechsynth
a=cmid:1
m=application %[1]d TCP/MRCPv2 1
a=setup:passive
a=connection:new
a=channel:%[2]s@speechrecog
a=cmid:1
m=audio %[3]d RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
a=ptime:20
a=mid:1
m=video 0 RTP/AVP 31
`, server.Addr().Port(), session.ID(), session.Media().Port())))
	if string(answer) != want {
		t.Errorf("got\n%s\nwant\n%s", answer, want)
	}
	for name, row := range map[string]struct {
		offer  string
		status int
	}{
		"too many":  {fmt.Sprintf(offerText, 4000), 503},
		"no sdp":    {"hello", 400},
		"no codec":  {strings.ReplaceAll(fmt.Sprintf(offerText, 4000), "PCMU", "G729"), 488},
		"no audio":  {strings.Replace(fmt.Sprintf(offerText, 4000), "m=audio 4000", "m=audio 0", 1), 488},
		"resources": {strings.ReplaceAll(fmt.Sprintf(offerText, 4000), "resource:speech", "resource:x"), 488},
		"tls":       {strings.ReplaceAll(fmt.Sprintf(offerText, 4000), "TCP/MRCPv2", "TCP/TLS/MRCPv2"), 488},
	} {
		_, _, err := server.Answer(crlf(row.offer), peer)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Status != row.status {
			t.Errorf("%s: %v, want %d", name, err, row.status)
		}
	}
	session.Close()
	// What exists is granted, what does not is refused.
	answer, session, err = server.Answer(crlf(strings.Replace(fmt.Sprintf(offerText, 4000), "speechsynth", "recorder", 1)), peer)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	d, err := mrcp.ParseDescription(answer)
	if err != nil || len(d.Controls()) != 2 || d.Controls()[0].Addr.Port() != 0 || d.Controls()[1].Addr.Port() == 0 {
		t.Errorf("%v\n%s", err, answer)
	}
}

func TestSynthesizerQueue(t *testing.T) {
	c := newClient(t, newServer(t, NewCanned(), Config{}))
	c.speak(talk)
	c.expect("1 200 IN-PROGRESS")
	c.speak(`<speak>b</speak>`)
	c.expect("2 200 PENDING")
	c.speak(`<speak>c</speak>`)
	c.expect("3 200 PENDING")
	c.send("STOP "+synth, "", "Active-Request-Id-List", "1,3")
	c.expect("4 200 COMPLETE", "Active-Request-Id-List", "1,3")
	c.expect("SPEECH-MARKER 2 IN-PROGRESS")
	c.expect("SPEAK-COMPLETE 2 COMPLETE", "Completion-Cause", "000 normal")
	c.speak(talk)
	c.expect("5 200 IN-PROGRESS")
	c.send("PAUSE "+synth, "")
	c.expect("6 200 COMPLETE", "Active-Request-Id-List", "5")
	c.send("PAUSE "+synth, "")
	c.expect("7 200 COMPLETE", "Active-Request-Id-List", "5")
	c.send("RESUME "+synth, "")
	c.expect("8 200 COMPLETE", "Active-Request-Id-List", "5")
	c.speak(`<speak>b</speak>`)
	c.expect("9 200 PENDING")
	c.send("BARGE-IN-OCCURRED "+synth, "")
	c.expect("10 200 COMPLETE", "Active-Request-Id-List", "5,9")
	c.send("STOP "+synth, "")
	if m := c.expect("11 200 COMPLETE"); m.Header.Has("Active-Request-Id-List") {
		t.Errorf("%v", m.Header)
	}
	c.speak(talk, "Kill-On-Barge-In", "false")
	c.expect("12 200 IN-PROGRESS")
	c.send("BARGE-IN-OCCURRED "+synth, "")
	if m := c.expect("13 200 COMPLETE"); m.Header.Has("Active-Request-Id-List") {
		t.Errorf("%v", m.Header)
	}
	c.send("STOP "+synth, "")
	c.expect("14 200 COMPLETE", "Active-Request-Id-List", "12")
	c.send("SPEAK "+synth, "hello & goodbye", "Content-Type", "text/plain;charset=utf-8")
	c.expect("15 200 IN-PROGRESS")
	c.expect("SPEAK-COMPLETE 15 COMPLETE", "Completion-Cause", "000 normal")
}

func TestStatuses(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	c := newClient(t, newServer(t, NewCanned(), Config{MaxMessage: 100000}))
	for _, row := range []struct {
		what, body string
		fields     []string
		status     int
		echo       []string
	}{
		{"SPEAK " + recog, talk, nil, 401, nil},
		{"RECOGNIZE " + synth, gram, nil, 401, nil},
		{"NONSENSE " + synth, "", nil, 401, nil},
		{"CONTROL " + synth, "", nil, 401, nil},
		{"INTERPRET " + recog, "", nil, 401, nil},
		{"PAUSE " + synth, "", nil, 402, nil},
		{"RESUME " + synth, "", nil, 402, nil},
		{"START-INPUT-TIMERS " + recog, "", nil, 402, nil},
		{"GET-RESULT " + recog, "", nil, 402, nil},
		{"BARGE-IN-OCCURRED " + synth, "", nil, 200, nil},
		{"STOP " + synth, "", nil, 200, nil},
		{"STOP " + recog, "", nil, 200, nil},
		{"SET-PARAMS " + recog, "", []string{"Voice-Age", "3"}, 403, []string{"Voice-Age", "3"}},
		{"SET-PARAMS " + recog, "", []string{"Confidence-Threshold", "1.5", "N-Best-List-Length", "2"}, 404, []string{"Confidence-Threshold", "1.5"}},
		{"GET-PARAMS " + recog, "", []string{"N-Best-List-Length", ""}, 200, []string{"N-Best-List-Length", ""}},
		{"SET-PARAMS " + recog, "", []string{"Confidence-Threshold", "0.5", "N-Best-List-Length", "2"}, 200, nil},
		{"GET-PARAMS " + recog, "", []string{"N-Best-List-Length", ""}, 200, []string{"N-Best-List-Length", "2"}},
		{"GET-PARAMS " + recog, "", nil, 200, []string{"confidence-threshold", "0.5"}},
		{"SPEAK " + synth, talk, []string{"Content-Type", "application/ssml+xml", "Kill-On-Barge-In", "maybe"}, 404, []string{"Kill-On-Barge-In", "maybe"}},
		{"SPEAK " + synth, talk, nil, 406, nil},
		{"SPEAK " + synth, "x", []string{"Content-Type", "audio/wav"}, 409, []string{"Content-Type", "audio/wav"}},
		{"SPEAK " + synth, "<speak>", []string{"Content-Type", "application/ssml+xml"}, 407, []string{"Completion-Cause", "002 parse-failure"}},
		{"RECOGNIZE " + recog, "", nil, 406, nil},
		{"RECOGNIZE " + recog, "session:none@x\r\n", []string{"Content-Type", "text/uri-list"}, 407, []string{"Completion-Cause", "004 grammar-load-failure"}},
		{"RECOGNIZE " + recog, web.URL + "/g\r\n", []string{"Content-Type", "text/uri-list"}, 407, []string{"Completion-Cause", "009 uri-failure", "Failed-URI", web.URL + "/g"}},
		{"DEFINE-GRAMMAR " + recog, gram, []string{"Content-Type", "application/srgs+xml"}, 406, nil},
		{"DEFINE-GRAMMAR " + recog, gram, []string{"Content-Type", "application/srgs+xml", "Content-Id", "a@b"}, 200, []string{"Completion-Cause", "000 success"}},
	} {
		id := c.send(row.what, row.body, row.fields...)
		c.expect(fmt.Sprintf("%d %d COMPLETE", id, row.status), row.echo...)
	}
	c.id -= 2
	c.send("STOP "+synth, "")
	c.expect(fmt.Sprintf("%d 410 COMPLETE", c.id))
	c.id++
	for raw, want := range map[string]string{
		"MRCP/2.0 9 STOP 77\r\nChannel-Identifier: stranger@speechsynth\r\n\r\n":            "77 405 COMPLETE",
		"MRCP/2.0 9 STOP 77\r\nChannel-Identifier: " + c.session.ID() + "@recorder\r\n\r\n": "77 405 COMPLETE",
		"MRCP/2.0 9 STOP 77\r\n\r\n":                                      "77 406 COMPLETE",
		"MRCP/3.0 9 STOP 77\r\nChannel-Identifier: x@speechsynth\r\n\r\n": "77 502 COMPLETE",
		"mrcp/2.0 9 stop 78\r\nCHANNEL-IDENTIFIER: " + strings.ToUpper(c.session.ID()+"@speechsynth") + "\r\nfold:\r\n x\r\n\r\n": "78 200 COMPLETE",
	} {
		c.write("noise\r\nMRCP/2.0 x\r\n\r\n" + raw)
		c.expect(want)
	}
	c.write("MRCP/2.0 9 SPEAK 99\r\nChannel-Identifier: " + c.session.ID() + "@speechsynth\r\nContent-Length: 100001\r\n\r\n")
	c.expect("99 504 COMPLETE")
	<-c.session.Done() // the connection cannot be read any further, and the session goes with it
}

func TestRecognizerQueue(t *testing.T) {
	engine := NewCanned("one", "two")
	c := newClient(t, newServer(t, engine, Config{}))
	c.recognize("Start-Input-Timers", "false")
	c.expect("1 200 IN-PROGRESS")
	c.send("DEFINE-GRAMMAR "+recog, gram, "Content-Type", "application/srgs+xml", "Content-Id", "a@b")
	c.expect("2 402 COMPLETE")
	c.recognize()
	c.expect("3 200 PENDING")
	c.send("STOP "+recog, "", "Active-Request-Id-List", "1")
	c.expect("4 200 COMPLETE", "Active-Request-Id-List", "1")
	c.expect("RECOGNITION-COMPLETE 3 COMPLETE", "Completion-Cause", "002 no-input-timeout")
	c.recognize("Start-Input-Timers", "false", "Cancel-If-Queue", "true")
	c.expect("5 200 IN-PROGRESS")
	c.recognize("Start-Input-Timers", "false")
	c.expect("6 200 PENDING")
	c.expect("RECOGNITION-COMPLETE 5 COMPLETE", "Completion-Cause", "011 cancelled")
	c.send("START-INPUT-TIMERS "+recog, "")
	c.expect("7 200 COMPLETE")
	c.expect("RECOGNITION-COMPLETE 6 COMPLETE", "Completion-Cause", "002 no-input-timeout")
	c.recognize()
	c.expect("8 200 IN-PROGRESS")
	c.say(engine.Beeps(1))
	c.expect("START-OF-INPUT 8 IN-PROGRESS", "Input-Type", "speech", "Proxy-Sync-Id", "8")
	m := c.expect("RECOGNITION-COMPLETE 8 COMPLETE", "Completion-Cause", "000 success", "Content-Type", "application/nlsml+xml")
	if !strings.Contains(string(m.Body), `grammar="session:g@x"`) || !strings.Contains(string(m.Body), "<instance>one</instance>") {
		t.Errorf("%s", m.Body)
	}
	c.send("GET-RESULT "+recog, "")
	if again := c.expect("9 200 COMPLETE", "Completion-Cause", "000 success"); string(again.Body) != string(m.Body) {
		t.Errorf("%s", again.Body)
	}
}

func TestHotword(t *testing.T) {
	engine := NewCanned("", "word")
	c := newClient(t, newServer(t, engine, Config{}))
	c.recognize("Recognition-Mode", "hotword", "Start-Input-Timers", "false")
	c.expect("1 200 IN-PROGRESS")
	c.say(engine.Beeps(1))
	c.say(make([]int16, 6400))
	c.say(engine.Beeps(1))
	// What was no hotword started nothing.
	c.expect("START-OF-INPUT 1 IN-PROGRESS")
	c.expect("RECOGNITION-COMPLETE 1 COMPLETE", "Completion-Cause", "000 success")
	c.recognize("Recognition-Mode", "hotword", "Recognition-Timeout", "100")
	c.expect("2 200 IN-PROGRESS")
	c.say(engine.Beeps(2))
	c.expect("RECOGNITION-COMPLETE 2 COMPLETE", "Completion-Cause", "003 hotword-maxtime")
}

// listener is an engine that tells what it was given.
type listener struct {
	*Canned
	got chan Hearing
	err error
}

func (l *listener) Recognize(_ context.Context, h Hearing) ([]Hypothesis, error) {
	l.got <- h
	return []Hypothesis{{Grammar: h.Grammars[0].URI, Text: "a", Confidence: 0.9, Instance: "<x>1</x>"}, {Text: "b", Confidence: 0.8}, {Text: "c", Confidence: 0.2}}, l.err
}

func (l *listener) CheckGrammar(_ context.Context, g Grammar) error {
	if strings.Contains(string(g.Content), "bad") {
		return errors.New("bad grammar")
	}
	return nil
}

func TestEngineIsToldEverything(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/srgs+xml")
		_, _ = w.Write([]byte("<web/>"))
	}))
	defer web.Close()
	engine := &listener{Canned: NewCanned(), got: make(chan Hearing, 10)}
	c := newClient(t, newServer(t, engine, Config{}))
	c.send("DEFINE-GRAMMAR "+recog, "bad", "Content-Type", "application/srgs+xml", "Content-Id", "<bad@x>")
	c.expect("1 407 COMPLETE", "Completion-Cause", "005 grammar-compilation-failure")
	c.send("DEFINE-GRAMMAR "+recog, "<one/>", "Content-Type", "application/srgs+xml", "Content-Id", "one@x")
	c.expect("2 200 COMPLETE")
	c.send("RECOGNIZE "+recog, "<session:one@x>;weight=\"0.5\"\r\n<"+web.URL+"/g>\r\n# no grammar\r\n<builtin:speech/digits>\r\n",
		"Content-Type", "text/grammar-ref-list", "N-Best-List-Length", "2", "Confidence-Threshold", "0.5", "Speech-Language", "en-GB")
	c.expect("3 200 IN-PROGRESS")
	c.say(make([]int16, 3200))
	c.say(engine.Beeps(2))
	c.expect("START-OF-INPUT 3 IN-PROGRESS")
	m := c.expect("RECOGNITION-COMPLETE 3 COMPLETE", "Completion-Cause", "000 success")
	if body := string(m.Body); strings.Count(body, "<interpretation") != 2 || !strings.Contains(body, "<instance><x>1</x></instance>") {
		t.Errorf("%s", body)
	}
	h := <-engine.got
	want := fmt.Sprintf("[{session:one@x application/srgs+xml [60 111 110 101 47 62] 0.5} {%s/g application/srgs+xml [60 119 101 98 47 62] 1} {builtin:speech/digits  [] 1}]", web.URL)
	if got := fmt.Sprint(h.Grammars); got != want || h.Language != "en-GB" || h.NBest != 2 {
		t.Errorf("%s\n%s\n%s %d", got, want, h.Language, h.NBest)
	}
	// 300 ms before the words, the words, and the silence after them.
	if seconds := float64(len(h.Audio)) / line.Rate; math.Abs(seconds-0.85) > 0.2 || line.Level(h.Audio[:1600]) > -60 {
		t.Errorf("%.2f s of audio, beginning at %.0f dB", seconds, line.Level(h.Audio[:1600]))
	}
	c.send("DEFINE-GRAMMAR "+recog, "", "Content-Id", "<one@x>")
	c.expect("4 200 COMPLETE")
	c.send("RECOGNIZE "+recog, "session:one@x", "Content-Type", "text/uri-list")
	c.expect("5 407 COMPLETE")
	engine.err = errors.New("engine broke")
	c.recognize()
	c.expect("6 200 IN-PROGRESS")
	c.recognize()
	c.expect("7 200 PENDING")
	c.say(engine.Beeps(1))
	c.expect("START-OF-INPUT 6 IN-PROGRESS")
	c.expect("RECOGNITION-COMPLETE 6 COMPLETE", "Completion-Cause", "006 recognizer-error", "Completion-Reason", `"engine broke"`)
	c.expect("RECOGNITION-COMPLETE 7 COMPLETE", "Completion-Cause", "011 cancelled")
}

// A caller with silence suppression stops sending; the silence counts all the same.
func TestSilenceSuppression(t *testing.T) {
	engine := NewCanned("yes")
	c := newClient(t, newServer(t, engine, Config{}))
	c.recognize()
	c.expect("1 200 IN-PROGRESS")
	c.say(engine.Beeps(1)[:1200])
	c.expect("START-OF-INPUT 1 IN-PROGRESS")
	c.expect("RECOGNITION-COMPLETE 1 COMPLETE", "Completion-Cause", "000 success")
}

func TestByeDuringEverything(t *testing.T) {
	server := newServer(t, NewCanned(), Config{})
	for range 20 {
		c := newClient(t, server)
		c.speak(talk)
		c.expect("1 200 IN-PROGRESS")
		c.recognize()
		c.expect("2 200 IN-PROGRESS")
		c.session.Close()
		c.session.Close()
		c.send("STOP "+synth, "")
		c.expect("3 405 COMPLETE")
		if n := server.Sessions(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	}
}

func TestSynthMachine(t *testing.T) {
	methods := []string{"SPEAK", "STOP", "BARGE-IN-OCCURRED", "PAUSE", "RESUME", "CONTROL", "DEFINE-LEXICON", "RECOGNIZE", ""}
	for state, want := range map[synthState][]synthAction{
		synthIdle:     {synthStart, synthNothing, synthNothing, synthInvalid, synthInvalid, synthUnknown, synthUnknown, synthUnknown, synthUnknown},
		synthSpeaking: {synthQueue, synthStop, synthBargeIn, synthPause, synthAcknowledge, synthUnknown, synthUnknown, synthUnknown, synthUnknown},
		synthPaused:   {synthQueue, synthStop, synthBargeIn, synthAcknowledge, synthResume, synthUnknown, synthUnknown, synthUnknown, synthUnknown},
	} {
		for i, method := range methods {
			if got := nextSynth(state, method); got != want[i] {
				t.Errorf("state %d, %s: %d, want %d", state, method, got, want[i])
			}
		}
	}
}

func TestRecogMachine(t *testing.T) {
	methods := []string{"DEFINE-GRAMMAR", "RECOGNIZE", "STOP", "START-INPUT-TIMERS", "GET-RESULT", "INTERPRET", "SPEAK", ""}
	for state, want := range map[recogState][]recogAction{
		recogIdle:        {recogDefine, recogStart, recogNothing, recogInvalid, recogTellResult, recogUnknown, recogUnknown, recogUnknown},
		recogRecognizing: {recogInvalid, recogQueue, recogStop, recogStartTimers, recogInvalid, recogUnknown, recogUnknown, recogUnknown},
	} {
		for i, method := range methods {
			if got := nextRecog(state, method); got != want[i] {
				t.Errorf("state %d, %s: %d, want %d", state, method, got, want[i])
			}
		}
	}
}
