package wire

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wire1 are messages as RFC 4463 prints them (sections 7.5, 8.6, 8.9 and 9), with
// what they say.
var wire1 = []struct {
	text string
	want Message
}{
	{"SPEAK 543257 MRCP/1.0\r\nVoice-gender: neutral\r\nVoice-category: teenager\r\nProsody-volume: medium\r\n" +
		"Content-Type: application/synthesis+ssml\r\nContent-Length: 8\r\n\r\n<speak/>",
		Message{Kind: Request, Name: "SPEAK", ID: 543257, Body: []byte("<speak/>")}},
	{"MRCP/1.0 543257 200 IN-PROGRESS\r\n\r\n", Message{Kind: Response, ID: 543257, Status: 200, State: InProgress}},
	{"SPEAK-COMPLETE 543257 COMPLETE MRCP/1.0\r\nCompletion-Cause: 000 normal\r\n\r\n",
		Message{Kind: Event, Name: "SPEAK-COMPLETE", ID: 543257, State: Complete}},
	{"START-OF-SPEECH 543259 IN-PROGRESS MRCP/1.0\r\nProxy-Sync-Id: 987654321\r\n\r\n",
		Message{Kind: Event, Name: "START-OF-SPEECH", ID: 543259, State: InProgress}},
	{"RECOGNITION-COMPLETE 543259 COMPLETE MRCP/1.0\r\nCompletion-Cause: 001 no-match\r\nContent-Type: application/x-nlsml\r\nContent-Length: 9\r\n\r\n<result/>",
		Message{Kind: Event, Name: "RECOGNITION-COMPLETE", ID: 543259, State: Complete, Body: []byte("<result/>")}},
	{"stop 543258 mrcp/1.0\n\n", Message{Kind: Request, Name: "STOP", ID: 543258}},
	{"MRCP/1.0 543258 COMPLETE 200\r\n\r\n", Message{Kind: Response, ID: 543258, Status: 200, State: Complete}},
	{"\r\nMRCP/1.0 1 200 COMPLETE\r\nActive-Request-Id-List: 543258\r\n", Message{Kind: Response, ID: 1, Status: 200, State: Complete}},
	{"MRCP/1.0 1 200 COMPLETE\r\nContent-Type: text/plain\r\n\r\nno length", Message{Kind: Response, ID: 1, Status: 200, State: Complete, Body: []byte("no length")}},
	{"MRCP/1.0 1 200 COMPLETE\r\n\r\n\r\n\r\n", Message{Kind: Response, ID: 1, Status: 200, State: Complete}},
}

func TestParseV1(t *testing.T) {
	for _, row := range wire1 {
		m, err := ParseV1([]byte(row.text))
		if err != nil {
			t.Errorf("%q: %v", row.text, err)
			continue
		}
		w := row.want
		if m.Kind != w.Kind || m.Name != w.Name || m.ID != w.ID || m.Status != w.Status || m.State != w.State || !bytes.Equal(m.Body, w.Body) {
			t.Errorf("%q: %+v", row.text, m)
		}
		again, err := ParseV1(m.AppendV1(nil))
		if err != nil || again.String() != m.String() || !bytes.Equal(again.Body, m.Body) {
			t.Errorf("%q written as %q: %v", row.text, m.AppendV1(nil), err)
		}
	}
	for _, bad := range []string{"", "\r\n", "SPEAK", "SPEAK 1", "SPEAK one MRCP/1.0\r\n\r\n", "MRCP/1.0 1 200\r\n\r\n", "MRCP/1.0 1 200 SOON\r\n\r\n",
		"SPEAK 1 HTTP/1.1\r\n\r\n", "MRCP/1.0 99999999999 200 COMPLETE\r\n\r\n"} {
		if m, err := ParseV1([]byte(bad)); err == nil {
			t.Errorf("%q read as %+v", bad, m)
		}
	}
}

// Every MRCP message in the captures is understood.
func TestCapturedV1(t *testing.T) {
	files, err := filepath.Glob("../testdata/captures/v1-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	seen := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if !strings.Contains(line, "MRCP/1.0") {
				continue
			}
			seen++
			if _, err := ParseV1([]byte(line + "\r\n\r\n")); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d messages seen", seen)
	}
}

