package vxml_test

import (
	"strings"
	"testing"
)

// Each row is an application of several documents, by the section that decides it.
func TestDocuments(t *testing.T) {
	leaf := func(root, body string) string {
		return `<vxml version="2.1" application="` + root + `">` + body + `</vxml>`
	}
	key := func(k string) string {
		return `<grammar mode="dtmf" root="k" version="1.0"><rule id="k">` + k + `</rule></grammar>`
	}
	field := `<field name="f">` + key("1") + `<prompt>F?</prompt></field>`
	tests := []struct {
		name        string
		pages       site
		steps, want string
	}{
		{"1.5.2: the root's links are active in its leaves", site{"/a.vxml": leaf("r.vxml", `<form>`+field+`</form>`), "/r.vxml": vxmlPage(`<link event="op">` + key("0") + `</link><catch event="op">root<exit/></catch>`)}, "dtmf:0", "F?|root"},
		{"1.5.2: and their events the leaf's first", site{"/a.vxml": leaf("r.vxml", `<catch event="op">leaf<exit/></catch><form>`+field+`</form>`), "/r.vxml": vxmlPage(`<link event="op">` + key("0") + `</link><catch event="op">root<exit/></catch>`)}, "dtmf:0", "F?|leaf"},
		{"1.5.2: its dialogs of document scope, too", site{"/a.vxml": leaf("r.vxml", `<form>`+field+`</form>`), "/r.vxml": vxmlPage(`<form id="g" scope="document"><field name="q">` + key("9") + `<filled>root form</filled></field>` + strings.Replace(key("7"), "<rule", "<rule", 1) + `<block>entered</block></form>`)}, "dtmf:7 dtmf:9", "F?|root form|entered"},
		{"1.5.2: but not another leaf's", site{"/a.vxml": leaf("r.vxml", `<form><block><goto next="b.vxml"/></block></form><form id="g" scope="document">`+key("7")+`<block>no</block></form>`), "/b.vxml": leaf("r.vxml", `<form>`+field+`<catch event="nomatch">none<exit/></catch></form>`), "/r.vxml": vxmlPage("")}, "dtmf:7", "F?|none"},
		{"1.5.2: variables go from leaf to leaf", site{"/a.vxml": leaf("r.vxml", `<form><block><assign name="n" expr="n + 1"/><goto next="b.vxml"/></block></form>`), "/b.vxml": leaf("r.vxml", `<form><block><value expr="application.n"/></block></form>`), "/r.vxml": vxmlPage(`<var name="n" expr="1"/>`)}, "", "2"},
		{"1.5.2: not into another application", site{"/a.vxml": leaf("r.vxml", `<form><block><goto next="b.vxml"/></block></form>`), "/b.vxml": vxmlPage(`<form><block><value expr="typeof n"/></block></form>`), "/r.vxml": vxmlPage(`<var name="n" expr="1"/>`)}, "", "undefined"},
		{"1.5.2: nor back from there", site{"/a.vxml": leaf("r.vxml", `<form><block cond="n == 1"><assign name="n" expr="2"/><goto next="b.vxml"/></block><block>no</block></form>`), "/b.vxml": vxmlPage(`<form><block><goto next="c.vxml"/></block></form>`), "/c.vxml": leaf("r.vxml", `<form><block><value expr="n"/></block></form>`), "/r.vxml": vxmlPage(`<var name="n" expr="1"/>`)}, "", "1"},
		{"1.5.2: from a leaf to its root", site{"/a.vxml": leaf("r.vxml", `<form><block><assign name="n" expr="2"/><goto next="r.vxml#x"/></block></form>`), "/r.vxml": vxmlPage(`<var name="n" expr="1"/><form id="x"><block><value expr="n + document.n"/></block></form>`)}, "", "4"},
		{"1.5.2: functions and properties of the root", site{"/a.vxml": leaf("r.vxml", `<form><field name="f">`+answer+`<help>helped <value expr="f1()"/><exit/></help></field></form>`), "/r.vxml": vxmlPage(`<property name="universals" value="help"/><var name="k" expr="3"/><script>function f1() { return k; }</script>`)}, "say:help", "helped 3"},
		{"5.1.2: a leaf's variable hides the root's", site{"/a.vxml": leaf("r.vxml", `<var name="n" expr="'leaf'"/><form><block><value expr="n + document.n + application.n"/></block></form>`), "/r.vxml": vxmlPage(`<var name="n" expr="'root'"/>`)}, "", "leafleafroot"},
		{"5.1.2: the root's handler sees the leaf's", site{"/a.vxml": leaf("r.vxml", `<var name="n" expr="'leaf'"/><form><block><throw event="e"/></block></form>`), "/r.vxml": vxmlPage(`<var name="n" expr="'root'"/><catch event="e"><value expr="n + application.n"/></catch>`)}, "", "leafroot"},
		{"5.2.4: a nearer handler before the root's", site{"/a.vxml": leaf("r.vxml", `<catch event="e">leaf</catch><form><block><throw event="e"/></block></form>`), "/r.vxml": vxmlPage(`<catch event="e">root</catch>`)}, "", "leaf"},
		{"5.2.4: unless its count is higher", site{"/a.vxml": leaf("r.vxml", `<form><field name="f">`+answer+`<noinput>leaf</noinput></field></form>`), "/r.vxml": vxmlPage(`<catch event="noinput" count="2">root<exit/></catch>`)}, "silence silence", "leaf|root"},
		{"5.3.7: a dialog that is not there", site{"/a.vxml": vxmlPage(`<catch event="error.badfetch">still in a</catch><form><block><goto next="b.vxml#none"/></block></form>`), "/b.vxml": vxmlPage(`<catch event="error.badfetch">in b</catch><form id="x"/>`)}, "", "still in a"},
		{"5.3.7: a root that is not there", site{"/a.vxml": vxmlPage(`<catch event="error.badfetch">still in a</catch><form><block><goto next="b.vxml"/></block></form>`), "/b.vxml": leaf("none.vxml", `<form/>`)}, "", "still in a"},
		{"5.3.7: a root that has a root", site{"/a.vxml": vxmlPage(`<catch event="error.semantic">wrong</catch><form><block><goto next="b.vxml"/></block></form>`), "/b.vxml": leaf("c.vxml", `<form/>`), "/c.vxml": leaf("d.vxml", ""), "/d.vxml": vxmlPage("")}, "", "wrong"},
		{"2.3.4: a subdialog of another application", site{"/a.vxml": leaf("r.vxml", `<form><subdialog name="s" src="b.vxml"><param name="p" expr="n"/><filled><value expr="s.q + n"/></filled></subdialog></form>`),
			"/b.vxml": leaf("q.vxml", `<form><var name="p"/><block><var name="q" expr="p + ':' + n"/><return namelist="q"/></block></form>`), "/r.vxml": vxmlPage(`<var name="n" expr="'r'"/>`), "/q.vxml": vxmlPage(`<var name="n" expr="'q'"/>`)}, "", "r:qr"},
		{"2.3.4: that goes on to a page of its own", site{"/a.vxml": vxmlPage(`<form><subdialog name="s" src="b.vxml"><filled>back <value expr="s.v"/></filled></subdialog></form>`), "/b.vxml": vxmlPage(`<form><block><goto next="c.vxml"/></block></form>`), "/c.vxml": vxmlPage(`<form><block><var name="v" expr="5"/><return namelist="v"/></block></form>`)}, "", "back 5"},
		{"2.3.4: values of the caller in the request", site{"/a.vxml": vxmlPage(`<form><var name="x" expr="'a b'"/><subdialog name="s" src="b.vxml" namelist="x"/></form>`), "/b.vxml": vxmlPage(`<form><block>{query}</block></form>`)}, "", "x=a+b"},
		{"2.3.4: a page that is not there", site{"/a.vxml": vxmlPage(`<catch event="error.badfetch.http.404">gone<exit/></catch><form><subdialog name="s" src="b.vxml"/></form>`)}, "", "gone"},
		{"2.3.4: errors that it does not catch end the session", site{"/a.vxml": vxmlPage(`<catch event="error">no</catch><form><subdialog name="s" src="b.vxml"/></form>`), "/b.vxml": vxmlPage(`<form><block><throw event="error.own"/></block></form>`)}, "", "An error has occurred."},
		{"5.3.8: all named input items, by default", site{"/a.vxml": vxmlPage(`<form><var name="v" expr="1"/><block name="b"/><field name="f" expr="'F'">` + answer + `</field><field expr="1">` + answer + `</field><block><submit next="b.vxml"/></block></form>`), "/b.vxml": vxmlPage(`<form><block>{query}</block></form>`)}, "", "f=F"},
		{"5.3.8: those named, with their scopes", site{"/a.vxml": vxmlPage(`<var name="v" expr="'x&amp;y'"/><form><block><submit next="b.vxml" namelist="v document.v"/></block></form>`), "/b.vxml": vxmlPage(`<form><block>{query}</block></form>`)}, "", "v=x%26y&document.v=x%26y"},
		{"5.3.8: an address computed", site{"/a.vxml": vxmlPage(`<form><block><submit expr="'b' + '.vxml'" namelist=""/></block></form>`), "/b.vxml": vxmlPage(`<form><block>B</block></form>`)}, "", "B"},
		{"4.1.3: audio relative to its prompt's base", site{"/a.vxml": vxmlPage(`<form><block><prompt xml:base="sub/"><audio src="x.wav"/></prompt></block></form>`), "/sub/x.wav": "RIFF"}, "", "[http://site/sub/x.wav]"},
		{"2.1 5: data", site{"/a.vxml": vxmlPage(`<form><block><data name="d" src="d.xml"/><var name="r" expr="d.documentElement"/><value expr="r.nodeName + r.getAttribute('k') + r.childNodes.length + r.firstChild.nodeType + r.lastChild.firstChild.nodeValue + r.getElementsByTagName('*').length"/></block></form>`), "/d.xml": `<q k="1"><!-- c --><b>two</b></q>`}, "", "q128two1"},
		{"2.1 5: data without a name fetches", site{"/a.vxml": vxmlPage(`<form><block><data src="d.xml"/>done</block></form>`), "/d.xml": `no xml`}, "", "done"},
		{"2.1 5: data of a computed source", site{"/a.vxml": vxmlPage(`<var name="d" expr="'/d'"/><form><data name="x" srcexpr="d + '.xml'"/><block><value expr="x.documentElement.firstChild.data"/></block></form>`), "/d.xml": `<q><![CDATA[a<b]]></q>`}, "", "a<b"},
		{"2.1 3: a script of a computed source", site{"/a.vxml": vxmlPage(`<script srcexpr="'s' + '.js'"/><form><block><value expr="v"/></block></form>`), "/s.js": `var v = 6;`}, "", "6"},
		{"5.3.12: a script that is not there", site{"/a.vxml": vxmlPage(`<catch event="error.badfetch.http.404">gone<exit/></catch><script src="s.js"/><form><block>no</block></form>`)}, "", "gone"},
		{"5.3.12: a script that is none", site{"/a.vxml": vxmlPage(`<catch event="error.semantic">wrong<exit/></catch><script src="s.js"/><form><block>no</block></form>`), "/s.js": `var =`}, "", "wrong"},
		{"5.3.9: exit from the root's handler", site{"/a.vxml": leaf("r.vxml", `<form><block>a<throw event="e"/>no</block></form>`), "/r.vxml": vxmlPage(`<catch event="e">b<exit/></catch>`)}, "", "a|b"},
		{"5.2.4: the root's handler asks again", site{"/a.vxml": leaf("r.vxml", `<form><field name="f">`+answer+`<prompt>F?</prompt></field></form>`), "/r.vxml": vxmlPage(`<noinput>Hm. <reprompt/></noinput>`)}, "silence say:yes", "F?|Hm. F?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, text := range tt.pages {
				if strings.Contains(text, ">{query}<") {
					tt.pages[name] = strings.ReplaceAll(text, "{query}", "<![CDATA[{query}]]>")
				} else {
					tt.pages[name] = text
				}
			}
			d := run(t, tt.pages, tt.steps)
			want := strings.ReplaceAll(tt.want, "|", " ")
			if got := strings.Join(d.said, " "); got != want {
				t.Errorf("said %q, %v, want %q\n%s", got, d.err, want, strings.Join(d.trace, "\n"))
			}
		})
	}
}
