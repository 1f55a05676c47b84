package vxml_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/sim"
)

const gvp = ` xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension"`

// What Genesys applications add to VoiceXML.
func TestExtensions(t *testing.T) {
	queued := `<property name="com.genesyslab.externalevents.queue" value="true"/>`
	tests := []struct{ name, body, steps, want string }{
		{"a message comes", `<form><block><gvp:receive` + gvp + ` maxtime="20s"/><value expr="application.lastmessage$.content + application.lastmessage$.contenttype + application.lastmessage$.sourcetype"/></block></form>`,
			"message:a=1", "a=1text/plainsim"},
		{"none comes", `<form><block>Wait.<gvp:receive` + gvp + ` maxtimeexpr="'1' + 's'"/><value expr="typeof application.lastmessage$"/></block></form>`, "silence", "Wait.|undefined"},
		{"the caller leaves meanwhile", `<form><catch event="connection.disconnect"><log>left</log></catch><block><gvp:receive` + gvp + `/>no</block></form>`, "hangup", "left"},
		{"a message interrupts", `<property name="com.genesyslab.externalevents.enable" value="true"/><form><field name="x">` + answer + `<prompt>Ask.</prompt>
			<catch event="externalmessage">Got <value expr="application.lastmessage$.content"/>.<exit/></catch></field></form>`, "message:now", "Ask.|Got now."},
		{"a message does not unless it may", `<form><field name="x">` + answer + `<prompt>Ask.</prompt><noinput>None.<exit/></noinput></field></form>`, "message:now", "Ask.|None."},
		{"what came earlier is forgotten", `<form><block><gvp:receive` + gvp + ` maxtime="1s"/></block><field name="x">` + answer + `<noinput><assign name="x" expr="1"/></noinput></field>
			<block><gvp:receive` + gvp + ` maxtime="1s"/><value expr="typeof application.lastmessage$"/></block></form>`, "silence message:now silence", "undefined"},
		{"unless it is queued", queued + `<form><field name="x">` + answer + `<noinput><assign name="x" expr="1"/></noinput></field>
			<block><gvp:receive` + gvp + ` maxtime="1s"/><value expr="application.lastmessage$.content"/></block></form>`, "message:now", "now"},
		{"send wants one content", `<form><block><gvp:send` + gvp + ` body="a" namelist="b"/></block></form>`, "", ""},
		{"log to the call log", `<form><block><log` + gvp + ` gvp:dest="calllog" label="L">enable <value expr="1 + 1"/></log></block></form>`, "", "L enable 2"},
		{"other namespaces are not ours", `<form><block><x:send xmlns:x="urn:x" body="a"/></block></form>`, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == "" {
				d := run(t, page(tt.body), tt.steps)
				if d.err == nil || d.out.Event == nil || d.out.Event.Name != "error.badfetch" {
					t.Errorf("%v, want error.badfetch", d.err)
				}
				return
			}
			if got := heard(t, tt.body, tt.steps); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// watched is a simulated platform that notes what it is asked for.
type watched struct {
	*sim.Caller
	sent     []vxml.Message
	logs     []vxml.PageLog
	record   map[string]string
	transfer map[string]string
	private  []bool
}

func (w *watched) Send(_ context.Context, m vxml.Message) error {
	w.sent = append(w.sent, m)
	return nil
}
func (w *watched) PageLog(l vxml.PageLog) { w.logs = append(w.logs, l) }
func (w *watched) Private(on bool)        { w.private = append(w.private, on) }
func (w *watched) Reason() string         { return "Q.850;cause=16" }

func (w *watched) Record(ctx context.Context, req vxml.RecordRequest) (vxml.Recording, error) {
	w.record = req.Extensions
	return w.Caller.Record(ctx, req)
}

func (w *watched) Transfer(ctx context.Context, req vxml.TransferRequest) (vxml.Transfer, error) {
	w.transfer = req.Extensions
	return w.Caller.Transfer(ctx, req)
}

// watch runs a body with a watched platform, and returns what was logged.
func watch(t *testing.T, body, steps string) (w *watched, log, trace string) {
	t.Helper()
	var written, traced bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		caller := sim.New(strings.NewReader(strings.ReplaceAll(steps, " ", "\n")), io.Discard)
		w = &watched{Caller: caller}
		in := vxml.New(vxml.Options{
			Fetcher: fetch.New(fetch.Config{Client: page(body).client()}),
			Logger:  slog.New(slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		_, err := in.Run(context.Background(), vxml.Start{URL: "http://site/a.vxml", Trace: func(e vxml.TraceEvent) {
			traced.WriteString(e.Kind.String() + ": " + e.Text + "\n")
			caller.Trace(e)
		}}, w)
		if err != nil {
			t.Error(err)
		}
	})
	return w, written.String(), traced.String()
}

func TestPlatformIsAsked(t *testing.T) {
	w, log, trace := watch(t, `<form><var name="a" expr="'x y'"/><var name="b" expr="{c: 1}"/>
		<catch event="connection.disconnect"><log gvp:dest="calllog" label="why" xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension"><value expr="_message"/></log></catch>
		<block><gvp:send`+gvp+` namelist="a b" async="true"/><gvp:send`+gvp+` contenttype="text/x" bodyexpr="a + 1"/></block>
		<record name="r" mintime="1s" destexpr="'http://h/' + b.c"/>
		<transfer name="t" dest="tel:1" bridge="true" method="refer" gvp:connectwhen="answered" gvp:consultexpr="1 == 1"`+gvp+`/></form>`, "say:a hangup")
	if len(w.sent) != 2 || w.sent[0].Content != "a=x+y&b.c=1" || !w.sent[0].Async || w.sent[0].ContentType != "application/x-www-form-urlencoded;charset=utf-8" ||
		w.sent[1].Content != "x y1" || w.sent[1].ContentType != "text/x" {
		t.Errorf("sent %+v", w.sent)
	}
	if w.record["mintime"] != "1s" || w.record["dest"] != "http://h/1" || w.transfer["method"] != "refer" ||
		w.transfer["connectwhen"] != "answered" || w.transfer["consult"] != "true" {
		t.Errorf("extensions %v, %v", w.record, w.transfer)
	}
	if len(w.logs) != 1 || w.logs[0] != (vxml.PageLog{Label: "why", Dest: "calllog", Text: "Q.850;cause=16"}) {
		t.Errorf("logs %v\n%s%s", w.logs, log, trace)
	}
}

// changes runs a body and returns how its variables change, as far as wanted says that
// this is wanted.
func changes(t *testing.T, body, steps string, wanted func() bool) []string {
	t.Helper()
	var got []string
	synctest.Test(t, func(t *testing.T) {
		caller := sim.New(strings.NewReader(strings.ReplaceAll(steps, " ", "\n")), io.Discard)
		in := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: page(body).client()})})
		_, err := in.Run(context.Background(), vxml.Start{
			URL: "http://site/a.vxml", Trace: caller.Trace, Values: wanted,
			Steps: func(s vxml.Step) {
				if s.Kind == vxml.Changed {
					got = append(got, s.Text)
				}
			},
		}, caller)
		if err != nil {
			t.Error(err)
		}
	})
	return got
}

