package vxml_test

import (
	"strings"
	"testing"
)

// voice is an inline grammar of the form semantics/1.0 whose root holds the expansion.
func voice(expansion string) string {
	return `<grammar mode="voice" root="r" version="1.0" tag-format="semantics/1.0"><rule id="r">` + expansion + `</rule>
		<rule id="d"><one-of><item>one<tag>out=1;</tag></item><item>two<tag>out=2;</tag></item></one-of></rule>
		<rule id="plain"><one-of><item>red</item><item>blue</item></one-of></rule></grammar>`
}

// value is a form whose field tells its value as JSON.
func valued(attrs, content string) string {
	return `<form><field name="x" ` + attrs + `>` + content + `<nomatch>nomatch<exit/></nomatch><filled><value expr="JSON.stringify(x)"/></filled></field></form>`
}

// Each row is a corner of VoiceXML, by the section that decides it.
func TestCorners(t *testing.T) {
	tests := []struct{ name, body, steps, want string }{
		{"5.2.2: each item counts its own events", `<form><field name="x">` + answer + `<noinput count="2">x two</noinput><noinput>x one</noinput></field>
			<field name="y">` + answer + `<noinput count="2">y two</noinput><noinput>y one</noinput></field></form>`, "silence silence say:yes silence say:no", "x one|x two|y one"},
		{"5.2.2: a dialog entered anew counts anew", `<form id="f"><field name="x">` + answer + `<noinput count="2">two</noinput><noinput>one<goto next="#f"/></noinput></field></form>`,
			"silence silence say:yes", "one|one"},
		{"5.2.2: a count is of the event's whole name, too", `<form><field name="x">` + answer + `<catch event="a" count="2">second a</catch><catch event="a.b">ab<reprompt/></catch><catch event="a">a<reprompt/></catch>
			<noinput count="1"><throw event="a.b"/></noinput><noinput count="2"><throw event="a.c"/></noinput></field></form>`, "silence silence say:yes", "ab|second a"},
		{"5.2.4: the highest count wins over the nearest scope", `<catch event="noinput" count="2">outer two</catch><form><field name="x">` + answer + `<noinput>inner one</noinput></field></form>`,
			"silence silence say:yes", "inner one|outer two"},
		{"5.2.4: a condition knows the event", `<form><catch event="a" cond="_event == 'a.c'">ac</catch><catch event="a" cond="_message == 'm'">m</catch><block><throw event="a.b" message="m"/></block></form>`, "", "m"},
		{"5.2.4: a name is matched by whole tokens", `<form><catch event="a.b">ab</catch><catch>all <value expr="_event"/></catch><block><throw event="a.bc"/></block></form>`, "", "all a.bc"},
		{"5.2.4: several names", `<form><catch event="x  a.b y">ok</catch><block><throw event="a.b.c"/></block></form>`, "", "ok"},
		{"5.2.4: thrown by an item's filled", `<form><catch event="e">form<exit/></catch><field name="x">` + answer + `<filled><throw event="e"/></filled><catch event="e">item<exit/></catch></field></form>`, "say:yes", "item"},
		{"5.2.4: thrown by the form's filled", `<form><catch event="e">form<exit/></catch><field name="x">` + answer + `<catch event="e">item<exit/></catch></field><filled><throw event="e"/></filled></form>`, "say:yes", "form"},
		{"5.2: a handler of the document sees the dialog's variables", `<catch event="e"><value expr="v + dialog.v"/></catch><form><var name="v" expr="'d'"/><block><throw event="e"/></block></form>`, "", "dd"},
		{"5.3.1: var without expr keeps what there is", `<form><block><var name="a" expr="1"/><var name="a"/><value expr="a"/> <var name="b"/><value expr="typeof b"/></block></form>`, "", "1 undefined"},
		{"5.3.1: and does not look outside its scope", `<form><var name="a" expr="1"/><block><var name="a"/><value expr="typeof a"/></block></form>`, "", "undefined"},
		{"5.3.2: assign by scope", `<form><var name="a" expr="1"/><block><var name="a" expr="2"/><assign name="dialog.a" expr="3"/><value expr="a + ' ' + dialog.a"/></block></form>`, "", "2 3"},
		{"5.3.2: assign to a property", `<form><block><var name="o" expr="new Object()"/><assign name="o.p" expr="'q'"/><value expr="o.p"/></block></form>`, "", "q"},
		{"5.3.3: clear makes events count anew", `<form><field name="x">` + answer + `<noinput count="2">two</noinput><noinput>one<clear namelist="x"/></noinput></field></form>`, "silence silence say:yes", "one|one"},
		{"5.3.3: clear by scope", `<form><field name="x">` + answer + `<noinput count="2">two</noinput><noinput>one<clear namelist="dialog.x"/></noinput></field></form>`, "silence silence say:yes", "one|one"},
		{"2.3.2: any value of its variable passes a block over", `<form><block name="b" expr="false">no</block><block name="c" expr="null">no</block><block>yes</block></form>`, "", "yes"},
		{"2.3.4: parameters win over initial values", `<form><subdialog name="s" src="#sub"><param name="n" value="abc"/></subdialog></form>
			<form id="sub"><var name="n" expr="5"/><var name="m" expr="n + 'd'"/><block><value expr="n + m"/></block></form>`, "", "abcabcd"},
		{"2.3.4: filled with what came back", `<form><subdialog name="s" src="#sub"><filled>got <value expr="s.v"/></filled></subdialog></form><form id="sub"><block><var name="v" expr="7"/><return namelist="v"/></block></form>`, "", "got 7"},
		{"2.3.4: return without values", `<form><subdialog name="s" src="#sub"/><block><value expr="typeof s"/></block></form><form id="sub"><block><return/></block></form>`, "", "object"},
		{"2.3.4: variables of the caller are not the subdialog's", `<var name="g" expr="'doc'"/><form><var name="v" expr="1"/><block><assign name="g" expr="'changed'"/></block><subdialog name="s" src="#sub"/></form>
			<form id="sub"><block><value expr="typeof v + ' ' + g"/></block></form>`, "", "undefined doc"},
		{"2.3.4: nor does the caller see the subdialog's", `<var name="g" expr="'doc'"/><form><subdialog name="s" src="#sub"/><block><value expr="g"/></block></form>
			<form id="sub"><block><assign name="g" expr="'changed'"/><return/></block></form>`, "", "doc"},
		{"5.3.10: return of an expression", `<form><subdialog name="s" src="#sub"><catch event="my">caught <value expr="_event + _message"/><exit/></catch></subdialog></form>
			<form id="sub"><block><return eventexpr="'my.' + 'own'" messageexpr="1 + 1"/></block></form>`, "", "caught my.own2"},
		{"5.3.7: a fragment alone keeps the document", `<var name="d" expr="0"/><form id="a"><block><assign name="d" expr="1"/><goto next="#b"/></block></form><form id="b"><block><value expr="d"/></block></form>`, "", "1"},
		{"5.3.7: its address begins it anew", `<var name="d" expr="0"/><form id="a"><block><assign name="d" expr="1"/><goto next="a.vxml#b"/></block></form><form id="b"><block><value expr="d"/></block></form>`, "", "0"},
		{"5.3.7: by a computed address", `<form id="a"><block><goto expr="'#' + 'b'"/></block></form><form id="b"><block>B</block></form>`, "", "B"},
		{"5.3.6: goto nextitem in a handler does not prompt", `<form><field name="x">` + answer + `<prompt>X?</prompt><noinput><goto nextitem="y"/></noinput></field><field name="y">` + answer + `<prompt>Y?</prompt></field></form>`,
			"silence say:yes say:no", "X?|X?"},
		{"5.3.6: going to a dialog in a handler does", `<form id="f"><field name="x">` + answer + `<prompt>X?</prompt><noinput><goto next="#g"/></noinput></field></form><form id="g"><field name="y">` + answer + `<prompt>Y?</prompt></field></form>`,
			"silence say:yes", "X?|Y?"},
		{"3.1.4: a field's grammar is before a link's", `<link dtmf="1" event="e"/><catch event="e">link<exit/></catch>` + valued("", `<option dtmf="1" value="field">f</option>`), "dtmf:1", `"field"`},
		{"3.1.4: the form's link is before the document's", `<link dtmf="1" event="doc"/><catch event="doc">doc<exit/></catch><catch event="frm">form<exit/></catch><form><link dtmf="1" event="frm"/><field name="x">` + answer + `</field></form>`, "dtmf:1", "form"},
		{"3.1.4: document order within a scope", valued("", voice(`one<tag>out='first';</tag>`)+voice(`one<tag>out='second';</tag>`)), "say:one", `"first"`},
		{"2.5: a link's keys and message", `<link dtmf="* 1" event="e" messageexpr="'m' + 1"/><catch event="e">got <value expr="_message"/><exit/></catch><form><field name="x">` + answer + `</field></form>`, "dtmf:*1", "got m1"},
		{"2.2.3: a choice of several keys", `<menu><choice dtmf="1 2" next="#a">a</choice><choice dtmf="13" expr="'#' + 'b'">b</choice></menu><form id="a"><block>A</block></form><form id="b"><block>B</block></form>`, "dtmf:13", "B"},
		{"2.2.3: a choice of a computed event", `<menu><choice dtmf="1" eventexpr="'e' + 1">a</choice><catch event="e1">E1<exit/></catch></menu>`, "dtmf:1", "E1"},
		{"2.3.1: a slot within a result", `<form>` + voice(`go<tag>out.a = {b: 'deep'};</tag>`) + `<field name="x" slot="a.b">` + answer + `</field><block><value expr="x"/></block></form>`, "say:go", "deep"},
		{"2.4: filled may leave before others", `<form>` + voice(`go<tag>out.a = 1; out.b = 2;</tag>`) + `<field name="a">` + answer + `<filled>A<goto nextitem="c"/></filled></field><field name="b">` + answer + `<filled>B</filled></field><block name="c">C</block></form>`, "say:go", "A|C"},
		{"2.4: filled in document order, whatever filled first", `<form>` + voice(`go<tag>out.b = 1; out.a = 2;</tag>`) + `<field name="a">` + answer + `<filled>A</filled></field><field name="b">` + answer + `<filled>B</filled></field></form>`, "say:go", "A|B"},
		{"4.1.3: audio of nothing", `<form><block>a<audio expr="undefined">alternate</audio>b</block></form>`, "", "ab"},
		{"4.1.3: alternate content within alternate content", `<form><block><audio src="no.wav">one <audio src="none.wav">two</audio></audio></block></form>`, "", "one two"},
		{"4.1.4: value of an object", `<form><block><value expr="[1,[2,3]]"/> <value expr="null"/> <value expr="1/3 > 0"/></block></form>`, "", "1,2,3 null true"},
		{"2.1 6: foreach within a prompt leaves its item", `<form><block><var name="l" expr="['a','b']"/><prompt><foreach item="i" array="l"><value expr="i"/><break/></foreach></prompt><value expr="i"/></block></form>`, "", "a b|b"},
		{"2.1 6: foreach of no array", `<form><catch event="error.semantic">no</catch><block><foreach item="i" array="'text'">x</foreach></block></form>`, "", "no"},
		{"5.3.8: what is not declared cannot be submitted", `<form><catch event="error.semantic">no</catch><block><submit next="b.vxml" namelist="nothing"/></block></form>`, "", "no"},
		{"5.1.5: lastresult$ is undefined before there is one", `<form><block><value expr="typeof application.lastresult$"/></block></form>`, "", "undefined"},
		{"2.3.1: cond is evaluated at each visit", `<form><var name="n" expr="0"/><block cond="n == 1">late</block><block><assign name="n" expr="1"/></block></form>`, "", "late"},
		{"2.3.3: initial is done when a field is filled", `<form>` + voice(`go<tag>out.a = 1;</tag>`) + `<initial name="i"><prompt>I?</prompt></initial><field name="a">` + answer + `</field><block><value expr="i"/></block></form>`, "say:go", "I?|true"},
		{"3.1.1: what matches no slot fills nothing", `<form>` + voice(`go<tag>out.z = 1;</tag>`) + `<field name="a">` + answer + `<prompt>A?</prompt></field></form>`, "say:go say:yes", "A?|A?"},
		{"6.3.2: only keys are taken", `<property name="inputmodes" value="dtmf"/><form><field name="x">` + answer + `<option dtmf="1">k</option><nomatch>no<exit/></nomatch><noinput>silent<exit/></noinput></field></form>`, "say:yes", "silent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { corner(t, tt.body, tt.steps, tt.want) })
	}
}

func corner(t *testing.T, body, steps, want string) {
	d := run(t, page(body), steps)
	want = strings.ReplaceAll(want, "|", " ")
	if got := strings.Join(d.said, " "); d.err != nil || got != want {
		t.Errorf("said %q, %v, want %q\n%s", got, d.err, want, strings.Join(d.trace, "\n"))
	}
}

// What grammars mean (SISR 1.0), and the builtin ones (VoiceXML 2.0 appendix P).
func TestMeanings(t *testing.T) {
	literals := func(expansion string) string {
		return strings.Replace(voice(expansion), "semantics/1.0", "semantics/1.0-literals", 1)
	}
	tests := []struct{ name, attrs, grammar, steps, want string }{
		{"the text of a rule without tags", "", voice(`red <item>blue</item>`), "say:red_blue", `"red blue"`},
		{"the last rule's value", "", voice(`<ruleref uri="#d"/> and <ruleref uri="#plain"/>`), "say:one_and_red", `"red"`},
		{"a value for each repeat", "", voice(`<tag>out=[];</tag><item repeat="1-3"><ruleref uri="#d"/><tag>out.push(rules.d);</tag></item>`), "say:one_two_one", `[1,2,1]`},
		{"latest", "", voice(`<one-of><item><ruleref uri="#d"/></item><item><ruleref uri="#plain"/></item></one-of><tag>out={v: rules.latest()};</tag>`), "say:blue", `{"v":"blue"}`},
		{"latest before there is one", "", voice(`<tag>out={t: typeof rules.latest()};</tag>red`), "say:red", `{"t":"undefined"}`},
		{"meta", "", voice(`say <ruleref uri="#plain"/><tag>out=meta.current().text + '/' + meta.latest().text + '/' + meta.plain.text + '/' + meta.plain.score;</tag>`), "say:say_red", `"say red/red/red/1"`},
		{"meta by a computed name", "", voice(`<ruleref uri="#plain"/><tag>out=meta['pl' + 'ain'].text;</tag>`), "say:red", `"red"`},
		{"a scalar", "", voice(`red<tag>out = 5</tag>`), "say:red", `5`},
		{"members of a scalar are nothing", "", voice(`red<tag>out = 'a'; out.b = 1;</tag>`), "say:red", `"a"`},
		{"variables are of their rule", "", voice(`<tag>var v = 'mine';</tag><ruleref uri="#d"/><tag>out = v + typeof rules.v;</tag>`), "say:one", `"mineundefined"`},
		{"a rule not taken has no value", "", voice(`<one-of><item><ruleref uri="#d"/></item><item>red</item></one-of><tag>out = typeof rules.d;</tag>`), "say:red", `"undefined"`},
		{"nothing at all may be said", "", voice(`<item repeat="0-1">red</item> blue<tag>out='b';</tag>`), "say:blue", `"b"`},
		{"NULL and an optional VOID", "", voice(`<ruleref special="NULL"/>red<item repeat="0-1"><ruleref special="VOID"/></item>`), "say:red", `"red"`},
		{"VOID", "", voice(`red<ruleref special="VOID"/>`), "say:red", "nomatch"},
		{"GARBAGE", "", voice(`<ruleref special="GARBAGE"/> red<tag>out='r';</tag>`), "say:well_i_think_red", `"r"`},
		{"a token of several words", "", voice(`<token>new york</token> "red light"<tag>out='t';</tag>`), "say:new_york_red_light", `"t"`},
		{"literals: the last tag", "", literals(`red<tag>a</tag> <item>blue<tag> b c </tag></item>`), "say:red_blue", `"b c"`},
		{"literals: of a rule", "", literals(`<ruleref uri="#d"/>`), "say:one", `"out=1;"`},
		{"no format: an expression", "", strings.Replace(voice(`red<tag>'lit'</tag>`), ` tag-format="semantics/1.0"`, "", 1), "say:red", `"lit"`},
		{"no format: a word", "", strings.Replace(voice(`red<tag>crimson</tag>`), ` tag-format="semantics/1.0"`, "", 1), "say:red", `"crimson"`},
		{"no format: draft variables", "", strings.Replace(voice(`<ruleref uri="#plain"/><tag>$.c = $plain; $.d = $$;</tag>`), ` tag-format="semantics/1.0"`, "", 1), "say:red", `{"c":"red","d":"red"}`},
		{"ABNF: everything", "", "<grammar><![CDATA[#ABNF 1.0 UTF-8;\nlanguage en-US;\nmode voice;\nroot $r;\ntag-format <semantics/1.0>;\n/** A comment. */\npublic $r = [please] (/2/ red | /0.5/ blue) {out=1;} $d <1-2> {!{ out += rules.d; }!} ; // one\n$d = one {out=10;} | two {out=20;};]]></grammar>",
			"say:please_blue_one_two", `21`},
		{"boolean: yes", `type="boolean"`, "", "dtmf:1", `true`},
		{"boolean: keys", `type="boolean?y=7;n=9"`, "", "dtmf:9", `false`},
		{"boolean: spoken", `type="boolean"`, "", "say:no", `false`},
		{"digits: too few", `type="digits?minlength=3;maxlength=5"`, "", "dtmf:12#", "nomatch"},
		{"digits: as many as may be", `type="digits?minlength=3;maxlength=5"`, "", "dtmf:12345", `"12345"`},
		{"currency", `type="currency"`, "", "dtmf:12*50#", `"12.50"`},
		{"date", `type="date"`, "", "dtmf:20261128#", `"20261128"`},
		{"number", `type="number"`, "", "dtmf:12*5#", `"12.5"`},
		{"phone", `type="phone"`, "", "dtmf:5551234*12#", `"5551234x12"`},
		{"time", `type="time"`, "", "dtmf:0315#", `"0315h"`},
		{"time of day", `type="time"`, "", "dtmf:1730#", `"1730h"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { corner(t, valued(tt.attrs, tt.grammar), tt.steps, tt.want) })
	}
}
