package srgs

import (
	"errors"
	"strings"
	"testing"
)

func grammarDocument(attributes, body string) []byte {
	return []byte(`<?xml version="1.0"?><grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" ` +
		attributes + `>` + body + `</grammar>`)
}

func mustParse(t *testing.T, attributes, body string) *Grammar {
	t.Helper()
	g, err := Parse(grammarDocument(attributes, body))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestJSGFKeepsTheLanguageOfTheGrammar(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{"words", `Hello  World.`, "( hello world )"},
		{"alternatives", `<one-of><item>yes</item><item>no <tag>x</tag></item></one-of>`, "( yes | no )"},
		{"optional", `<item repeat="0-1">please</item>stop`, "( ( [ please ] ) stop )"},
		{"counted", `<item repeat="2">go</item>`, "( go go )"},
		{"range", `<item repeat="1-3">go</item>`, "( go [ go [ go ] ] )"},
		{"unbounded", `<item repeat="1-">go</item>`, "( go ( go )* )"},
		{"local reference", `call <ruleref uri="#who"/>`, "( call <g0r1> )"},
		{"special rules", `<ruleref special="NULL"/><ruleref special="VOID"/>`, "( <NULL> <VOID> )"},
		{"token element", `<token>New York</token>`, "( new york )"},
		{"tags only", `<tag>out=1</tag>`, "<NULL>"},
		{"example is not speech", `<example>ignored</example>go`, "go"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := mustParse(t, `root="r"`, `<rule id="r">`+tc.body+`</rule><rule id="who">bob</rule>`)
			want := "<g0r0> = " + tc.want + ";\n"
			if got := JSGF([]*Grammar{g}, nil); !strings.Contains(got, want) {
				t.Errorf("want %q in\n%s", want, got)
			}
		})
	}
}

