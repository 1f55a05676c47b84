package e2e

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"mcp/control/node"
	"mcp/control/node/speaking"
	"mcp/speech/google/googletest"
	"mcp/speech/speechtest"
)

// withGoogle adds Google's stand-in as an engine.
func withGoogle(t *testing.T, hears ...string) (*googletest.Server, speechtest.Canned, func(*node.Config)) {
	t.Helper()
	canned := speechtest.NewCanned(hears...)
	server, err := googletest.NewServer(googletest.Config{Pause: 400 * time.Millisecond}, canned, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, canned, func(c *node.Config) {
		c.Speech.Google = speaking.Google{
			Enabled: true, Insecure: true, TTSEndpoint: server.Addr(), ASREndpoint: server.Addr(), Budget: 2 * time.Second,
		}
	}
}

const viaGoogle = `<property name="com.genesyslab.asrengine" value="google"/><property name="com.genesyslab.ttsengine" value="google"/>`

// TestOneDialogueOnEveryEngine has the same page run on the speech server, on Google,
// and on each for one half.
func TestOneDialogueOnEveryEngine(t *testing.T) {
	tests := []struct{ name, asr, tts string }{
		{"mrcp", "mrcp", "mrcp"}, {"google", "google", "google"},
		{"spoken by google", "mrcp", "google"}, {"heard by google", "google", "mrcp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server, canned, add := withGoogle(t, "Yes.")
			r := newRig(t, func(c *node.Config) { add(c); c.Speech.ASR, c.Speech.TTS = tt.asr, tt.tts })
			asking(r.pages)
			summary, err := r.call(t.Context(), "listen; say yes; listen; dtmf 2749; await")
			if err != nil {
				t.Fatal(err)
			}
			if faults := summary.Received.Faults(); len(faults) > 0 || summary.EndedBy != "platform" {
				t.Errorf("what the caller received: %v; ended by %s", faults, summary.EndedBy)
			}
			want := []string{"/main.vxml", "/digits.vxml?answer=yes", "/bye.vxml?pin=2749"}
			if got := r.pages.requests(); !slices.Equal(got, want) {
				t.Errorf("pages asked for: %v, want %v", got, want)
			}
			said, byServer := canned.Said(), r.speech.engine.Said()
			if tt.tts == "mrcp" {
				said, byServer = byServer, said
			}
			if !slices.Equal(said, []string{"Is it you", "Your four digits", "Good bye then"}) || len(byServer) > 0 {
				t.Errorf("said %q, and by the other %q", said, byServer)
			}
			if n := len(server.Recognized()); n != map[string]int{"google": 1}[tt.asr] {
				t.Errorf("google recognized %d times", n)
			}
			if rec := r.record(1); rec.Speech == nil || rec.Speech.Matches != 1 || rec.Speech.Syntheses != 3 {
				t.Errorf("record: %+v", rec.Speech)
			}
			r.nothingLeft()
			await(t, "google's streams to end", func() bool { return server.Streams() == 0 })
		})
	}
}

// TestTranscriptsMustBelongToAGrammar proves that what Google writes down is read by
// the page's grammars, in whatever way it writes it.
func TestTranscriptsMustBelongToAGrammar(t *testing.T) {
	server, _, add := withGoogle(t, "Maybe.", "2 0 79")
	r := newRig(t, func(c *node.Config) { add(c); c.Speech.MRCP.URI = "" })
	r.pages.page("/main.vxml", viaGoogle+`<form><field name="code">
		<grammar type="application/srgs+xml" version="1.0" mode="voice" root="r" xml:lang="en-US">
			<rule id="r"><item repeat="4"><ruleref uri="#d"/></item><tag>out = 'the code'</tag></rule>
			<rule id="d"><one-of><item>zero</item><item>two</item><item>seven</item><item>nine</item></one-of></rule></grammar>
		<prompt>Which code</prompt>
		<nomatch><prompt>Once more</prompt></nomatch>
		<filled><submit next="/end.vxml" namelist="code"/></filled></field></form>`)
	r.pages.page("/end.vxml", `<form><block><disconnect/></block></form>`)
	if _, err := r.call(t.Context(), "listen; say maybe; listen; say two oh seven nine; await"); err != nil {
		t.Fatal(err)
	}
	if asked := r.pages.requests(); asked[len(asked)-1] != "/end.vxml?code=the+code" && asked[len(asked)-1] != "/end.vxml?code=the%20code" {
		t.Errorf("pages asked for: %v", asked)
	}
	phrases := server.Recognized()[0].GetConfig().GetAdaptation().GetPhraseSets()[0].GetPhrases()
	var hints []string
	for _, p := range phrases {
		hints = append(hints, p.GetValue())
	}
	if want := []string{"zero", "two", "seven", "nine"}; !slices.Equal(hints, want) {
		t.Errorf("hints: %q", hints)
	}
	r.nothingLeft()
}

