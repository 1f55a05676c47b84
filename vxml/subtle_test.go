package vxml_test

import (
	"strings"
	"testing"
)

// Each row is a rule of VoiceXML 2.0 or 2.1 that shows only in odd pages, by the section
// that makes it.
func TestSubtleRules(t *testing.T) {
	const two = `<grammar mode="voice" root="r" version="1.0" tag-format="semantics/1.0"><rule id="r"><one-of><item>a<tag>out.a='A'</tag></item><item>b<tag>out.b='B'</tag></item></one-of></rule></grammar>`
	tests := []struct {
		name, body, steps, want string
		pages                   site
	}{
		{name: "5.2.4: of one count the first in document order, whatever its name's length", want: "short",
			body: `<form><catch event="e" count="1">short<exit/></catch><catch event="e.f.g">long<exit/></catch><block><throw event="e.f.g"/></block></form>`},
		{name: "5.2.4: a higher count in the document before a lower one in the item", steps: "silence silence", want: "item|document",
			body: `<noinput count="2">document<exit/></noinput><form><field name="x">` + answer + `<noinput>item</noinput></field></form>`},
		{name: "5.2.4: a handler whose condition fails is none, and the lower count comes in", steps: "silence silence", want: "one|one",
			body: `<var name="n" expr="0"/><form><field name="x">` + answer + `<noinput count="2" cond="false">two</noinput><noinput>one<if cond="++n == 2"><exit/></if></noinput></field></form>`},
		{name: "5.3.6: reprompt lasts for one visit", steps: "silence silence silence say:yes", want: "X?|a|X?|b|c",
			body: `<form><field name="x">` + answer + `<prompt>X?</prompt><noinput>a<reprompt/></noinput><noinput count="2">b</noinput><noinput count="3">c</noinput></field></form>`},
		{name: "5.3.6: reprompt outside a handler does nothing", steps: "say:yes", want: "X?",
			body: `<form><block><reprompt/></block><field name="x">` + answer + `<prompt>X?</prompt></field></form>`},
		{name: "5.3.6: reprompt asks of the item that is visited next", steps: "silence say:yes", want: "X?|Y?",
			body: `<form><field name="x">` + answer + `<prompt>X?</prompt><noinput><assign name="x" expr="1"/><reprompt/></noinput></field><field name="y">` + answer + `<prompt>Y?</prompt></field></form>`},
		{name: "4.1.6: a visit without prompts does not count", steps: "silence silence say:yes", want: "1|a|b|2",
			body: `<form><field name="x">` + answer + `<prompt count="1">1</prompt><prompt count="2">2</prompt><noinput>a</noinput><noinput count="2">b<reprompt/></noinput></field></form>`},
		{name: "4.1.6: the count starts anew when the form is entered anew", steps: "silence silence say:yes", want: "1|2|1",
			body: `<form id="f"><field name="x">` + answer + `<prompt>1</prompt><prompt count="2">2</prompt><noinput><reprompt/></noinput><noinput count="2"><goto next="#f"/></noinput></field></form>`},
		{name: "5.3.3: clear resets the counters of the items it names only", steps: "silence silence say:yes", want: "X1|X1|X1",
			body: `<form><field name="x">` + answer + `<prompt>X1</prompt><prompt count="2">X2</prompt><noinput count="2">two</noinput><noinput><clear namelist="x"/><reprompt/></noinput></field></form>`},
		{name: "5.3.3: and not of others", steps: "silence silence say:yes", want: "X1|X2|X2",
			body: `<form><field name="x">` + answer + `<prompt>X1</prompt><prompt count="2">X2</prompt><noinput><clear namelist="y"/><reprompt/></noinput><filled><exit/></filled></field><field name="y" expr="1"/></form>`},
		{name: "3.1.3: a modal field shuts the links out", steps: "say:go", want: "nomatch",
			body: `<link event="e">` + voiced("go") + `</link><catch event="e">link<exit/></catch><form><field name="x" modal="true">` + answer + `<nomatch>nomatch<exit/></nomatch></field></form>`},
		{name: "3.1.3: and the form's grammar", steps: "say:a", want: "nomatch",
			body: `<form>` + two + `<field name="x" modal="true">` + answer + `<nomatch>nomatch<exit/></nomatch></field><field name="a"/></form>`},
		{name: "2.3.4: a parameter without a variable is error.semantic in the subdialog", want: "inner",
			body: `<form><catch event="error.semantic">outer<exit/></catch><subdialog name="s" src="#f"><param name="p" expr="1"/></subdialog></form><form id="f"><catch event="error.semantic">inner<exit/></catch><block>in</block></form>`},
		{name: "2.3.4: the expression of a declared parameter is not evaluated", want: "given",
			body: `<form><subdialog name="s" src="#f"><param name="p" value="given"/></subdialog></form><form id="f"><var name="p" expr="nothing.at.all"/><block><value expr="p"/><exit/></block></form>`},
		{name: "5.3.10: the event of return is thrown in the caller's item, and leaves it unfilled", want: "caught my m undefined",
			body: `<form><subdialog name="s" src="#f"><catch event="my">caught <value expr="_event + ' ' + _message + ' ' + typeof s"/><exit/></catch></subdialog></form><form id="f"><block><return event="my" message="m"/></block></form>`},
		{name: "2.1 6: marks are told as they were reached, each loop its own", steps: "say:yes", want: "12|m2",
			body: `<form><field name="x">` + answer + `<prompt><foreach item="i" array="[1,2]"><mark nameexpr="'m' + i"/><value expr="i"/></foreach></prompt><filled><value expr="application.lastresult$.markname"/></filled></field></form>`},
		{name: "4.1.5: keys pressed ahead are lost to a prompt that is to be heard", steps: "dtmf:12 dtmf:3", want: "A?|B?|13",
			body: `<form><field name="a" type="digits?length=1"><prompt>A?</prompt></field><field name="b" type="digits?length=1"><prompt bargein="false">B?</prompt></field><block><value expr="a+b"/></block></form>`},
		{name: "1.5.4: after the hang-up prompts are not heard, and input is not waited for", steps: "hangup", want: "X?",
			body: `<catch event="connection.disconnect.hangup">gone<goto next="#last"/></catch><form><field name="x">` + answer + `<prompt>X?</prompt></field></form><form id="last"><field name="y">` + answer + `<prompt>Y?</prompt></field></form>`},
		{name: "2.3.3: initial has a shadow and stays away when a field has a value", steps: "say:a say:yes", want: "I?|voice a|b?",
			body: `<form>` + two + `<initial name="i"><prompt>I?</prompt></initial><field name="a">` + answer + `<filled><value expr="a$.inputmode + ' ' + a$.utterance"/></filled></field><field name="b">` + answer + `<prompt>b?</prompt></field></form>`},
		{name: "5.3.13: value and expr in a log are evaluated, and one that fails is an event", want: "no",
			body: `<form><catch event="error.semantic">no<exit/></catch><block><log>a <value expr="1 + 1"/></log><log expr="zz"/></block></form>`},
		{name: "1.5.2: another root has variables of its own", want: "1|2",
			body: `<form><block><goto next="b.vxml"/></block></form>`,
			pages: site{"/b.vxml": `<vxml version="2.1" application="r1.vxml"><form><block><value expr="n"/><assign name="n" expr="9"/><goto next="c.vxml"/></block></form></vxml>`,
				"/c.vxml":  `<vxml version="2.1" application="r2.vxml"><form><block><value expr="application.n"/></block></form></vxml>`,
				"/r1.vxml": `<vxml version="2.1"><var name="n" expr="1"/></vxml>`, "/r2.vxml": `<vxml version="2.1"><var name="n" expr="2"/></vxml>`}},
		{name: "1.5.2: the same root keeps them by goto", want: "9",
			body: `<form><block><goto next="b.vxml"/></block></form>`,
			pages: site{"/b.vxml": `<vxml version="2.1" application="r.vxml"><form><block><assign name="n" expr="9"/><goto next="c.vxml"/></block></form></vxml>`,
				"/c.vxml": `<vxml version="2.1" application="r.vxml"><form><block><value expr="n"/></block></form></vxml>`,
				"/r.vxml": `<vxml version="2.1"><var name="n" expr="1"/></vxml>`}},
		{name: "1.5.2: going to the root document itself keeps them", want: "9",
			body: `<form><block><goto next="b.vxml"/></block></form>`,
			pages: site{"/b.vxml": `<vxml version="2.1" application="r.vxml"><form><block><assign name="n" expr="9"/><goto next="r.vxml"/></block></form></vxml>`,
				"/r.vxml": `<vxml version="2.1"><var name="n" expr="1"/><form><block><value expr="n"/></block></form></vxml>`}},
		{name: "1.5.2: but submitting to it starts them anew", want: "1",
			body: `<form><block><goto next="b.vxml"/></block></form>`,
			pages: site{"/b.vxml": `<vxml version="2.1" application="r.vxml"><form><block><assign name="n" expr="9"/><submit next="r.vxml"/></block></form></vxml>`,
				"/r.vxml": `<vxml version="2.1"><var name="n" expr="1"/><form><block><value expr="n"/></block></form></vxml>`}},
		{name: "5.2.2: _message is undefined without one, and neither outlives the handler", want: "undefined undefined",
			body: `<form><catch event="e"><value expr="typeof _message"/></catch><block><throw event="e"/></block><block><value expr="typeof _event"/></block></form>`},
		{name: "5.3.4: an if in an if, and prompts in between", want: "a|b|e|f",
			body: `<form><block>a<if cond="true">b<if cond="false">c<elseif cond="false"/>d<else/>e</if>f<else/>g<if cond="true">h</if></if></block></form>`},
		{name: "5.3.4: elseif without a condition", body: `<form><block><if cond="false">a<elseif/>b</if></block></form>`, want: "fetch"},
		{name: "5.3.8: submit without a namelist sends the named input items alone", steps: "say:yes", want: "x=yes",
			body:  `<form><var name="v" expr="1"/><block name="b"/><field name="x">` + answer + `</field><block><submit next="echo"/></block></form>`,
			pages: site{"/echo": `<vxml version="2.1"><form><block>{query}</block></form></vxml>`}},
		{name: "5.3.7: expritem", want: "C", body: `<form><block><goto expritem="'c' + 1"/></block><block>no</block><block name="c1">C<exit/></block></form>`},
		{name: "4.1.2: xml:base of a prompt moves its audio, and of the page what else it names", want: "[http://site/p/x.wav]|sub",
			body:  `<form><block><prompt xml:base="http://site/p/"><audio src="x.wav">none</audio></prompt><goto next="based.vxml"/></block></form>`,
			pages: site{"/p/x.wav": "RIFF", "/based.vxml": `<vxml version="2.1" xml:base="http://site/sub/"><form><block><goto next="d.vxml"/></block></form></vxml>`, "/sub/d.vxml": `<vxml version="2.1"><form><block>sub</block></form></vxml>`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pages := page(tt.body)
			for path, text := range tt.pages {
				pages[path] = text
			}
			d := run(t, pages, tt.steps)
			got := strings.Join(d.said, " ")
			if d.err != nil && strings.Contains(d.err.Error(), "error.badfetch") {
				got = "fetch"
			}
			if want := strings.ReplaceAll(tt.want, "|", " "); got != want {
				t.Errorf("said %q, %v, want %q\n%s", got, d.err, want, strings.Join(d.trace, "\n"))
			}
		})
	}
}
