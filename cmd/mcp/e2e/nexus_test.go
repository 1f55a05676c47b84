package e2e

import (
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcp/control/node"
	"mcp/control/node/speaking"
	"mcp/speech/nexus/audiohook"
	"mcp/speech/nexus/nexustest"
	"mcp/speech/speechtest"
)

// withBot adds a bot as the engine nexus, the only one.
func withBot(t *testing.T, c nexustest.Config, hears ...string) (*nexustest.Server, func(*node.Config)) {
	t.Helper()
	c.Pause = 400 * time.Millisecond
	server, err := nexustest.NewServer(c, speechtest.NewCanned(hears...), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		for _, v := range server.Violations() {
			t.Error(v)
		}
	})
	return server, func(cfg *node.Config) {
		cfg.Speech.MRCP.URI = ""
		cfg.Speech.Nexus = speaking.Nexus{URL: server.URL(), APIKey: c.APIKey, Secret: c.Secret, Settle: 200 * time.Millisecond}
	}
}

// anything is the grammar of a field that a bot fills.
const anything = `<grammar type="application/srgs+xml" version="1.0" mode="voice" root="r" xml:lang="en-US">
	<rule id="r"><item>any</item></rule></grammar>`

// TestBotFillsFields has a bot greet, hear the caller out, answer, and end with what it
// found out.
func TestBotFillsFields(t *testing.T) {
	server, add := withBot(t, nexustest.Config{APIKey: "key-1", Secret: "c2VjcmV0"}, "a taxi", "goodbye")
	r := newRig(t, add)
	r.pages.page("/main.vxml", `<property name="com.genesyslab.asrengine" value="nexus"/>
		<property name="com.genesyslab.asr.botName" value="parrot"/>
		<form><field name="wish">`+anything+`</field>
		<field name="end">`+anything+`</field>
		<block><var name="outcome" expr="end.outputVariables.outcome"/><var name="text" expr="end.text"/>
			<var name="sure" expr="application.lastresult$.confidence &gt; 0.8"/>
			<submit next="/end.vxml" namelist="wish text outcome sure"/></block></form>`)
	r.pages.page("/end.vxml", `<form><block><disconnect/></block></form>`)
	summary, err := r.call(t.Context(), "listen; say a taxi please; listen; say goodbye; await")
	if err != nil {
		t.Fatal(err)
	}
	if faults := summary.Received.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	asked := r.pages.requests()
	last, err := url.ParseRequestURI(asked[len(asked)-1])
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"wish": "a taxi", "text": "goodbye", "outcome": "done", "sure": "true"} {
		if got := last.Query().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	// The bot's own words, a beep of 200 ms each: a greeting of five, four, and two.
	if heard := heardFor(summary); heard < 1800*time.Millisecond {
		t.Errorf("the caller heard the bot for %v", heard)
	}
	session := server.Sessions()[0]
	if len(server.Sessions()) != 1 || session.Opening().InputVariables["botName"] != "parrot" || session.Opening().Participant.DNIS != "ivr" {
		t.Errorf("%d sessions; open %+v", len(server.Sessions()), session.Opening())
	}
	if n := len(session.Messages("playback_completed")); n != 2 { // the last is heard when the session is over
		t.Errorf("the bot was told of %d playbacks", n)
	}
	if rec := r.record(1); rec.Speech == nil || rec.Speech.Matches != 2 || rec.Speech.Bots != 1 {
		t.Errorf("record: %+v", rec.Speech)
	}
	r.nothingLeft()
	await(t, "the bot's sessions to end", func() bool { return server.Open() == 0 })
}

// TestKeysGoToTheBot and are not what answers the page's next question.
func TestKeysGoToTheBot(t *testing.T) {
	server, add := withBot(t, nexustest.Config{})
	r := newRig(t, add)
	r.pages.page("/main.vxml", `<property name="com.genesyslab.asrengine" value="nexus"/>
		<form><field name="code">`+anything+`</field>
		<field name="pin" modal="true">`+dtmfGrammar+`<filled><submit next="/end.vxml" namelist="code pin"/></filled></field></form>`)
	r.pages.page("/end.vxml", `<form><block><disconnect/></block></form>`)
	if _, err := r.call(t.Context(), "listen; dtmf 4711#; listen; dtmf 2749; await"); err != nil && !strings.Contains(err.Error(), "hung up") {
		t.Fatal(err)
	}
	if asked := r.pages.requests(); asked[len(asked)-1] != "/end.vxml?code=4711&pin=2749" {
		t.Errorf("pages asked for: %v", asked)
	}
	if keys := len(server.Sessions()[0].Messages("dtmf")); keys < 5 {
		t.Errorf("the bot was told of %d keys", keys)
	}
	r.nothingLeft()
}

