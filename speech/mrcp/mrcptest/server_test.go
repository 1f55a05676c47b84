package mrcptest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/sdp"
)

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
	if _, _, err := server.Answer(crlf(fmt.Sprintf(offerText, 4000)), peer); !refused(err, 503) {
		t.Errorf("a session too many: %v", err)
	}
	session.Close()
}

func refused(err error, status int) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Status == status
}

func TestAnswerRefuses(t *testing.T) {
	server := newServer(t, NewCanned(), Config{})
	peer := netip.MustParseAddr("127.0.0.1")
	for name, row := range map[string]struct {
		offer  string
		status int
	}{
		"no sdp":    {"hello", 400},
		"no codec":  {strings.ReplaceAll(fmt.Sprintf(offerText, 4000), "PCMU", "G729"), 488},
		"no audio":  {strings.Replace(fmt.Sprintf(offerText, 4000), "m=audio 4000", "m=audio 0", 1), 488},
		"resources": {strings.ReplaceAll(fmt.Sprintf(offerText, 4000), "resource:speech", "resource:x"), 488},
		"tls":       {strings.ReplaceAll(fmt.Sprintf(offerText, 4000), "TCP/MRCPv2", "TCP/TLS/MRCPv2"), 488},
	} {
		_, _, err := server.Answer(crlf(row.offer), peer)
		if !refused(err, row.status) {
			t.Errorf("%s: %v, want %d", name, err, row.status)
		}
	}
	// What exists is granted, what does not is refused.
	answer, session, err := server.Answer(crlf(strings.Replace(fmt.Sprintf(offerText, 4000), "speechsynth", "speakverify", 1)), peer)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	d, err := sdp.Parse(answer)
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
		{"CONTROL " + synth, "", nil, 200, nil},
		{"INTERPRET " + recog, "", nil, 406, nil},
		{"DEFINE-LEXICON " + synth, talk, nil, 406, nil},
		{"DEFINE-LEXICON " + synth, talk, []string{"Content-Type", "application/pls+xml", "Content-Id", "<l@x>"}, 200, []string{"Completion-Cause", "000 normal"}},
		{"DEFINE-LEXICON " + synth, "<lexicon", []string{"Content-Type", "application/pls+xml", "Content-Id", "<l@x>"}, 407, []string{"Completion-Cause", "006 lexicon-load-failure"}},
		{"DEFINE-LEXICON " + synth, "", []string{"Load-Lexicon", "false", "Content-Id", "<l@x>"}, 200, nil},
		{"START-PHRASE-ENROLLMENT " + recog, "", nil, 401, nil},
		{"ENROLLMENT-ROLLBACK " + recog, "", nil, 401, nil},
		{"END-PHRASE-ENROLLMENT " + recog, "", nil, 401, nil},
		{"MODIFY-PHRASE " + recog, "", nil, 401, nil},
		{"DELETE-PHRASE " + recog, "", nil, 401, nil},
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
	c.recognize("No-Input-Timeout", "300")
	c.expect("3 200 PENDING")
	c.send("STOP "+recog, "", "Active-Request-Id-List", "1")
	c.expect("4 200 COMPLETE", "Active-Request-Id-List", "1")
	c.expect("RECOGNITION-COMPLETE 3 COMPLETE", "Completion-Cause", "002 no-input-timeout")
	c.recognize("Start-Input-Timers", "false", "Cancel-If-Queue", "true")
	c.expect("5 200 IN-PROGRESS")
	c.recognize("Start-Input-Timers", "false", "No-Input-Timeout", "300")
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
	c.say(make([]int16, 9600))
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
	if seconds := float64(len(h.Audio)) / line.Rate; math.Abs(seconds-1.05) > 0.3 || line.Level(h.Audio[:1600]) > -60 {
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

// brokenVoice is an engine that cannot speak.
type brokenVoice struct{ *Canned }

func (brokenVoice) Synthesize(context.Context, string, string) ([]int16, error) {
	return nil, errors.New("no voice")
}

func (brokenVoice) SynthesizeMarked(context.Context, string, string) ([]int16, []Mark, error) {
	return nil, nil, errors.New("no voice")
}

func TestSynthesisFails(t *testing.T) {
	c := newClient(t, newServer(t, brokenVoice{NewCanned()}, Config{}))
	c.speak(talk)
	c.expect("1 200 IN-PROGRESS")
	c.expect("SPEAK-COMPLETE 1 COMPLETE", "Completion-Cause", "004 error", "Completion-Reason", `"no voice"`)
}

// A session whose connection is lost falls silent at once, and ends when its
// client has had the time to end it.
func TestConnectionLost(t *testing.T) {
	server := newServer(t, NewCanned(), Config{})
	c := newClient(t, server)
	c.speak(talk)
	c.expect("1 200 IN-PROGRESS")
	c.recognize()
	c.expect("2 200 IN-PROGRESS")
	server.DropConnections()
	<-c.session.Done()
	sent, _ := c.session.Packets()
	if sent > 100 {
		t.Errorf("%d packets after the loss", sent)
	}
}

// What is asked of sessions while others, or they themselves, end is answered.
func TestSessionsEndWhileTheyAreSpokenTo(t *testing.T) {
	server := newServer(t, NewCanned(), Config{})
	for range 100 {
		var ending sync.WaitGroup
		for range 4 {
			c := newClient(t, server)
			c.send("GET-PARAMS speechrecog", "")
			ending.Go(c.session.Close)
			c.send("GET-PARAMS speechsynth", "")
		}
		ending.Wait()
	}
}
