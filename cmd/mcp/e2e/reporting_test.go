package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mcp/control/node"
	"mcp/control/reporting"
	"mcp/control/reporting/journal"
)

// TestRecordOfACallTellsAll has a call do what a record has a part for, and looks
// at each part.
func TestRecordOfACallTellsAll(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, func(c *node.Config) { c.Upload.Folder, c.Recording.Calls = dir, "mixed" })
	b := newBob(t, "say hum 700 400ms; wait 100ms")
	r.pages.page("/main.vxml", `<form>
		<field name="f"><prompt>Is it you</prompt>`+voiceGrammar+`</field>
		<record name="r" finalsilence="200ms"><prompt>Say it</prompt></record>
		<transfer name="t" type="bridge" dest="`+b.uri()+`"/>
		<block><exit namelist="f t"/></block></form>`)
	if _, err := r.call(t.Context(), "listen; say yes; listen; say one two; await"); err != nil {
		t.Fatal(err)
	}
	rec := r.record(1)
	if d := rec.Durations; d.Talk <= 0 || d.Total < d.Talk || rec.End.Cause != reporting.Completed || rec.End.By != reporting.Application || rec.Component == "" {
		t.Errorf("end %+v, durations %+v, component %q", rec.End, d, rec.Component)
	}
	if s := rec.Speech; s == nil || s.Recognitions != 1 || s.Matches != 1 || s.Syntheses != 2 || s.Failures != 0 || s.Bots != 0 {
		t.Errorf("speech %+v", s)
	}
	if d := rec.Dialogue; d == nil || d.Pages != 1 || d.Exit["f"] != "yes" || d.Exit["t"] != "far_end_disconnect" {
		t.Errorf("dialogue %+v", d)
	}
	if l := rec.Dialogue.Latency; l == nil || l.FirstPrompt <= 0 || l.Response == nil || l.Response.Most <= 0 {
		t.Errorf("latency %+v", l)
	}
	if len(rec.Transfers) != 1 || rec.Transfers[0].Kind != "bridge" || rec.Transfers[0].To != b.uri() ||
		rec.Transfers[0].Result != "far_end_disconnect" || rec.Transfers[0].Duration < 400 {
		t.Errorf("transfers %+v", rec.Transfers)
	}
	if len(rec.Recordings) != 2 || rec.Recordings[0].URI != "" || rec.Recordings[0].Duration < 400 {
		t.Fatalf("recordings %+v", rec.Recordings)
	}
	whole := rec.Recordings[1]
	if _, err := os.Stat(strings.TrimPrefix(whole.URI, "file://")); err != nil || whole.ID != rec.ID || whole.Duration < rec.Recordings[0].Duration {
		t.Errorf("recording of the call %+v: %v", whole, err)
	}
	legs := map[string]reporting.Leg{}
	for _, l := range rec.Media {
		legs[l.Name] = l
	}
	for _, name := range []string{"caller", "party-1"} {
		in, out := legs[name].Received, legs[name].Sent
		if in.Packets == 0 || in.Bytes <= in.Packets || in.Relayed+in.User == 0 || in.Relayed+in.User > in.Packets ||
			in.MOS < 1 || in.MOS > 4.5 || in.Lost < 0 || in.SSRC == 0 || out.Packets == 0 || out.SSRC == 0 ||
			legs[name].Codec == "" || legs[name].Remote == "" {
			t.Errorf("leg %s: %+v", name, legs[name])
		}
	}
	if in := legs["caller"].Received; in.Jitter <= 0 {
		t.Errorf("the caller's jitter is %v ms", in.Jitter)
	}
	r.nothingLeft()
}

// steps are the call's steps by name, with their texts in order.
func (r *rig) steps() map[reporting.Step][]string {
	r.t.Helper()
	found := map[reporting.Step][]string{}
	for s, err := range reporting.ReadReports(r.cfg.Reporting.Journal, journal.Position{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		if s.Event != nil && s.Kind == reporting.KindTrace {
			found[reporting.Step(s.Event.Name)] = append(found[reporting.Step(s.Event.Name)], s.Event.Text)
		}
	}
	return found
}

// knownSteps are the names that package reporting has for steps.
func knownSteps(t *testing.T) (names []reporting.Step) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../../control/reporting/step.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, reporting.Step(name))
		}
		return true
	})
	return names
}

