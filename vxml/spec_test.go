package vxml_test

import (
	"strings"
	"testing"
)

const answer = `<grammar mode="voice" root="r" version="1.0"><rule id="r"><one-of><item>yes</item><item>no</item></one-of></rule></grammar>`

// Each row is a sentence of VoiceXML 2.0 or 2.1, by section.
func TestSentences(t *testing.T) {
	tests := []struct{ name, body, steps, want string }{
		{"2.2: choices without dtmf are numbered", `<menu dtmf="true"><prompt><enumerate><value expr="_prompt"/> <value expr="_dtmf"/>.</enumerate></prompt>
			<choice next="#a">one</choice><choice dtmf="0" next="#b">two</choice><choice next="#c">three</choice></menu>
			<form id="a"><block>A</block></form><form id="b"><block>B</block></form><form id="c"><block>C</block></form>`, "dtmf:2", "one 1.two 0.three 2.|C"},
		{"3.1.5: universals", `<property name="universals" value="help cancel"/><form><field name="x">` + answer + `<help>Helped.<exit/></help></field></form>`, "say:help", "Helped."},
		{"3.1.5: none unless asked for", `<form><field name="x">` + answer + `<help>Helped.<exit/></help><nomatch>What?<exit/></nomatch></field></form>`, "say:help", "What?"},
		{"4.1.5.1: with a hot word nothing is nomatch", `<property name="bargeintype" value="hotword"/><form><field name="x">` + answer + `<nomatch>What?<exit/></nomatch>
			<filled><value expr="x"/></filled></field></form>`, "say:perhaps say:yes", "yes"},
		{"2.1 4: the last mark", `<form><field name="x">` + answer + `<prompt>One <mark name="a"/>two <mark nameexpr="'b' + 1"/>three</prompt>
			<filled><value expr="x$.markname"/> <value expr="x$.marktime"/> <value expr="application.lastresult$.markname"/></filled></field></form>`,
			"say:yes", "One two three|b1 300 b1"},
		{"2.1 4: no mark", `<form><field name="x">` + answer + `<filled><value expr="typeof x$.markname"/></filled></field></form>`, "say:yes", "undefined"},
		{"2.1 7: the utterance is recorded", `<property name="recordutterance" value="true"/><form><field name="x">` + answer + `
			<filled><audio expr="x$.recording">none</audio> <value expr="application.lastresult$.recordingduration"/></filled></field></form>`, "say:yes", "[recording:1] 180"},
		{"2.1 7: in a format of the page's choice", `<property name="recordutterance" value="true"/><property name="recordutterancetype" value="audio/x-wav"/>
			<form><field name="x">` + answer + `<filled><audio expr="x$.recording">none</audio></filled></field></form>`, "say:yes", "[recording:1]"},
		{"2.1 7: but not in one that nobody has", `<property name="recordutterance" value="true"/><property name="recordutterancetype" value="audio/ogg"/>
			<catch event="error.unsupported.format">no<exit/></catch><form><field name="x">` + answer + `</field></form>`, "say:yes", "no"},
		{"2.1 7: also what is no match", `<property name="recordutterance" value="true"/><form><field name="x">` + answer + `
			<nomatch><audio expr="application.lastresult$.recording">none</audio> <value expr="application.lastresult$[0].recordingduration"/><exit/></nomatch></field></form>`,
			"say:what", "[recording:1] 240"},
		{"2.1 7: but not keys", `<property name="recordutterance" value="true"/><form><field name="x" type="digits?length=1"><filled><value expr="typeof x$.recording"/></filled></field></form>`,
			"dtmf:1", "undefined"},
		{"2.1 7: the format is that of a recording", `<property name="recordutterancetype" value="audio/ogg"/>
			<form><field name="x">` + answer + `<filled>ok</filled></field></form>`, "say:yes", "ok"},
		{"4.1.6: counts and conditions", `<form><field name="x">` + answer + `<prompt cond="false">never</prompt><prompt count="2">two</prompt><prompt>one</prompt>
			<noinput><reprompt/></noinput></field></form>`, "silence silence say:yes", "one|two|two"},
		{"5.3.6: without reprompt silence", `<form><field name="x">` + answer + `<prompt>Ask.</prompt><noinput>Hm.</noinput></field></form>`, "silence say:yes", "Ask.|Hm."},
		{"5.2.2: the handler of the highest count", `<form><field name="x">` + answer + `<noinput>one</noinput><noinput count="3">three<exit/></noinput></field></form>`,
			"silence silence silence", "one|one|three"},
		{"5.2.4: document order within a scope", `<catch event="a">outer</catch><form><catch event="a.b">first</catch><catch event="a">second</catch>
			<block><throw event="a.b"/></block></form>`, "", "first"},
		{"5.3.3: clear makes prompts count anew", `<form><field name="x">` + answer + `<prompt>one</prompt><prompt count="2">two</prompt>
			<noinput count="2"><clear/><reprompt/></noinput><noinput><reprompt/></noinput></field></form>`, "silence silence say:yes", "one|two|one"},
		{"5.3.7: goto nextitem", `<form><block>a<goto nextitem="c"/></block><block name="b" cond="false">b</block><block name="c">c</block></form>`, "", "a|c"},
		{"5.3.7: expritem of none", `<form><catch event="error.badfetch">no</catch><block><goto expritem="'zz'"/></block></form>`, "", "no"},
		{"5.3.9: exit ends it", `<form><block>a<exit/>b</block></form>`, "", "a"},
		{"2.3.3: initial steps aside", `<form><grammar mode="voice" root="r" version="1.0" tag-format="semantics/1.0"><rule id="r">go <tag>out.x = 'there';</tag></rule></grammar>
			<initial><prompt>Where?</prompt></initial><field name="x">` + answer + `<filled>To <value expr="x"/>.</filled></field></form>`, "say:go", "Where?|To there."},
		{"P: lengths that contradict each other", `<catch event="error.badfetch">bad<exit/></catch><form><field name="x" type="digits?minlength=3;length=2"/></form>`, "", "bad"},
		{"P: one key for yes and no", `<catch event="error.badfetch">bad<exit/></catch><form><field name="x"><grammar src="builtin:dtmf/boolean?y=1;n=1"/></field></form>`, "", "bad"},
		{"2.4: filled of any", `<form><field name="x">` + answer + `</field><field name="y">` + answer + `</field><filled mode="any" namelist="x y">f</filled></form>`,
			"say:yes say:no", "f|f"},
		{"2.4: filled of all", `<form><field name="x">` + answer + `</field><field name="y">` + answer + `</field><filled namelist="x y">f</filled></form>`, "say:yes say:no", "f"},
		{"3.1: an inline grammar in ABNF form", `<form><field name="x"><grammar type="application/srgs"><![CDATA[#ABNF 1.0;
			language en-US; root $r; public $r = yes | no;]]></grammar><filled><value expr="x"/></filled></field></form>`, "say:no", "no"},
		{"a grammar that is none", `<form><catch event="error.grammar">bad<exit/></catch><field name="x"><grammar root="q"><rule id="r">a</rule></grammar></field></form>`, "", "bad"},
		{"properties may be computed", `<var name="on" expr="'help'"/><property name="universals" xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension" gvp:expr="on + ' exit'"/>
			<form><field name="x">` + answer + `<help>Helped.<exit/></help></field></form>`, "say:help", "Helped."},
		{"properties of an item may be computed", `<form><field name="x"><property name="universals" xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension" gvp:expr="'help'"/>` + answer + `<help>Helped.<exit/></help></field></form>`, "say:help", "Helped."},
		{"private input is not shown", `<form><field name="x"><property name="com.genesyslab.private" value="true"/>` + answer + `<filled>ok</filled></field></form>`, "say:yes", "ok"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := run(t, page(tt.body), tt.steps)
			want := strings.ReplaceAll(tt.want, "|", " ")
			if got := strings.Join(d.said, " "); d.err != nil || got != want {
				t.Errorf("said %q, %v, want %q\n%s", got, d.err, want, strings.Join(d.trace, "\n"))
			}
			if strings.HasPrefix(tt.name, "private") && strings.Contains(strings.Join(d.trace, ""), "yes") {
				t.Error("what the caller said is in the trace")
			}
		})
	}
}

