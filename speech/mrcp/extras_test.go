package mrcp_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest"
	"mcp/speech/mrcp/wire"
)

func TestMarks(t *testing.T) { eachVersion(t, testMarks) }

func testMarks(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{})
	s := open(t, ctx, r.client, newCaller(t))
	var mu sync.Mutex
	var marks []string
	sp, err := s.Speak(ctx, speech.Utterance{SSML: `<speak version="1.0"><mark name="first"/>one<mark name="second"/>two</speak>`,
		Marked: func(mark string) { mu.Lock(); marks = append(marks, mark); mu.Unlock() }})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(marks, []string{"first", "second"}) || sp.Err() != nil {
		t.Errorf("%v, %v", marks, sp.Err())
	}
}

func TestSteering(t *testing.T) { eachVersion(t, testSteering) }

func testSteering(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{})
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml(strings.Repeat("word ", 100))})
	if err != nil {
		t.Fatal(err)
	}
	steer := sp.(speech.Steerable)
	eventually(t, "speech", func() bool { return len(far.heard()) > 2 })
	if err := steer.Pause(ctx); err != nil {
		t.Error(err)
	}
	held := len(far.heard())
	if err := errors.Join(steer.Resume(ctx), steer.Control(ctx, speech.Control{Jump: "-30 Second"})); err != nil {
		t.Error(err)
	}
	eventually(t, "more speech", func() bool { return len(far.heard()) > held+5 })
	if err := steer.Control(ctx, speech.Control{Jump: "+2 Paragraph"}); err == nil {
		t.Error("a jump that the server does not know passed for done")
	}
	if err := steer.Control(ctx, speech.Control{Jump: "+60 Second"}); err != nil {
		t.Error(err)
	}
	wait(t, sp.Done(), "end of speech")
	if err := steer.Pause(ctx); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("paused after the end: %v", err)
	}
}

func TestInterpretAndReread(t *testing.T) { eachVersion(t, testInterpretAndReread) }

func testInterpretAndReread(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{}, "yes|no|maybe")
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}, NBest: 2})
	if err != nil {
		t.Fatal(err)
	}
	far.say(t, s.Media().Addr, r.engine.Beeps(2))
	wait(t, rec.Done(), "result")
	first, err := rec.Result()
	if err != nil || len(first.Alternatives) != 2 || first.Alternatives[1].Utterance != "no" || first.Alternatives[1].Confidence != 0.7 {
		t.Errorf("%+v, %v", first, err)
	}
	again, err := rec.(speech.Rereader).Reread(ctx, 0.1, 5)
	if err != nil || len(again.Alternatives) != 3 || again.Alternatives[2].GrammarID != "yesno" {
		t.Errorf("%+v, %v", again, err)
	}
	if none, err := rec.(speech.Rereader).Reread(ctx, 0.95, 1); err != nil || none.Outcome != speech.NoMatch {
		t.Errorf("%+v, %v", none, err)
	}
	if v == version1 {
		return // MRCPv1 has no INTERPRET
	}
	meaning, err := s.(speech.Interpreter).Interpret(ctx, "yes please", speech.Recognition{Grammars: []speech.Grammar{yesNo()}})
	if err != nil || meaning.Outcome != speech.Match || meaning.Alternatives[0].Utterance != "yes please" || meaning.Alternatives[0].GrammarID != "yesno" {
		t.Errorf("%+v, %v", meaning, err)
	}
}

