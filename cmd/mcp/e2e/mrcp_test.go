package e2e

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp/control/node"
	"mcp/control/node/speaking"
	"mcp/speech/mrcp/mrcptest"
)

// TestCausesBecomeEvents proves that what a speech server says went wrong becomes
// the event that VoiceXML names for it, with one line in the log, over either
// version of MRCP.
func TestCausesBecomeEvents(t *testing.T) {
	speaks := `<form><field name="f"><prompt>Hello there</prompt>` + dtmfGrammar + `</field></form>`
	listens := `<form><field name="f"><prompt>Well</prompt>` + voiceGrammar + `</field></form>`
	hastily := `<property name="timeout" value="10ms"/><property name="maxspeechtimeout" value="10ms"/><form><field name="f">` + voiceGrammar + `</field></form>`
	briefly := `<form><field name="f"><prompt>I</prompt>` + dtmfGrammar + `</field></form>`
	cases := map[string]struct{ body, fault, event string }{
		"document not understood":  {speaks, "SPEAK=cause:2", "error.semantic"},
		"document not fetched":     {speaks, "SPEAK=cause:3", "error.badfetch"},
		"voice broken":             {speaks, "SPEAK=cause:4", "error.noresource"},
		"language not spoken":      {speaks, "SPEAK=cause:5", "error.unsupported.language"},
		"grammar not loaded":       {listens, "RECOGNIZE=cause:4", "error.grammar"},
		"recognizer broken":        {listens, "RECOGNIZE=cause:6", "error.noresource"},
		"grammar not fetched":      {listens, "RECOGNIZE=cause:9", "error.badfetch"},
		"language not understood":  {listens, "RECOGNIZE=cause:10", "error.unsupported.language"},
		"grammar refused":          {listens, "DEFINE-GRAMMAR=status:407", "error.noresource"},
		"speech refused":           {speaks, "SPEAK=status:501", "error.noresource"},
		"outcome not known":        {listens, "RECOGNIZE=cause:77", "error.noresource"},
		"connection lost, MRCPv1":  {listens, "RECOGNIZE=drop", "error.noresource"},
		"grammar not used, MRCPv1": {listens, "RECOGNIZE=cause:5", "error.grammar"},
		"listens for ever":         {hastily, "RECOGNIZE=hang", "error.noresource"},
		"listens for ever, MRCPv1": {hastily, "RECOGNIZE=hang", "error.noresource"},
		"speaks for ever":          {briefly, "SPEAK=hang", "error.noresource"},
		"speaks for ever, MRCPv1":  {briefly, "SPEAK=hang", "error.noresource"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, server := newRig(t, func(cfg *node.Config) { cfg.Speech.MRCP.Timeout = 5e9 }), (*mrcptest.Server)(nil)
			if server = r.speech.server; strings.Contains(name, "MRCPv1") {
				r, server = newRigV1(t)
			}
			catching(r.pages, c.body)
			method, fault, err := mrcptest.ParseFault(c.fault)
			if err != nil {
				t.Fatal(err)
			}
			server.Fail(mrcptest.Faults{Methods: map[string]mrcptest.Fault{method: fault}})
			if _, err := r.call(t.Context(), "await"); err != nil {
				t.Fatal(err)
			}
			asked := r.pages.requests()
			if want := "/caught.vxml?event=" + c.event; asked[len(asked)-1] != want {
				t.Errorf("pages asked for: %v, want the last to be %s", asked, want)
			}
			r.toldOnce()
			r.nothingLeft()
		})
	}
}

// TestPagesGoOnWithAnotherServer proves that a server which fails, in whatever way,
// costs a page one event: its next turn has another server.
func TestPagesGoOnWithAnotherServer(t *testing.T) {
	for name, fault := range map[string]mrcptest.Fault{
		"drops the connection": {Drop: true}, "does not answer": {Silent: true}, "does nothing any more": {Hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spare := newSpeechEnd(t)
			r := newRig(t, func(cfg *node.Config) {
				// The spare one's turn comes first once in a million times.
				cfg.Speech.MRCP.Servers = []speaking.MRCPServer{{URI: cfg.Speech.MRCP.URI, Weight: 1e6}}
				cfg.Speech.MRCP.URI, cfg.Speech.MRCP.Timeout = spare.uri(), 2e9
			})
			r.speech.server.Fail(mrcptest.Faults{Methods: map[string]mrcptest.Fault{"RECOGNIZE": fault}})
			r.pages.page("/main.vxml", `<property name="maxspeechtimeout" value="1s"/><property name="timeout" value="1s"/>
				<form><field name="f">`+voiceGrammar+`
				<catch event="error.noresource"><prompt>Once more</prompt><reprompt/></catch><noinput><exit/></noinput>
				<filled><submit next="/got.vxml" namelist="f"/></filled></field></form>`)
			r.pages.page("/got.vxml", `<form><block><exit/></block></form>`)
			if _, err := r.call(t.Context(), "hear; listen; say yes; await"); err != nil {
				t.Fatal(err)
			}
			if asked := r.pages.requests(); asked[len(asked)-1] != "/got.vxml?f=yes" {
				t.Errorf("pages asked for: %v", asked)
			}
			if said := spare.engine.Said(); len(said) != 1 {
				t.Errorf("the other server said %q", said)
			}
			r.toldOnce()
			r.nothingLeft()
			await(t, "the other's sessions to end", func() bool { return spare.server.Sessions() == 0 })
		})
	}
}

