package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMSMLAnnouncement(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	web := r.pages.server.URL
	s, p := r.steer(t), r.participate(t, "wait 2s")
	result := s.ask(`<dialogstart target="` + p.id + `" name="12345"><play>
			<audio uri="` + web + `/400/300ms"/><audio uri="` + web + `/700/300ms" iterate="2"/><var type="silence" value="100ms"/>
		</play><send target="source" event="done" namelist="play.amt play.end"/></dialogstart>`)
	if result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	done := s.event("done", p.id+"/dialog:12345")
	if done.value("play.end") != "play.complete" || done.value("play.amt") != "1000ms" {
		t.Errorf("%+v", done)
	}
	s.event("msml.dialog.exit", p.id+"/dialog:12345")
	if got := p.end(); !slices.Equal(got, []float64{400, 700}) {
		t.Errorf("heard %v", got)
	}
}

// Dialogs on one connection run beside each other; what one plays takes the place of what
// another does.
func TestMSMLDialogsShareAConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.pages.tunes()
	web := r.pages.server.URL
	s, p := r.steer(t), r.participate(t, "hear; dtmf 5; await")
	result := s.ask(`<dialogstart target="` + p.id + `" name="keys"><collect><pattern digits="5"/></collect><exit namelist="dtmf.digits"/></dialogstart>
		<dialogstart target="` + p.id + `" name="long"><play><audio uri="` + web + `/400/10s"/></play><exit namelist="play.end"/></dialogstart>`)
	if result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	if exit := s.event("msml.dialog.exit", p.id+"/dialog:keys"); exit.value("dtmf.digits") != "5" {
		t.Errorf("%+v", exit)
	}
	s.ask(`<dialogstart target="` + p.id + `" name="short"><play><audio uri="` + web + `/700/300ms"/></play><exit namelist="play.end"/></dialogstart>`)
	for name, end := range map[string]string{"long": "terminate", "short": "play.complete"} {
		if exit := s.event("msml.dialog.exit", p.id+"/dialog:"+name); exit.value("play.end") != end {
			t.Errorf("%s: %+v", name, exit)
		}
	}
	if got := s.dismiss(p); !slices.Equal(got, []float64{400, 700}) {
		t.Errorf("heard %v", got)
	}
}

// TestMSMLPlayAndCollect runs both forms of RFC 5707 section 13.5.
func TestMSMLPlayAndCollect(t *testing.T) {
	composite := `<collect fdt="10s" idt="16s"><play barge="true"><audio uri="%s"/></play>
		<pattern digits="xxxx#"><send target="source" event="done" namelist="dtmf.digits dtmf.end"/></pattern>
		<noinput><send target="source" event="done" namelist="dtmf.end"/></noinput>
		<nomatch><send target="source" event="done" namelist="dtmf.end"/></nomatch></collect>`
	group := `<group topology="parallel">
		<play><audio uri="%s"/><playexit><send target="dtmf" event="starttimer"/></playexit></play>
		<dtmf fdt="500ms" idt="16s"><pattern digits="xxxx#"><send target="group" event="terminate"/></pattern>
			<detect><send target="play" event="terminate"/></detect>
			<noinput><send target="group" event="terminate"/></noinput>
			<nomatch><send target="group" event="terminate"/></nomatch></dtmf>
		<groupexit><send target="source" event="done" namelist="dtmf.digits dtmf.end"/></groupexit></group>`
	for _, tt := range []struct {
		name, dialog, audio, script string
		end, digits                 string
	}{
		{"composite", composite, "/400/10s", "hear; dtmf 1234#; wait 300ms", "dtmf.match", "1234#"},
		{"composite, other keys", composite, "/400/10s", "hear; dtmf 12#; wait 300ms", "dtmf.nomatch", ""},
		{"group", group, "/400/10s", "hear; dtmf 1234#; wait 300ms", "dtmf.match", "1234#"},
		{"group, no key", group, "/400/300ms", "hear; wait 1500ms", "dtmf.noinput", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.pages.tunes()
			s := r.steer(t)
			p := r.participate(t, tt.script)
			result := s.ask(`<dialogstart target="` + p.id + `" name="d">` + fmt.Sprintf(tt.dialog, r.pages.server.URL+tt.audio) + `</dialogstart>`)
			if result.Response != 200 {
				t.Fatalf("%+v", result)
			}
			done := s.event("done", p.id+"/dialog:d")
			if done.value("dtmf.end") != tt.end || tt.digits != "" && done.value("dtmf.digits") != tt.digits {
				t.Errorf("%+v", done)
			}
			s.event("msml.dialog.exit", p.id+"/dialog:d")
			p.end()
			if got := tones(p.summary); len(got) == 0 || got[0].Duration > 5*time.Second {
				t.Errorf("heard %v", got)
			}
		})
	}
}