// A recorder is added to the session when it is first needed.
func TestRecord(t *testing.T) {
	ctx := testContext(t)
	r := newRig(t, mrcp.Config{}, "yes")
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	recorder := s.(speech.Recorder)
	rec, err := recorder.Record(ctx, speech.RecordRequest{FinalSilence: 200 * time.Millisecond, StartTimers: true, OnSpeech: true})
	if err != nil {
		t.Fatal(err)
	}
	far.say(t, s.Media().Addr, r.engine.Beeps(2))
	wait(t, rec.Started(), "start of input")
	wait(t, rec.Done(), "recording")
	checkRecorded(t, rec, 200*time.Millisecond)
	quiet, err := recorder.Record(ctx, speech.RecordRequest{NoInput: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := quiet.StartTimers(ctx); err != nil {
		t.Error(err)
	}
	wait(t, quiet.Done(), "end of waiting")
	if recorded, err := quiet.Recorded(); err != nil || !recorded.NoInput || recorded.URI != "" {
		t.Errorf("%+v, %v", recorded, err)
	}
	stopped, err := recorder.Record(ctx, speech.RecordRequest{})
	if err != nil {
		t.Fatal(err)
	}
	far.say(t, s.Media().Addr, r.engine.Beeps(1))
	if _, err := recorder.Record(ctx, speech.RecordRequest{}); err == nil {
		t.Error("two recordings at a time")
	}
	if err := stopped.Stop(ctx); err != nil {
		t.Error(err)
	}
	checkRecorded(t, stopped, 0)
	if refused, err := recorder.Record(ctx, speech.RecordRequest{URI: "http://elsewhere/x.wav", MaxTime: 100 * time.Millisecond}); err == nil {
		wait(t, refused.Done(), "end")
		if _, err := refused.Recorded(); !errors.Is(err, speech.ErrFetch) {
			t.Errorf("recorded elsewhere: %v", err)
		}
	}
}

func checkRecorded(t *testing.T, rec speech.Recording, atLeast time.Duration) {
	t.Helper()
	recorded, err := rec.Recorded()
	if err != nil || recorded.Duration < atLeast || recorded.NoInput {
		t.Errorf("%+v, %v", recorded, err)
	}
	path := strings.TrimPrefix(recorded.URI, "file://")
	info, err := os.Stat(path)
	if err != nil || info.Size() != recorded.Size {
		t.Errorf("%+v: %v", recorded, err)
	}
	_ = os.Remove(path)
}

func TestParamsAndLexicons(t *testing.T) { eachVersion(t, testParamsAndLexicons) }

func testParamsAndLexicons(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{})
	s := open(t, ctx, r.client, newCaller(t))
	tuner := s.(speech.Tuner)
	if err := tuner.SetParams(ctx, wire.Recognizer, map[string]string{"Confidence-Threshold": "0.25", "N-Best-List-Length": "4"}); err != nil {
		t.Fatal(err)
	}
	params, err := tuner.Params(ctx, wire.Recognizer, "Confidence-Threshold", "N-Best-List-Length")
	if err != nil || params["Confidence-Threshold"] != "0.25" || params["N-Best-List-Length"] != "4" {
		t.Errorf("%v, %v", params, err)
	}
	var failure *mrcp.Failure
	if err := tuner.SetParams(ctx, wire.Recognizer, map[string]string{"Confidence-Threshold": "lots"}); !errors.As(err, &failure) || failure.Status != 404 {
		t.Errorf("%v", err)
	}
	lexicons := s.(speech.LexiconStore)
	if err := lexicons.DefineLexicon(ctx, speech.Lexicon{ID: "names", Content: []byte(`<lexicon/>`)}); err != nil {
		t.Error(err)
	}
	if err := lexicons.DefineLexicon(ctx, speech.Lexicon{ID: "names", Forget: true}); err != nil {
		t.Error(err)
	}
	if err := lexicons.DefineLexicon(ctx, speech.Lexicon{ID: "names", Content: []byte(`<lexicon`)}); !errors.Is(err, speech.ErrFetch) {
		t.Errorf("%v", err)
	}
}

// A session is opened with what it is first used for, and the rest when it is.
func TestResourcesWhenNeeded(t *testing.T) { eachVersion(t, testResourcesWhenNeeded) }

func testResourcesWhenNeeded(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{Resources: []string{wire.Recognizer}}, "yes")
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("one two three")})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	far.say(t, s.Media().Addr, r.engine.Beeps(2))
	wait(t, rec.Done(), "result")
	if result, err := rec.Result(); err != nil || result.Outcome != speech.Match {
		t.Errorf("%+v, %v", result, err)
	}
}