// TestStepsOfACall makes a call that takes every step there is a name for.
func TestStepsOfACall(t *testing.T) {
	r := newRig(t, func(c *node.Config) { c.Reporting.Trace = true })
	beep := r.speech.engine.Beeps(1)
	r.pages.handle("/beep.wav", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "audio/x-wav")
		_, _ = w.Write(wav(beep))
	})
	r.pages.page("/root.vxml", `<catch event="connection.disconnect"><prompt>Nobody hears this</prompt></catch>`)
	r.pages.handle("/main.vxml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<?xml version="1.0"?><vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" xml:lang="en-US" application="/root.vxml">
			<form id="first"><block><log label="app">begun</log><prompt><audio src="/beep.wav"/></prompt><goto next="#second"/></block></form>
			<form id="second"><subdialog name="sub" src="#called"/>
				<field name="f"><prompt>Is it you</prompt>`+voiceGrammar+`</field>
				<field name="k"><prompt>`+long+`</prompt>`+dtmfGrammar+`<filled><prompt>Bye then</prompt><disconnect/></filled></field></form>
			<form id="called"><block><return/></block></form></vxml>`)
	})
	if _, err := r.call(t.Context(), "listen; say yes; hear; dtmf 2749; await"); err != nil {
		t.Fatal(err)
	}
	rec := r.record(1)
	r.nothingLeft()
	await(t, "the end of the trace", func() bool { return len(r.steps()[reporting.StepEnded]) == 1 })
	got, web := r.steps(), r.pages.server.URL
	want := map[reporting.Step][]string{
		reporting.StepCall: {rec.ID}, reporting.StepLeg: {"caller " + rec.Parties.Remote},
		reporting.StepInitiated: {rec.Parties.Remote}, reporting.StepReference: {rec.SIPCallID + "|||"},
		reporting.StepRoute: {"voicexml"}, reporting.StepBegun: {rec.Parties.Local}, reporting.StepEnded: {"disconnected"},
		reporting.StepAppBegun: {web + "/main.vxml"}, reporting.StepAppEnded: {"disconnect"}, reporting.StepRoot: {web + "/root.vxml", web + "/root.vxml"}, // the subdialog is an application of its own
		reporting.StepLookup:   {web + "/main.vxml", web + "/root.vxml", web + "/beep.wav"},
		reporting.StepFetchEnd: {web + "/main.vxml", web + "/root.vxml", web + "/beep.wav"},
		reporting.StepCompiled: {web + "/main.vxml", web + "/root.vxml"},
		reporting.StepGoto:     {"#second"}, reporting.StepSubdialog: {"sub"}, reporting.StepReturn: {"sub"},
		reporting.StepFormEntered: {"first", "second", "called"}, reporting.StepFormLeft: {"first", "called", "second"},
		reporting.StepSelected:      {"block 1", "sub", "block 2", "f", "k"},
		reporting.StepFilling:       {"sub = {}", `f = "yes"`, `k = "2749"`},
		reporting.StepFilledEntered: {"k"}, reporting.StepFilledLeft: {"k"},
		reporting.StepHandlerEntered: {"connection.disconnect.hangup"}, reporting.StepHandlerLeft: {"connection.disconnect.hangup"},
		reporting.StepEvent: {"connection.disconnect.hangup: disconnected by the application"}, reporting.StepLog: {"app begun"},
		reporting.StepPrompt:      {"[" + web + "/beep.wav]", "Is it you", long, "Bye then", "Nobody hears this"},
		reporting.StepPromptStart: {"en-US", "en-US", "en-US", "en-US"}, reporting.StepPromptType: {"audio", "tts", "tts", "tts"},
		reporting.StepPromptPlay: {web + "/beep.wav", "Is it you", long, "Bye then"}, reporting.StepPromptEnd: {"", "", ""},
		reporting.StepPromptStop: {"interrupted", "Nobody hears this"},
		reporting.StepInputStart: {"voice", "dtmf"}, reporting.StepInputEnd: {"voice", "dtmf"},
		reporting.StepKeys: {"2749"}, reporting.StepKey: {"2", "27", "274"},
		reporting.StepASROpen: {"mrcp"}, reporting.StepASRStart: {"en-US"}, reporting.StepASREnd: {"match"},
		reporting.StepASRClose: {"mrcp"}, reporting.StepASRTrace: {"match|0.90|yes"},
		reporting.StepProgress: nil, // the platform calls nobody
		reporting.StepVariable: nil, // unless reporting.variables
	}
	network := []reporting.Step{
		reporting.StepReceived, reporting.StepSent, reporting.StepSpeechReceived, reporting.StepSpeechSent, reporting.StepFetched,
	}
	for _, name := range knownSteps(t) {
		texts, known := want[name]
		if slices.Contains(network, name) {
			if len(got[name]) == 0 {
				t.Errorf("nothing is told as %s", name)
			}
			continue
		}
		if !known || fmt.Sprintf("%q", got[name]) != fmt.Sprintf("%q", texts) {
			t.Errorf("%s: %q, want %q", name, got[name], texts)
		}
	}
}

// remembered is what the console shows of a call.
func (r *rig) remembered(id string) string {
	r.t.Helper()
	resp, err := http.Get(fmt.Sprint(r.log.wait(r.t, "console")["url"]) + "api/calls/" + id)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), `"sip_received"`) || !strings.Contains(string(body), `"mrcp_sent"`) || !strings.Contains(string(body), `"fetched"`) {
		r.t.Fatalf("the console shows %s, %v", body, err)
	}
	return strings.ReplaceAll(string(body), "},{", "}\n{")
}

// TestPrivateInputReachesNothing gives an application texts in private, which then
// does its best to spread them.
func TestPrivateInputReachesNothing(t *testing.T) {
	r := newRig(t, func(c *node.Config) { c.Reporting.Trace = true })
	// Long enough not to be found by chance.
	pin, word := strconv.Itoa(1e11+rand.IntN(9e11)), "xq"+strconv.FormatUint(rand.Uint64(), 36)
	r.speech.engine.Hear(word)
	grammar := strings.Replace(voiceGrammar, "<item>no</item>", "<item>"+word+"</item>", 1)
	r.pages.page("/main.vxml", `<property name="com.genesyslab.private" value="true"/><form>
		<field name="f"><prompt>Your password</prompt>`+grammar+`</field>
		<field name="k"><property name="inputmodes" value="dtmf"/><prompt>Your number</prompt><grammar src="builtin:dtmf/digits?length=12"/></field>
		<block>
			<log label="com.genesyslab.var.Word" expr="f + ' ' + k"/><log expr="'unlabelled ' + f + k"/>
			<prompt>You said <value expr="f"/> and <value expr="k"/></prompt>
			<submit next="/leak.vxml" namelist="f k"/>
		</block></form>`)
	r.pages.handle("/leak.vxml", func(w http.ResponseWriter, q *http.Request) {
		f, k := q.FormValue("f"), q.FormValue("k")
		fmt.Fprintf(w, `<?xml version="1.0"?><vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" xml:lang="en-US">
			<catch event="event.of.mine"><log expr="_message"/></catch>
			<catch event="error.badfetch"><assign name="tries" expr="tries + 1"/></catch>
			<catch event="error.connection"><assign name="tries" expr="tries + 1"/></catch>
			<var name="tries" expr="0"/><var name="f" expr="'%[1]s'"/><var name="k" expr="'%[2]s'"/>
			<form><block cond="tries == 0"><throw event="event.of.mine" messageexpr="'because of ' + f + k"/></block>
			<block><data name="d" srcexpr="'/nothing/' + k + '?x=' + f"/></block>
			<block><prompt><audio expr="'/nothing/' + f + '/' + k + '.wav'">instead</audio></prompt></block>
			<transfer name="t" type="bridge" destexpr="'sip:' + k + '@127.0.0.1:1;transport=tcp'" connecttimeout="1s"/>
			<transfer name="u" type="blind" destexpr="'sip:' + k + '@127.0.0.1:1;transport=tcp'"><catch event="error"><assign name="u" expr="'refused'"/></catch></transfer>
			<block><script>throw new Error(f + k)</script></block>
			<catch event="error.semantic"><exit namelist="f k"/></catch></form></vxml>`, f, k)
	})
	if _, err := r.call(t.Context(), "listen; say yes; listen; dtmf "+pin+"; await"); err != nil {
		t.Fatal(err)
	}
	rec := r.record(1)
	if rec.Dialogue == nil || rec.Dialogue.Pages != 2 || len(rec.Dialogue.Exit) != 2 || len(rec.Transfers) != 2 || rec.Transfers[1].Kind != "blind" {
		t.Fatalf("the application did not do what it should: %+v %+v %+v\n%s", rec.Dialogue, rec.Transfers, rec.End, r.log.text())
	}
	if asked := strings.Join(r.pages.requests(), " "); !strings.Contains(asked, word) || !strings.Contains(asked, pin) {
		t.Fatalf("the application did not get the texts: %s", asked)
	}
	resp, err := http.Get("http://" + r.probes + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err != nil || !strings.Contains(string(metrics), "mcp_calls_active") {
		t.Fatalf("metrics: %v", err)
	}
	console := r.remembered(rec.ID)
	r.end() // all that is recorded is on the disk
	places := map[string]string{"the log": r.log.text(), "the metrics": string(metrics), "the console": console}
	err = filepath.WalkDir(r.cfg.Reporting.Journal, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var b []byte
			b, err = os.ReadFile(path)
			places[path] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range places {
		for line := range strings.Lines(text) {
			if strings.Contains(line, word) || strings.Contains(strings.ReplaceAll(line, " ", ""), pin) {
				t.Errorf("private input is in %s: %.300q", place, line)
			}
		}
	}
	if len(places) < 5 {
		t.Errorf("only %d places were looked at", len(places))
	}
}
