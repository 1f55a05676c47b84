package vxml_test

import (
	"strings"
	"testing"

	"mcp/vxml"
)

// Applications of several documents.
func TestApplications(t *testing.T) {
	leaf := func(root, body string) string {
		return `<vxml version="2.1" application="` + root + `">` + body + `</vxml>`
	}
	const root = `<var name="n" expr="1"/><catch event="mine">root caught</catch><form id="home"><block>home <value expr="n"/></block></form>`
	const grammar = `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" mode="dtmf" root="r">
		<rule id="r"><one-of><item>1</item><item>2</item></one-of></rule><rule id="three" scope="public">3</rule></grammar>`
	tests := []struct {
		name  string
		pages site
		steps string
		want  string
	}{
		{"the root's variables and handlers serve its leaves", site{
			"/a.vxml": leaf("r.vxml", `<form><block><value expr="n"/><throw event="mine"/></block><block>on</block></form>`),
			"/r.vxml": vxmlPage(root)}, "", "1 root caught on"},
		{"application variables live from leaf to leaf", site{
			"/a.vxml": leaf("r.vxml", `<form><block><assign name="n" expr="5"/><goto next="b.vxml"/></block></form>`),
			"/b.vxml": leaf("r.vxml", `<form><block><value expr="application.n"/></block></form>`),
			"/r.vxml": vxmlPage(root)}, "", "5"},
		{"and from leaf to root", site{
			"/a.vxml": leaf("r.vxml", `<form><block><assign name="n" expr="5"/><goto next="r.vxml"/></block></form>`),
			"/r.vxml": vxmlPage(root)}, "", "home 5"},
		{"but not when the root is submitted to", site{
			"/a.vxml": leaf("r.vxml", `<form><block><assign name="n" expr="5"/><submit next="r.vxml"/></block></form>`),
			"/r.vxml": vxmlPage(root)}, "", "home 1"},
		{"document variables do not live on", site{
			"/a.vxml": vxmlPage(`<var name="x" expr="1"/><form><block><goto next="b.vxml"/></block></form>`),
			"/b.vxml": vxmlPage(`<form><block><value expr="typeof x"/></block></form>`)}, "", "undefined"},
		{"submit sends variables", site{
			"/a.vxml": vxmlPage(`<form><var name="o" expr="{a:1,b:'x y'}"/><block><submit next="b.vxml?z=1" namelist="o"/></block></form>`),
			"/b.vxml": vxmlPage(`<form><block>{query}</block></form>`)}, "", "z=1&amp;o.a=1&amp;o.b=x+y"},
		{"a fragment of another document", site{
			"/a.vxml": vxmlPage(`<form><block><goto next="b.vxml#two"/></block></form>`),
			"/b.vxml": vxmlPage(`<form id="one"><block>1</block></form><form id="two"><block>2</block></form>`)}, "", "2"},
		{"a bad document is thrown where the caller is", site{
			"/a.vxml": vxmlPage(`<catch event="error.badfetch">still here</catch><form><block><goto next="b.vxml"/></block><block>on</block></form>`),
			"/b.vxml": "<vxml>"}, "", "still here on"},
		{"a link of the root leads away", site{
			"/a.vxml": leaf("r.vxml", `<form><field name="f" type="digits?length=2"><prompt>F?</prompt></field></form>`),
			"/r.vxml": vxmlPage(`<link dtmf="*" next="#home"/>` + root)}, "dtmf:*", "F? home 1"},
		{"a form of document scope takes over with what was said", site{
			"/a.vxml": vxmlPage(`<form><field name="f"><grammar mode="dtmf" root="r"><rule id="r">9</rule></grammar><prompt>F?</prompt></field></form>
				<form id="other" scope="document"><grammar mode="dtmf" root="r" tag-format="semantics/1.0"><rule id="r">7<tag>out.g='seven'</tag></rule></grammar>
				<field name="g" type="digits"/><block><value expr="g"/></block></form>`)}, "dtmf:7", "F? seven"},
		{"modal fields listen to themselves alone", site{
			"/a.vxml": vxmlPage(`<link dtmf="1" event="away"/><form><field name="f" modal="true"><grammar mode="dtmf" root="r"><rule id="r">1</rule></grammar></field>
				<block><value expr="f"/></block></form>`)}, "dtmf:1", "1"},
		{"a grammar by URI", site{
			"/a.vxml":  vxmlPage(`<form><field name="f"><grammar src="g.grxml"/></field><block><value expr="f"/></block></form>`),
			"/g.grxml": grammar}, "dtmf:2", "2"},
		{"one rule of a grammar", site{
			"/a.vxml":  vxmlPage(`<form><field name="f"><grammar src="g.grxml#three"/><nomatch>no<exit/></nomatch></field><block><value expr="f"/></block></form>`),
			"/g.grxml": grammar}, "dtmf:3", "3"},
		{"a grammar that refers to another", site{
			"/a.vxml": vxmlPage(`<form><field name="f"><grammar mode="dtmf" root="r"><rule id="r">* <ruleref uri="g.grxml#three"/></rule></grammar></field>
				<block><value expr="f"/></block></form>`),
			"/g.grxml": grammar}, "dtmf:*3", "*3"},
		{"a malformed grammar", site{
			"/a.vxml":  vxmlPage(`<catch event="error.grammar">bad<exit/></catch><form><field name="f"><grammar src="g.grxml"/></field></form>`),
			"/g.grxml": "<grammar"}, "", "bad"},
		{"a script by URI", site{
			"/a.vxml": vxmlPage(`<script src="s.js"/><form><block><value expr="twice(4)"/></block></form>`),
			"/s.js":   "function twice(n) { return 2 * n }"}, "", "8"},
		{"audio by URI", site{
			"/a.vxml":   vxmlPage(`<form><block>a<audio src="x.wav">not this</audio>b</block></form>`),
			"/x.wav":    "RIFF",
			"/unused":   "",
			"/b/c.vxml": ""}, "", "a [http://site/x.wav] b"},
		{"xml:base", site{
			"/a.vxml":    `<vxml version="2.1" xml:base="http://site/deep/"><script src="s.js"/><form><block><value expr="v"/></block></form></vxml>`,
			"/deep/s.js": "var v = 'deep'"}, "", "deep"},
		{"a subdialog has an application of its own", site{
			"/a.vxml": leaf("r.vxml", `<form><block><assign name="n" expr="5"/></block><subdialog name="s" src="b.vxml"><filled><value expr="s.m + ',' + n"/></filled></subdialog></form>`),
			"/b.vxml": leaf("r.vxml", `<form><block><var name="m" expr="n"/><return namelist="m"/></block></form>`),
			"/r.vxml": vxmlPage(root)}, "", "1,5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if q := tt.pages["/b.vxml"]; strings.Contains(q, "{query}") {
				tt.want = strings.ReplaceAll(tt.want, "&amp;", "&")
				tt.pages["/b.vxml"] = strings.ReplaceAll(q, "{query}", "<![CDATA[{query}]]>")
			}
			d := run(t, tt.pages, tt.steps)
			if d.err != nil {
				t.Fatal(d.err)
			}
			if got := strings.Join(d.said, " "); got != tt.want {
				t.Errorf("said %q, want %q\n%s", got, tt.want, strings.Join(d.trace, "\n"))
			}
		})
	}
}

// The pages visited and the session's variables are told and seen.
func TestSessionVariables(t *testing.T) {
	d := run(t, page(`<form><block><value expr="session.connection.protocol.name + session.connection.remote.uri"/></block></form>`), "")
	if got := strings.Join(d.said, ""); got != "sipsip:caller@sim.invalid" {
		t.Errorf("said %q", got)
	}
	if len(d.out.Pages) != 1 || d.out.Pages[0] != "http://site/a.vxml" {
		t.Errorf("pages %v", d.out.Pages)
	}
}

// One interpreter serves many sessions at once.
func TestSessionsShareAnInterpreter(t *testing.T) {
	in := vxml.New(vxml.Options{Fetcher: fetcher(page(pinPage))})
	t.Run("together", func(t *testing.T) {
		for range 20 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				if got := said(t, in, "dtmf:1234"); got != "Pin? Got 1234" {
					t.Errorf("said %q", got)
				}
			})
		}
	})
}

const pinPage = `<form><field name="pin" type="digits?length=4"><prompt>Pin?</prompt><filled>Got <value expr="pin"/></filled></field></form>`