func TestJSGFJoinsGrammarsAndFiller(t *testing.T) {
	a := mustParse(t, `root="r"`, `<rule id="r">yes</rule><rule id="unused">never</rule>`)
	b := mustParse(t, `root="r"`, `<rule id="r">no</rule>`)
	want := "#JSGF V1.0;\ngrammar utterance;\npublic <utterance> = <g0r0> | <g1r0> | <filler>;\n" +
		"<g0r0> = yes;\n<g1r0> = no;\n<filler> = ( xaa | xb )+;\n"
	if got := JSGF([]*Grammar{a, b}, []string{"xaa", "xb"}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if words := strings.Join(a.Words(), " "); words != "yes" {
		t.Errorf("words %q: only those of rules in reach", words)
	}
}

func TestParseRefusesByName(t *testing.T) {
	for _, tc := range []struct {
		name, attributes, body string
		want                   error
		says                   string
	}{
		{"no root", ``, `<rule id="r">a</rule>`, ErrSyntax, "root"},
		{"missing rule", `root="r"`, `<rule id="r"><ruleref uri="#x"/></rule>`, ErrSyntax, `"x"`},
		{"twice", `root="r"`, `<rule id="r">a</rule><rule id="r">b</rule>`, ErrSyntax, "twice"},
		{"bad repeat", `root="r"`, `<rule id="r"><item repeat="3-2">a</item></rule>`, ErrSyntax, "3-2"},
		{"huge repeat", `root="r"`, `<rule id="r"><item repeat="9999">a</item></rule>`, ErrUnsupported, "9999"},
		{"recursion", `root="r"`, `<rule id="r">a<ruleref uri="#r"/></rule>`, ErrUnsupported, "contains itself"},
		{"external", `root="r"`, `<rule id="r"><ruleref uri="http://x/y"/></rule>`, ErrUnsupported, "http://x/y"},
		{"garbage", `root="r"`, `<rule id="r"><ruleref special="GARBAGE"/></rule>`, ErrUnsupported, "GARBAGE"},
		{"unknown element", `root="r"`, `<rule id="r"><bogus/></rule>`, ErrSyntax, "bogus"},
		{"not closed", `root="r"`, `<rule id="r">`, ErrSyntax, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse(grammarDocument(tc.attributes, tc.body))
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestInterpret(t *testing.T) {
	cities := `<rule id="r">to <ruleref uri="#city"/> <item repeat="0-1">please</item>%</rule>
<rule id="city"><one-of><item>boston <tag>out = "BOS"</tag></item><item>new york <tag>out = 'NYC'</tag></item></one-of></rule>`
	script := `root="r" tag-format="semantics/1.0"`
	literal := `root="r" tag-format="semantics/1.0-literals"`
	for _, tc := range []struct{ name, attributes, body, said, want string }{
		{"no tags: the words", `root="r"`, `<rule id="r">yes please</rule>`, "yes please", "yes please"},
		{"literal", literal, `<rule id="r">yes<tag>out = "y"</tag></rule>`, "yes", "out = &#34;y&#34;"},
		{"literal by its look", `root="r"`, `<rule id="r">yes<tag>affirmative</tag></rule>`, "yes", "affirmative"},
		{"script by its look", `root="r"`, `<rule id="r">yes<tag>out="a";</tag></rule>`, "yes", "a"},
		{"last reference", script, strings.Replace(cities, "%", "", 1), "to new york please", "NYC"},
		{"rules.name", script, strings.Replace(cities, "%", `<tag>out.city = rules.city; out.n = 1+2</tag>`, 1), "to boston", "<city>BOS</city><n>3</n>"},
		{"rules.latest and text", script, strings.Replace(cities, "%", `<tag>out.a.b = rules.latest(); out.t = meta.latest().text</tag>`, 1), "to new york", "<a><b>NYC</b></a><t>new york</t>"},
		{"whole text", script, strings.Replace(cities, "%", `<tag>out = meta.current().text + "!"</tag>`, 1), "To Boston please", "to boston please!"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, ok, err := mustParse(t, tc.attributes, tc.body).Interpret(tc.said)
			if err != nil || !ok || Instance(m) != tc.want {
				t.Errorf("got %q, %v, %v", Instance(m), ok, err)
			}
		})
	}
}

func TestInterpretRefuses(t *testing.T) {
	g := mustParse(t, `root="r" tag-format="semantics/1.0"`, `<rule id="r">yes<tag>out = Math.random()</tag></rule>`)
	if _, ok, err := g.Interpret("yes"); !ok || !errors.Is(err, ErrUnsupported) {
		t.Errorf("unknown script: %v, %v", ok, err)
	}
	for _, said := range []string{"", "no", "yes yes"} {
		if _, ok, err := g.Interpret(said); ok || err != nil {
			t.Errorf("%q: %v, %v", said, ok, err)
		}
	}
}

func TestInterpretRepeatsWithoutEnd(t *testing.T) {
	g := mustParse(t, `root="r"`, `<rule id="r"><item repeat="0-"><item repeat="0-1">go</item></item>stop</rule>`)
	for said, want := range map[string]bool{"stop": true, "go go go stop": true, "go": false} {
		if _, ok, _ := g.Interpret(said); ok != want {
			t.Errorf("%q: %v", said, ok)
		}
	}
}

func TestBuiltin(t *testing.T) {
	for _, tc := range []struct{ uri, said, want string }{
		{"builtin:grammar/boolean", "no thanks", "false"},
		{"builtin:digits", "four oh two", "402"},
	} {
		g, err := Builtin(tc.uri)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok, err := g.Interpret(tc.said); !ok || err != nil || Instance(m) != tc.want {
			t.Errorf("%s: %v %v %v", tc.uri, m, ok, err)
		}
	}
	if _, err := Builtin("builtin:grammar/currency"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("currency: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(grammarDocument(`root="r"`, `<rule id="r"><item repeat="0-2">a<tag>out="x"</tag></item></rule>`))
	f.Add([]byte(booleanGrammar))
	f.Add([]byte(digitsGrammar))
	f.Fuzz(func(t *testing.T, document []byte) {
		if g, err := Parse(document); err == nil {
			g.Words()
		}
	})
}

// Without leaves out what took the utterance, and nothing else.
func TestWithout(t *testing.T) {
	g, err := Parse([]byte(`<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" mode="voice" root="r">
		<rule id="r">please <one-of><item>call</item><item>find</item></one-of> <ruleref uri="#who"/></rule>
		<rule id="who"><one-of><item>ann</item><item>bob</item></one-of></rule></grammar>`))
	if err != nil {
		t.Fatal(err)
	}
	less, able := g.Without("please call ann")
	if !able {
		t.Fatal("nothing to leave out")
	}
	for words, want := range map[string]bool{"please call ann": false, "please find ann": true, "please find bob": true} {
		if _, takes, err := less.Interpret(words); takes != want || err != nil {
			t.Errorf("%s: %v, %v", words, takes, err)
		}
	}
	if _, takes, _ := g.Interpret("please call ann"); !takes {
		t.Error("the original has changed")
	}
	only, err := Parse([]byte(`<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" mode="voice" root="r"><rule id="r">yes</rule></grammar>`))
	if err != nil {
		t.Fatal(err)
	}
	if _, able := only.Without("yes"); able {
		t.Error("left out all there was")
	}
}
