package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp/cmd/mcplab/engine"
	"mcp/cmd/mcplab/engine/srgs"
	"mcp/cmd/mcplab/speechserver"
	"mcp/control/node"
	"mcp/speech/nlsml"
)

// cities is <speech> of RFC 5707 section 13.4 with attributes, in a group with a prompt;
// what it ends with is told, and the caller hung up on.
const cities = `<group topology="parallel">%s<speech spcmplt="200ms" spincmplt="200ms" %s>
	<grammar version="1.0"><rule id="city" scope="public"><item><one-of><item>vancouver</item><item>new york</item><item>london</item></one-of></item></rule>
		<match><send target="group" event="terminate"/></match></grammar>
	<noinput><send target="group" event="terminate"/></noinput>
	<nomatch><send target="group" event="terminate"/></nomatch></speech>
	<groupexit><send target="source" event="done" namelist="speech.end speech.results play.end"/></groupexit></group><disconnect/>`

// results reads the NLSML that came beside an event; nil: none did.
func (s *steerer) results(e msmlEvent) *nlsml.Result {
	s.t.Helper()
	id, ok := strings.CutPrefix(e.value("speech.results"), "cid:")
	if !ok {
		return nil
	}
	part := s.bodies[id]
	r, err := nlsml.Parse(part.Body, nlsml.Fraction)
	if err != nil || !part.Is("application/nlsml+xml") {
		s.t.Fatalf("%v in %+v", err, part)
	}
	return &r
}

// start starts a dialog on a connection.
func (s *steerer) start(on, dialog string) {
	s.t.Helper()
	if result := s.ask(`<dialogstart target="` + on + `" name="d">` + dialog + `</dialogstart>`); result.Response != 200 {
		s.t.Fatalf("%+v", result)
	}
}

// dismiss hangs up on a telephone and tells what it heard.
func (s *steerer) dismiss(p *participant) []float64 {
	s.t.Helper()
	s.ask(`<dialogstart target="` + p.id + `"><disconnect/></dialogstart>`)
	return p.end()
}

// TestMSMLSpeechRecognition runs RFC 5707 section 13.4 to each of its ends.
func TestMSMLSpeechRecognition(t *testing.T) {
	t.Parallel()
	quiet := `<play><tts>which city</tts></play>`
	for _, tt := range []struct {
		name, play, attributes, script string
		hears                          string
		end, input, played             string
	}{
		{"match", quiet, "", "listen; say hum 1000 400ms; await", "new york", "speech.match", "new york", "play.complete"},
		{"nomatch", quiet, "", "listen; say hum 1000 400ms; await", "", "speech.nomatch", "", "play.complete"},
		{"noinput", quiet, `noint="400ms" starttimer="true"`, "await", "", "speech.noinput", "", ""},
		{"not sure enough", quiet, `confidence="100"`, "listen; say hum 1000 400ms; await", "new york|london", "speech.nomatch", "", "play.complete"},
		{"barge-in", `<play barge="true"><tts>` + strings.Repeat("a long prompt ", 20) + `</tts></play>`, "",
			"hear; wait 200ms; say hum 1000 400ms; await", "london", "speech.match", "london", "terminate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.speech.engine.Hear(tt.hears)
			s, p := r.steer(t), r.participate(t, tt.script)
			s.start(p.id, fmt.Sprintf(cities, tt.play, tt.attributes))
			done := s.event("done", p.id+"/dialog:d")
			if done.value("speech.end") != tt.end || tt.played != "" && done.value("play.end") != tt.played {
				t.Errorf("%+v", done)
			}
			heard := s.results(done)
			if (heard != nil) != (tt.input != "") || heard != nil && (heard.Interpretations[0].Input != tt.input || heard.Interpretations[0].Instance != tt.input) {
				t.Errorf("results %+v of %+v", heard, done)
			}
			s.event("msml.dialog.exit", p.id+"/dialog:d")
			p.end()
		})
	}
}