// A recognizer that nobody uses is given back while the synthesizer speaks, comes
// back when it is needed, and in the end the whole session goes.
func TestIdleResourcesAreReturned(t *testing.T) {
	ctx := testContext(t)
	r := newRig(t, mrcp.Config{Idle: 200 * time.Millisecond})
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml(strings.Repeat("word ", 15))})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the recognizer to be given back", func() bool { return !r.dialer.Has(wire.Recognizer) })
	if !r.dialer.Has(wire.Synthesizer) {
		t.Error("the synthesizer was given back, too")
	}
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	if sp.Err() != nil {
		t.Error(sp.Err())
	}
	if err := rec.Stop(ctx); err != nil {
		t.Error(err)
	}
	wait(t, s.Done(), "end of the session")
	if stats := r.client.Stats(); stats.Idle != 1 || stats.Lost != 0 {
		t.Errorf("%+v", stats)
	}
	if _, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")}); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// A session that is silent is kept alive; a server that does not answer that is
// left in peace, and the session goes on.
func TestKeepAlive(t *testing.T) { eachVersion(t, testKeepAlive) }

func testKeepAlive(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{KeepAlive: 20 * time.Millisecond, ResponseTimeout: 2 * time.Second})
	s := open(t, ctx, r.client, newCaller(t))
	eventually(t, "three keep-alives", func() bool { return r.client.Stats().Requests >= 3 })
	r.server.Fail(mrcptest.Faults{Silent: []string{wire.MethodGetParams}})
	eventually(t, "one not answered", func() bool { return r.client.Stats().Timeouts > 0 })
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	if stats := r.client.Stats(); stats.Lost != 0 {
		t.Errorf("%+v", stats)
	}
}

// What a kind of servers wants is sent to them, and nothing else is.
func TestManners(t *testing.T) {
	ctx := testContext(t)
	server, client := newScriptedWith(t, mrcp.Config{Manners: mrcp.Manners{
		NoLanguage: true, NoHotword: true, Percent: true, RepeatedURIs: true, NumberedGrammars: true, LoggingTag: "tag-{call}",
		SpeedVsAccuracy: "swirec_speed", Vendor: map[string]string{"a": "1"}, VendorSpeech: map[string]string{"b": "2"}}},
		func(m *wire.Message) string {
			switch m.Name {
			case wire.MethodRecognize:
				return recogStarted + result("Completion-Cause: 001\r\n", "")
			case wire.MethodDefineGrammar:
				return defined
			case wire.MethodSpeak:
				return inProgress + spoken
			}
			return strings.ReplaceAll(success, "{synth}", m.Channel())
		})
	s, err := client.OpenFor(ctx, newCaller(t).media(), speech.Particulars{Call: "7"})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x"), Language: "de-DE"})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	web := speech.Grammar{URI: "http://web/g"}
	rec, err := s.Recognize(ctx, speech.Recognition{Hotword: true, Confidence: 0.4, SpeedAccuracy: 0.3, Grammars: []speech.Grammar{yesNo(), web, web}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, rec.Done(), "result")
	server.mu.Lock()
	defer server.mu.Unlock()
	var all strings.Builder
	for _, m := range server.requests {
		all.WriteString(string(m.Append(nil)))
	}
	for _, want := range []string{"SET-PARAMS 1", "SET-PARAMS 2", "Logging-Tag: tag-7", "Vendor-Specific-Parameters: b=2", "Content-Id: <grammar1@",
		"Confidence-Threshold: 40.0", "Vendor-Specific-Parameters: a=1;swirec_speed=0.3", "session:grammar1@mcp.store\r\nhttp://web/g\r\nhttp://web/g\r\n"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("not sent: %s", want)
		}
	}
	for _, never := range []string{"Speech-Language", "Recognition-Mode", "Speed-Vs-Accuracy"} {
		if strings.Contains(all.String(), never) {
			t.Errorf("sent: %s", never)
		}
	}
}