// The words of MRCPv1, as UniMRCP's client writes them (v1-recog.txt, v1-params.txt).
func TestWordsOfV1(t *testing.T) {
	m := NewRequest(MethodRecognize, 2, "x@speechrecog")
	for _, f := range [][2]string{{HeaderCancelIfQueue, "false"}, {HeaderStartInputTimers, "true"}, {HeaderRecognitionMode, "hotword"},
		{HeaderConfidenceThreshold, "0.5"}, {HeaderSensitivityLevel, "0.53"}, {HeaderSpeedVsAccuracy, "1.0"}, {HeaderNBestListLength, "5"}} {
		m.Header.Add(f[0], f[1])
	}
	m.SetBody(TypeURIList, []byte("session:a\r\n"))
	want := "RECOGNIZE 2 MRCP/1.0\r\nRecognizer-Start-Timers: true\r\nConfidence-Threshold: 50\r\nSensitivity-Level: 53\r\nSpeed-Vs-Accuracy: 100\r\n" +
		"N-Best-List-Length: 5\r\nContent-Type: text/uri-list\r\nContent-Length: 11\r\n\r\nsession:a\r\n"
	if got := string(ToV1(m, Recognizer).AppendV1(nil)); got != want {
		t.Errorf("%q", got)
	}
	if len(m.Header) != 9 {
		t.Errorf("the original has %d fields", len(m.Header))
	}
	timers := ToV1(NewRequest(MethodStartInputTimers, 3, "x@speechrecog"), Recognizer)
	if timers.Name != "RECOGNITION-START-TIMERS" || FromV1(timers, Recognizer).Name != MethodStartInputTimers {
		t.Errorf("%s", timers.Name)
	}
	for v1, v2 := range map[string]int{"000 success": 0, "001 no-match": 1, "002 no-input-timeout": 2, "003 recognition-timeout": RecogNoMatchMaxtime,
		"004 gram-load-failure": RecogGrammarLoad, "007 speech-too-early": RecogTooEarly, "008 too-much-speech-timeout": RecogNoMatchMaxtime} {
		event := NewEvent(EventRecognitionComplete, 1, Complete, "")
		event.Header.Add(HeaderCompletionCause, v1)
		if cause, _ := FromV1(event, Recognizer).Cause(); cause.Code != v2 {
			t.Errorf("%s: %v", v1, cause)
		}
	}
	for code := range recogCauses {
		event := NewEvent(EventRecognitionComplete, 1, Complete, "")
		event.Header.Add(HeaderCompletionCause, RecogCause(code).String())
		if cause, known := ToV1(event, Recognizer).Cause(); !known || cause.Code > 10 || code == RecogSuccessMaxtime && cause.Code != 0 {
			t.Errorf("%v: %v", RecogCause(code), cause)
		}
	}
	params := &Message{Kind: Response, Header: Header{{"Confidence-Threshold", "40"}, {"Jump-Target", "-1 Word"}, {"Recognizer-Start-Timers", "true"}, {"Waveform-URL", "u"}}}
	back := FromV1(params, Recognizer).Header
	if back.Get(HeaderConfidenceThreshold) != "0.4" || back.Get(HeaderJumpSize) == "" || back.Get(HeaderStartInputTimers) != "true" || back.Get(HeaderWaveformURI) != "u" {
		t.Errorf("%v", back)
	}
}

func TestMarks(t *testing.T) {
	for value, want := range map[string]string{"": "", "timestamp=857206027059": "", "timestamp=857206027059;here": "here",
		"here": "here", `timestamp=1;"here"`: "here", "; ;x": "x"} {
		if got := Mark(value); got != want {
			t.Errorf("%q: %q", value, got)
		}
	}
	uri, size, duration := ResourceURI("<file://mediaserver/data/rec.pcm>;size=40480;duration=2530")
	if uri != "file://mediaserver/data/rec.pcm" || size != 40480 || duration.Milliseconds() != 2530 {
		t.Errorf("%s %d %v", uri, size, duration)
	}
	if uri, size, _ := ResourceURI("http://x/y;size=a"); uri != "http://x/y" || size != 0 {
		t.Errorf("%s %d", uri, size)
	}
}

func FuzzParseV1(f *testing.F) {
	for _, row := range wire1 {
		f.Add([]byte(row.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseV1(text)
		if err != nil {
			return
		}
		written := FromV1(ToV1(m, Recognizer), Recognizer).AppendV1(nil)
		if again, err := ParseV1(written); err != nil || again.ID != m.ID || again.Kind != m.Kind {
			t.Errorf("%q written as %q: %v", text, written, err)
		}
	})
}
