package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// captured are the messages of the captured exchanges, octet for octet.
func captured(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/captures/v2-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	mark := regexp.MustCompile(`(?m)^----- \+[0-9.]+s TCP .* \((\d+) bytes\)\n`)
	var messages []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range mark.FindAllSubmatchIndex(text, -1) {
			size, _ := strconv.Atoi(string(text[at[2]:at[3]]))
			head, rest, _ := strings.Cut(string(text[at[1]:]), "\n\n")
			head = strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n"
			messages = append(messages, head+rest[:size-len(head)])
		}
	}
	return messages
}

func read(t *testing.T, raw string) *Message {
	t.Helper()
	m, err := NewReader(strings.NewReader(raw), 0).Read()
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	return m
}

func TestCapturesRoundTripByteForByte(t *testing.T) {
	messages := captured(t)
	if len(messages) < 20 {
		t.Fatalf("only %d messages in the captures", len(messages))
	}
	for _, raw := range messages {
		if got := string(read(t, raw).Append(nil)); got != raw {
			t.Errorf("wrote\n%q\nread\n%q", got, raw)
		}
	}
}

func TestRFCExamplesAreUnderstood(t *testing.T) {
	examples := rfcExamples(t)
	if len(examples) != 151 {
		t.Fatalf("%d examples", len(examples))
	}
	spacing := regexp.MustCompile(`(?m)^([A-Za-z-]+):[ ]*`)
	for _, raw := range examples {
		m := read(t, raw)
		// The example of section 11.12 forgets its channel.
		if m.Channel() == "" && m.Name != "VERIFICATION-COMPLETE" || m.ID < 314161 || m.ID > 543266 {
			t.Errorf("channel %q, id %d in\n%s", m.Channel(), m.ID, raw)
		}
		head, body, _ := strings.Cut(raw, "\r\n\r\n")
		if string(m.Body) != body {
			t.Errorf("body\n%q\nwant\n%q", m.Body, body)
		}
		// Written again, the header differs only in spacing and folding.
		_, fields, _ := strings.Cut(head, "\r\n")
		fields = strings.ReplaceAll(fields, "\r\n ", " ")
		fields = spacing.ReplaceAllString(fields, "$1: ")
		written, _, _ := strings.Cut(string(m.Append(nil)), "\r\n\r\n")
		if _, got, _ := strings.Cut(written, "\r\n"); got != fields {
			t.Errorf("header\n%s\nwant\n%s", got, fields)
		}
	}
}

