package vxml_test

import (
	"net/http"
	"strings"
	"testing"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/sim"
)

// Each row is a grammar in XML form, by the section of SRGS 1.0 or SISR 1.0 that
// decides what it takes and means.
func TestGrammars(t *testing.T) {
	head := func(attrs, rules string) string {
		return `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en" ` + attrs + `>` + rules + `</grammar>`
	}
	root := func(expansion string) string { return head(`root="r"`, `<rule id="r">`+expansion+`</rule>`) }
	sisr := func(rules string) string { return head(`root="r" tag-format="semantics/1.0"`, rules) }
	tests := []struct{ name, grammar, steps, want string }{
		// Expansions.
		{"2.1: white space is one space", root("a\n\t b"), "say:a_b", `"a b"`},
		{"2.1: quoted", root(`"a  b" c`), "say:a_b_c", `"a b c"`},
		{"2.1: a quote without end", root(`"a b`), "say:a", "grammar"},
		{"2.1: a token holds text only", root(`<token>a<item>b</item></token>`), "say:a", "grammar"},
		{"2.2.3: NULL, anywhere", root(`a <ruleref special="NULL"/> b`), "say:a_b", `"a b"`},
		{"2.2.3: VOID in an alternative", root(`<one-of><item>a<ruleref special="VOID"/></item><item>a b</item></one-of>`), "say:a_b", `"a b"`},
		{"2.2.3: a special that is none", root(`<ruleref special="ANY"/>`), "say:a", "grammar"},
		{"2.2.3: special and uri", root(`<ruleref special="NULL" uri="#r"/>`), "say:a", "grammar"},
		{"2.2.3: its names are no rules'", head(`root="r"`, `<rule id="r">a</rule><rule id="NULL">b</rule>`), "say:a", "grammar"},
		{"2.2.1: a rule that is not there", root(`<ruleref uri="#q"/>`), "say:a", "grammar"},
		{"2.2: a reference to nothing", root(`<ruleref/>`), "say:a", "grammar"},
		{"2.4: alternatives hold items", root(`<one-of>a</one-of>`), "say:a", "grammar"},
		{"2.4: at least one", root(`<one-of></one-of>`), "say:a", "grammar"},
		{"2.4.1: weights", root(`<one-of><item weight="10">a</item><item weight="2.5">b</item><item weight=".1">c</item><item weight="1.">d</item></one-of>`), "say:d", `"d"`},
		{"2.4.1: a negative weight", root(`<one-of><item weight="-1">a</item></one-of>`), "say:a", "grammar"},
		{"2.4.1: a weight of words", root(`<one-of><item weight="much">a</item></one-of>`), "say:a", "grammar"},
		{"2.5: exactly", root(`<item repeat="2">a</item>`), "say:a", "nomatch"},
		{"2.5: between", root(`<item repeat="1-2">a</item>`), "say:a_a_a", "nomatch"},
		{"2.5: at least", root(`<item repeat="2-">a</item>`), "say:a_a_a_a", `"a a a a"`},
		{"2.5: none", root(`a<item repeat="0">b</item>`), "say:a_b", "nomatch"},
		{"2.5: optional", root(`a<item repeat="0-1">b</item>`), "say:a", `"a"`},
		{"2.5: the wrong way round", root(`<item repeat="3-2">a</item>`), "say:a", "grammar"},
		{"2.5: of words", root(`<item repeat="many">a</item>`), "say:a", "grammar"},
		{"2.5.1: probabilities", root(`<item repeat="0-1" repeat-prob="0.6">a</item> b`), "say:b", `"b"`},
		{"2.5.1: more than certain", root(`<item repeat="0-1" repeat-prob="1.5">a</item>`), "say:a", "grammar"},
		{"2.5: repeats within repeats", root(`<item repeat="1-"><item repeat="0-1">a</item><item repeat="1-2">b</item></item>`), "say:a_b_b_a_b", `"a b b a b"`},
		{"2.5: repeats of nothing end", root(`<item repeat="0-"><item repeat="0-1">a</item></item> b`), "say:b", `"b"`},
		// Rules.
		{"3.1: two rules of one name", head(`root="r"`, `<rule id="r">a</rule><rule id="r">b</rule>`), "say:a", "grammar"},
		{"3.1: a rule without a name", head(`root="r"`, `<rule id="r">a</rule><rule>b</rule>`), "say:a", "grammar"},
		{"3.1: a name with a dot", head(`root="a.b"`, `<rule id="a.b">a</rule>`), "say:a", "grammar"},
		{"3.1: an empty rule", head(`root="r"`, `<rule id="r"></rule>`), "say:a", "grammar"},
		{"3.1: of white space", head(`root="r"`, `<rule id="r">  </rule>`), "say:a", "grammar"},
		{"3.1: a rule that only refers to itself", root(`<ruleref uri="#r"/>`), "say:a", "grammar"},
		{"3.1: recursion on the right", root(`a <item repeat="0-1"><ruleref uri="#r"/></item>`), "say:a_a_a", `"a a a"`},
		{"3.1: recursion on the left", root(`<one-of><item><ruleref uri="#r"/> b</item><item>a</item></one-of>`), "say:a_b_b", `"a b b"`},
		{"3.1: recursion in the middle", root(`<one-of><item>( <ruleref uri="#r"/> )</item><item>a</item></one-of>`), "say:(_(_a_)_)", `"( ( a ) )"`},
		{"3.2: a scope that is none", head(`root="r"`, `<rule id="r" scope="local">a</rule>`), "say:a", "grammar"},
		{"3.3: examples are not said", root(`<example>a b c</example> a`), "say:a", `"a"`},
		// Headers.
		{"4.1: no version", strings.Replace(root("a"), ` version="1.0"`, "", 1), "say:a", `"a"`},
		{"4.1: another version", strings.Replace(root("a"), `"1.0"`, `"2.0"`, 1), "say:a", "grammar"},
		{"4.7: a root that is not there", head(`root="q"`, `<rule id="r">a</rule>`), "say:a", "grammar"},
		{"4.6: a mode that is none", head(`root="r" mode="touch"`, `<rule id="r">a</rule>`), "say:a", "grammar"},
		{"4.10: lexicons and metadata pass", head(`root="r"`, `<meta name="a" content="b"/><metadata><x xmlns="urn:x"/></metadata><lexicon uri="http://nowhere/l"/><rule id="r">a</rule>`), "say:a", `"a"`},
		{"4.10: no lexicon of nowhere", head(`root="r"`, `<lexicon/><rule id="r">a</rule>`), "say:a", "grammar"},
		{"2.7: languages of words", root(`<item xml:lang="fr">oui</item> <token xml:lang="de">ja</token>`), "say:oui_ja", `"oui ja"`},
		{"2: elements that are none", root(`<word>a</word>`), "say:a", "grammar"},
		{"2: attributes that are none", root(`<item times="2">a</item>`), "say:a", "grammar"},
		// Keys.
		{"E: every key there is", head(`root="r" mode="dtmf"`, `<rule id="r">0 9 * # A D</rule>`), "dtmf:09*#AD", `"09*#AD"`},
		{"E: by their words", head(`root="r" mode="dtmf"`, `<rule id="r">star <token>pound</token></rule>`), "dtmf:*#", `"*#"`},
		{"E: what is no key", head(`root="r" mode="dtmf"`, `<rule id="r">12 x</rule>`), "dtmf:1", "grammar"},
		// Meanings.
		{"SISR 3.2: of a rule without tags", sisr(`<rule id="r">a <ruleref uri="#s"/></rule><rule id="s">b</rule>`), "say:a_b", `"b"`},
		{"SISR 3.2: with one the object", sisr(`<rule id="r">a <ruleref uri="#s"/><tag>out.q=1</tag></rule><rule id="s">b</rule>`), "say:a_b", `{"q":1}`},
		{"SISR 3.3.1: rules by name", sisr(`<rule id="r"><ruleref uri="#s"/> <ruleref uri="#t"/><tag>out=rules.t+rules.s</tag></rule><rule id="s">a</rule><rule id="t">b</rule>`), "say:a_b", `"ba"`},
		{"SISR 3.3.1: the last of two", sisr(`<rule id="r"><ruleref uri="#s"/> <ruleref uri="#s"/><tag>out=rules.s</tag></rule><rule id="s"><one-of><item>a</item><item>b</item></one-of></rule>`), "say:a_b", `"b"`},
		{"SISR 3.3.2: latest changes", sisr(`<rule id="r"><ruleref uri="#s"/><tag>var f=rules.latest()</tag> <ruleref uri="#t"/><tag>out=f+rules.latest()</tag></rule><rule id="s">a</rule><rule id="t">b</rule>`), "say:a_b", `"ab"`},
		{"SISR 3.3.1: special rules have no value", sisr(`<rule id="r">a <ruleref special="GARBAGE"/> <tag>out=typeof rules.GARBAGE</tag>b</rule>`), "say:a_z_b", `"undefined"`},
		{"SISR 4.1: no tag of a branch not taken", sisr(`<rule id="r"><one-of><item>a<tag>out.a=1</tag></item><item>b<tag>out.b=1</tag></item></one-of></rule>`), "say:b", `{"b":1}`},
		{"SISR 4.1: in the order of the words", sisr(`<rule id="r"><tag>var s=''</tag><item repeat="1-"><one-of><item>a<tag>s+='A'</tag></item><item>b<tag>s+='B'</tag></item></one-of></item><tag>out=s</tag></rule>`), "say:b_a_b", `"BAB"`},
		{"SISR 4.2: variables are each call's", sisr(`<rule id="r"><ruleref uri="#s"/><tag>var a=rules.s</tag><ruleref uri="#s"/><tag>out=a+rules.s</tag></rule><rule id="s"><tag>var n; n=(n||0)+1; out=n</tag>a</rule>`), "say:a_a", `2`},
		{"SISR 4.3: header tags are seen by all", sisr(`<tag>var base=40; function up(n) { return n+base; }</tag><rule id="r">a<tag>out=up(2)</tag></rule>`), "say:a", `42`},
		{"SISR 3.1: an array", sisr(`<rule id="r">a<tag>out=[1,'b',{c: null}]</tag></rule>`), "say:a", `[1,"b",{"c":null}]`},
		{"SISR 4: a tag that is no script", sisr(`<rule id="r">a<tag>out = = 1</tag></rule>`), "say:a", "error"},
		{"SISR 3: an expression's value is nothing", sisr(`<rule id="r">a<tag>'lost'</tag></rule>`), "say:a", `{}`},
		{"SISR 5: literals", strings.Replace(sisr(`<rule id="r">a<tag> it's "so" </tag></rule>`), "1.0\">", "1.0-literals\">", 1), "say:a", `"it's \"so\""`},
		{"SISR 2: a format that a recognizer may know", strings.Replace(sisr(`<rule id="r">a<tag>'x'</tag></rule>`), "semantics/1.0", "swi-semantics/1.0", 1), "say:a", `"x"`},
		{"SISR 2: but no keypad", strings.Replace(head(`root="r" mode="dtmf" tag-format="semantics/1.0"`, `<rule id="r">1<tag>x</tag></rule>`), "semantics/1.0", "other/1.0", 1), "dtmf:1", "error.unsupported.format"},
		{"4: more than is matched here is left to a recognizer", root(strings.Repeat(`<item repeat="0-1000">a</item> `, 100)), "say:a", "nomatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { understand(t, tt.grammar, tt.steps, tt.want) })
	}
}

// Each row is a grammar in ABNF form.
func TestGrammarsInABNF(t *testing.T) {
	const head = "#ABNF 1.0;\nlanguage en;\nroot $r;\n"
	tests := []struct{ name, grammar, steps, want string }{
		{"2.1: words", head + "$r = a \"b c\" d;", "say:a_b_c_d", `"a b c d"`},
		{"2.4: alternatives", head + "$r = a | b c | d;", "say:b_c", `"b c"`},
		{"2.4.1: weights", head + "$r = /10/ a | /2.5/ b | /.1/ c;", "say:c", `"c"`},
		{"2.4.1: one among none", head + "$r = a | /3/ b;", "say:b", `"b"`},
		{"2.3: sequences bind tighter", head + "$r = a b | c;", "say:a_c", "nomatch"},
		{"2.3: brackets", head + "$r = a (b | c) d;", "say:a_c_d", `"a c d"`},
		{"2.5: optional", head + "$r = [very] good;", "say:good", `"good"`},
		{"2.5: repeats", head + "$r = a<2> b<1-> c<0-1>;", "say:a_a_b_b", `"a a b b"`},
		{"2.5: probabilities", head + "$r = a<0-1 /0.6/> b;", "say:b", `"b"`},
		{"2.5: of a group", head + "$r = (a b)<2>;", "say:a_b_a_b", `"a b a b"`},
		{"2.2.3: special rules", head + "$r = $NULL a [$VOID] $GARBAGE b;", "say:a_x_y_b", `"a x y b"`},
		{"2.2.1: rules", head + "$r = $s $s; private $s = a | b;", "say:a_b", `"a b"`},
		{"2.2: rules of any name", head + "$r = $grüß_1; $grüß_1 = a;", "say:a", `"a"`},
		{"2.2: a rule defined later and twice", head + "$r = a; $r = b;", "say:a", "grammar"},
		{"2.2: one that is not there", head + "$r = $s;", "say:a", "grammar"},
		{"2.6: tags", "#ABNF 1.0;\nlanguage en;\nroot $r;\ntag-format <semantics/1.0>;\n$r = a {out.x = '}'.length;};", "say:a", "grammar"},
		{"2.6: tags with braces", "#ABNF 1.0;\nlanguage en;\nroot $r;\ntag-format <semantics/1.0>;\n$r = a {!{out = {x: '}'.length};}!};", "say:a", `1`},
		{"2.7: languages", head + "$r = oui!fr-CA (ja | nein)!de;", "say:oui_ja", `"oui ja"`},
		{"comments", "#ABNF 1.0;\n// a\nlanguage en; /* b\n */ root $r;\n/** doc\n * @example a b */\n$r = a /* c */ b; // d", "say:a_b", `"a b"`},
		{"4.1: with an encoding", "#ABNF 1.0 UTF-8;\nlanguage en;\nroot $r;\n$r = a;", "say:a", `"a"`},
		{"4.1: no header", "language en; root $r; $r = a;", "say:a", "grammar"},
		{"4: everything in it", "#ABNF 1.0;\nlanguage en;\nmode voice;\nroot $r;\nbase <http://site/>;\nlexicon <l.pls>;\nmeta \"a\" is \"b\";\nhttp-equiv \"c\" is \"d\";\n$r = a;", "say:a", `"a"`},
		{"4: one thing twice", "#ABNF 1.0;\nlanguage en;\nroot $r;\nroot $r;\n$r = a;", "say:a", "grammar"},
		{"4: keys", "#ABNF 1.0;\nmode dtmf;\nroot $r;\n$r = 1 $d<2> \"#\"; $d = 2 | 3;", "dtmf:123#", `"123#"`},
		{"3.1: recursion", head + "$r = a [$r] b;", "say:a_a_b_b", `"a a b b"`},
		{"3.1: an empty rule", head + "$r = ;", "say:a", "grammar"},
		{"3.1: empty brackets", head + "$r = a ();", "say:a", `"a"`},
		{"no end", head + "$r = a", "say:a", "grammar"},
		{"a repeat of nothing", head + "$r = <2>;", "say:a", "grammar"},
		{"an external rule", head + "$r = x $<other.gram#s>;", "say:x_far", `"x far"`},
		{"an external root", head + "$r = x $<other.gram>;", "say:x_near", `"x near"`},
		{"one that is private", head + "$r = x $<other.gram#hidden>;", "say:x_here", "grammar"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			understand(t, `<grammar type="application/srgs"><![CDATA[`+tt.grammar+`]]></grammar>`, tt.steps, tt.want)
		})
	}
}