func TestVariablesAreShown(t *testing.T) {
	body := `<var name="tries" expr="0"/><script>function add(n) { return n + 1 }</script><form id="f"><var name="all" expr="[]"/>
		<field name="n" type="digits?length=2"><filled><assign name="tries" expr="add(tries)"/><script>all.push(n)</script></filled></field>
		<block><assign name="tries" expr="new Array(1000).join('a')"/><clear namelist="n"/><goto next="#g"/></block></form>
		<form id="g"><block><var name="gone" expr="1"/><assign name="tries" expr="null"/></block></form>`
	always := func() bool { return true }
	got := changes(t, body, "dtmf:12", always)
	want := []string{
		"application.tries = 0", "dialog.all = []", "application.lastresult$ = [", "application.tries = 1", `dialog.all = ["12"]`,
		`dialog.n = "12"`, "dialog.n$ = {", `application.tries = "aaa`, "dialog.n = undefined", "application.tries = null",
	}
	for i, w := range want {
		if len(got) != len(want) || !strings.HasPrefix(got[i], w) || len(got[i]) > 300 {
			t.Fatalf("%d: %q\nwant %q", i, got, want)
		}
	}
	if got := changes(t, body, "dtmf:12", nil); got != nil {
		t.Errorf("nobody asked, and %v", got)
	}
}