// TestMSMLVoiceMailRetrieval is RFC 5707 section 13.2, by keys.
func TestMSMLVoiceMailRetrieval(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	s := r.steer(t)
	p := r.participate(t, "hear; dtmf 5; wait 1200ms; dtmf 5; wait 300ms; dtmf 8; wait 200ms; dtmf #; wait 300ms")
	result := s.ask(`<dialogstart target="` + p.id + `" name="mail"><group topology="parallel">
		<play><audio uri="` + r.pages.server.URL + `/700/10s"/><playexit><send target="group" event="terminate"/></playexit></play>
		<dtmf iterate="forever">
			<pattern digits="5"><send target="play" event="toggle-state"/></pattern>
			<pattern digits="6"><send target="play" event="forward"/></pattern>
			<pattern digits="8"><send target="play" event="restart"/></pattern>
			<pattern digits="#"><send target="play" event="terminate"/></pattern>
		</dtmf></group><exit namelist="play.amt play.end"/></dialogstart>`)
	if result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	exit := s.event("msml.dialog.exit", p.id+"/dialog:mail")
	if exit.value("play.end") != "terminate" {
		t.Errorf("%+v", exit)
	}
	p.end()
	if got := tones(p.summary); len(got) < 2 || got[1].Start-got[0].Start-got[0].Duration < 300*time.Millisecond {
		t.Errorf("no pause is heard: %v", got)
	}
}

func TestMSMLGeneratorsAndDetector(t *testing.T) {
	r := newRig(t, nil)
	s, p := r.steer(t), r.participate(t, "listen; wait 2s; say hum 1600 400ms; wait 1500ms")
	s.ask(`<dialogstart target="` + p.id + `" name="g">
		<tonegen iterate="2"><tone duration="300ms"><tone1 freq="400" atten="-10"/><silence duration="700ms"/></tone></tonegen>
		<dtmfgen digits="12"/>
		<vad><voice len="100ms"><send target="source" event="spoken"/></voice><tsilence len="200ms"><send target="source" event="quiet"/></tsilence></vad>
		<exit namelist="tonegen.end dtmfgen.end vad.end"/></dialogstart>`)
	id := p.id + "/dialog:g"
	s.event("spoken", id)
	s.event("quiet", id)
	exit := s.event("msml.dialog.exit", id)
	if exit.value("tonegen.end") != "tonegen.complete" || exit.value("dtmfgen.end") != "dtmfgen.complete" || exit.value("vad.end") != "vad.tsilence" {
		t.Errorf("%+v", exit)
	}
	if got := p.end(); !slices.Equal(got, []float64{400, 400}) {
		t.Errorf("heard %v", got)
	}
	if p.summary.Received.Events == 0 {
		t.Error("no keys were pressed")
	}
}

// TestMSMLFaxDetection listens for fax machines, alone and in a group, and ends it
// (RFC 5707 section 9.11).
func TestMSMLFaxDetection(t *testing.T) {
	r := newRig(t, nil)
	s := r.steer(t)
	calling := r.participate(t, "wait 100ms; say hum 1100 500ms; await")
	s.ask(`<dialogstart target="` + calling.id + `" name="fax"><group topology="parallel">
		<faxdetect id="cng"><faxdetectexit><send target="group" event="terminate"/></faxdetectexit></faxdetect><dtmf fdt="30s"><noinput/></dtmf>
		</group><disconnect namelist="faxdetect.tone faxdetect.end"/></dialogstart>`)
	called := r.participate(t, "wait 100ms; say hum 2100 500ms; await")
	s.ask(`<dialogstart target="` + called.id + `" name="fax"><faxdetect><faxdetectexit>
		<send target="source" event="heard" namelist="faxdetect.tone"/></faxdetectexit></faxdetect><disconnect/></dialogstart>`)
	person := r.participate(t, "wait 100ms; say hum 700 500ms; wait 600ms")
	s.ask(`<dialogstart target="` + person.id + `" name="fax"><faxdetect/><exit namelist="faxdetect.tone faxdetect.end"/></dialogstart>`)
	if exit := s.event("msml.dialog.exit", calling.id+"/dialog:fax"); exit.value("faxdetect.tone") != "CNG" || exit.value("faxdetect.end") != "faxdetect.complete" {
		t.Errorf("%+v", exit)
	}
	if heard := s.event("heard", called.id+"/dialog:fax"); heard.value("faxdetect.tone") != "CED" {
		t.Errorf("%+v", heard)
	}
	s.ask(`<dialogend id="` + person.id + `/dialog:fax"/>`)
	if exit := s.event("msml.dialog.exit", person.id+"/dialog:fax"); exit.value("faxdetect.tone") != "" || exit.value("faxdetect.end") != "faxdetect.terminated" {
		t.Errorf("%+v", exit)
	}
	for _, p := range []*participant{calling, called, person} {
		<-p.done // hung up before it has said all, some
	}
}

func TestMSMLRunsPages(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	r.pages.page("/page.vxml", `<form><field name="pin"><prompt><audio src="/400/300ms"/></prompt>`+dtmfGrammar+`<filled><exit namelist="pin"/></filled></field></form>`)
	s, p := r.steer(t), r.participate(t, "listen; dtmf 2749; wait 500ms")
	id := p.id + "/dialog:v"
	s.ask(`<dialogstart target="` + p.id + `" name="v" type="application/vxml+xml" src="` + r.pages.server.URL + `/page.vxml"/>`)
	if exit := s.event("msml.dialog.exit", id); exit.value("pin") != "2749" {
		t.Errorf("%+v", exit)
	}
	s.ask(`<dialogstart target="` + p.id + `" name="v" type="application/vxml+xml" src="` + r.pages.server.URL + `/none.vxml"/>`)
	if exit := s.event("msml.dialog.exit", id); exit.value("dialog.exit.status") != "423" {
		t.Errorf("%+v", exit)
	}
	p.end()
}