// Section 5.1 prints lengths: 877 with 661 of body, which leaves the last line end
// half outside, and 82 where 85 octets stand. Neither may disturb what follows.
func TestRFCPrintedLengths(t *testing.T) {
	examples := rfcExamples(t)
	stream := strings.NewReplacer("MRCP/2.0 878", "MRCP/2.0 877", "Content-Length:662", "Content-Length:661",
		"MRCP/2.0 85", "MRCP/2.0 82").Replace(strings.Join(examples[:3], ""))
	r := NewReader(strings.NewReader(stream), 0)
	var names []string
	for range 3 {
		m, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, m.String())
	}
	want := "INTERPRET 543266|543266 200 IN-PROGRESS|INTERPRETATION-COMPLETE 543266 COMPLETE"
	if got := strings.Join(names, "|"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestMessageLengthCountsItself(t *testing.T) {
	for size := range 1200 {
		m := NewEvent(EventSpeakComplete, 7, Complete, "a@speechsynth")
		m.SetBody(TypePlainText, bytes.Repeat([]byte("x"), size))
		raw := m.Append(nil)
		if got := strings.Fields(string(raw))[1]; got != strconv.Itoa(len(raw)) {
			t.Fatalf("body of %d: length %s of %d octets", size, got, len(raw))
		}
	}
}

func TestWriteReplacesStaleContentLength(t *testing.T) {
	m := NewRequest(MethodSpeak, 1, "a@speechsynth")
	m.Header.Add("content-length", "99999")
	m.Body = []byte("hello")
	back := read(t, string(m.Append(nil)))
	if string(back.Body) != "hello" || back.Header.Get(HeaderContentLength) != "5" {
		t.Errorf("%+v", back)
	}
	if got := strings.Fields(string(m.Append(nil)))[1]; got != strconv.Itoa(len(m.Append(nil))) {
		t.Errorf("message-length %s", got)
	}
}

func TestHeaderInjectionIsImpossible(t *testing.T) {
	m := NewRequest(MethodSpeak, 1, "a@speechsynth")
	m.Header.Add(HeaderVoiceName, "x\r\nVoice-Age: 3\r\n\r\nMRCP/2.0 20 STOP 2")
	if back := read(t, string(m.Append(nil))); len(back.Header) != 2 {
		t.Errorf("%+v", back.Header)
	}
}

func TestReaderTolerates(t *testing.T) {
	const tail = "\r\nChannel-Identifier: a@speechrecog\r\n\r\n"
	for _, row := range []struct{ name, raw, want string }{
		{"swapped status and state", "MRCP/2.0 78 2 COMPLETE 200" + tail, "2 200 COMPLETE"},
		{"status inside an event", "MRCP/2.0 99 INTERPRETATION-COMPLETE 5 200 COMPLETE" + tail, "INTERPRETATION-COMPLETE 5 COMPLETE"},
		{"status inside a request", "MRCP/2.0 99 STOP 5 200" + tail, "STOP 5"},
		{"lower case", "mrcp/2.0 99 speak-complete 5 complete" + tail, "SPEAK-COMPLETE 5 COMPLETE"},
		{"leading zeros", "MRCP/2.0 0000000099 STOP 0005" + tail, "STOP 5"},
		{"LF only", "MRCP/2.0 99 STOP 5\nChannel-Identifier: a@speechrecog\n\n", "STOP 5"},
		{"many spaces", "MRCP/2.0  99  STOP  5 " + tail, "STOP 5"},
		{"length too small", "MRCP/2.0 3 STOP 5" + tail, "STOP 5"},
		{"length too large", "MRCP/2.0 30000 STOP 5" + tail, "STOP 5"},
		{"state with resource", "MRCP/2.0 99 5 200 IN-PROGRESS@speechsynth" + tail, "5 200 IN-PROGRESS"},
		{"line without colon", "MRCP/2.0 99 STOP 5\r\nnonsense" + tail, "STOP 5"},
		{"junk before", "\r\n\r\nfoo bar\r\n</result>\r\nMRCP/2.0 99 STOP 5" + tail, "STOP 5"},
		{"largest id", "MRCP/2.0 99 STOP 4294967295" + tail, "STOP 4294967295"},
	} {
		m := read(t, row.raw)
		if m.String() != row.want || m.Channel() != "a@speechrecog" {
			t.Errorf("%s: %q on %q", row.name, m, m.Channel())
		}
	}
}

func TestReaderUnfoldsAndIgnoresCase(t *testing.T) {
	m := read(t, "MRCP/2.0 9 RECOGNITION-COMPLETE 5 COMPLETE\r\nchannel-identifier:c-1.2_x@speechrecog\r\n"+
		"Waveform-URI:<http://web/audio.wav>;\r\n\t size=1;duration=2\r\nVoice-Age:\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\n"+
		"COMPLETION-CAUSE: 1\r\n\r\n")
	if got := m.Header.Get("waveform-uri"); got != "<http://web/audio.wav>; size=1;duration=2" {
		t.Errorf("waveform %q", got)
	}
	if m.Channel() != "c-1.2_x@speechrecog" || Resource(m.Channel()) != Recognizer {
		t.Errorf("channel %q", m.Channel())
	}
	if !m.Header.Has("voice-age") || m.Header.Get("Voice-Age") != "" {
		t.Error("empty header lost")
	}
	if got := strings.Join(m.Header.Values("SET-COOKIE"), ","); got != "a=1,b=2" {
		t.Errorf("cookies %q", got)
	}
	if c, ok := m.Cause(); !ok || c.Code != RecogNoMatch {
		t.Errorf("cause %v %v", c, ok)
	}
}

func TestBodyWithoutContentLength(t *testing.T) {
	head := "MRCP/2.0 %d RECOGNITION-COMPLETE 5 COMPLETE\r\nChannel-Identifier: a@speechrecog\r\nContent-Type: text/plain\r\n\r\n"
	raw := fmt.Sprintf(head, 1000)
	raw = fmt.Sprintf(head, len(raw)+4) + "body"
	raw = strings.Replace(raw, "MRCP/2.0 ", "MRCP/2.0 0", 5-len(strconv.Itoa(len(raw)))) // pad to four digits
	if m := read(t, raw); string(m.Body) != "body" {
		t.Errorf("body %q", m.Body)
	}
}

func TestAnySegmentationReadsTheSame(t *testing.T) {
	stream := strings.Join(captured(t), "")
	whole := readAll(NewReader(strings.NewReader(stream), 0))
	bytewise := readAll(NewReader(iotest.OneByteReader(strings.NewReader(stream)), 0))
	if len(whole) != len(captured(t)) || strings.Join(whole, "\n") != strings.Join(bytewise, "\n") {
		t.Errorf("whole %d, bytewise %d messages", len(whole), len(bytewise))
	}
}

func readAll(r *Reader) []string {
	var all []string
	for {
		m, err := r.Read()
		var syntax *SyntaxError
		switch {
		case errors.As(err, &syntax):
			all = append(all, err.Error())
		case err != nil:
			return all
		default:
			all = append(all, string(m.Append(nil)))
		}
	}
}

func TestReaderRefusesAndGoesOn(t *testing.T) {
	const good = "MRCP/2.0 99 STOP 5\r\nChannel-Identifier: a@speechrecog\r\n\r\n"
	for _, bad := range []string{
		"MRCP/2.0 abc STOP 5", "MRCP/2.0 99 STOP 4294967296", "MRCP/2.0 99 STOP -1", "MRCP/2.0 99 STOP",
		"MRCP/2.0 99 5 200 SOMETHING", "MRCP/2.0 99 5 COMPLETE", "MRCP/2.0 99 5 200", "MRCP/x 99 STOP 5", "MRCP/",
	} {
		r := NewReader(strings.NewReader(bad+"\r\nContent-Length: 3\r\n\r\nxyz"+good), 0)
		_, err := r.Read()
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: %v", bad, err)
		}
		if m, err := r.Read(); err != nil || m.String() != "STOP 5" {
			t.Errorf("after %q: %v, %v", bad, m, err)
		}
	}
}

