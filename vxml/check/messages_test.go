package check_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp/vxml/check"
	"mcp/vxml/fetch"
	"mcp/vxml/script"
)

// Each row is a slip of an author, and all that is said of it: where it is, and what
// to do.
func TestMessages(t *testing.T) {
	const (
		grammar = `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en" root="city">` + "\n"
		city    = `<rule id="city" scope="public">Rome</rule><rule id="own">x</rule></grammar>`
	)
	tests := []struct {
		name, body string
		files      map[string]string
		want       string
	}{
		{name: "nothing wrong", body: `<var name="a"/><form id="f"><var name="b"/><field name="c" type="digits"><noinput><assign name="a" expr="b"/></noinput>
			<filled><var name="d" expr="c$.utterance"/><submit next="a.vxml" namelist="a b c c$.confidence d dialog.b application.lastresult$"/></filled></field></form>`},
		{name: "an element", body: `<form><feild name="a"/></form>`, want: `a.vxml:2: <feild>: VoiceXML has no such element: did you mean <field>?`},
		{name: "markup of speech", body: `<form><block>Wait<break/></block></form>`, want: `a.vxml:2: <break>: is not allowed in <block>: put it into a <prompt>`},
		{name: "an attribute", body: `<form><block><goto nxt="#f"/></block></form>`, want: `a.vxml:2: <goto>: there is no attribute "nxt": did you mean "next"?|` +
			`a.vxml:2: <goto>: needs exactly one of next, expr, nextitem and expritem`},
		{name: "an attribute that is like none", body: `<form scope="dialog" speed="1"/>`, want: `a.vxml:2: <form>: there is no attribute "speed": write one of "id", "scope"`},
		{name: "an assignment in a condition", body: `<var name="x"/><form><block cond="x == 1 &amp;&amp; (y = x) != '='"/>` + "\n" + `<block><if cond="x = 1">a</if></block></form>`,
			want: `a.vxml:3: <if>: cond="x = 1" assigns: write == to compare`},
		{name: "no assignment", body: `<form><block cond="a == 1"/><block cond="a >= 1 || b &lt;= 2 || c != 3 || d !== '=' || /=/.test(e)"/><block cond="f(x => x)"/></form>`},
		{name: "an empty namelist", body: `<form><block><submit next="a.vxml" namelist=" "/></block></form>`, want: `a.vxml:2: <submit>: namelist names nothing: name variables, or leave it out`},
		{name: "a namelist of what is not there", body: `<form><var name="account"/><block><submit next="a.vxml" namelist="acount pin"/></block></form>`,
			want: `a.vxml:2: <submit>: namelist names "acount", which no scope declares: did you mean "account"?|` +
				`a.vxml:2: <submit>: namelist names "pin", which no scope declares: name a variable or a form item`},
		{name: "times without units", body: `<property name="timeout" value="3"/><form><field name="a" type="digits"><prompt timeout="5">a</prompt></field><block>` +
			`<goto next="#f" fetchtimeout="0.5"/></block></form><form id="f"><record name="r" maxtime="10s"/></form>`,
			want: `a.vxml:2: <property>: timeout="3" has no unit and counts seconds: write 3s or 3ms|a.vxml:2: <prompt>: timeout="5" has no unit and counts seconds: write 5s or 5ms|` +
				`a.vxml:2: <goto>: fetchtimeout="0.5" has no unit and counts seconds: write 0.5s or 0.5ms`},
		{name: "properties", body: `<property name="bargein" value="yes"/><property name="timeout" value="5 sec"/><property name="confidencelevel" value="45"/><property name="maxnbest" value="0"/>` +
			"\n" + `<property name="inputmodes" value="dtmf speech"/><property name="bargeintype" value="recognition"/><property name="termchar" value="##"/><property name="audiofetchhint" value="stream"/>` +
			"\n" + `<property name="bargein" value="false"/><property name="timeout" value="200ms"/><property name="confidencelevel" value=".4"/><property name="maxnbest" value="3"/><property name="com.example.any" value="x"/>` +
			`<property name="inputmodes" value="voice dtmf"/><property name="bargeintype" value="hotword"/><property name="termchar" value=""/><property name="audiofetchhint" value="safe"/>`,
			want: `a.vxml:2: <property>: bargein="yes" is none of its values: write true or false|` +
				`a.vxml:2: <property>: timeout="5 sec" is none of its values: write a time such as 5s or 200ms|` +
				`a.vxml:2: <property>: confidencelevel="45" is none of its values: write a number from 0 to 1|` +
				`a.vxml:2: <property>: maxnbest="0" is none of its values: write a number of at least 1|` +
				`a.vxml:3: <property>: inputmodes="dtmf speech" is none of its values: write dtmf, voice or both|` +
				`a.vxml:3: <property>: bargeintype="recognition" is none of its values: write speech or hotword|` +
				`a.vxml:3: <property>: termchar="##" is none of its values: write one key, or nothing|` +
				`a.vxml:3: <property>: audiofetchhint="stream" is none of its values: write prefetch or safe`},
		{name: "a dialog of the page", body: `<form><block><goto next="#mian"/></block></form><form id="main"/>`, want: `a.vxml:2: <goto>: a.vxml has no dialog "mian": did you mean "main"?`},
		{name: "a dialog of another page", body: `<form><block><goto next="b.vxml#thre"/></block></form>`, files: map[string]string{"b.vxml": `<vxml version="2.1"><form id="one"/><menu id="two"><choice next="#one">x</choice></menu></vxml>`},
			want: `a.vxml:2: <goto>: b.vxml has no dialog "thre": write one of "one", "two"`},
		{name: "parameters", body: `<form><subdialog name="s" src="#sub"><param name="acount" value="1"/><param name="n" value="2"/></subdialog><subdialog name="t" src="b.vxml"><param name="x" value="1"/></subdialog></form>` +
			"\n" + `<form id="sub"><var name="account"/><var name="n"/><block><return/></block></form>`,
			files: map[string]string{"b.vxml": `<vxml version="2.1"><form><block><return/></block></form></vxml>`},
			want:  `a.vxml:2: <subdialog>: a.vxml:3: <form> declares no variable for the parameter "acount": did you mean "account"?|a.vxml:2: <subdialog>: b.vxml:1: <form> declares no variable for the parameter "x"`},
		{name: "nothing to listen for", body: `<form><field name="a"/><field name="b" expr="1"/><field name="c"><option>x</option></field><initial/></form>` + "\n" +
			`<form><link event="help" dtmf="1"/><field name="d"/></form><menu><choice dtmf="1" next="#m">x</choice></menu><form id="m"><grammar root="r" version="1.0" mode="dtmf"><rule id="r">1</rule></grammar><initial/><field name="e"/></form>`,
			want: `a.vxml:2: <field>: no grammar is active: give it a type, an <option> or a <grammar>|a.vxml:2: <initial>: no grammar is active: give the form a <grammar>`},
		{name: "an item", body: `<form><field name="pin" type="digits"/><block><goto nextitem="pni"/></block></form>`, want: `a.vxml:2: <goto>: the form has no item "pni": did you mean "pin"?`},
		{name: "a variable that nobody declares", body: `<form><var name="count"/><block><assign name="cuont" expr="1"/></block></form>` + "\n" +
			`<form><block><var name="mine"/></block><filled><assign name="mine" expr="1"/><assign name="count" expr="1"/></filled></form>`,
			want: `a.vxml:2: <assign>: no scope declares "cuont": did you mean "count"?|a.vxml:3: <assign>: no scope declares "mine": declare it with <var name="mine"/>|` +
				`a.vxml:3: <assign>: no scope declares "count": declare it with <var name="count"/>`},
		{name: "variables of scripts", body: `<script>var s = 1; function f() { t = 2; }</script><form><block><assign name="s" expr="1"/><assign name="t" expr="1"/><assign name="u" expr="1"/></block></form>`,
			want: `a.vxml:2: <assign>: no scope declares "u": declare it with <var name="u"/>`},
		{name: "a variable that a script writes with escapes", body: `<script>v\u0061r1 = 1; v\u{61}r2 = 2</script><form><block><assign name="var1" expr="1"/><assign name="var2" expr="1"/></block></form>`},
		{name: "a script that is too much", body: `<script>` + strings.Repeat("a();", 400) + `</script><form/>`,
			want: `a.vxml:2: <script>: the script is more work to compile than is allowed: part it, or read large data with <data>; it may be 1000 tokens`},
		{name: "a number and a word", body: "<script>\nvar a = 3px</script><form/>", want: `a.vxml:3: <script>: a number ends in letters: 3px`},
		{name: "a handler of the document", body: `<catch event="e"><assign name="f" expr="1"/><assign name="g" expr="1"/></catch><form><var name="f"/></form>`,
			want: `a.vxml:2: <assign>: no scope declares "g": declare it with <var name="g"/>`},
		{name: "a rule of the page's own grammar", body: `<form><field name="a"><grammar root="r" version="1.0" mode="voice"><rule id="r">` + "\n" + `to <ruleref uri="#ctiy"/></rule><rule id="city">Rome</rule></grammar></field></form>`,
			want: `a.vxml:3: <grammar>: there is no rule "ctiy": did you mean "city"?`},
		{name: "a rule of a grammar", body: `<form><field name="a"><grammar src="g.grxml#ctiy"/></field></form>`, files: map[string]string{"g.grxml": grammar + city},
			want: `a.vxml:2: <grammar>: g.grxml: there is no rule "ctiy": did you mean "city"?`},
		{name: "a rule of a grammar's grammar", body: `<form><field name="a"><grammar src="g.grxml"/></field><field name="b"><grammar src="g.grxml"/></field></form>`,
			files: map[string]string{"h.grxml": grammar + city, "g.grxml": grammar + `<rule id="city"><ruleref uri="h.grxml#citty"/></rule></grammar>`},
			want:  `g.grxml:2: rule "city" refers to h.grxml, which has no rule "citty": did you mean "city"?`},
		{name: "a private rule", body: `<form><field name="a"><grammar src="g.grxml"/></field></form>`,
			files: map[string]string{"h.grxml": grammar + city, "g.grxml": grammar + `<rule id="city"><ruleref uri="h.grxml#own"/></rule></grammar>`},
			want:  `g.grxml:2: rule "city" refers to h.grxml, where "own" is not a public rule: give it scope="public"`},
		{name: "a grammar in ABNF form", body: `<form><field name="a"><grammar src="g.gram"/></field></form>`, files: map[string]string{"g.gram": "#ABNF 1.0;\nlanguage en;\nroot $r;\n$r = a\n $city;\n$ctiy = b;"},
			want: `g.gram:5: there is no rule "city": did you mean "ctiy"?`},
		{name: "expressions that end early", body: `<form><block><assign name="a" expr="1 +"/><value expr="f("/></block><var name="a"/></form>`,
			want: `a.vxml:2: <assign>: expr="1 +" is no expression of ECMAScript: it ends too early|a.vxml:2: <value>: expr="f(" is no expression of ECMAScript: it ends too early`},
		{name: "a text without quotes", body: `<form><var name="a" expr="good morning"/></form>`,
			want: `a.vxml:2: <var>: expr="good morning" is no expression of ECMAScript: an operator is missing, or the quotes of a text, as in 'text'`},
		{name: "events", body: `<catch event="nomach my.event error.badfech"/><catch event="errors"/><form><block><throw event="my.event"/><throw event="errors"/></block></form>`,
			want: `a.vxml:2: <catch>: nothing throws "nomach": did you mean "nomatch"?|a.vxml:2: <catch>: nothing throws "error.badfech": did you mean "error.badfetch"?`},
		{name: "events that are none's slip", body: `<catch event="error.badfetch.http.404 connection . help. error.com.acme"/><form/>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{"a.vxml": "<vxml version=\"2.1\" xmlns=\"http://www.w3.org/2001/vxml\">\n" + tt.body + "</vxml>"}
			for name, text := range tt.files {
				files[name] = text
			}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			report, err := check.Platform{Fetcher: fetch.New(fetch.Config{}), Scripts: script.Limits{Work: 1000}}.Run(t.Context(), filepath.Join(dir, "a.vxml"))
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, p := range report.Problems {
				all = append(all, strings.ReplaceAll(p.Error(), "file://"+dir+"/", ""))
			}
			if got, want := strings.Join(all, "\n"), strings.ReplaceAll(tt.want, "|", "\n"); got != want {
				t.Errorf("said\n%s\nwant\n%s", got, want)
			}
		})
	}
}
