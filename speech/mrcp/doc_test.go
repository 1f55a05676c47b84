package mrcp_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/wire"
)

// TestDocumentedHeaders holds the client to the table in the documentation: it sends
// the header fields that are in it, with the methods that are in it, and no others.
func TestDocumentedHeaders(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## Header fields")
	table, _, _ := strings.Cut(rest, "\n## ")
	documented := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || strings.Contains(cells[0], "Field") || strings.HasPrefix(cells[0], "---") {
			continue
		}
		for field := range strings.SplitSeq(cells[0], ",") {
			for method := range strings.SplitSeq(cells[1], ",") {
				documented[strings.TrimSpace(method)+" "+strings.TrimSpace(field)] = true
			}
		}
	}
	sent := everythingSent(t)
	for _, field := range slices.Sorted(maps.Keys(documented)) {
		if !sent[field] {
			t.Errorf("documented, and not sent: %s", field)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(sent)) {
		if !documented[field] {
			t.Errorf("sent, and not documented: %s", field)
		}
	}
}

// everythingSent is each field of each method of a session that does all that there is
// to do, but those of every message.
func everythingSent(t *testing.T) map[string]bool {
	ctx := testContext(t)
	server, client := newScriptedWith(t, mrcp.Config{
		Resources: []string{wire.Synthesizer, wire.Recognizer, wire.Recorder}, KeepAlive: 50 * time.Millisecond, Manners: mrcp.Manners{LoggingTag: "gvp"},
	}, func(m *wire.Message) string {
		switch m.Name {
		case wire.MethodRecognize, wire.MethodRecord:
			return recogStarted
		case wire.MethodSpeak:
			return inProgress
		case wire.MethodInterpret:
			return recogStarted + "MRCP/2.0 99 INTERPRETATION-COMPLETE {id} COMPLETE\r\nChannel-Identifier: {recog}\r\nCompletion-Cause: 001 no-match\r\n\r\n"
		case wire.MethodGetResult:
			return "MRCP/2.0 99 {id} 200 COMPLETE\r\nChannel-Identifier: {recog}\r\nCompletion-Cause: 001 no-match\r\n\r\n"
		}
		return success
	})
	server.records = true
	s := open(t, ctx, client, newCaller(t))
	doEverything(t, ctx, server, s)
	eventually(t, "something to keep the session alive", func() bool { return strings.Contains(server.methods(), wire.MethodGetParams) })
	sent := map[string]bool{}
	server.mu.Lock()
	defer server.mu.Unlock()
	for _, m := range server.requests {
		for _, f := range m.Header {
			switch f.Name {
			case wire.HeaderChannelIdentifier, wire.HeaderContentType, wire.HeaderContentLength:
			default:
				sent[m.Name+" "+f.Name] = true
			}
		}
	}
	return sent
}

func doEverything(t *testing.T, ctx context.Context, server *scripted, s speech.Session) {
	r := speech.Recognition{
		Grammars: []speech.Grammar{{ID: "g", Content: []byte("<grammar/>"), URI: "http://base/"}}, Language: "en-GB", NoInput: time.Minute,
		Complete: time.Second, Incomplete: time.Second, MaxSpeech: time.Minute, Confidence: 0.5, Sensitivity: 0.5, SpeedAccuracy: 0.5,
		NBest: 3, Hotword: true, StartTimers: true, Vendor: map[string]string{"k": "v"},
	}
	lexicon := speech.Lexicon{ID: "l", Content: []byte("<lexicon/>")}
	forgotten := speech.Lexicon{ID: "l", Forget: true}
	_, err := s.(speech.Interpreter).Interpret(ctx, "yes", r)
	if err = errors.Join(err, s.(speech.LexiconStore).DefineLexicon(ctx, lexicon), s.(speech.LexiconStore).DefineLexicon(ctx, forgotten)); err != nil {
		t.Fatal(err)
	}
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x"), Language: "en-GB", Voice: "Tom", NoBargeIn: true, Vendor: r.Vendor})
	if err != nil {
		t.Fatal(err)
	}
	err = sp.(speech.Steerable).Control(ctx, speech.Control{Jump: "+1 Second", Rate: "slow", Volume: "loud", Voice: "Tom"})
	if err = errors.Join(err, sp.Stop(ctx)); err != nil {
		t.Fatal(err)
	}
	if sp, err = s.Speak(ctx, speech.Utterance{SSML: ssml("x")}); err != nil {
		t.Fatal(err)
	}
	rec, err := s.Recognize(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	heard := result("Proxy-Sync-Id: 987\r\nCompletion-Cause: 000\r\n", `<result><interpretation><input>yes</input></interpretation></result>`)
	server.push(strings.ReplaceAll(heard, "{id}", server.last(wire.MethodRecognize)))
	wait(t, rec.Done(), "result")
	wait(t, sp.Done(), "barge-in")
	_, err = rec.(speech.Rereader).Reread(ctx, 0.5, 3)
	recording, failed := s.(speech.Recorder).Record(ctx, speech.RecordRequest{
		URI: "http://base/", MediaType: "audio/wav", NoInput: time.Minute, MaxTime: time.Minute, FinalSilence: time.Second,
		Sensitivity: 0.5, Vendor: r.Vendor,
	})
	if err = errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	if err := recording.Stop(ctx); err != nil {
		t.Error(err)
	}
}