// TestBotIsInterrupted by the caller, and its answer counts all the same.
func TestBotIsInterrupted(t *testing.T) {
	_, add := withBot(t, nexustest.Config{Brain: chatty{}}, "taxi")
	r := newRig(t, add)
	r.pages.page("/main.vxml", `<property name="com.genesyslab.asrengine" value="nexus"/>
		<form><field name="f">`+anything+`<filled><submit next="/end.vxml" namelist="f"/></filled></field></form>`)
	r.pages.page("/end.vxml", `<form><block><disconnect/></block></form>`)
	summary, err := r.call(t.Context(), "hear; say a taxi; await")
	if err != nil {
		t.Fatal(err)
	}
	if heard := heardFor(summary); heard > 3*time.Second {
		t.Errorf("the caller heard the bot for %v", heard)
	}
	if asked := r.pages.requests(); asked[len(asked)-1] != "/end.vxml?f=taxi" {
		t.Errorf("pages asked for: %v", asked)
	}
	r.nothingLeft()
}

// chatty has a long greeting, and answers without a word.
type chatty struct{}

func (chatty) Greet(audiohook.Open) string { return long }

func (chatty) Answer(heard, _ string) nexustest.Reply {
	return nexustest.Reply{Disposition: "match", Text: heard}
}

// TestEventsOfBotsFailures proves that what fails is the event that the page can catch, a
// class that is counted, and one line in the log.
func TestEventsOfBotsFailures(t *testing.T) {
	body := `<property name="com.genesyslab.asrengine" value="nexus"/><form><field name="f">` + anything + `</field></form>`
	cases := map[string]struct {
		faults nexustest.Faults
		change func(*node.Config)
		class  string
	}{
		"unreachable":     {nexustest.Faults{}, func(c *node.Config) { c.Speech.Nexus.URL = "ws://127.0.0.1:1/" }, "open_session"},
		"TLS error":       {nexustest.Faults{}, func(c *node.Config) { c.Speech.Nexus.URL = "wss" + strings.TrimPrefix(c.Speech.Nexus.URL, "ws") }, "open_session"},
		"refused":         {nexustest.Faults{Status: 503}, nil, "open_session"},
		"unauthorized":    {nexustest.Faults{Unauthorized: true}, nil, "open_session"},
		"slow":            {nexustest.Faults{Mute: true}, func(c *node.Config) { c.Speech.Nexus.Timeout = 200 * time.Millisecond }, "open_session"},
		"malformed":       {nexustest.Faults{Garbage: true}, nil, "protocol"},
		"does not answer": {nexustest.Faults{Pongless: true}, func(c *node.Config) { c.Speech.Nexus.Ping = 100 * time.Millisecond }, "protocol"},
		"cut in mid-word": {nexustest.Faults{Cut: true}, nil, "protocol"},
		"never answers":   {nexustest.Faults{}, func(c *node.Config) { c.Speech.Nexus.Answer = 300 * time.Millisecond }, "no_answer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, add := withBot(t, nexustest.Config{}, "yes")
			r := newRig(t, func(cfg *node.Config) {
				add(cfg)
				if c.change != nil {
					c.change(cfg)
				}
			})
			catching(r.pages, body)
			server.Fail(c.faults)
			script := "await"
			if c.faults.Cut {
				script = "listen; say yes; await"
			}
			if _, err := r.call(t.Context(), script); err != nil && !strings.Contains(err.Error(), "hung up") {
				t.Fatal(err)
			}
			asked := r.pages.requests()
			if asked[len(asked)-1] != "/caught.vxml?event=error.noresource" {
				t.Errorf("pages asked for: %v", asked)
			}
			if lines := r.log.lines("speech failed"); len(lines) != 1 {
				t.Errorf("%d log lines: %v", len(lines), lines)
			}
			if metric := `mcp_speech_nexus_errors_total{class="` + c.class + `",engine="nexus",use="voicebot"}`; r.metric(metric) != "1" {
				t.Errorf("%s is %s", metric, r.metric(metric))
			}
			r.nothingLeft()
			await(t, "the bot's sessions to end", func() bool { return server.Open() == 0 })
		})
	}
}

// TestAssistantHearsBothSides has a page begin and end an assistant, which hears the
// caller and what the caller hears.
func TestAssistantHearsBothSides(t *testing.T) {
	server, add := withBot(t, nexustest.Config{})
	r := newRig(t, func(c *node.Config) {
		uri := c.Speech.MRCP.URI
		add(c)
		c.Speech.MRCP.URI, c.Speech.ASR, c.Speech.TTS = uri, "mrcp", "mrcp"
	})
	r.pages.page("/main.vxml", `<form>
		<object name="begin" classid="builtin:assist/start">
			<param name="engine" value="nexus"/><param name="language" value="en-GB"/><param name="queue" expr="'sales'"/></object>
		<field name="f"><prompt>One two three four</prompt>`+voiceGrammar+`</field>
		<object name="end" classid="builtin:assist/stop"><param name="engine" value="nexus"/></object>
		<block><prompt>Not for the assistant</prompt></block></form>`)
	summary, err := r.call(t.Context(), "listen; say yes please now; await")
	if err != nil {
		t.Fatal(err)
	}
	if faults := summary.Received.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	session := server.Sessions()[0]
	if o := session.Opening(); o.Language != "en-GB" || o.InputVariables["queue"] != "sales" || len(o.Media[0].Channels) != 2 {
		t.Errorf("open: %+v", o)
	}
	var loud [2]int // octets of either side that are no silence
	for i, b := range session.Audio() {
		if b != 0xff && b != 0x7f {
			loud[i%2]++
		}
	}
	// Three words of the caller, four of the prompt: beeps of 150 ms.
	if loud[0] < 2400 || loud[1] < 3600 || loud[1] > 7000 {
		t.Errorf("%d octets of the caller were heard, %d of the prompt", loud[0], loud[1])
	}
	r.nothingLeft()
	await(t, "the assistant's session to end", func() bool { return server.Open() == 0 })
}