// External grammars of either form, whole or by a rule.
func TestExternalGrammars(t *testing.T) {
	const abnf = "#ABNF 1.0;\nlanguage en-US; root $r; public $r = yes | no; public $other = maybe;"
	for ref, steps := range map[string]string{"g.gram": "say:yes", "g.gram#other": "say:maybe"} {
		pages := page(`<form><field name="x"><grammar src="` + ref + `"/><filled>Heard.</filled></field></form>`)
		pages["/g.gram"] = abnf
		if d := run(t, pages, steps); strings.Join(d.said, " ") != "Heard." {
			t.Errorf("%s: said %q\n%s", ref, d.said, strings.Join(d.trace, "\n"))
		}
	}
}

// A handler of the application root runs as if it stood in the page that
// inherits it; relative URIs and fragments are the page's (section 5.2).
func TestInheritedHandlers(t *testing.T) {
	pages := site{
		"/a.vxml":        `<vxml version="2.1"><form><block><goto next="sub/leaf.vxml"/></block></form></vxml>`,
		"/sub/leaf.vxml": `<vxml version="2.1" application="../root.vxml"><form><block><throw event="away"/></block></form><form id="own"><block><throw event="further"/></block></form></vxml>`,
		"/root.vxml":     `<vxml version="2.1"><catch event="away"><goto next="#own"/></catch><catch event="further"><goto next="next.vxml"/></catch></vxml>`,
		"/sub/next.vxml": `<vxml version="2.1"><form><block>Arrived.</block></form></vxml>`,
	}
	d := run(t, pages, "")
	if got := strings.Join(d.said, " "); got != "Arrived." {
		t.Errorf("said %q, %v\n%s", got, d.err, strings.Join(d.trace, "\n"))
	}
}
