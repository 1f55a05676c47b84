package vxml_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/sim"
)

// site serves pages by path without a network: it is the transport itself, so
// that it works in a bubble of simulated time.
type site map[string]string

func (s site) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	path := r.URL.Path
	if body, ok := s[path]; ok {
		rec.Header().Set("Cache-Control", "no-store")
		fmt.Fprint(rec, strings.ReplaceAll(body, "{query}", r.URL.RawQuery))
	} else {
		rec.WriteHeader(http.StatusNotFound)
	}
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func (s site) client() *http.Client { return &http.Client{Transport: s} }

// dialogue is one run of a site.
type dialogue struct {
	out     vxml.Outcome
	err     error
	said    []string
	trace   []string // kind: text
	stopped error    // what was wrong with the script
}

// run runs /a.vxml of the site in simulated time with the steps of the caller,
// separated by spaces or lines; a space within a step is written _.
func run(t *testing.T, pages site, steps string, options ...func(*vxml.Options)) dialogue {
	t.Helper()
	var d dialogue
	synctest.Test(t, func(t *testing.T) {
		o := vxml.Options{Fetcher: fetch.New(fetch.Config{Client: pages.client()})}
		for _, f := range options {
			f(&o)
		}
		lines := strings.ReplaceAll(strings.Join(strings.Fields(steps), "\n"), "_", " ")
		caller := sim.New(strings.NewReader(lines), t.Output())
		caller.Fetch(o.Fetcher)
		d.out, d.err = vxml.New(o).Run(context.Background(), vxml.Start{
			URL: "http://site/a.vxml",
			Trace: func(e vxml.TraceEvent) {
				if e.Kind == vxml.Said {
					d.said = append(d.said, e.Text)
				}
				d.trace = append(d.trace, e.Kind.String()+": "+e.Text)
				caller.Trace(e)
			},
		}, caller)
		d.stopped = caller.Err()
	})
	if d.stopped != nil {
		t.Fatal(d.stopped)
	}
	return d
}

func page(body string) site { return site{"/a.vxml": vxmlPage(body)} }

func vxmlPage(body string) string {
	return `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml">` + body + `</vxml>`
}

