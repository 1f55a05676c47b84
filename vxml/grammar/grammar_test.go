package grammar

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func compile(t *testing.T, body, attrs string) *Linked {
	t.Helper()
	g, err := Parse([]byte(wrap(body, attrs)), Defaults{URI: "http://h/g.grxml"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := Link(context.Background(), g, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func wrap(body, attrs string) string {
	return fmt.Sprintf(`<grammar xmlns=%q version="1.0" xml:lang="en-US" root="r" %s>%s</grammar>`, Namespace, attrs, body)
}

// parse writes a tree as $rule[token,{tag},...].
func parse(t *Tree) string {
	if t == nil {
		return "no match"
	}
	var parts []string
	for _, n := range t.Nodes {
		switch {
		case n.Rule != nil:
			parts = append(parts, parse(n.Rule))
		case n.Tag != nil:
			parts = append(parts, "{"+*n.Tag+"}")
		default:
			parts = append(parts, n.Token)
		}
	}
	return "$" + t.Rule + "[" + strings.Join(parts, ",") + "]"
}

func TestMatch(t *testing.T) {
	tests := []struct{ name, rules, text, want string }{
		{"sequence", `<rule id="r">please <item>go</item> <token>home</token></rule>`, "Please go home.", "$r[please,go,home]"},
		{"too short", `<rule id="r">go home</rule>`, "go", "no match"},
		{"too long", `<rule id="r">go</rule>`, "go home", "no match"},
		{"alternatives", `<rule id="r"><one-of><item>a<tag>1</tag></item><item>b<tag>2</tag></item></one-of></rule>`, "b", "$r[b,{2}]"},
		{"the first alternative wins", `<rule id="r"><one-of><item>a<tag>1</tag></item><item>a<tag>2</tag></item></one-of></rule>`, "a", "$r[a,{1}]"},
		{"optional, taken", `<rule id="r"><item repeat="0-1">a</item>b</rule>`, "a b", "$r[a,b]"},
		{"optional, left out", `<rule id="r"><item repeat="0-1">a</item>b</rule>`, "b", "$r[b]"},
		{"exact repeat", `<rule id="r"><item repeat="3">a</item></rule>`, "a a a", "$r[a,a,a]"},
		{"exact repeat, too few", `<rule id="r"><item repeat="3">a</item></rule>`, "a a", "no match"},
		{"range", `<rule id="r"><item repeat="2-4">a</item></rule>`, "a a a a", "$r[a,a,a,a]"},
		{"range, too many", `<rule id="r"><item repeat="2-4">a</item></rule>`, "a a a a a", "no match"},
		{"without bound", `<rule id="r"><item repeat="1-">a</item></rule>`, "a a a a a", "$r[a,a,a,a,a]"},
		{"a loop around nothing", `<rule id="r"><item repeat="0-"><item repeat="0-">a</item></item>b</rule>`, "a b", "$r[a,b]"},
		{"zero times", `<rule id="r"><item repeat="0">a</item>b</rule>`, "b", "$r[b]"},
		{"reference", `<rule id="r">to <ruleref uri="#c"/></rule><rule id="c"><one-of><item>rome</item><item>oslo</item></one-of></rule>`,
			"to oslo", "$r[to,$c[oslo]]"},
		{"right recursion", `<rule id="r">a <item repeat="0-1"><ruleref uri="#r"/></item></rule>`, "a a a", "$r[a,$r[a,$r[a]]]"},
		{"nested recursion", `<rule id="r"><one-of><item>x</item><item>a <ruleref uri="#r"/> b</item></one-of></rule>`, "a a x b b", "$r[a,$r[a,$r[x],b],b]"},
		{"left recursion ends", `<rule id="r"><one-of><item><ruleref uri="#r"/> a</item><item>a</item></one-of></rule>`, "a b", "no match"},
		{"NULL", `<rule id="r">a <ruleref special="NULL"/> b</rule>`, "a b", "$r[a,b]"},
		{"VOID", `<rule id="r"><one-of><item>a <ruleref special="VOID"/></item><item>b</item></one-of></rule>`, "a", "no match"},
		{"GARBAGE", `<rule id="r">a <ruleref special="GARBAGE"/> b</rule>`, "a well er b", "$r[a,well,er,b]"},
		{"GARBAGE of nothing", `<rule id="r">a <ruleref special="GARBAGE"/> b</rule>`, "a b", "$r[a,b]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parse(compile(t, tt.rules, "").Match(tt.text)); got != tt.want {
				t.Errorf("%q parses as %s, want %s", tt.text, got, tt.want)
			}
		})
	}
}

// Of several readings the preferred comes first.
func TestReadings(t *testing.T) {
	tests := []struct{ name, rules, text, want string }{
		{"in order", `<rule id="r"><one-of><item>a<tag>1</tag></item><item>a<tag>2</tag></item><item>a<tag>1</tag></item></one-of></rule>`, "a", `$r["a",{!{1}!}] $r["a",{!{2}!}]`},
		{"by weight", `<rule id="r"><one-of><item>a<tag>1</tag></item><item weight="2">a<tag>2</tag></item></one-of></rule>`, "a", `$r["a",{!{2}!}] $r["a",{!{1}!}]`},
		{"by probability", `<rule id="r"><item repeat="0-1" repeat-prob="0.1">a<tag>1</tag></item><item repeat="0-1">a</item></rule>`, "a", `$r["a"] $r["a",{!{1}!}]`},
		{"as spelled", `<rule id="r">Visit <token>New  York</token> "Saint Paul"</rule>`, "visit new york saint paul", `$r["Visit","New York","Saint Paul"]`},
		{"tags once", `<rule id="r">a<item repeat="3-"><tag>1</tag></item></rule>`, "a", `$r["a",{!{1}!}]`},
	}
	for _, tt := range tests {
		var got []string
		for _, tree := range compile(t, tt.rules, "").MatchAll(tt.text, 5) {
			got = append(got, tree.String())
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Rules that lead only to themselves are refused where they stand.
func TestEndlessRules(t *testing.T) {
	const source = "#ABNF 1.0;\nlanguage en;\nroot $r;\n$r = a | $s;\n$s = b $t;\n$t = c $s;\n"
	g, err := Parse([]byte(source), Defaults{URI: "u"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Link(context.Background(), g, "", nil); err == nil || !strings.Contains(err.Error(), "refers to itself") {
		t.Errorf("error %v", err)
	}
}

// Matches begin where all begin, and go their own ways from there.
func TestMatchersAreApart(t *testing.T) {
	l := compile(t, `<rule id="r"><item repeat="2"><ruleref uri="#d"/></item></rule>
		<rule id="d"><one-of><item>1<tag>one</tag></item><item>2</item></one-of></rule>`, `mode="dtmf"`)
	a, b := l.NewMatcher(), l.NewMatcher()
	a.Feed("1")
	b.Feed("2")
	a.Feed("2")
	b.Feed("1")
	if got := parse(a.Tree()); got != "$r[$d[1,{one}],$d[2]]" {
		t.Errorf("the first understood %s", got)
	}
	if got := parse(b.Tree()); got != "$r[$d[2],$d[1,{one}]]" {
		t.Errorf("the second understood %s", got)
	}
	if again := l.NewMatcher(); again.State() != Partial || again.Accepts("#") || !again.Accepts("1") {
		t.Error("a later match begins somewhere else")
	}
}

// What one input may cost is bounded, however many ways a grammar has to read it.
func TestMatchIsBounded(t *testing.T) {
	l := compile(t, `<rule id="r"><one-of><item>a</item><item><ruleref uri="#r"/><ruleref uri="#r"/></item></one-of></rule>`, "")
	m := l.NewMatcher()
	for range 2000 {
		m.Feed("a")
	}
	if m.steps > 0 {
		t.Error("the grammar was not ambiguous enough to try the bound")
	}
}

func BenchmarkCompile(b *testing.B) {
	source := []byte(wrap(`<rule id="r">fly <item repeat="0-1">please</item><ruleref uri="#c"/></rule><rule id="c"><one-of>`+
		strings.Repeat("<item>new york<tag>out=1</tag></item>", 100)+`</one-of></rule>`, ""))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(source, Defaults{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatchKeys(b *testing.B) {
	source, _, err := Builtin("builtin:dtmf/digits?length=8")
	if err != nil {
		b.Fatal(err)
	}
	g, err := Parse(source, Defaults{})
	if err != nil {
		b.Fatal(err)
	}
	l, err := Link(b.Context(), g, "", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if l.Match("12345678") == nil {
			b.Fatal("no match")
		}
	}
}

// The state after each key is what collection goes by.
func TestStates(t *testing.T) {
	const digits = `<rule id="r"><item repeat="2-3"><ruleref uri="#d"/></item></rule>
		<rule id="d"><one-of><item>1</item><item>2</item></one-of></rule>`
	tests := []struct {
		rules, keys string
		want        []State
	}{
		{digits, "1212", []State{Partial, Extendable, Complete, Failed}},
		{digits, "13", []State{Partial, Failed}},
		{`<rule id="r">1 2 3</rule>`, "123", []State{Partial, Partial, Complete}},
		{`<rule id="r">123</rule>`, "123", []State{Partial, Partial, Complete}},
		{`<rule id="r"><one-of><item>1</item><item>1 2</item></one-of></rule>`, "12", []State{Extendable, Complete}},
		{`<rule id="r"><item repeat="0-">*</item>#</rule>`, "**#", []State{Partial, Partial, Complete}},
	}
	for _, tt := range tests {
		m := compile(t, tt.rules, `mode="dtmf"`).NewMatcher()
		for i, k := range tt.keys {
			if got := m.Feed(string(k)); got != tt.want[i] {
				t.Errorf("%s: state %d after %s, want %d", tt.rules, got, tt.keys[:i+1], tt.want[i])
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"not xml", "<grammar", ":1:"},
		{"namespace", `<grammar version="1.0"/>`, "namespace"},
		{"version", `<grammar xmlns="` + Namespace + `"/>`, "version"},
		{"no rule", wrap("", ""), "no rule"},
		{"no root rule", wrap(`<rule id="x">a</rule>`, ""), `no root rule "r"`},
		{"empty rule", wrap(`<rule id="r"> </rule>`, ""), "empty"},
		{"two rules", wrap(`<rule id="r">a</rule><rule id="r">a</rule>`, ""), "two rules"},
		{"reserved id", wrap(`<rule id="NULL">a</rule>`, ""), "may not be the id"},
		{"dangling reference", wrap(`<rule id="r"><ruleref uri="#x"/></rule>`, ""), `no rule "x"`},
		{"no reference", wrap(`<rule id="r"><ruleref/></rule>`, ""), "either uri or special"},
		{"repeat", wrap(`<rule id="r"><item repeat="3-1">a</item></rule>`, ""), "repeat"},
		{"too large", wrap(`<rule id="r"><item repeat="1000"><item repeat="1000">a</item></item></rule>`, ""), "too large"},
		{"not a key", wrap(`<rule id="r">hello</rule>`, `mode="dtmf"`), "not a DTMF key"},
		{"element", wrap(`<rule id="r"><b>a</b></rule>`, ""), "<b> is not allowed"},
		{"mode", wrap(`<rule id="r">a</rule>`, `mode="video"`), "unknown mode"},
		{"tag format", wrap(`<rule id="r">1</rule>`, `mode="dtmf" tag-format="lua"`), "tag-format"},
		{"quote", wrap(`<rule id="r">a "b</rule>`, ""), "not closed"},
		{"language", strings.Replace(wrap(`<rule id="r">a</rule>`, ""), `xml:lang="en-US"`, "", 1), "language"},
		{"ABNF, no rule", "#ABNF 1.0;\nlanguage en;\n", "no rule"},
		{"ABNF, line of a fault", "#ABNF 1.0;\nlanguage en;\n// note\n$r = a | ;\n", "u:4:"},
		{"ABNF, line of a reference", "#ABNF 1.0;\nlanguage en;\n$r = a\n $b;\n", `u:4: there is no rule "b"`},
		{"ABNF, declared twice", "#ABNF 1.0;\nlanguage en;\nlanguage fr;\n$r = a;", "twice"},
		{"ABNF, no language", "#ABNF 1.0;\nlanguage \f;\n$r = a;", "names no language"},
		{"ABNF, brackets", "#ABNF 1.0;\nlanguage en;\n$r = (a;", `")" is expected`},
		{"ABNF, depth", "#ABNF 1.0;\nlanguage en;\n$r = " + strings.Repeat("(", 500), "nested deeper"},
		{"weight", wrap(`<rule id="r"><one-of><item weight="much">a</item></one-of></rule>`, ""), "weight"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.source), Defaults{URI: "u"})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestExternalRules(t *testing.T) {
	other := wrap(`<rule id="r"><ruleref uri="g.grxml#back"/></rule><rule id="private">p</rule><rule id="city" scope="public">rome</rule>`, "")
	load := func(_ context.Context, uri string) (*Grammar, error) {
		if uri != "http://h/o.grxml" {
			return nil, fmt.Errorf("unexpected %s", uri)
		}
		return Parse([]byte(other), Defaults{URI: uri})
	}
	tests := []struct{ ref, text, want string }{
		{"o.grxml#city", "go rome", "$r[go,$city[rome]]"},
		{"o.grxml", "go back", "$r[go,$r[$back[back]]]"},
		{"o.grxml#private", "", "not a public rule"},
		{"o.grxml#none", "", `has no rule "none": write one of "city", "r"`},
	}
	for _, tt := range tests {
		g, err := Parse([]byte(wrap(`<rule id="r">go <ruleref uri="`+tt.ref+`"/></rule><rule id="back" scope="public">back</rule>`, "")), Defaults{URI: "http://h/g.grxml"})
		if err != nil {
			t.Fatal(err)
		}
		l, err := Link(context.Background(), g, "", load)
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.ref, err)
			}
			continue
		}
		if got := parse(l.Match(tt.text)); got != tt.want {
			t.Errorf("%s parses as %s, want %s", tt.ref, got, tt.want)
		}
	}
}

func TestImpliedRoot(t *testing.T) {
	tests := []struct{ rules, text, want string }{
		{`<rule id="x">a</rule>`, "a", "$x[a]"},
		{`<rule id="x">a</rule><rule id="y" scope="public">b <ruleref uri="#x"/></rule>`, "b a", "$y[b,$x[a]]"},
		{`<rule id="x">a</rule><rule id="y">b</rule>`, "a", "names no root rule"},
	}
	for _, tt := range tests {
		g, err := Parse([]byte(strings.Replace(wrap(tt.rules, ""), `root="r"`, "", 1)), Defaults{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := Link(context.Background(), g, "", nil)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = parse(l.Match(tt.text))
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.rules, got, tt.want)
		}
	}
}

func TestBuiltins(t *testing.T) {
	tests := []struct {
		uri, input string
		want       bool
	}{
		{"builtin:dtmf/digits", "1234567890", true},
		{"builtin:dtmf/digits?length=4", "123", false},
		{"builtin:dtmf/digits?length=4", "1234", true},
		{"builtin:dtmf/digits?minlength=1;maxlength=3", "1234", false},
		{"builtin:dtmf/digits?minlength=1;length=3;maxlength=4", "123", true},
		{"builtin:dtmf/digits?minlength=1;length=3;maxlength=4", "1234", false},
		{"builtin:dtmf/boolean", "1", true},
		{"builtin:dtmf/boolean?y=7;n=9", "7", true},
		{"builtin:dtmf/boolean?y=7;n=9", "1", false},
		{"builtin:dtmf/number", "12*5", true},
		{"builtin:dtmf/currency", "12*50", true},
		{"builtin:dtmf/currency", "12*5", false},
		{"builtin:dtmf/number", "*5", true},
		{"builtin:dtmf/number", "5*", false},
		{"builtin:dtmf/phone", "5551234*77", true},
		{"builtin:dtmf/date", "20261123", true},
		{"builtin:dtmf/date", "20261323", false},
		{"builtin:dtmf/date", "20260229", true}, // of which years is not its concern
		{"builtin:dtmf/date", "20260230", false},
		{"builtin:dtmf/date", "20260431", false},
		{"builtin:dtmf/time", "2359", true},
		{"builtin:dtmf/time", "2460", false},
		{"builtin:grammar/boolean", "yes", true},
		{"builtin:voice/digits?length=3", "one oh three", true},
		{"builtin:voice/digits?length=3", "one two", false},
	}
	for _, tt := range tests {
		source, mode, err := Builtin(tt.uri)
		if err != nil {
			t.Fatal(err)
		}
		g, err := Parse(source, Defaults{URI: tt.uri})
		if err != nil {
			t.Fatal(err)
		}
		l, err := Link(context.Background(), g, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Match(tt.input) != nil; got != tt.want || g.Mode != mode {
			t.Errorf("%s matches %q: %t", tt.uri, tt.input, got)
		}
	}
}

// Parameters that cannot be met are told from types that are not there.
func TestBuiltinsRefused(t *testing.T) {
	for uri, params := range map[string]bool{
		"builtin:dtmf/digits?length=x": true, "builtin:dtmf/digits?minlength=5;maxlength=2": true,
		"builtin:dtmf/digits?length=3;maxlength=2": true, "builtin:voice/digits?length=3;minlength=4": true,
		"builtin:dtmf/boolean?y=1;n=1": true, "builtin:dtmf/nonsense": false, "builtin:voice/nonsense": false, "builtin:odd/digits": false,
	} {
		_, _, err := Builtin(uri)
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.BadParams != params || wrong.Unsupported == params {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// Grammars that make naive matchers take exponential time.
func TestAmbiguityIsCheap(t *testing.T) {
	nested := `a`
	for range 6 {
		nested = `<item repeat="0-">` + nested + `</item><item repeat="0-1">` + nested + `</item>`
	}
	l := compile(t, `<rule id="r">`+nested+` b</rule>`, "")
	begin := time.Now()
	if l.Match(strings.Repeat("a ", 50)) != nil {
		t.Error("matched without the b")
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