// Of what is private no variable tells, whether it is asked for in time or later, and
// neither does what the page makes of it at once.
func TestPrivateVariables(t *testing.T) {
	body := `<var name="copies"/><var name="alias"/><var name="public" expr="1"/><form><field name="pin" type="digits?length=%d">
		<property name="com.genesyslab.private" value="true"/>
		<filled><assign name="copies" expr="{pin: pin, turned: pin.split('').reverse(), sum: pin * 2}"/></filled></field>
		<field name="open" type="digits?length=3"/>
		<block><var name="later" expr="0"/><assign name="public" expr="pin"/><assign name="application.alias" expr="copies"/></block>
		<block><assign name="public" expr="'it is ' + open"/><assign name="copies.more" expr="1"/></block></form>`
	for name, tt := range map[string]struct {
		digits int
		pin    string
		from   int // of the times that it is asked whether variables are wanted
		open   string
	}{
		"long": {4, "4792", 0, `"815"`}, "short": {2, "47", 0, `"815"`}, "asked for later": {4, "4792", 2, "***"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			got := changes(t, fmt.Sprintf(body, tt.digits), "dtmf:"+tt.pin+" dtmf:815", func() bool { asked++; return asked > tt.from })
			all := strings.Join(got, "\n")
			for _, secret := range []string{tt.pin, `"7", "4"`, "9584", " 94"} {
				if strings.Contains(all, secret) {
					t.Errorf("%s is in\n%s", secret, all)
				}
			}
			for _, want := range []string{"dialog.pin = ***", "dialog.open = " + tt.open, "application.copies = ***", `application.public = "***"`, "application.alias = …", `application.public = "it is 815"`} {
				if !strings.Contains(all, want) {
					t.Errorf("%s is not in\n%s", want, all)
				}
			}
		})
	}
}

// The event and the log name the variable that an author probably meant.
func TestMisspeltVariableIsHinted(t *testing.T) {
	_, log, trace := watch(t, `<form><var name="account" expr="1"/><catch event="error.semantic"><log><value expr="_message"/></log><exit/></catch>
		<block><value expr="acount"/></block></form>`, "")
	const want = `acount is not defined: did you mean "account"?`
	if !strings.Contains(trace, "logged: http://site/a.vxml:") || !strings.Contains(trace, want) || !strings.Contains(log, strings.ReplaceAll(want, `"`, `\"`)) {
		t.Errorf("log\n%strace\n%s", log, trace)
	}
}

// What is private is in no log and no trace, wherever the page takes it.
func TestPrivate(t *testing.T) {
	const pin = "4929123456781234"
	private := `<property name="com.genesyslab.private" value="true"/>`
	w, log, trace := watch(t, `<catch event="error"><exit/></catch><form><field name="open" type="digits?length=3"/>
		<field name="pin" type="digits?length=16">`+private+`<nomatch/></field>
		<block>You entered <value expr="pin"/><log>it is <value expr="pin"/></log><data src="http://site/none" namelist="pin"/></block></form>`,
		"dtmf:815 dtmf:49291234567812345 dtmf:"+pin)
	for name, text := range map[string]string{"log": log, "trace": trace} {
		if strings.Contains(text, pin) || strings.Contains(text, pin[:8]) {
			t.Errorf("the %s tells the secret:\n%s", name, text)
		}
	}
	if !strings.Contains(trace, "815") || !strings.Contains(trace, "You entered ***") {
		t.Errorf("the trace hides what is public:\n%s", trace)
	}
	if got := w.private; len(got) < 3 || got[0] || !got[1] || got[2] || got[len(got)-1] {
		t.Errorf("the platform was told %v", got)
	}
}