// TestCallsWithoutTheirAssistant proves that a page learns that there is none, and goes on.
func TestCallsWithoutTheirAssistant(t *testing.T) {
	server, add := withBot(t, nexustest.Config{})
	r := newRig(t, add)
	server.Fail(nexustest.Faults{Status: 503})
	catching(r.pages, `<form><object name="o" classid="builtin:assist/start"><param name="engine" value="nexus"/></object></form>`)
	if _, err := r.call(t.Context(), "await"); err != nil && !strings.Contains(err.Error(), "hung up") {
		t.Fatal(err)
	}
	if asked := r.pages.requests(); asked[len(asked)-1] != "/caught.vxml?event=error.noresource" {
		t.Errorf("pages asked for: %v", asked)
	}
	if lines := r.log.lines("speech failed"); len(lines) != 1 {
		t.Errorf("%d log lines", len(lines))
	}
	r.nothingLeft()
}

// TestAssistantOfEveryCall has the configuration begin an assistant, whose far end may
// not read what it is sent: the call hears and says no less for it,
// and nothing stays behind.
func TestAssistantOfEveryCall(t *testing.T) {
	for name, deaf := range map[string]bool{"reads": false, "does not read": true} {
		t.Run(name, func(t *testing.T) {
			server, add := withBot(t, nexustest.Config{})
			server.Fail(nexustest.Faults{Deaf: deaf})
			r := newRig(t, func(c *node.Config) {
				uri := c.Speech.MRCP.URI
				add(c)
				c.Speech.MRCP.URI, c.Speech.ASR, c.Speech.TTS, c.Speech.Assist = uri, "mrcp", "mrcp", "nexus"
			})
			asking(r.pages)
			summary, err := r.call(t.Context(), "listen; say yes; listen; dtmf 2749; await")
			if err != nil {
				t.Fatal(err)
			}
			if faults := summary.Received.Faults(); len(faults) > 0 {
				t.Error(faults)
			}
			if got := r.pages.requests(); len(got) != 3 {
				t.Errorf("pages asked for: %v", got)
			}
			if sessions := server.Sessions(); len(sessions) != 1 || len(sessions[0].Opening().Media[0].Channels) != 2 {
				t.Errorf("%d assistants", len(sessions))
			} else if heard := len(sessions[0].Audio()); !deaf && heard < 16000 {
				t.Errorf("it was sent %d octets", heard)
			}
			r.nothingLeft()
		})
	}
}

// TestAssistantOfPagesThatMSMLBegins has whoever steers a call by MSML run a page on
// it: the assistant comes and goes with that.
func TestAssistantOfPagesThatMSMLBegins(t *testing.T) {
	server, add := withBot(t, nexustest.Config{})
	r := newRig(t, func(c *node.Config) {
		uri := c.Speech.MRCP.URI
		add(c)
		c.Speech.MRCP.URI, c.Speech.ASR, c.Speech.TTS, c.Speech.Assist = uri, "mrcp", "mrcp", "nexus"
	})
	r.pages.tunes()
	r.pages.page("/page.vxml", `<form><field name="pin"><prompt><audio src="/400/300ms"/></prompt>`+dtmfGrammar+`<filled><exit namelist="pin"/></filled></field></form>`)
	s, p := r.steer(t), r.participate(t, "listen; wait 300ms; dtmf 2749; wait 500ms")
	s.ask(`<dialogstart target="` + p.id + `" name="v" type="application/vxml+xml" src="` + r.pages.server.URL + `/page.vxml"/>`)
	if exit := s.event("msml.dialog.exit", p.id+"/dialog:v"); exit.value("pin") != "2749" {
		t.Errorf("%+v", exit)
	}
	await(t, "the assistant to go with the page", func() bool { return server.Open() == 0 })
	if sessions := server.Sessions(); len(sessions) != 1 || len(sessions[0].Audio()) == 0 {
		t.Errorf("%d assistants", len(sessions))
	}
	p.end()
	s.hangUp()
	r.nothingLeft()
}