// Each row is a page, what the caller does, and all that is said until the end.
func TestDialogues(t *testing.T) {
	const yesNo = `<grammar mode="voice" root="r"><rule id="r"><one-of><item>yes</item><item>no</item></one-of></rule></grammar>`
	tests := []struct{ name, body, steps, want string }{
		{"a block speaks and the session ends", `<form><block>Hello <value expr="1+1"/>.</block></form>`, ``, "Hello 2."},
		{"a field takes digits", `<form><field name="pin" type="digits?length=4"><prompt>Pin?</prompt>
			<filled>Got <value expr="pin"/></filled></field></form>`, `dtmf:1234`, "Pin?|Got 1234"},
		{"the terminating key ends digits", `<form><field name="n" type="digits"><prompt>N?</prompt>
			<filled><value expr="n"/></filled></field></form>`, `dtmf:12#`, "N?|12"},
		{"the pause ends digits", `<form><field name="n" type="digits"><prompt>N?</prompt>
			<filled><value expr="n"/></filled></field></form>`, `dtmf:12`, "N?|12"},
		{"a field takes speech", `<form><field name="a">` + yesNo + `<prompt>Yes or no?</prompt>
			<filled><if cond="a == 'yes'">Fine<else/>Pity</if></filled></field></form>`, `say:yes`, "Yes or no?|Fine"},
		{"nomatch, noinput and counts", `<form><field name="a">` + yesNo + `<prompt>Ask</prompt><prompt count="2">Ask again</prompt>
			<nomatch>What?<reprompt/></nomatch><noinput>One</noinput><noinput count="2">Two<reprompt/></noinput>
			</field><block>Done <value expr="a"/></block></form>`,
			`say:maybe silence silence say:no`, "Ask|What? Ask again|One|Two Ask again|Done no"},
		{"typing ahead skips prompts", `<form><field name="a" type="digits?length=1"><prompt>A?</prompt></field>
			<field name="b" type="digits?length=1"><prompt>B?</prompt></field><block><value expr="a+b"/></block></form>`,
			`dtmf:12`, "A?|12"},
		{"no barge-in forgets keys", `<form><field name="a" type="digits?length=1"><prompt>A?</prompt></field>
			<field name="b" type="digits?length=1"><prompt bargein="false">B?</prompt></field><block><value expr="a+b"/></block></form>`,
			`dtmf:12 dtmf:3`, "A?|B?|13"},
		{"variables shadow", `<var name="x" expr="1"/><form><var name="x" expr="2"/><block><var name="x" expr="3"/>
			<value expr="[application.x,document.x,dialog.x,x]"/></block></form>`, ``, "1,1,2,3"},
		{"assignment reaches the outer scope", `<var name="x"/><form><block><assign name="x" expr="5"/></block>
			<block><value expr="document.x"/></block></form>`, ``, "5"},
		{"scripts declare in their scope", `<script>var n = 3; function f(k) { return k * n; }</script>
			<form><block><script>n = 4; var local = 1;</script><value expr="f(2) + typeof local"/></block>
			<block><value expr="typeof local"/></block></form>`, ``, "8number undefined"},
		{"an undeclared variable is error.semantic", `<catch event="error.semantic">caught <value expr="_event"/></catch>
			<form><block><assign name="nope" expr="1"/>never</block></form>`, ``, "caught error.semantic"},
		{"session is read-only", `<catch event="error.semantic">caught</catch>
			<form><block><assign name="session.connection" expr="1"/>never</block></form>`, ``, "caught"},
		{"conditions choose items", `<form><block cond="false">no</block><block name="b" expr="true">no</block><block>yes</block></form>`, ``, "yes"},
		{"nextitem", `<form><block>1<goto nextitem="c"/></block><block>2</block><block name="c">3</block></form>`, ``, "1 3 2"},
		{"goto another dialog", `<form id="a"><block>1<goto next="#b"/></block></form><form id="b"><block>2</block></form>`, ``, "1 2"},
		{"a menu", `<menu dtmf="true"><prompt>Choose <enumerate><value expr="_prompt"/> is <value expr="_dtmf"/>,</enumerate></prompt>
			<choice next="#x">red</choice><choice next="#y">blue</choice></menu>
			<form id="x"><block>X</block></form><form id="y"><block>Y</block></form>`, `dtmf:2`, "Choose red is 1,blue is 2,|Y"},
		{"options", `<form><field name="f"><prompt>F?</prompt><option dtmf="1" value="A">apples</option><option dtmf="2" value="B">pears</option>
			<filled><value expr="f"/></filled></field></form>`, `say:pears`, "F?|B"},
		{"a link", `<link event="help"><grammar mode="voice" root="r"><rule id="r">help</rule></grammar></link>
			<form><field name="a">` + yesNo + `<prompt>Ask</prompt><help>Say yes or no</help></field></form>`, `say:help say:yes`, "Ask|Say yes or no"},
		{"a subdialog returns values", `<form><var name="v" expr="2"/><subdialog name="r" src="#sub"><param name="p" expr="v + 1"/>
			<filled>Got <value expr="r.q"/></filled></subdialog></form>
			<form id="sub"><var name="p"/><var name="q"/><block><assign name="q" expr="p * 2"/><return namelist="q"/></block></form>`, ``, "Got 6"},
		{"a subdialog throws", `<form><catch event="my.event">caught<exit/></catch><subdialog name="r" src="#sub"/></form>
			<form id="sub"><block><return event="my.event"/></block></form>`, ``, "caught"},
		{"mixed initiative", `<form><grammar mode="voice" root="r" tag-format="semantics/1.0"><rule id="r">
			from <ruleref uri="#c"/><tag>out.src=rules.c</tag> to <ruleref uri="#c"/><tag>out.dst=rules.c</tag></rule>
			<rule id="c"><one-of><item>rome</item><item>oslo</item></one-of></rule></grammar>
			<initial><prompt>Where?</prompt></initial><field name="src"><prompt>From?</prompt></field><field name="dst"><prompt>To?</prompt></field>
			<filled namelist="src dst"><value expr="src + '-' + dst"/></filled></form>`, `say:from_rome_to_oslo`, "Where?|rome-oslo"},
		{"shadow variables", `<form><field name="a">` + yesNo + `<filled><value expr="a$.utterance + a$.inputmode + a$.confidence"/>
			<value expr="application.lastresult$[0].utterance + lastresult$.confidence"/></filled></field></form>`,
			`say(0.75):yes`, "yesvoice0.75 yes0.75"},
		{"low confidence is nomatch", `<form><field name="a">` + yesNo + `<nomatch>no</nomatch></field></form>`, `say(0.2):yes`, "no"},
		{"alternate content of audio", `<form><block><audio src="missing.wav">instead</audio></block></form>`, ``, "instead"},
		{"unknown events end the session", `<form><block>a<throw event="my.own"/>b</block></form>`, ``, "a An error has occurred."},
		{"foreach", `<form><block><var name="a" expr="[1,2,3]"/><prompt><foreach item="i" array="a">n<value expr="i"/> </foreach></prompt></block></form>`, ``, "n1 n2 n3"},
		{"clear asks again", `<form><var name="k" expr="0"/><field name="a" type="digits?length=1"><prompt>A<value expr="k"/></prompt>
			<filled><assign name="k" expr="k+1"/><if cond="k &lt; 2"><clear namelist="a"/></if></filled></field></form>`, `dtmf:1 dtmf:2`, "A0|A1"},
		{"what is not carried out is refused", `<catch event="error.unsupported.objectname">refused<exit/></catch><form><object name="o" classid="builtin:none"/></form>`, ``, "refused"},
		{"a catch without reprompt is silent", `<form><field name="a">` + yesNo + `<prompt>Ask</prompt><noinput>hm</noinput></field><block>end</block></form>`,
			`silence say:yes`, "Ask|hm|end"},
		{"help has a default", `<form><field name="a">` + yesNo + `<prompt>Ask</prompt><noinput><throw event="help"/></noinput></field></form>`,
			`silence say:yes`, "Ask|There is no help for this. Ask"},
		{"cond of a handler", `<var name="x" expr="1"/><form><field name="a">` + yesNo + `<noinput cond="x == 2">two</noinput><noinput>one</noinput></field></form>`,
			`silence say:yes`, "one"},
		{"script errors are caught", `<form><catch event="error">bad</catch><block><value expr="1 +"/></block></form>`, ``, "bad"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := run(t, page(tt.body), tt.steps)
			if d.err != nil {
				t.Fatal(d.err)
			}
			want := strings.ReplaceAll(tt.want, "|", " ")
			if got := strings.Join(d.said, " "); got != want {
				t.Errorf("said %q, want %q\n%s", got, want, strings.Join(d.trace, "\n"))
			}
		})
	}
}