// A recognition that may happen several times does, and speechexit comes last.
func TestMSMLSpeechIterates(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.pages.tunes()
	r.speech.engine.Hear("yes", "", "yes")
	s, p := r.steer(t), r.participate(t, strings.Repeat("listen; say hum 1000 400ms; ", 3)+"await")
	s.start(p.id, `<speech iterate="forever" spcmplt="200ms" spincmplt="200ms">
		<grammar iterate="2"><rule id="r">yes</rule><match><send target="source" event="yes"/></match></grammar>`+
		`<nomatch><send target="source" event="what"/></nomatch><speechexit><send target="source" event="end" namelist="speech.end"/></speechexit></speech><disconnect/>`)
	for _, event := range []string{"yes", "what", "yes"} {
		// The caller speaks again when it has heard something.
		s.ask(`<dialogstart target="` + p.id + `"><play><audio uri="` + r.pages.server.URL + `/400/300ms"/></play></dialogstart>`)
		s.event(event, p.id+"/dialog:d")
	}
	if end := s.event("end", p.id+"/dialog:d"); end.value("speech.end") != "speech.match" {
		t.Errorf("%+v", end)
	}
	s.event("msml.dialog.exit", p.id+"/dialog:d")
	p.end()
	record := r.record(1)
	if used := record.Speech; used == nil || used.Recognitions != 3 || used.Matches != 2 || used.NoMatches != 1 {
		t.Errorf("recorded %+v", used)
	}
}

