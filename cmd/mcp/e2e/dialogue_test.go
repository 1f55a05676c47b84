package e2e

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mcp/control/node"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/speech/mrcp/mrcptest"
)

// voiceGrammar is a field's speech grammar.
const voiceGrammar = `<grammar type="application/srgs+xml" version="1.0" mode="voice" root="r" xml:lang="en-US">
	<rule id="r" scope="public"><one-of><item>yes</item><item>no</item></one-of></rule></grammar>`

const dtmfGrammar = `<grammar type="application/srgs+xml" version="1.0" mode="dtmf" root="d">
	<rule id="d" scope="public"><item repeat="4"><one-of>` +
	`<item>0</item><item>1</item><item>2</item><item>3</item><item>4</item><item>5</item><item>6</item><item>7</item><item>8</item><item>9</item>` +
	`</one-of></item></rule></grammar>`

// asking is an application that speaks, listens, takes digits and hangs up.
func asking(p *pages) {
	p.page("/main.vxml", `<form>
		<field name="answer"><prompt>Is it you</prompt>`+voiceGrammar+`
			<filled><submit next="/digits.vxml" namelist="answer"/></filled></field></form>`)
	p.page("/digits.vxml", `<form>
		<field name="pin"><prompt>Your four digits</prompt>`+dtmfGrammar+`
			<filled><submit next="/bye.vxml" namelist="pin"/></filled></field></form>`)
	p.page("/bye.vxml", `<form><block><prompt>Good bye then</prompt><disconnect/></block></form>`)
}