func TestReaderBounds(t *testing.T) {
	long := strings.Repeat("x", 2*maxHead)
	for name, raw := range map[string]string{
		"body":         "MRCP/2.0 99 SPEAK 5\r\nContent-Length: 5000\r\n\r\n",
		"huge body":    "MRCP/2.0 99 SPEAK 5\r\nContent-Length: 9223372036854775807\r\n\r\n",
		"length":       "MRCP/2.0 9999999999 SPEAK 5\r\nContent-Type: a/b\r\n\r\n",
		"start line":   "MRCP/2.0 " + long,
		"header":       "MRCP/2.0 99 SPEAK 5\r\nA: " + long,
		"header lines": "MRCP/2.0 99 SPEAK 5\r\n" + strings.Repeat("A: b\r\n", maxHead/4),
		"junk":         strings.Repeat("junk\r\n", 1000),
	} {
		m, err := NewReader(strings.NewReader(raw), 4096).Read()
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "body" && (m == nil || m.ID != 5) {
			t.Errorf("the head of a message too large is lost: %v", m)
		}
	}
}

func TestReaderAtEnd(t *testing.T) {
	for raw, want := range map[string]error{
		"":                           io.EOF,
		"MRCP/2.0 99 ST":             io.ErrUnexpectedEOF,
		"MRCP/2.0 99 STOP 5\r\n":     io.ErrUnexpectedEOF,
		"MRCP/2.0 99 STOP 5\r\nA: b": io.ErrUnexpectedEOF,
		"MRCP/2.0 9 S 5\r\nContent-Length: 4\r\n\r\nabc": io.ErrUnexpectedEOF,
	} {
		if _, err := NewReader(strings.NewReader(raw), 0).Read(); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", raw, err, want)
		}
	}
}

func TestValues(t *testing.T) {
	for v, want := range map[float64]string{0: "0.0", 1: "1.0", 0.5: "0.5", 0.531: "0.531", 100: "100.0"} {
		if got := Float(v); got != want {
			t.Errorf("Float(%v) = %q", v, got)
		}
	}
	ids := RequestIDs("1, 22 ,x,4294967295,")
	if FormatRequestIDs(ids) != "1,22,4294967295" {
		t.Errorf("ids %v", ids)
	}
	params := map[string]string{"confidencelevel": "500", "b.c": `say "hi"; \now`, "empty": "", "nl": "a\r\nb"}
	written := VendorParameters(params)
	if want := `b.c="say \"hi\"; \\now";confidencelevel=500;empty="";nl="a` + "\r\n" + `b"`; written != want {
		t.Errorf("vendor parameters %s", written)
	}
}

func TestCauses(t *testing.T) {
	if SpeakCause(SpeakBargeIn).String() != "001 barge-in" || RecogCause(RecogNoMatchMaxtime).String() != "015 no-match-maxtime" {
		t.Error(SpeakCause(SpeakBargeIn), RecogCause(RecogNoMatchMaxtime))
	}
	for value, want := range map[string]int{"000 success": 0, "15": 15, "002": 2, "": -1, "success": -1} {
		m := &Message{Header: Header{{HeaderCompletionCause, value}}}
		c, ok := m.Cause()
		if ok != (want >= 0) || ok && c.Code != want {
			t.Errorf("%q: %v %v", value, c, ok)
		}
	}
	if StatusText(StatusNotValidInState) == StatusText(999) {
		t.Error("status text")
	}
}

func FuzzReader(f *testing.F) {
	for _, m := range append(captured(f), rfcExamples(f)...) {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		whole := readAll(NewReader(bytes.NewReader(raw), 1<<16))
		bytewise := readAll(NewReader(iotest.OneByteReader(bytes.NewReader(raw)), 1<<16))
		if strings.Join(whole, "\x00") != strings.Join(bytewise, "\x00") {
			t.Error("segmentation changes the reading")
		}
		for _, m := range whole {
			if !strings.HasPrefix(m, Version) {
				continue
			}
			again, err := NewReader(strings.NewReader(m), 1<<20).Read()
			if err != nil {
				t.Fatalf("cannot read what was written: %v\n%q", err, m)
			}
			if got := string(again.Append(nil)); got != m {
				t.Errorf("unstable:\n%q\n%q", m, got)
			}
		}
	})
}