// TestMSMLSpeechTerminates: a client's event ends a recognition that waits for ever.
func TestMSMLSpeechTerminates(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s, p := r.steer(t), r.participate(t, "await")
	s.start(p.id, `<speech><grammar><rule id="r">yes</rule></grammar></speech><exit namelist="speech.end speech.results"/>`)
	if result := s.ask(`<dialogend id="` + p.id + `/dialog:d"/>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	if exit := s.event("msml.dialog.exit", p.id+"/dialog:d"); exit.value("speech.end") != "terminate" || exit.value("speech.results") != "" {
		t.Errorf("%+v", exit)
	}
	s.dismiss(p)
}

// TestMSMLSpokenPrompts plays synthesized speech in all of its forms between recordings.
func TestMSMLSpokenPrompts(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.pages.tunes()
	r.speech.engine.Word = 100 * time.Millisecond
	r.pages.handle("/words.txt", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "words of a file") })
	s, p := r.steer(t), r.participate(t, "await")
	s.start(p.id, `<play><audio uri="`+r.pages.server.URL+`/400/300ms"/><tts iterate="2">hello there</tts>
		<tts><speak version="1.0" xml:lang="en-US">good day</speak></tts><tts uri="`+r.pages.server.URL+`/words.txt"/>
		<audio uri="`+r.pages.server.URL+`/700/300ms"/></play><exit namelist="play.end play.amt"/>`)
	exit := s.event("msml.dialog.exit", p.id+"/dialog:d")
	if amt, err := time.ParseDuration(exit.value("play.amt")); exit.value("play.end") != "play.complete" || err != nil || amt < 1400*time.Millisecond {
		t.Errorf("%+v", exit)
	}
	want := []string{"hello there", "hello there", "good day", "words of a file"}
	if said := r.speech.engine.Said(); !slices.Equal(said, want) {
		t.Errorf("said %q", said)
	}
	if got := s.dismiss(p); got[0] != 400 || got[len(got)-1] != 700 {
		t.Errorf("heard %v", got)
	}
}

// A prompt that is spoken can be paused, and goes on.
func TestMSMLSpokenPromptPauses(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s, p := r.steer(t), r.participate(t, "hear; dtmf 5; wait 1500ms; dtmf 5; await")
	s.start(p.id, `<group topology="parallel">
		<play><tts>one two three four five six seven</tts><playexit><send target="group" event="terminate"/></playexit></play>
		<dtmf iterate="forever"><pattern digits="5"><send target="play" event="toggle-state"/></pattern></dtmf></group><exit namelist="play.end play.amt"/>`)
	exit := s.event("msml.dialog.exit", p.id+"/dialog:d")
	if exit.value("play.end") != "play.complete" || len(r.speech.engine.Said()) != 1 {
		t.Errorf("%+v, said %q", exit, r.speech.engine.Said())
	}
	s.dismiss(p)
	var spoken time.Duration
	for _, heard := range p.summary.Heard {
		spoken += heard.Duration
	}
	if len(p.summary.Heard) < 2 || spoken < time.Second { // seven words take 1.35 s
		t.Errorf("heard %+v", p.summary.Heard)
	}
}

// What cannot be spoken or heard is refused as the dialog starts, and nothing begins.
func TestMSMLSpeechIsRefused(t *testing.T) {
	t.Parallel()
	say, hear := `<play><tts>hello</tts></play>`, `<speech><grammar><rule id="r">yes</rule></grammar></speech>`
	none, one := newRig(t, func(c *node.Config) { c.Speech.MRCP.URI = "" }), newRig(t, nil)
	for _, tt := range []struct {
		name   string
		r      *rig
		on     string // empty: a connection
		dialog string
		code   int
	}{
		{"no engine to speak", none, "", say, 402},
		{"no engine to listen", none, "", hear, 402},
		{"to a conference", one, "conf:c", say, 402},
		{"of a conference", one, "conf:c", hear, 402},
		{"a grammar that is none", one, "", `<speech><grammar><rule id="r"><ruleref uri="#s"/></rule></grammar></speech>`, 410},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.r.steer(t)
			if tt.on == "" {
				tt.on = s.id
			} else {
				s.ask(`<createconference name="c"/>`)
			}
			result := s.ask(`<dialogstart target="` + tt.on + `">` + tt.dialog + `</dialogstart>`)
			if result.Response != tt.code || result.Description == "" || len(result.Dialogs) > 0 {
				t.Errorf("%+v", result)
			}
		})
	}
}

// A speech server that fails ends the dialog, which says why.
func TestMSMLSpeechServerFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *node.Config) { c.Speech.MRCP.URI = "sip:nobody@127.0.0.1:9;transport=tcp" })
	s, p := r.steer(t), r.participate(t, "await")
	s.start(p.id, `<play><tts>hello</tts></play>`)
	if exit := s.event("msml.dialog.exit", p.id+"/dialog:d"); exit.value("dialog.exit.status") != "520" {
		t.Errorf("%+v", exit)
	}
	s.dismiss(p)
}

// TestMSMLTalks has real engines speak and listen: the caller understands what is said,
// and the client is told what the caller says.
func TestMSMLTalks(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	server, err := speechserver.New(speechserver.Config{Listen: []string{"tcp:127.0.0.1:0"}}, log)
	if errors.Is(err, engine.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(serving) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	caller, err := engine.New(engine.Config{Voice: "awb"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caller.Close() })
	r := newRig(t, func(c *node.Config) {
		c.Speech.MRCP.URI = "sip:mresources@" + server.Addrs()[0].String() + ";transport=tcp"
	})
	say := func(ctx context.Context, text string) ([]int16, error) { return caller.Say(ctx, "awb", text) }
	s, p := r.steer(t), r.participateWith(t, "listen; say vancouver; await", say)
	s.start(p.id, fmt.Sprintf(cities, `<play><tts>please say the name of a city</tts></play>`, ""))
	done := s.event("done", p.id+"/dialog:d")
	if heard := s.results(done); done.value("speech.end") != "speech.match" || heard == nil || heard.Interpretations[0].Input != "vancouver" {
		t.Errorf("%+v: %+v", done, heard)
	}
	s.event("msml.dialog.exit", p.id+"/dialog:d")
	p.end()
	grammar, err := srgs.Parse([]byte(`<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" root="r"><rule id="r"><one-of>
		<item>please say the name of a city</item><item>please enter your number</item><item>good bye</item></one-of></rule></grammar>`))
	if err != nil {
		t.Fatal(err)
	}
	understood, err := caller.Recognize(t.Context(), []*srgs.Grammar{grammar}, p.summary.Audio.Heard)
	if err != nil || understood.Utterance != "please say the name of a city" {
		t.Errorf("the caller understood %+v, %v", understood, err)
	}
}