func TestSpokenAndKeyedDialogue(t *testing.T) {
	r := newRig(t, nil)
	asking(r.pages)
	summary, err := r.call(t.Context(), "listen; say yes; listen; dtmf 2749; await")
	if err != nil {
		t.Fatal(err)
	}
	if faults := summary.Received.Faults(); len(faults) > 0 || summary.EndedBy != "platform" {
		t.Errorf("what the caller received: %v; ended by %s", faults, summary.EndedBy)
	}
	want := []string{"/main.vxml", "/digits.vxml?answer=yes", "/bye.vxml?pin=2749"}
	got := r.pages.requests()
	for i := range got {
		got[i] = strings.NewReplacer("%20", "", "+", "").Replace(got[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages asked for: %v, want %v", got, want)
	}
	said := []string{"Is it you", "Your four digits", "Good bye then"}
	if !slices.Equal(r.speech.engine.Said(), said) {
		t.Errorf("said %q, want %q", r.speech.engine.Said(), said)
	}
	rec := r.record(1)
	if rec.End.Cause != reporting.Disconnected || rec.Speech == nil || rec.Speech.Matches != 1 || rec.Speech.Syntheses != 3 {
		t.Errorf("record: end %+v, speech %+v", rec.End, rec.Speech)
	}
	r.nothingLeft()
}

func TestBuiltinApplicationNeedsNoSpeechServer(t *testing.T) {
	r := newRig(t, func(c *node.Config) {
		c.Application.Default = ""
		c.Speech.MRCP.URI = ""
	})
	summary, err := r.call(t.Context(), "listen; dtmf 47#; listen; dtmf 2; await")
	if err != nil {
		t.Fatal(err)
	}
	if faults := summary.Received.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	if rec := r.record(1); rec.End.Cause != reporting.Disconnected {
		t.Errorf("record: %+v", rec.End)
	}
	r.nothingLeft()
}

// TestApplicationsThatCannotStart proves that a call is refused, not answered,
// when its first page cannot be had (RFC 5552 section 2.2).
func TestApplicationsThatCannotStart(t *testing.T) {
	cases := map[string]struct {
		publish func(*pages)
		change  func(*node.Config)
		says    string
	}{
		"missing page":     {says: "error.badfetch.http.404"},
		"server error":     {publish: func(p *pages) { p.handle("/main.vxml", status(503)) }, says: "error.badfetch.http.503"},
		"malformed page":   {publish: func(p *pages) { p.page("/main.vxml", `<form><block>`) }, says: "error.badfetch"},
		"unknown element":  {publish: func(p *pages) { p.page("/main.vxml", `<form><frob/></form>`) }, says: "frob"},
		"unreachable":      {change: func(c *node.Config) { c.Application.Default = "http://127.0.0.1:1/x.vxml" }, says: "error.badfetch"},
		"scheme not known": {change: func(c *node.Config) { c.Application.Default = "gopher://127.0.0.1/x" }, says: "error.unsupported.uri"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.change)
			if c.publish != nil {
				c.publish(r.pages)
			}
			_, err := r.call(t.Context(), "await")
			var rejected *sip.RejectedError
			if !errors.As(err, &rejected) || rejected.Status != 500 {
				t.Fatalf("got %v, want 500", err)
			}
			rec := r.record(1)
			if rec.End.Cause != reporting.ApplicationError || !strings.Contains(rec.End.Error, c.says) {
				t.Errorf("record: %+v, want it to say %q", rec.End, c.says)
			}
			if line := r.log.wait(t, "call ended"); line["call"] != rec.ID {
				t.Errorf("log line of the end: %v", line)
			}
			r.nothingLeft()
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// catching is an application that tells which event it caught.
func catching(p *pages, body string) {
	p.page("/main.vxml", `<catch event="error">
		<var name="event" expr="_event"/><submit next="/caught.vxml" namelist="event"/></catch>`+body)
	p.page("/caught.vxml", `<form><block><exit/></block></form>`)
}

// TestEventsOfFailures proves that what fails in mid-call becomes the event that
// VoiceXML names for it, which the page can catch.
func TestEventsOfFailures(t *testing.T) {
	speaks := `<form><field name="f"><prompt>Hello there</prompt>` + dtmfGrammar + `</field></form>`
	listens := `<form><field name="f"><prompt>Well</prompt>` + voiceGrammar + `</field></form>`
	cases := map[string]struct {
		body   string
		faults mrcptest.Faults
		event  string
	}{
		"speech server refuses":     {speaks, mrcptest.Faults{Refuse: true}, "error.noresource"},
		"dies before it speaks":     {speaks, mrcptest.Faults{Drop: []string{"SPEAK"}}, "error.noresource"},
		"dies before it listens":    {listens, mrcptest.Faults{Drop: []string{"RECOGNIZE"}}, "error.noresource"},
		"never answers a SPEAK":     {speaks, mrcptest.Faults{Silent: []string{"SPEAK"}}, "error.noresource"},
		"never answers a RECOGNIZE": {listens, mrcptest.Faults{Silent: []string{"RECOGNIZE"}}, "error.noresource"},
		"script error":              {`<form><block><assign name="x" expr="nowhere.to"/></block></form>`, mrcptest.Faults{}, "error.semantic"},
		"next page missing":         {`<form><block><goto next="/none.vxml"/></block></form>`, mrcptest.Faults{}, "error.badfetch.http.404"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(cfg *node.Config) { cfg.Speech.MRCP.Timeout = 1e9 })
			catching(r.pages, c.body)
			r.speech.server.Fail(c.faults)
			if _, err := r.call(t.Context(), "await"); err != nil {
				t.Fatal(err)
			}
			asked := r.pages.requests()
			if want := "/caught.vxml?event=" + c.event; asked[len(asked)-1] != want {
				t.Errorf("pages asked for: %v, want the last to be %s", asked, want)
			}
			if rec := r.record(1); rec.End.Cause != reporting.Completed {
				t.Errorf("record: %+v", rec.End)
			}
			if c.event == "error.noresource" {
				r.toldOnce()
			}
			r.nothingLeft()
		})
	}
}

// TestUncaughtErrorsEndTheCall proves it also for what fails when no dialog is
// left to catch it.
func TestUncaughtErrorsEndTheCall(t *testing.T) {
	cases := map[string]struct{ body, event string }{
		"script error":           {`<form><block><assign name="x" expr="nowhere.to"/></block></form>`, "error.semantic"},
		"last prompt not spoken": {`<form><block><prompt>Hello</prompt></block></form>`, "error.noresource"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(cfg *node.Config) { cfg.Speech.MRCP.URI = "" })
			r.pages.page("/main.vxml", c.body)
			if _, err := r.call(t.Context(), "await"); err != nil {
				t.Fatal(err)
			}
			rec := r.record(1)
			if rec.End.Cause != reporting.ApplicationError || !strings.Contains(rec.End.Error, c.event) {
				t.Errorf("record: %+v", rec.End)
			}
			r.nothingLeft()
		})
	}
}