// understand runs a page whose one field has the grammar: its value, or the event
// that came of it, is wanted.
func understand(t *testing.T, grammar, steps, want string) {
	t.Helper()
	other := "#ABNF 1.0;\nlanguage en;\nroot $near;\npublic $near = near; public $s = far; private $hidden = here;"
	d := run(t, site{"/other.gram": other, "/a.vxml": vxmlPage(`<catch event="error.grammar">grammar<exit/></catch><catch event="error.semantic">error<exit/></catch>
		<catch event="error"><value expr="_event"/><exit/></catch>` + valued("", grammar))}, steps)
	got := strings.Join(d.said, " ")
	if got == "" && d.err != nil && d.out.Event != nil {
		got = d.out.Event.Name
	}
	if got != want {
		t.Errorf("said %q, %v, want %q\n%s", got, d.err, want, strings.Join(d.trace, "\n"))
	}
}

// Sessions of one interpreter, which keeps a field's active grammars with the page: each
// listens for what its own properties have it listen for, on either visit of the field.
func TestGrammarsOfManySessions(t *testing.T) {
	pages := page(`<form><field name="f"><prompt>F?</prompt><option dtmf="1" value="key">one</option><option value="word">two</option>
		<help>Helped.</help><nomatch>None.<reprompt/></nomatch><filled><value expr="f"/></filled></field></form>`)
	in := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: &http.Client{Transport: kept(pages)}})})
	voice, keys, all := map[string]string{"inputmodes": "voice"}, map[string]string{"inputmodes": "dtmf"}, map[string]string{"universals": "all"}
	for _, tt := range []struct {
		name        string
		properties  map[string]string
		steps, want string
	}{
		{"the platform's", nil, "say:help dtmf:2 dtmf:1", "F? None. F? None. F? key"},
		{"words alone", voice, "dtmf:1 say:two", "F? F? word"},
		{"once more", nil, "dtmf:1", "F? key"},
		{"keys alone", keys, "dtmf:2 dtmf:1", "F? None. F? key"},
		{"commands, too", all, "say:help dtmf:1", "F? Helped. key"},
		{"and no more", nil, "say:help say:two", "F? None. F? word"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			caller := sim.New(strings.NewReader(strings.Join(strings.Fields(tt.steps), "\n")), t.Output())
			var said []string
			_, err := in.Run(t.Context(), vxml.Start{URL: "http://site/a.vxml", Properties: tt.properties, Trace: func(e vxml.TraceEvent) {
				if e.Kind == vxml.Said {
					said = append(said, e.Text)
				}
				caller.Trace(e)
			}}, caller)
			if got := strings.Join(said, " "); got != tt.want || err != nil || caller.Err() != nil {
				t.Errorf("said %q, %v, %v, want %q", got, err, caller.Err(), tt.want)
			}
		})
	}
}
