package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/cmd/mcplab/engine"
	"mcp/control/media/codec"
	"mcp/control/media/detect"
	"mcp/control/media/tone"
	"mcp/control/node"
	"mcp/control/reporting"
	"mcp/control/service/outbound"
	"mcp/control/sip"
)

// telephony is what networks, faxes and answering machines are heard to say.
type telephony struct{ greeting, hello []int16 }

// newVoices are flite's, where it is installed.
func newVoices(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Config{})
	if errors.Is(err, engine.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// TestGreetingsOfPeopleAndMachines lets the detector hear greetings as it is by
// default, each by several voices and coded.
func TestGreetingsOfPeopleAndMachines(t *testing.T) {
	e := newVoices(t)
	for greeting, want := range map[string]detect.Outcome{
		"Hello?":              detect.Human,
		"Hello, Miller here.": detect.Human,
		"Good morning":        detect.Human,
		"You have reached the office. Please leave a message after the tone.":                   detect.Machine,
		"The person you have called is not available. At the tone, please record your message.": detect.Machine,
	} {
		for _, voice := range []string{"slt", "rms"} {
			pcm, err := e.Say(t.Context(), voice, greeting)
			if err != nil {
				t.Fatal(err)
			}
			law, err := codec.PCMA.Encode(slices.Concat(make([]int16, 4000), pcm, make([]int16, 16000)))
			if err != nil {
				t.Fatal(err)
			}
			heard, err := codec.PCMA.Decode(law)
			if err != nil {
				t.Fatal(err)
			}
			p := detect.NewProgress(detect.DefaultTiming())
			p.Connected()
			var got detect.Outcome
			for known := false; len(heard) >= 160 && !known; heard = heard[160:] {
				got, known = p.Frame(heard[:160])
			}
			if got != want {
				t.Errorf("%s says %q for %s: %q, want %s", voice, greeting, time.Duration(len(pcm))*time.Second/8000, got, want)
			}
		}
	}
}

// newTelephony has a greeting spoken by flite.
func newTelephony(t *testing.T) *telephony {
	t.Helper()
	e := newVoices(t)
	say := func(text string) []int16 {
		pcm, err := e.Say(t.Context(), "slt", text)
		if err != nil {
			t.Fatal(err)
		}
		return pcm
	}
	return &telephony{greeting: say("Please leave a message for us after the tone"), hello: say("Hello?")}
}

// voice renders what a script says: "busy", "fast busy", "sit", "fax", "machine",
// "hello" and "hum HZ LENGTH".
func (y *telephony) voice(ctx context.Context, text string) ([]int16, error) {
	cadence := func(on, off time.Duration, hz ...float64) (pcm []int16) {
		for range 8 {
			pcm = append(pcm, tone.PCM(8000, tone.Part{Hz: hz, Level: -18, For: on}, tone.Part{For: off})...)
		}
		return pcm
	}
	const ms = time.Millisecond
	switch text {
	case "busy":
		return cadence(500*ms, 500*ms, 480, 620), nil
	case "fast busy":
		return cadence(250*ms, 250*ms, 480, 620), nil
	case "sit":
		var pcm []int16
		for _, hz := range []float64{985.2, 1370.6, 1776.7} {
			pcm = append(pcm, tone.PCM(8000, tone.Part{Hz: []float64{hz}, Level: -20, For: 330 * ms})...)
		}
		return append(pcm, make([]int16, 16000)...), nil
	case "fax":
		return tone.PCM(8000, tone.Part{Hz: []float64{2100}, Level: -15, For: 3 * time.Second}), nil
	case "machine":
		return slices.Concat(y.greeting, tone.PCM(8000, tone.Part{For: 300 * ms}, tone.Part{Hz: []float64{1000}, Level: -12, For: 300 * ms})), nil
	case "greeting":
		return y.greeting, nil
	case "hello":
		return y.hello, nil
	}
	return hum(ctx, text)
}

// far is somebody who is called: a network, a fax, a machine or a person.
type far struct {
	*bob
	early string // script of early media; the call is not answered before its end
}

// take is what it does with a call.
func (f *far) take(y *telephony) func(context.Context, *sip.Dialog) {
	return func(ctx context.Context, d *sip.Dialog) {
		defer func() { f.replied <- struct{}{} }()
		var early []caller.Step
		if f.early != "" {
			early = steps(f.t, f.early)
		}
		summary, err := caller.NewPhone(f.agent, caller.Config{Quiet: 200 * time.Millisecond, Voice: y.voice, Early: early}).Answer(ctx, d, steps(f.t, f.script))
		if err != nil && summary == nil {
			f.t.Errorf("far end: %v", err)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls = append(f.calls, summary)
	}
}

type handler func(context.Context, *sip.Dialog)

func (h handler) Invite(ctx context.Context, d *sip.Dialog) { h(ctx, d) }

func newFar(t *testing.T, y *telephony, early, answered string) *far {
	f := &far{bob: &bob{t: t, script: answered, replied: make(chan struct{}, 4)}, early: early}
	f.agent = serveAgent(t, handler(f.take(y)))
	return f
}

func steps(t *testing.T, text string) []caller.Step {
	all, err := caller.ParseScript(text)
	if err != nil {
		t.Error(err)
	}
	return all
}

// analysing is a platform that takes little time to tell people from machines.
func analysing(c *node.Config) {
	c.Calls.CPA.Normal.Greeting, c.Calls.CPA.Normal.Pause = 1200*time.Millisecond, 800*time.Millisecond
	c.Calls.Outbound.Listen = "127.0.0.1:0"
}

// query is what a page told the web server under a path, once it has.
func (r *rig) query(t testing.TB, path string) (values url.Values) {
	t.Helper()
	await(t, "the page to tell "+path, func() bool {
		for _, asked := range r.pages.requests() {
			if query, found := strings.CutPrefix(asked, path+"?"); found {
				values, _ = url.ParseQuery(query)
				return true
			}
		}
		return false
	})
	return values
}

func TestTransfersThatAreAnalysed(t *testing.T) {
	t.Parallel()
	y := newTelephony(t)
	r := newRig(t, analysing)
	r.pages.tunes()
	machine := watchStandstill(t)
	var calls sync.WaitGroup
	for i, tt := range []analysed{
		{"busy", `connectwhen="analysis"`, "say busy; wait 9s", "wait 9s", "busy", "busy", nil},
		{"fast busy", `connectwhen="analysis"`, "say fast busy; wait 9s", "wait 9s", "network_busy", "fast_busy", nil},
		{"vacant number", `connectwhen="answered" analysis="true"`, "say sit; wait 1s; say sit; wait 1s; say sit; wait 9s", "wait 9s", "network_busy", "sit_vacantcircuit", nil},
		{"fax", `connectwhen="analysis"`, "", "wait 200ms; say fax; wait 9s", "far_end_fax", "fax", nil},
		{"machine", `connectwhen="analysis" analysis="true" detectansweringmachine="true"`, "", "wait 200ms; say machine; wait 9s", "far_end_machine", "machine", nil},
		{"machine that is talked to", `connectwhen="analysis" analysis="true" detectansweringmachine="false"`, "", "say machine; say hum 700 300ms", "far_end_disconnect", "machine", []float64{1000, 700}},
		{"machine, heard from the answer on", `analysis="true" detectansweringmachine="true"`, "", "say hum 700 300ms; say machine; wait 9s", "far_end_machine", "machine", []float64{700}},
		{"person", `connectwhen="analysis" gvp:detectansweringmachine="true"`, "say hum 400 300ms", "say hello; wait 1200ms; say hum 700 400ms; wait 100ms", "far_end_disconnect", "human", []float64{700}},
		{"early media that is not wanted", `connectwhen="answered"`, "say hum 400 300ms; wait 500ms", "say hum 700 300ms", "far_end_disconnect", "", []float64{700}},
		{"early media in place of a recording", `connectwhen="immediate" transferaudio="/1000/10s"`, "wait 400ms; say hum 400 300ms", "say hum 700 300ms", "far_end_disconnect", "", []float64{400, 700}},
		{"machine that is consulted", `type="consultation" connectwhen="analysis" analysis="true" detectansweringmachine="true"`, "", "say machine; wait 9s", "far_end_machine", "machine", nil},
		{"no such moment", `connectwhen="later"`, "", "", "error.semantic", "", nil},
		{"no boolean", `analysis="perhaps"`, "", "", "error.semantic", "", nil},
	} {
		calls.Go(func() {
			t.Run(tt.name, func(t *testing.T) {
				machine.steadily(t, func(once testing.TB, turn int) {
					tt.transfer(once, r, newFar(t, y, tt.early, tt.answered), fmt.Sprintf("/cpa%d-%d", i, turn))
				})
			})
		})
	}
	calls.Wait()
	r.nothingLeft()
	r.countsProgress()
}

// countsProgress holds the metrics to the records.
func (r *rig) countsProgress() {
	r.t.Helper()
	var machines, answered int
	for _, rec := range r.records() {
		for _, p := range rec.Progress {
			if p.Outcome == string(detect.Machine) {
				machines++
			}
			if p.Answered {
				answered++
			}
		}
	}
	counted, timed := r.metric(`mcp_call_progress_total{outcome="machine"}`), r.metric("mcp_call_progress_seconds_count")
	if machines < 4 || counted != fmt.Sprint(machines) || timed != fmt.Sprint(answered) {
		r.t.Errorf("counted %s machines and %s answers, the records tell of %d and %d", counted, timed, machines, answered)
	}
}

// TestBridgeIsRelayedInTheKernel has a call bridged on the XDP plane.
func TestBridgeIsRelayedInTheKernel(t *testing.T) {
	t.Parallel()
	passOnKernel(t, "^TestBridgeAfterAnAnalysis$", "TestBridgeAfterAnAnalysis")
}

// TestBridgeAfterAnAnalysis holds a party until it has said who it is, and lets the
// two talk then: where the plane is the kernel's, relayed from leg to leg.
func TestBridgeAfterAnAnalysis(t *testing.T) {
	t.Parallel()
	y := newTelephony(t)
	r := newRig(t, analysing)
	f := newFar(t, y, "", "say hello; wait 1s; say hum 700 400ms; wait 600ms")
	r.transferring(`<transfer name="t" type="bridge" dest="` + f.uri() + `" connectwhen="analysis">`)
	summary, err := r.dial(t.Context(), r.target(), "hear; say hum 400 400ms; await")
	if err != nil {
		t.Fatal(err)
	}
	rec := r.wantProgress(t, func(*reporting.Record) bool { return true }, "party-1", "human")
	if told, _ := r.told(); told != "far_end_disconnect" {
		t.Errorf("the page told %q", told)
	}
	if got, back := heard(summary), heard(f.last()); !slices.Equal(got, []float64{700}) || !slices.Equal(back, []float64{400}) {
		t.Errorf("the caller heard %v, the party %v", got, back)
	}
	for _, leg := range rec.Media {
		if r.cfg.Media.Plane != "socket" && leg.Sent.Relayed < 20 {
			t.Errorf("leg %s: %d of %d packets sent were relayed", leg.Name, leg.Sent.Relayed, leg.Sent.Packets)
		}
	}
}

// analysed is a transfer, what its far end does, and what is to come of it.
type analysed struct {
	name, attributes, early, answered string
	want, outcome                     string
	hears                             []float64 // the caller
}

func (a analysed) transfer(t testing.TB, r *rig, f *far, path string) {
	if !strings.Contains(a.attributes, "type=") {
		a.attributes += ` type="bridge"`
	}
	r.pages.handle(path, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<?xml version="1.0"?><vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension">
			<catch event="error"><var name="t" expr="_event"/><submit next="%[1]s/told" namelist="t"/></catch>
			<form><transfer name="t" dest="%[2]s" %[3]s><filled><submit next="%[1]s/told" namelist="t"/></filled></transfer></form></vxml>`, path, f.uri(), a.attributes)
	})
	r.pages.page(path+"/told", `<form><block><disconnect/></block></form>`)
	summary, err := r.dial(t.Context(), r.uri("dialog", "voicexml="+escape(r.pages.server.URL+path)), "await")
	if err != nil {
		t.Error(err)
		return
	}
	if told := r.query(t, path+"/told"); told.Get("t") != a.want {
		t.Errorf("the page told %v, want %s", told, a.want)
	}
	got := heard(summary)
	if len(got) > 0 && got[0] == 1000 && strings.Contains(a.attributes, "transferaudio") {
		got = got[1:] // until there was early media
	}
	if !slices.Equal(got, a.hears) {
		t.Errorf("the caller heard %v, want %v", tones(summary), a.hears)
	}
	r.wantProgress(t, func(rec *reporting.Record) bool { return rec.SIPCallID == summary.CallID }, "party-1", a.outcome)
}

// wantProgress holds a call's record to what was heard on a leg; empty: nothing.
func (r *rig) wantProgress(t testing.TB, which func(*reporting.Record) bool, leg, outcome string) *reporting.Record {
	t.Helper()
	var all []*reporting.Record
	await(t, "the call's record", func() bool {
		all = slices.DeleteFunc(r.records(), func(rec *reporting.Record) bool { return !which(rec) })
		return len(all) > 0
	})
	switch got := all[0].Progress; {
	case outcome == "" && len(got) > 0, outcome != "" && (len(got) != 1 || got[0].Leg != leg || got[0].Outcome != outcome):
		t.Errorf("the record has %+v, want %s on %s", got, outcome, leg)
	}
	return all[0]
}

func TestCallsOverHTTPThatAreAnalysed(t *testing.T) {
	t.Parallel()
	y := newTelephony(t)
	r := newRig(t, analysing)
	r.pages.tunes()
	machine := watchStandstill(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	o := &orderer{t: t, base: "http://" + r.log.wait(t, "outbound calls")["listen"].(string)}
	r.pages.page("/main.vxml", `<form><block><prompt><audio src="/400/300ms"/></prompt>
		<var name="outcome" expr="session.connection.progress.outcome"/><var name="beep" expr="session.connection.progress.beep"/>
		<submit next="/told" namelist="outcome beep"/></block></form>`)
	r.pages.page("/told", `<form><block><disconnect/></block></form>`)
	var calls sync.WaitGroup
	for _, tt := range []placed{
		{"busy before the answer", `{}`, "say busy; wait 9s", "wait 9s", outbound.Progress{Outcome: "busy"}, "the network says busy", nil, reporting.Cancelled},
		{"busy after the answer", `{}`, "", "say busy; wait 9s", outbound.Progress{Outcome: "busy", Answered: true}, "", []float64{400}, reporting.Disconnected},
		{"machine", `{"profile": "normal"}`, "", "say machine; wait 9s", outbound.Progress{Outcome: "machine", Answered: true}, "", []float64{400}, reporting.Disconnected},
		{"machine, after its beep", `{"until": "beep"}`, "say hum 400 100ms", "say machine; wait 9s", outbound.Progress{Outcome: "machine", Answered: true, Beep: true}, "", []float64{400}, reporting.Disconnected},
		{"machine, after its greeting", `{"until": "greeting"}`, "", "say greeting; wait 9s", outbound.Progress{Outcome: "machine", Answered: true}, "", []float64{400}, reporting.Disconnected},
		{"person", `{"profile": "voice"}`, "", "say hello; wait 9s", outbound.Progress{Outcome: "human", Answered: true}, "", []float64{400}, reporting.Disconnected},
		{"person who hangs up at once", `{}`, "", "wait 100ms", outbound.Progress{}, "", nil, reporting.HangUp},
	} {
		calls.Go(func() {
			t.Run(tt.name, func(t *testing.T) {
				machine.steadily(t, func(once testing.TB, _ int) { tt.place(once, r, o, newFar(t, y, tt.early, tt.answered)) })
			})
		})
	}
	calls.Wait()
	for _, want := range []string{"outcome=machine&beep=true", "outcome=machine&beep=false", "outcome=human&beep=false", "outcome=busy&beep=false"} {
		if !slices.Contains(r.pages.requests(), "/told?"+want) {
			t.Errorf("no page told %s", want)
		}
	}
	for wrong, says := range map[string]string{`{"until": "dawn"}`: "dawn", `{"profile": "polite"}`: "polite", `{"beep": true}`: "beep"} {
		if status, state := o.ask("POST", "/v1/calls", `{"to": "sip:bob@127.0.0.1", "analysis": `+wrong+`}`); status != http.StatusBadRequest || !strings.Contains(state.Error, says) {
			t.Errorf("%s: %d %+v", wrong, status, state)
		}
	}
	r.nothingLeft()
}

// placed is a call over HTTP, what its far end does, and what is to come of it.
type placed struct {
	name, analysis, early, answered string
	want                            outbound.Progress // but for its time
	failure                         string
	hears                           []float64 // the far end
	cause                           reporting.Cause
}

func (p placed) place(t testing.TB, r *rig, o *orderer, f *far) {
	status, state := o.ask("POST", "/v1/calls", `{"to": "`+f.uri()+`", "analysis": `+p.analysis+`}`)
	if status != http.StatusAccepted {
		t.Errorf("%d %+v", status, state)
		return
	}
	state = o.over(state.ID)
	if state.Error != p.failure {
		t.Errorf("%+v", state)
	}
	found := outbound.Progress{}
	if state.Progress != nil {
		found = *state.Progress
		found.After = 0
	}
	if found != p.want {
		t.Errorf("found %+v, want %+v", found, p.want)
	}
	<-f.replied
	f.mu.Lock()
	summary := f.calls[0]
	f.mu.Unlock()
	switch got, spoken := heard(summary), summary.Said; {
	case !slices.Equal(got, p.hears):
		t.Errorf("the far end heard %v, want %v", tones(summary), p.hears)
	case p.hears != nil && strings.Contains(p.analysis, "until") && tones(summary)[0].Start < spoken[len(spoken)-1].End()-40*time.Millisecond:
		t.Errorf("heard at %s what was said until %s", tones(summary)[0].Start, spoken[len(spoken)-1].End())
	}
	rec := r.wantProgress(t, func(rec *reporting.Record) bool { return rec.ID == state.ID }, "caller", p.want.Outcome)
	if rec.End.Cause != p.cause {
		t.Errorf("record: %+v", rec.End)
	}
}