// toldOnce checks that what went wrong with speech is in the log, once for each thing
// that failed: a lost connection ends the prompt and the recognition.
func (r *rig) toldOnce() {
	r.t.Helper()
	r.log.wait(r.t, "speech failed")
	for _, line := range r.log.lines("speech session lost") {
		if line["level"] != "DEBUG" {
			r.t.Errorf("told also as %v", line)
		}
	}
	told := map[any]bool{}
	for _, line := range r.log.lines("speech failed") {
		if told[line["doing"]] {
			r.t.Errorf("%v is in the log twice", line["doing"])
		}
		told[line["doing"]] = true
	}
}

// newRigV1 is a platform whose speech server speaks MRCPv1.
func newRigV1(t *testing.T, hears ...string) (*rig, *mrcptest.Server) {
	server, err := mrcptest.NewServer(mrcptest.Config{RTSP: true}, mrcptest.NewCanned(hears...), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return newRig(t, func(cfg *node.Config) { cfg.Speech.MRCP.URI = server.URI() }), server
}

// TestDialogueOverMRCPv1 proves that a page cannot tell the versions apart: it
// gets its answers, the N-best list and what was marked.
func TestDialogueOverMRCPv1(t *testing.T) {
	r, server := newRigV1(t, "yes|no")
	nbest(r.pages)
	if _, err := r.call(t.Context(), "hear; say yes; await"); err != nil {
		t.Fatal(err)
	}
	checkNBest(t, r)
	if n := server.Sessions(); n != 0 {
		t.Errorf("%d sessions left", n)
	}
	r.nothingLeft()
}

func TestMarksAndNBestReachThePage(t *testing.T) {
	r := newRig(t, nil)
	r.speech.engine.Hear("yes|no")
	nbest(r.pages)
	if _, err := r.call(t.Context(), "hear; say yes; await"); err != nil {
		t.Fatal(err)
	}
	checkNBest(t, r)
	r.nothingLeft()
}

// nbest is an application whose prompt has marks, which the caller cuts short, and
// that reports what it knows then.
func nbest(p *pages) {
	p.page("/main.vxml", `<form><property name="maxnbest" value="2"/>
		<field name="f"><prompt><mark name="begun"/>one two three four five six seven eight nine ten
			one two three four five six seven eight nine ten <mark name="never"/> done</prompt>`+voiceGrammar+`
		<filled><var name="n" expr="application.lastresult$.length"/><var name="second" expr="application.lastresult$[1].utterance"/>
			<var name="mark" expr="application.lastresult$.markname"/>
			<submit next="/got.vxml" namelist="f n second mark"/></filled></field></form>`)
	p.page("/got.vxml", `<form><block><exit/></block></form>`)
}

func checkNBest(t *testing.T, r *rig) {
	t.Helper()
	asked := r.pages.requests()
	if want := "/got.vxml?f=yes&n=2&second=no&mark=begun"; asked[len(asked)-1] != want {
		t.Errorf("pages asked for: %v, want the last to be %s", asked, want)
	}
}

// TestCallsDescribeTheirSessions proves that a Request-URI can name the session.xml
// of its call where that is allowed, that one which cannot be read costs the call its
// speech, and that elsewhere the name changes nothing.
func TestCallsDescribeTheirSessions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "session.xml")
	if err := os.WriteFile(file, []byte("<Own/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		allowed   []string
		url       string
		described string
		last      string // page
	}{
		"allowed":     {[]string{"vrm.nsssessionxml"}, "file://" + file, "<Own/>", "/main.vxml"},
		"not allowed": {nil, "file://" + file, "", "/main.vxml"},
		"missing":     {[]string{"vrm.*"}, "file://" + file + ".missing", "", "/caught.vxml?event=error.noresource"},
		"relative":    {[]string{"vrm.*"}, "file:session.xml", "", "/caught.vxml?event=error.noresource"},
		"elsewhere":   {[]string{"vrm.*"}, "http://web/session.xml", "", "/caught.vxml?event=error.noresource"},
		"no file":     {[]string{"vrm.*"}, "file:///dev/zero", "", "/caught.vxml?event=error.noresource"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(cfg *node.Config) { cfg.Speech.Overrides = c.allowed })
			catching(r.pages, `<form><field name="f"><prompt timeout="10ms">Hello</prompt>`+dtmfGrammar+`<noinput><exit/></noinput></field></form>`)
			target := strings.Replace(r.target(), ";", ";gvp.config.vrm.nsssessionxml="+c.url+";", 1)
			if _, err := r.callTo(t.Context(), target, "await"); err != nil {
				t.Fatal(err)
			}
			described := ""
			if len(r.speech.parts) > 0 {
				parts := r.speech.parts[0]
				if described = string(parts[len(parts)-1].Body); len(parts) == 1 {
					described = ""
				}
			}
			if described != c.described {
				t.Errorf("described as %q, want %q", described, c.described)
			}
			if asked := r.pages.requests(); asked[len(asked)-1] != c.last {
				t.Errorf("pages asked for: %v, want the last to be %s", asked, c.last)
			}
			if refused := len(r.log.lines("the call's session.xml is not among the overrides allowed")); refused > 0 != (c.allowed == nil) {
				t.Errorf("%d lines of a refused override", refused)
			}
			r.nothingLeft()
		})
	}
}
