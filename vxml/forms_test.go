package vxml_test

import (
	"strings"
	"testing"
)

// Each row is a sentence of the specification, by section, that several elements
// have a part in.
func TestForms(t *testing.T) {
	const cities = `<grammar mode="voice" root="r" version="1.0" tag-format="semantics/1.0"><rule id="r"><one-of>
		<item>from bonn to rome<tag>out.a='bonn'; out.b='rome';</tag></item><item>to rome<tag>out.b='rome';</tag></item></one-of></rule></grammar>`
	const city = `<grammar mode="voice" root="r" version="1.0"><rule id="r"><one-of><item>bonn</item><item>rome</item></one-of></rule></grammar>`
	mixed := `<form>` + cities + `<initial name="start"><prompt>Where?</prompt><nomatch count="1">Say from and to.</nomatch>
		<nomatch count="2">One at a time.<assign name="start" expr="true"/><reprompt/></nomatch></initial>
		<field name="a"><prompt>From?</prompt>` + city + `</field><field name="b"><prompt>To?</prompt>` + city + `</field>
		<filled namelist="a b">From <value expr="a"/> to <value expr="b"/>.</filled></form>`
	tests := []struct{ name, body, steps, want string }{
		{"2.1.5: all at once", mixed, "say:from_bonn_to_rome", "Where?|From bonn to rome."},
		{"2.1.5: a part at first", mixed, "say:to_rome say:bonn", "Where?|From?|From bonn to rome."},
		{"2.1.5: one at a time", mixed, "say:what say:what say:bonn say:rome", "Where?|Say from and to.|One at a time. From?|To?|From bonn to rome."},
		{"2.1.5: the form's grammar within a field", mixed, "say:to_rome say:from_bonn_to_rome", "Where?|From?|From bonn to rome."},
		{"2.3.1: a field with a value is not visited", `<form><field name="x" expr="'z'">` + answer + `<prompt>never</prompt></field><block><value expr="x"/></block></form>`, "", "z"},
		{"2.3.1: cond of an item", `<form><block cond="false">no</block><block cond="true">yes</block></form>`, "", "yes"},
		{"5.3.7: nextitem asks again", `<form><var name="n" expr="0"/><field name="x">` + answer + `<prompt>X?</prompt></field>
			<block><assign name="n" expr="n+1"/><if cond="n==1"><goto nextitem="x"/></if>done <value expr="x"/></block></form>`, "say:yes say:no", "X?|X?"},
		{"3.1.3: a dialog of document scope", `<form id="one"><field name="x">` + answer + `<prompt>X?</prompt></field></form>
			<form id="two" scope="document">` + cities + `<field name="a"/><field name="b"/><filled mode="any">Off to <value expr="b"/>.<exit/></filled></form>`,
			"say:to_rome", "X?|Off to rome."},
		{"3.1.3: a menu of document scope", `<form id="one"><field name="x">` + answer + `<prompt>X?</prompt></field></form>
			<menu scope="document"><choice next="#three">third</choice></menu><form id="three"><block>Three.</block></form>`, "say:third", "X?|Three."},
		{"2.3.1: modal", `<link event="out"><grammar mode="voice" root="r" version="1.0"><rule id="r">out</rule></grammar></link><catch event="out">Out.<exit/></catch>
			<form><field name="x" modal="true">` + answer + `<nomatch>What?<exit/></nomatch></field></form>`, "say:out", "What?"},
		{"2.2.5: approximate choices", `<menu accept="approximate"><choice next="#a">Stargazer astrophysics news</choice></menu><form id="a"><block>A.</block></form>`, "say:astrophysics_news", "A."},
		{"2.2.5: exact choices", `<menu><nomatch>No.<exit/></nomatch><choice next="#a">Stargazer news</choice></menu><form id="a"><block>A.</block></form>`, "say:news", "No."},
		{"2.2: a choice of an event", `<menu><catch event="my.event">Mine <value expr="_message"/>.<exit/></catch><choice event="my.event" message="own">go</choice></menu>`, "say:go", "Mine own."},
		{"2.3.4: parameters and values", `<form><subdialog name="s" src="#sub"><param name="n" expr="20+1"/></subdialog><block><value expr="s.twice + s.list[1]"/></block></form>
			<form id="sub"><var name="n"/><block><var name="twice" expr="n*2"/><var name="list" expr="[1,2]"/><return namelist="twice list"/></block></form>`, "", "44"},
		{"2.3.4: an event comes back", `<form><subdialog name="s" src="#sub"><catch event="sub.bad">Caught <value expr="_message"/>.<exit/></catch></subdialog></form>
			<form id="sub"><block><return event="sub.bad" message="it"/></block></form>`, "", "Caught it."},
		{"2.3.4: handlers of the caller are not the subdialog's", `<form><catch event="x">no</catch><subdialog name="s" src="#sub"/></form>
			<form id="sub"><block>in<throw event="x"/></block></form>`, "", "in An error has occurred."},
		{"5.1.2: scopes", `<var name="v" expr="'document'"/><form><var name="v" expr="'dialog'"/><block><var name="v" expr="'block'"/>
			<value expr="v"/> <value expr="dialog.v"/> <value expr="document.v"/></block><block><value expr="v"/></block></form>`, "", "block dialog document dialog"},
		{"5.1.5: N-best is an array", `<form><field name="x">` + answer + `</field><block><value expr="application.lastresult$.length"/> <value expr="application.lastresult$[0].utterance"/>
			<value expr="application.lastresult$.utterance"/> <value expr="application.lastresult$.inputmode"/> <value expr="x$.confidence"/></block></form>`, "say:yes", "1 yes yes voice 1"},
		{"5.2: thrown in a handler", `<form><catch event="a"><throw event="b"/></catch><catch event="b">b</catch><block><throw event="a"/></block></form>`, "", "b"},
		{"5.3.2: assign needs a variable", `<form><catch event="error.semantic">no</catch><block><assign name="q" expr="1"/></block></form>`, "", "no"},
		{"5.3.11: handlers finish after a disconnect", `<catch event="connection.disconnect"><log>after</log><exit/></catch><form><block>bye<disconnect/>never</block></form>`, "", "bye"},
		{"5.3.12: functions of a script", `<script>function f(n) { return n == 1 ? 1 : n * f(n - 1); }</script><form><block><value expr="f(5)"/></block></form>`, "", "120"},
		{"4.1.4: value of nothing", `<form><catch event="error.semantic">no</catch><block><value expr="q"/></block></form>`, "", "no"},
		{"2.4: filled in document order", `<form><field name="x">` + answer + `<filled>1</filled></field><filled>2</filled><block>3</block></form>`, "say:yes", "1 2 3"},
		{"2.4: implicit names count", `<form><field>` + answer + `</field><field name="y">` + answer + `</field><filled>all</filled></form>`, "say:yes say:no", "all"},
		{"2.1 6: foreach in a block", `<form><block><var name="l" expr="['a','b']"/><foreach item="i" array="l"><value expr="i"/><if cond="i=='a'"><assign name="l" expr="[]"/></if></foreach></block></form>`, "", "a b"},
		{"5.2.2: noinput by default asks again", `<form><field name="x">` + answer + `<prompt>X?</prompt></field></form>`, "silence say:yes", "X?|X?"},
		{"4.1.7: timeout", `<form><field name="x">` + answer + `<prompt timeout="1s">X?</prompt></field></form>`, "say:yes", "X?"},
		{"links in fields", `<form><field name="x">` + answer + `<link next="#b"><grammar mode="voice" root="r" version="1.0"><rule id="r">go</rule></grammar></link></field></form>
			<form id="b"><block>B.</block></form>`, "say:go", "B."},
		{"2.5: links throw where one is", `<link event="help"><grammar mode="dtmf" root="r" version="1.0"><rule id="r">0</rule></grammar></link>
			<form><field name="x">` + answer + `<help>Field help.<exit/></help></field></form>`, "dtmf:0", "Field help."},
		{"menu asks again after nomatch", `<menu><prompt>M?</prompt><choice next="#a">one</choice></menu><form id="a"><block>A</block></form>`, "say:two say:one", "M?|I did not understand. M?|A"},
		{"options", `<form><field name="x"><prompt><enumerate/></prompt><option dtmf="1" value="r">red</option><option dtmf="2">blue</option></field><block><value expr="x"/></block></form>`,
			"dtmf:2", "red. blue.|blue"},
		{"exit within a subdialog ends the session", `<form><subdialog name="s" src="#sub"/><block>no</block></form><form id="sub"><block>in<exit/></block></form>`, "", "in"},
		{"running out of items within a subdialog ends the session", `<form><subdialog name="s" src="#sub"/><block>no</block></form><form id="sub"><block>in</block></form>`, "", "in"},
		{"property of a field", `<form><property name="universals" value="help"/><field name="x"><property name="universals" value="none"/>` + answer + `<nomatch>N<exit/></nomatch></field></form>`, "say:help", "N"},
		{"throw with eventexpr", `<form><catch event="a.b">ok <value expr="_event"/></catch><block><throw eventexpr="'a.' + 'b'" messageexpr="1"/></block></form>`, "", "ok a.b"},
		{"bad parameter", `<form><subdialog name="s" src="#sub"><param name="zz" expr="1"/></subdialog></form><form id="sub"><catch event="error.semantic">no such<exit/></catch><block>in</block></form>`, "", "no such"},
		{"clear a field by name", `<form><var name="n" expr="0"/><field name="x">` + answer + `<prompt>X?</prompt><filled><assign name="n" expr="n+1"/><if cond="n==1"><clear namelist="x n"/><assign name="n" expr="1"/></if></filled></field></form>`,
			"say:yes say:no", "X?|X?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := run(t, page(tt.body), tt.steps)
			want := strings.ReplaceAll(tt.want, "|", " ")
			if got := strings.Join(d.said, " "); d.err != nil || got != want {
				t.Errorf("said %q, %v, want %q\n%s", got, d.err, want, strings.Join(d.trace, "\n"))
			}
		})
	}
}