// MRCPv1 has vendor parameters in SET-PARAMS alone, which goes before the request.
func TestVendorParametersOfV1(t *testing.T) {
	ctx := testContext(t)
	r := version1.newRig(t, mrcp.Config{Manners: mrcp.Manners{Vendor: map[string]string{"swirec_x": "1"}}})
	s := open(t, ctx, r.client, newCaller(t))
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}, Vendor: map[string]string{"y": "a b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.Stop(ctx); err != nil {
		t.Error(err)
	}
	params, err := s.(speech.Tuner).Params(ctx, wire.Recognizer, wire.HeaderVendorSpecific)
	if err != nil || params[wire.HeaderVendorSpecific] != `swirec_x=1;y="a b"` {
		t.Errorf("%v, %v", params, err)
	}
}

// Sessions are spread over the servers that are up; one that fails is left alone
// until it is found again.
func TestFailOver(t *testing.T) {
	ctx := testContext(t)
	r, spare := newRigWithSpare(t, mrcp.Config{Servers: []mrcp.Server{{URI: "sip:first"}, {URI: "sip:second", Weight: 2}},
		HealthInterval: 20 * time.Millisecond, ResponseTimeout: 5 * time.Second})
	far := newCaller(t)
	share := func(n int) (first, second int) {
		t.Helper()
		var all []speech.Session
		for range n {
			all = append(all, open(t, ctx, r.client, far))
		}
		first, second = r.server.Sessions(), spare.server.Sessions()
		for _, s := range all {
			if err := s.Close(ctx); err != nil {
				t.Error(err)
			}
		}
		return first, second
	}
	if first, second := share(40); first == 0 || second == 0 || first+second != 40 {
		t.Errorf("%d and %d sessions", first, second)
	}
	r.server.Fail(mrcptest.Faults{Refuse: true})
	if first, second := share(10); first != 0 || second != 10 {
		t.Errorf("one down: %d and %d sessions", first, second)
	}
	eventually(t, "the probe to see it", func() bool { return r.client.Stats().ServersDown == 1 })
	r.server.Fail(mrcptest.Faults{})
	eventually(t, "the probe to find it", func() bool { return r.client.Stats().ServersDown == 0 })
	spare.server.Fail(mrcptest.Faults{Refuse: true})
	r.server.Fail(mrcptest.Faults{Refuse: true})
	if _, err := r.client.Open(ctx, far.media()); !errors.Is(err, speech.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), "sip:second") {
		t.Errorf("all down: %v", err)
	}
	r.server.Fail(mrcptest.Faults{})
	spare.server.Fail(mrcptest.Faults{})
}

// A server that takes its time, or answers nonsense, costs what it costs: the
// session, and not those beside it.
func TestWrongAnswers(t *testing.T) { eachVersion(t, testWrongAnswers) }

func testWrongAnswers(t *testing.T, v version) {
	ctx := testContext(t)
	for text, check := range map[string]func(error) bool{
		"SPEAK=slow:150ms": func(err error) bool { return err == nil },
		"SPEAK=status:402": func(err error) bool { var f *mrcp.Failure; return errors.As(err, &f) && f.Status == 402 },
		"SPEAK=cause:5":    func(err error) bool { return errors.Is(err, speech.ErrLanguage) },
		"SPEAK=cause:77":   func(err error) bool { return err != nil && !errors.Is(err, speech.ErrUnavailable) },
		"SPEAK=silent": func(err error) bool {
			return errors.Is(err, mrcp.ErrUnanswered) && errors.Is(err, speech.ErrUnavailable)
		},
		"SPEAK=drop": func(err error) bool { return errors.Is(err, speech.ErrUnavailable) },
	} {
		r := v.newRig(t, mrcp.Config{ResponseTimeout: time.Second})
		method, fault, err := mrcptest.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		r.server.Fail(mrcptest.Faults{Methods: map[string]mrcptest.Fault{method: fault}})
		s := open(t, ctx, r.client, newCaller(t))
		sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
		if err == nil {
			wait(t, sp.Done(), "speech")
			err = sp.Err()
		}
		if !check(err) {
			t.Errorf("%s: %v", text, err)
		}
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "SPEAK", "SPEAK=", "SPEAK=loud", "SPEAK=slow:-1s", "SPEAK=status:7", "SPEAK=cause:x", "=drop"} {
		if _, _, err := mrcptest.ParseFault(bad); err == nil {
			t.Errorf("%q is taken for a fault", bad)
		}
	}
}
