package vxml_test

import (
	"strings"
	"testing"
)

// Each row is a promise of VoiceXML 2.0 or 2.1 that authors lean on without knowing
// it, by the section that makes it.
func TestPromises(t *testing.T) {
	const ab = `<grammar mode="voice" root="r" version="1.0" tag-format="semantics/1.0"><rule id="r"><one-of><item>a<tag>out.a='A'</tag></item>
		<item>b<tag>out.b='B'</tag></item><item>both<tag>out.a='A';out.b='B'</tag></item></one-of></rule></grammar>`
	const quiet = `<grammar mode="voice" root="q" version="1.0"><rule id="q">never</rule></grammar>`
	bad := func(body string) string { return `<catch event="error.badfetch">bad<exit/></catch>` + body }
	wrong := func(body string) string { return `<catch event="error.semantic">wrong<exit/></catch>` + body }
	tests := []struct{ name, body, steps, want string }{
		// Menus.
		{"2.2.1: only what has no key gets one", `<menu dtmf="true"><prompt><enumerate><value expr="_prompt + _dtmf"/>,</enumerate></prompt><choice dtmf="0" next="#a">op</choice><choice next="#a">x</choice>
			<choice dtmf="*" next="#a">st</choice><choice next="#b">y</choice></menu><form id="a"><block>A</block></form><form id="b"><block>B</block></form>`, "dtmf:2", "op0,x1,st*,y2,|B"},
		{"2.2.1: keys of one's own beside numbered ones", bad(`<form><block><goto next="#m"/></block></form><menu id="m" dtmf="true"><choice dtmf="5" next="#m">x</choice></menu>`), "", "fetch"},
		{"2.2.1: the tenth choice has no key", `<menu dtmf="true"><nomatch>no<exit/></nomatch>` + many(`<choice next="#a">w</choice>`, 10) + `</menu><form id="a"><block>A</block></form>`, "dtmf:0", "no"},
		{"2.2.2: one of next, expr, event and eventexpr", `<menu><choice next="#a" event="e">x</choice></menu>`, "", "fetch"},
		{"2.2.2: at least one", `<menu><choice>x</choice></menu>`, "", "fetch"},
		{"2.2: handlers of a menu count", `<menu><prompt>M?</prompt><noinput>one</noinput><noinput count="2">two<reprompt/></noinput><choice next="#a">go</choice></menu><form id="a"><block>A</block></form>`,
			"silence silence say:go", "M?|one|two|M?|A"},
		{"2.2.4: a menu's own property", `<menu><property name="inputmodes" value="dtmf"/><nomatch>no<exit/></nomatch><noinput>silent<exit/></noinput><choice dtmf="1" next="#a">go</choice></menu><form id="a"><block>A</block></form>`, "dtmf:1", "A"},
		{"2.2.2: a grammar of the choice's own", `<menu><choice next="#a">` + voiced("ahead") + `Press on</choice><nomatch>no<exit/></nomatch></menu><form id="a"><block>A</block></form>`, "say:ahead", "A"},
		{"2.2.2: and then not its words", `<menu><choice next="#a">` + voiced("ahead") + `Press on</choice><nomatch>no<exit/></nomatch></menu><form id="a"><block>A</block></form>`, "say:press_on", "no"},
		// Fields and options.
		{"2.3.1.3: the text of an option is its value", valued("", `<option>  one two </option>`), "say:one_two", `"one two"`},
		{"2.3.1.3: or its keys", valued("", `<option dtmf="4"/>`), "dtmf:4", `"4"`},
		{"2.3.1.3: options of several keys", valued("", `<option dtmf="1 2" value="v">w</option>`), "dtmf:12", `"v"`},
		{"2.3.1.2: a type and a grammar", valued(`type="digits?length=2"`, voice(`red`)), "say:red", `"red"`},
		{"2.3.1: a condition that cannot be evaluated", wrong(`<form><field name="x" cond="nothing.at.all">` + answer + `</field></form>`), "", "wrong"},
		{"2.3.1: expr makes a value", `<form><field name="x" expr="1">` + answer + `<prompt>no</prompt><filled>no</filled></field><block>x<value expr="x"/></block></form>`, "", "x1"},
		{"2.3: two items of one name", `<form><field name="x">` + answer + `</field><block name="x"/></form>`, "", "fetch"},
		{"2.3: a name with a dot", `<form><field name="a.b">` + answer + `</field></form>`, "", "fetch"},
		// Filled.
		{"2.4: any of those filled by this input", `<form>` + ab + `<field name="a">` + quiet + `</field><field name="b">` + quiet + `</field><filled mode="any" namelist="b">B!</filled></form>`, "say:a say:b", "B!"},
		{"2.4: any, by default all of the form", `<form>` + ab + `<field name="a">` + quiet + `</field><field name="b">` + quiet + `</field><filled mode="any">F</filled></form>`, "say:a say:b", "F|F"},
		{"2.4: all, with one filled before", `<form>` + ab + `<field name="a">` + quiet + `</field><field name="b">` + quiet + `</field><filled namelist="a b"><value expr="a+b"/></filled></form>`, "say:b say:a", "AB"},
		{"2.4: once only for one input", `<form>` + ab + `<field name="a">` + quiet + `</field><field name="b">` + quiet + `</field><filled mode="any" namelist="a b">F</filled></form>`, "say:both", "F"},
		{"2.4: within a field it has no names", `<form><field name="x">` + answer + `<filled namelist="x">no</filled></field></form>`, "", "fetch"},
		{"2.4: of what is no input item", `<form><block name="k"/><field name="x">` + answer + `</field><filled namelist="k x">no</filled></form>`, "", "fetch"},
		{"2.4: clearing in filled asks again", `<form>` + ab + `<field name="a"><prompt>a?</prompt>` + quiet + `</field><field name="b"><prompt>b?</prompt>` + quiet + `</field><filled><if cond="n++ == 0"><clear/></if></filled></form>`,
			"say:both", "a?|a?"},
		// Subdialogs.
		{"2.3.4: nested", `<form><subdialog name="s" src="#one"><param name="p" expr="1"/><filled><value expr="s.r"/></filled></subdialog></form>
			<form id="one"><var name="p"/><subdialog name="t" src="#two"><param name="q" expr="p + 1"/><filled><var name="r" expr="t.r * 10"/><return namelist="r"/></filled></subdialog></form>
			<form id="two"><var name="q"/><block><var name="r" expr="q + 1"/><return namelist="r"/></block></form>`, "", "30"},
		{"2.3.4: a parameter of two kinds", `<form><subdialog name="s" src="#a"><param name="p" value="1" expr="2"/></subdialog></form><form id="a"><var name="p"/></form>`, "", "fetch"},
		{"2.3.4: src and srcexpr", `<form><subdialog name="s" src="#a" srcexpr="'#a'"/></form><form id="a"/>`, "", "fetch"},
		{"2.3.4: srcexpr", `<form><subdialog name="s" srcexpr="'#' + 'a'"/></form><form id="a"><block>in<return/></block></form>`, "", "in"},
		{"2.3.4: an object goes by value of what it holds", `<form><var name="o" expr="({n: 1})"/><subdialog name="s" src="#a"><param name="o" expr="o"/><filled><value expr="s.o.n"/></filled></subdialog></form>
			<form id="a"><var name="o"/><block><assign name="o.n" expr="o.n + 1"/><return namelist="o"/></block></form>`, "", "2"},
		{"2.3.4: a handler in the subdialog is before its caller's", `<form><catch event="e">outer<exit/></catch><subdialog name="s" src="#a"/></form><form id="a"><catch event="e">inner<return event="e"/></catch><block><throw event="e"/></block></form>`,
			"", "inner|outer"},
		{"2.3.4: return of a name that is none", wrong(`<form><subdialog name="s" src="#a"/></form><form id="a"><block><return namelist="zz"/></block></form>`), "", "wrong"},
		{"5.3.10: namelist and event", `<form><block><return namelist="a" event="b"/></block></form>`, "", "fetch"},
		// Variables.
		{"5.1.1: a name with a scope", wrong(`<form><block><var name="dialog.a" expr="1"/></block></form>`), "", "wrong"},
		{"5.1.3: a function sees what is outside it", `<var name="k" expr="2"/><script>function f(n) { return n * k; }</script><form><var name="k" expr="50"/><block><value expr="f(3)"/></block></form>`, "", "6"},
		{"5.1.2: anonymous is gone", `<form><block><var name="a" expr="1"/></block><block><value expr="typeof a"/></block></form>`, "", "undefined"},
		{"5.1.2: a handler has a scope of its own", `<form><field name="x">` + answer + `<noinput><var name="a" expr="1"/></noinput><noinput count="2"><value expr="typeof a"/><exit/></noinput></field></form>`, "silence silence", "undefined"},
		{"5.1.2: and filled", `<form><field name="x">` + answer + `<filled><var name="a" expr="1"/></filled></field><block><value expr="typeof a"/></block></form>`, "say:yes", "undefined"},
		{"5.1: of the dialog again at each entry", `<form id="f"><var name="n" expr="1"/><block><assign name="n" expr="n+1"/><value expr="n"/><if cond="g++ == 0"><goto next="#f"/></if></block></form>`, "", "2|2"},
		{"5.3.12: a script in a form", `<form><var name="a" expr="1"/><script>a = a + 1; var b = a;</script><var name="c" expr="b * 10"/><block><value expr="dialog.c"/></block></form>`, "", "20"},
		{"5.3.12: a script with both", `<script src="a.js">1</script><form/>`, "", "fetch"},
		{"5.3.12: none", `<script/><form/>`, "", "fetch"},
		{"5.3.2: assign without expr", `<form><block><var name="a"/><assign name="a"/></block></form>`, "", "fetch"},
		{"5.3.4: elseif", `<form><block><var name="a" expr="3"/><if cond="a==1">1<elseif cond="a==2"/>2<elseif cond="a==3"/>3<else/>4</if></block></form>`, "", "3"},
		{"5.3.4: else before elseif", `<form><block><if cond="true">1<else/>2<elseif cond="true"/>3</if></block></form>`, "", "fetch"},
		{"5.3.3: clear of what is not there", wrong(`<form><block><clear namelist="zz"/></block></form>`), "", "wrong"},
		{"5.3.3: clear of a variable", `<form><var name="v" expr="1"/><block><clear namelist="v"/><value expr="typeof v"/></block></form>`, "", "undefined"},
		{"5.3.3: clear of a block runs it again", `<form><block name="b">B<if cond="n++ &lt; 2"><clear namelist="b"/></if></block></form>`, "", "B|B|B"},
		// Going elsewhere.
		{"5.3.7: two targets", `<form><block><goto next="#a" expr="'#b'"/></block></form>`, "", "fetch"},
		{"5.3.7: none", `<form><block><goto/></block></form>`, "", "fetch"},
		{"5.3.7: nextitem passes over its condition's neighbours only", `<form><block>1<goto nextitem="z"/></block><block name="y">2</block><block name="z">3</block></form>`, "", "1|3|2"},
		{"5.3.8: two targets", `<form><block><submit next="a" expr="'b'"/></block></form>`, "", "fetch"},
		{"5.3.8: a method of one's own", `<form><block><submit next="a" method="put"/></block></form>`, "", "fetch"},
		{"5.3.9: expr and namelist", `<form><block><exit expr="1" namelist="a"/></block></form>`, "", "fetch"},
		{"5.3.9: a name that is none", wrong(`<form><block><exit namelist="zz"/></block></form>`), "", "wrong"},
		{"5.2.1: event and eventexpr", `<form><block><throw event="a" eventexpr="'b'"/></block></form>`, "", "fetch"},
		{"5.2.1: no event", `<form><block><throw/></block></form>`, "", "fetch"},
		{"5.2.1: eventexpr of nothing", wrong(`<form><block><throw eventexpr="zz"/></block></form>`), "", "wrong"},
		{"2.5: link of two targets", `<link next="#a" event="b"/><form/>`, "", "fetch"},
		{"2.5: link of none", `<link><grammar mode="dtmf" version="1.0" root="r"><rule id="r">1</rule></grammar></link><form/>`, "", "fetch"},
		// Prompts.
		{"4.1.6: a count of three", `<form><field name="x">` + answer + `<prompt count="1">1</prompt><prompt count="3">3</prompt><noinput><reprompt/></noinput></field></form>`, "silence silence silence say:yes", "1|1|3|3"},
		{"4.1.6: several of one count", `<form><field name="x">` + answer + `<prompt>a</prompt><prompt>b</prompt><prompt count="2">c</prompt><noinput><reprompt/></noinput></field></form>`, "silence say:yes", "a|b|c"},
		{"4.1.6: a false condition counts as none", `<form><field name="x">` + answer + `<prompt>a</prompt><prompt count="2" cond="false">b</prompt><noinput><reprompt/></noinput></field></form>`, "silence say:yes", "a|a"},
		{"4.1.6: fields count by themselves", `<form><field name="x">` + answer + `<prompt>x1</prompt><prompt count="2">x2</prompt><noinput><reprompt/></noinput></field><field name="y">` + answer + `<prompt>y1</prompt><prompt count="2">y2</prompt></field></form>`,
			"silence say:yes say:no", "x1|x2|y1"},
		{"4.1.3: audio of two sources", `<form><block><audio src="a" expr="'b'">t</audio></block></form>`, "", "fetch"},
		{"4.1.4: value within audio", `<form><block><audio src="no.wav">n<value expr="1+1"/></audio></block></form>`, "", "n2"},
		{"4.1.4: value without expr", `<form><block><value/></block></form>`, "", "fetch"},
		{"4.1.2: SSML within", `<form><block><prompt>a <emphasis>b</emphasis> <say-as interpret-as="date">c</say-as> <sub alias="World Wide Web">WWW</sub> <p><s>d</s></p></prompt></block></form>`, "", "a b c World Wide Web d"},
		{"4.1.2: none of it elsewhere", `<form><block><prompt><emphasise>b</emphasise></prompt></block></form>`, "", "fetch"},
		{"4.1.2: a break of a bad time", `<form><block><prompt>a<break time="soon"/></prompt></block></form>`, "", "fetch"},
		{"4.1.2: marked text is in a prompt", `<form><block><sub alias="Doctor">Dr</sub> Who</block></form>`, "", "fetch"},
		{"4.1.2: a sentence in a sentence", `<form><block><prompt><s>a <s>b</s></s></prompt></block></form>`, "", "fetch"},
		{"4.1.2: an emphasis that is none", `<form><block><prompt><emphasis level="loud">b</emphasis></prompt></block></form>`, "", "fetch"},
		{"4.1.2: prosody of nothing", `<form><block><prompt><prosody>b</prosody></prompt></block></form>`, "", "fetch"},
		{"4.1.2: prosody as engines like it", `<form><block><prompt><prosody rate="-10%" volume="+6dB" pitch="high">b</prosody><break time="250ms" strength="weak"/></prompt></block></form>`, "", "b"},
		{"4.1: bargein is a boolean", `<form><block><prompt bargein="maybe">a</prompt></block></form>`, "", "fetch"},
		{"4.1.7: a bad timeout", `<form><field name="x">` + answer + `<prompt timeout="soon">a</prompt></field></form>`, "", "fetch"},
		{"2.1 6: foreach needs both", `<form><block><foreach item="i"><value expr="i"/></foreach></block></form>`, "", "fetch"},
		{"2.1 6: marks within foreach", `<form><field name="x">` + answer + `<prompt><foreach item="i" array="['p','q']"><mark nameexpr="'m' + i"/><value expr="i"/></foreach></prompt><filled><value expr="x$.markname"/></filled></field></form>`,
			"say:yes", "pq|mq"},
		{"2.1 6: of the array as it was", `<form><block><var name="l" expr="[1,2,3]"/><foreach item="i" array="l"><value expr="i"/><script>l.push(9)</script></foreach></block></form>`, "", "1|2|3"},
		{"2.1 4: mark of two names", `<form><block><prompt><mark name="a" nameexpr="'b'"/>x</prompt></block></form>`, "", "fetch"},
		{"2.1 2: srcexpr of a grammar that throws", wrong(`<form><field name="x"><grammar srcexpr="zz"/></field></form>`), "", "wrong"},
		{"2.1 2: src and srcexpr", `<form><field name="x"><grammar src="a" srcexpr="'b'"/></field></form>`, "", "fetch"},
		// Events.
		{"5.2.3: the shorthands", `<form><field name="x">` + answer + `<error>E<exit/></error><noinput><throw event="error.own.thing"/></noinput></field></form>`, "silence", "E"},
		{"5.2.4: in a block the form's", `<form><catch event="e">form<exit/></catch><block><throw event="e"/></block></form>`, "", "form"},
		{"5.2.4: executed to its end", `<form><catch event="e">1 <value expr="_event"/>2</catch><block><throw event="e"/>no</block><block>next</block></form>`, "", "1 e2|next"},
		{"5.2.4: in initial", `<form>` + ab + `<initial name="i"><prompt>I?</prompt><nomatch count="2">skip<assign name="i" expr="true"/><reprompt/></nomatch><nomatch>again</nomatch></initial><field name="a">` + quiet + `<prompt>a?</prompt></field></form>`,
			"say:z say:z say:a", "I?|again|skip|a?"},
		{"5.2.4: a condition of a handler that throws", `<form><catch event="e" cond="zz">no</catch><catch event="error.semantic">wrong<exit/></catch><block><throw event="e"/></block></form>`, "", "wrong"},
		{"5.2.4: count of nought", `<form><catch event="e" count="0">x</catch></form>`, "", "fetch"},
		{"5.2.5: cancel is silent", `<form><block>a<throw event="cancel"/>b</block></form>`, "", "a"},
		{"5.2.5: exit too", `<form><block>a<throw event="exit"/>b</block></form>`, "", "a"},
		{"5.2.5: help speaks and asks again", `<form><field name="x">` + answer + `<prompt>X?</prompt><noinput count="1"><throw event="help"/></noinput></field></form>`, "silence say:yes", "X?|There is no help for this. X?"},
		{"5.2.6: of an error the message", `<form><catch event="error.semantic"><value expr="typeof _message + (_message.length > 5)"/><exit/></catch><block><value expr="zz"/></block></form>`, "", "stringtrue"},
		// Input.
		{"3.1.6.1: a field's scalar", valued("", voice(`red<tag>out='r'</tag>`)), "say:red", `"r"`},
		{"3.1.6.1: the property of its name", valued("", voice(`red<tag>out.x='r'; out.y='s'</tag>`)), "say:red", `"r"`},
		{"3.1.6.1: an object without it is the value", valued("", voice(`red<tag>out.y='s'</tag>`)), "say:red", `{"y":"s"}`},
		{"3.1.6.1: the property of its slot", valued(`slot="y"`, voice(`red<tag>out.x='r'; out.y='s'</tag>`)), "say:red", `"s"`},
		{"3.1.6.2: a form's grammar fills by slots", `<form>` + voice(`go<tag>out.one=1; out.two={three: 3}</tag>`) + `<field name="x" slot="two.three">` + quiet + `</field><field name="y" slot="one">` + quiet + `</field><block><value expr="x + ',' + y"/></block></form>`, "say:go", "3,1"},
		{"3.1.6.2: no value and the slot is not filled", `<form>` + voice(`go<tag>out.x=undefined; out.y=null</tag>`) + `<field name="x">` + answer + `<prompt>X?</prompt></field><field name="y">` + answer + `<prompt>Y?</prompt></field></form>`, "say:go say:yes", "X?|X?"},
		{"3.1.6.3: the result is the application's, too", `<form><field name="x">` + voice(`red<tag>out={n: 1}</tag>`) + `<filled><value expr="application.lastresult$.interpretation.n + application.lastresult$[0].interpretation.n"/></filled></field></form>`, "say:red", "2"},
		{"3.1.1.2: keys may be parted by spaces or not", valued("", `<grammar mode="dtmf" root="r" version="1.0"><rule id="r">1 2 <item repeat="2"> # </item></rule></grammar>`), "dtmf:12##", `"12##"`},
		{"6.3.3: the terminating character of none", `<property name="termchar" value="A"/>` + valued(`type="digits"`, ""), "dtmf:12A", `"12"`},
		{"6.3.2: confidencelevel", `<property name="confidencelevel" value="0.9"/>` + valued("", voice("red")), "say(0.8):red", "nomatch"},
		{"6.3.6: a field's bargein", `<form><field name="x"><property name="bargein" value="false"/>` + answer + `<prompt>X?</prompt></field></form>`, "say:yes", "X?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			promise(t, `<var name="n" expr="0"/><var name="g" expr="0"/>`+tt.body, tt.steps, tt.want)
		})
	}
}

// promise runs a page: what is said is wanted, or that there is no such page.
func promise(t *testing.T, body, steps, want string) {
	t.Helper()
	d := run(t, page(body), steps)
	got := strings.Join(d.said, " ")
	if d.err != nil && d.out.Event != nil && d.out.Event.Name == "error.badfetch" {
		got = "fetch"
	}
	if got != strings.ReplaceAll(want, "|", " ") {
		t.Errorf("said %q, %v, want %q\n%s", got, d.err, want, strings.Join(d.trace, "\n"))
	}
}

func many(text string, n int) string { return strings.Repeat(text, n) }

// voiced is an inline grammar of words.
func voiced(words string) string {
	return `<grammar mode="voice" root="v" version="1.0"><rule id="v">` + words + `</rule></grammar>`
}