// TestGooglesPromptsAreInterrupted by voice and by key, like anybody's.
func TestGooglesPromptsAreInterrupted(t *testing.T) {
	for name, c := range map[string]struct{ grammar, script, query string }{
		"by voice": {voiceGrammar, "hear; say yes; await", "f=yes"},
		"by key":   {dtmfGrammar, "hear; dtmf 1234; await", "f=1234"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, add := withGoogle(t, "yes")
			r := newRig(t, func(c *node.Config) { add(c); c.Speech.MRCP.URI = "" })
			r.pages.page("/main.vxml", viaGoogle+`<form><field name="f"><prompt>`+long+`</prompt>`+c.grammar+
				`<filled><submit next="/end.vxml" namelist="f"/></filled></field></form>`)
			r.pages.page("/end.vxml", viaGoogle+`<form><block><prompt>Bye then</prompt><disconnect/></block></form>`)
			summary, err := r.call(t.Context(), c.script)
			if err != nil {
				t.Fatal(err)
			}
			if heard := heardFor(summary); heard > 3*time.Second {
				t.Errorf("the caller heard the prompt for %v", heard)
			}
			if faults := summary.Received.Faults(); len(faults) > 0 {
				t.Error(faults)
			}
			if asked := r.pages.requests(); !strings.HasSuffix(asked[len(asked)-1], c.query) {
				t.Errorf("pages asked for: %v", asked)
			}
			r.nothingLeft()
		})
	}
}

// TestEventsOfGooglesFailures proves that what fails is the event that the page can
// catch, a class that is counted, and one line in the log.
func TestEventsOfGooglesFailures(t *testing.T) {
	speaks := viaGoogle + `<form><field name="f"><prompt>Hello there</prompt>` + dtmfGrammar + `</field></form>`
	listens := viaGoogle + `<form><field name="f">` + voiceGrammar + `</field></form>`
	refuse := func(code codes.Code, text string) googletest.Faults {
		return googletest.Faults{Refuse: -1, Code: code, Text: text}
	}
	cases := map[string]struct {
		body         string
		faults       googletest.Faults
		change       func(*node.Config)
		event, class string
	}{
		"unreachable":        {speaks, googletest.Faults{}, func(c *node.Config) { c.Speech.Google.TTSEndpoint = "127.0.0.1:1" }, "error.noresource", "tts"},
		"does not speak":     {speaks, refuse(codes.Unavailable, ""), nil, "error.noresource", "tts"},
		"does not answer":    {speaks, googletest.Faults{Silent: true}, nil, "error.noresource", "tts"},
		"refuses us":         {speaks, refuse(codes.Unauthenticated, ""), nil, "error.noresource", "google_credential"},
		"knows no language":  {speaks, refuse(codes.InvalidArgument, "bad language code"), nil, "error.unsupported.language", "config"},
		"does not listen":    {listens, refuse(codes.Unavailable, ""), nil, "error.noresource", "recognize_start"},
		"stops in mid-word":  {listens, googletest.Faults{Cut: true}, nil, "error.noresource", "recognize"},
		"engine not there":   {`<property name="com.genesyslab.asrengine" value="other"/><form><field name="f">` + voiceGrammar + `</field></form>`, googletest.Faults{}, nil, "error.noresource", ""},
		"property no number": {`<property name="com.genesyslab.tts.rate" value="fast"/>` + speaks, googletest.Faults{}, nil, "error.noresource", "config"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _, add := withGoogle(t, "yes")
			r := newRig(t, func(cfg *node.Config) {
				add(cfg)
				cfg.Speech.Google.Budget, cfg.Speech.MRCP.URI = 300*time.Millisecond, ""
				if c.change != nil {
					c.change(cfg)
				}
			})
			catching(r.pages, c.body)
			server.Fail(c.faults)
			script := "await"
			if c.faults.Cut {
				script = strings.Repeat("say yes; wait 1s; ", 30) + "await" // until the page listens
			}
			if _, err := r.call(t.Context(), script); err != nil && !strings.Contains(err.Error(), "hung up") {
				t.Fatal(err)
			}
			asked := r.pages.requests()
			if want := "/caught.vxml?event=" + c.event; asked[len(asked)-1] != want {
				t.Errorf("pages asked for: %v, want the last to be %s", asked, want)
			}
			if lines := r.log.lines("speech failed"); len(lines) != 1 {
				t.Errorf("%d log lines: %v", len(lines), lines)
			}
			if metric := `mcp_speech_google_errors_total{class="` + c.class + `",engine="google"}`; c.class != "" && r.metric(metric) != "1" {
				t.Errorf("%s is %s", metric, r.metric(metric))
			}
			r.nothingLeft()
			await(t, "google's streams to end", func() bool { return server.Streams() == 0 })
		})
	}
}