// TestMSMLRefusals holds the codes of RFC 5707 section 11.
func TestMSMLRefusals(t *testing.T) {
	r := newRig(t, nil)
	s := r.steer(t)
	play := `<play><audio uri="http://127.0.0.1:1/none.wav"/></play>`
	for _, tt := range []struct {
		name, ops string
		code      int
		mark      string
	}{
		{"unknown element", `<dance/>`, 401, ""},
		{"video", `<createconference name="v"><videolayout/></createconference>`, 402, ""},
		{"receiving faxes", `<dialogstart target="` + s.id + `"><faxrcv/></dialogstart>`, 402, ""},
		{"fax", `<dialogstart target="` + s.id + `"><faxsend/></dialogstart>`, 402, ""},
		{"no content", `<dialogstart target="` + s.id + `"/>`, 403, ""},
		{"element out of place", `<dialogstart target="` + s.id + `"><join id1="a" id2="b"/></dialogstart>`, 404, ""},
		{"unknown attribute", `<dialogstart target="` + s.id + `" colour="red">` + play + `</dialogstart>`, 406, ""},
		{"long digits", `<dialogstart target="` + s.id + `"><collect ldd="1s"><pattern digits="1"/></collect></dialogstart>`, 407, ""},
		{"missing attribute", `<join id1="conn:a"/>`, 408, ""},
		{"wrong value", `<createconference deletewhen="later"/>`, 410, ""},
		{"wrong pattern", `<dialogstart target="` + s.id + `"><collect><pattern digits="y"/></collect></dialogstart>`, 410, ""},
		{"unknown language", `<dialogstart target="` + s.id + `" type="text/x-perl" src="http://web/a"/>`, 420, ""},
		{"source and content", `<dialogstart target="` + s.id + `" src="http://web/a">` + play + `</dialogstart>`, 422, ""},
		{"no such connection", `<dialogstart target="conn:none">` + play + `</dialogstart>`, 430, ""},
		{"no such conference", `<destroyconference id="conf:none"/>`, 430, ""},
		{"no such dialog", `<dialogend id="` + s.id + `/dialog:none"/>`, 430, ""},
		{"conference twice", `<createconference name="c" mark="one"/><createconference name="c" mark="two"/>`, 432, "one"},
		{"with itself", `<join id1="` + s.id + `" id2="` + s.id + `"/>`, 440, ""},
		{"dialog twice", `<dialogstart target="` + s.id + `" name="d" mark="m"><tonegen><tone duration="0"><tone1 freq="400" atten="0"/></tone></tonegen></dialogstart>
			<dialogstart target="` + s.id + `" name="d"><tonegen><silence duration="1s"/></tonegen></dialogstart>`, 431, "m"},
		{"not well-formed", `<play>`, 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			result := s.ask(tt.ops)
			if result.Response != tt.code || result.Mark != tt.mark || result.Description == "" {
				t.Errorf("got %+v, want %d", result, tt.code)
			}
		})
	}
	if result := s.ask(`<dialogend id="` + s.id + `/dialog:d"/>`); result.Response != 200 {
		t.Errorf("%+v", result)
	}
	s.event("msml.dialog.exit", s.id+"/dialog:d")
	// What fails while it is performed is told by an event.
	result := s.ask(`<dialogstart target="` + s.id + `">` + play + `</dialogstart>`)
	if len(result.Dialogs) != 1 {
		t.Fatalf("%+v", result)
	}
	if exit := s.event("msml.dialog.exit", result.Dialogs[0]); exit.value("dialog.exit.status") != "423" {
		t.Errorf("%+v", exit)
	}
}

// A client that hangs up has not to be told anything more: its call ends at once, however
// much is on its way to it, and whoever it has made wait goes on.
func TestMSMLClientHangsUpUnderEvents(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	s := r.steer(t)
	for range 3 {
		if result := s.ask(`<dialogstart target="` + s.id + `"><send target="source" event="hello"/><play><audio uri="` + r.pages.server.URL + `/400/10s"/></play></dialogstart>`); result.Response != 200 {
			t.Fatalf("%+v", result)
		}
	}
	if len(s.events) == 0 {
		s.take(s.call.Peer.Next())
	}
	begun := time.Now()
	s.over = true
	s.call.Peer.Send(s.call.Request("BYE"))
	for in := s.call.Peer.Next(); in.Status() != 200; in = s.call.Peer.Next() {
		if !strings.HasPrefix(in.Start, "INFO ") { // nobody answers them
			t.Fatalf("unexpected:\n%s", in)
		}
	}
	r.nothingLeft()
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("the call ended after %v", took)
	}
}
