package script

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"

	"mcp/vxml/grammar"
	"mcp/vxml/vxmltest"
	"mcp/vxml/xmltree"
)

// told are facts by their names.
type told map[string]func() (Value, error)

func (f told) Names() []string                  { return slices.Sorted(maps.Keys(f)) }
func (f told) Value(name string) (Value, error) { return f[name]() }

// chain is session, application, document, dialog and an anonymous scope.
func chain(m *Machine) []*Scope {
	out := []*Scope{m.NewReadOnly("session", told{"s": func() (Value, error) {
		return m.Value(map[string]any{"k": int64(1), "o": map[string]any{}}), nil
	}})}
	for _, name := range []string{"application", "document", "dialog", ""} {
		out = append(out, m.NewScope(out[len(out)-1], name))
	}
	return out
}

func TestScopes(t *testing.T) {
	tests := []struct {
		name    string
		scripts []string // of application, document, dialog, anonymous, in that order; "" for none
		expr    string
		want    string // or an error's text
	}{
		{"inner shadows outer", []string{"var x=1", "var x=2", "var x=3", "var x=4"}, "[application.x,document.x,dialog.x,x].join()", "1,2,3,4"},
		{"outer is seen", []string{"var x=1"}, "x", "1"},
		{"assignment lands outside", []string{"var x=1", "", "", "x=7"}, "application.x", "7"},
		{"undefined is declared", []string{"", "var x"}, "x === undefined", "true"},
		{"undeclared is an error", nil, "x", "ReferenceError"},
		{"functions keep their scope", []string{"", "var n=2; function f(){return n}", "var n=3"}, "f()", "2"},
		{"functions are hoisted", []string{"", "var a=f(); function f(){return 5}"}, "a", "5"},
		{"let and const are kept", []string{"", "let a=1; const b=2; class C{}"}, "a+b+typeof C", "3function"},
		{"var in a block is the scope's", []string{"", "if (true) { var a=1 }"}, "document.a", "1"},
		{"for declares", []string{"", "for (var i=0;i<3;i++){}"}, "i", "3"},
		{"an undeclared dialog scope is not named", []string{"", "var t=typeof dialog"}, "document.t", "undefined"},
		{"object literals", nil, "{a:1}.a", "1"},
		{"a comment at the end", nil, "1 // one", "1"},
		{"names of Object are free", []string{"var constructor=1, toString=2"}, "constructor+toString", "3"},
		{"modern syntax", nil, "[1,2].map(x => `${x}!`).join('')", "1!2!"},
		{"thrown values", nil, "(function(){throw 'oops'})()", "oops"},
		{"syntax", nil, "1 +", "SyntaxError"},
		{"deep recursion", []string{"", "function f(){return f()}"}, "f()", "nested too deeply"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			scopes := chain(NewMachine(Limits{}, NewCache()))
			var err error
			for i, s := range tt.scripts {
				if s != "" {
					err = errors.Join(err, scopes[i+1].Run(context.Background(), Source{Text: s}))
				}
			}
			v, evalErr := scopes[4].Eval(context.Background(), Source{Text: tt.expr})
			got := v.String()
			if err = errors.Join(err, evalErr); err != nil {
				got = err.Error()
			}
			if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
				t.Errorf("%s is %q, want %q", tt.expr, got, tt.want)
			}
		})
	}
}

// An error says which line it comes from, in a function of another script, too.
func TestErrorsHaveAPlace(t *testing.T) {
	const library = "\nfunction a() {\n  return none.x\n}\nfunction b() { return [1].map(function () { return a() }) }"
	tests := []struct {
		name, script, expr string // one of the two
		want               string
		line               int
	}{
		{name: "its own line", script: "var z = 1;\n  throw new Error('own');\nz = 2", want: `Error: own in "throw new Error('own');"`, line: 2},
		{name: "no object", script: "\n\nthrow 'text'", want: `text in "throw 'text'"`, line: 3},
		{name: "a function's line", script: "var z = 1;\na();\nz = 2", want: `ReferenceError: none is not defined in "a();" (a, line 3 of http://site/lib.js)`, line: 2},
		{name: "an expression's function's", expr: "1 + b()", want: `ReferenceError: none is not defined in "1 + b()" (a, line 3 of http://site/lib.js)`, line: 1},
		{name: "an expression of two lines", expr: "1 +\n none", want: `ReferenceError: none is not defined in "none"`, line: 2},
		{name: "syntax", script: "var z = 1;\nz = 2 3;", want: `SyntaxError: Unexpected number in "z = 2 3;"`, line: 2},
		{name: "brackets", script: "var z = 1;\nz = (2;\n", want: `a bracket or template is not closed in "var z = 1;\nz = (2;\n"`, line: 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ctx := chain(NewMachine(Limits{}, NewCache()))[4], context.Background()
			if err := s.Run(ctx, Source{Text: library, Name: "http://site/lib.js"}); err != nil {
				t.Fatal(err)
			}
			var err error
			if tt.expr != "" {
				_, err = s.Eval(ctx, Source{Text: tt.expr})
			} else {
				err = s.Run(ctx, Source{Text: tt.script})
			}
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Error() != tt.want || wrong.Line != tt.line {
				t.Errorf("%v, want %s in line %d", err, tt.want, tt.line)
			}
		})
	}
}

func TestAssign(t *testing.T) {
	tests := []struct{ target, check, want string }{
		{"x", "dialog.x", "9"},
		{"document.x", "document.x", "9"},
		{"o.a.b", "o.a.b", "9"},
		{"o['k']", "o.k", "9"},
		{"dialog.o.n", "o.n", "9"},
		{"nope", "", "not declared"},
		{"document.nope", "", "not declared"},
		{"session.s", "", "read-only"},
		{"s", "", "read-only"},
		{"nope.a", "", "not declared"},
		{"o.missing.b", "", "TypeError"},
	}
	for _, tt := range tests {
		m := NewMachine(Limits{}, NewCache())
		scopes := chain(m)
		ctx := context.Background()
		for i, s := range []string{"", "var x = 1", "var x = 2, o = {a: {}}"} {
			if err := scopes[i+1].Run(ctx, Source{Text: s}); err != nil {
				t.Fatal(err)
			}
		}
		err := scopes[4].Assign(ctx, tt.target, m.Value(9))
		got := ""
		if err != nil {
			got = err.Error()
		} else if v, err := scopes[4].Eval(ctx, Source{Text: tt.check}); err == nil {
			got = v.String()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("assign to %s gives %q, want %q", tt.target, got, tt.want)
		}
	}
}

// A script that does not end is stopped, and the machine goes on.
func TestTimeLimit(t *testing.T) {
	m := NewMachine(Limits{Time: 50 * time.Millisecond}, NewCache())
	s := chain(m)[4]
	for _, text := range []string{"(function(){for(;;);})()", "({toString(){for(;;);}}) + ''"} {
		_, err := s.Eval(context.Background(), Source{Text: text})
		var e *Error
		if !errors.As(err, &e) || !e.Limit {
			t.Errorf("%s: error %v, want the limit", text, err)
		}
	}
	v, err := s.Eval(context.Background(), Source{Text: "({toString(){for(;;);}})"})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.String(); got != "undefined" {
		t.Errorf("an endless conversion gave %q", got)
	}
	if v, err := s.Eval(context.Background(), Source{Text: "6*7"}); err != nil || v.Int() != 42 {
		t.Errorf("afterwards: %v, %v", v.String(), err)
	}
}

func TestContextEndsScript(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := chain(NewMachine(Limits{Time: time.Minute}, NewCache()))[4].Eval(ctx, Source{Text: "(function(){for(;;);})()"})
	if err == nil {
		t.Error("the script ended by itself")
	}
}

// Machines share compiled programs but no values.
func TestCacheIsShared(t *testing.T) {
	cache := NewCache()
	for range 3 {
		s := chain(NewMachine(Limits{}, cache))[4]
		if err := s.Run(context.Background(), Source{Text: "var n = typeof n === 'undefined' ? 1 : n + 1"}); err != nil {
			t.Fatal(err)
		}
		if got := s.Get("n").Int(); got != 1 {
			t.Errorf("n is %d in a new machine", got)
		}
	}
	if len(cache.programs) != 1 {
		t.Errorf("%d programs, want 1", len(cache.programs))
	}
}

// What a match means, by tag format (SISR 1.0).
func TestInterpret(t *testing.T) {
	const colours = `<rule id="r">paint it <ruleref uri="#c"/>%s</rule>
		<rule id="c"><one-of><item>red<tag>%s</tag></item><item>blue</item></one-of></rule>`
	rules := func(rule, colour string) string {
		return strings.Replace(strings.Replace(colours, "%s", rule, 1), "%s", colour, 1)
	}
	const script, literals = `tag-format="semantics/1.0"`, `tag-format="semantics/1.0-literals"`
	tests := []struct{ name, attrs, rules, text, want string }{
		{"a rule's value", script, rules("<tag>out.c=rules.c</tag>", "out='#f00'"), "paint it red", `{"c":"#f00"}`},
		{"default of a rule without tags is its text", script, rules("<tag>out=rules.c</tag>", "out=1"), "paint it blue", `"blue"`},
		{"default of a rule is its latest rule", script, rules("", "out={rgb:3}"), "paint it red", `{"rgb":3}`},
		{"rules.latest", script, rules("<tag>out=rules.latest()+'!'</tag>", "out='x'"), "paint it red", `"x!"`},
		{"meta", script, rules("<tag>out=[meta.current().text, meta.c.text, meta.latest().score]</tag>", "out=1"), "paint it red", `["paint it red","red",1]`},
		{"tags of a rule share variables", script, `<rule id="r"><tag>var n=1;</tag>a<tag>n+=1;</tag>b<tag>out=n</tag></rule>`, "a b", `2`},
		{"out begins as an object", script, `<rule id="r">a<tag>out.x=1</tag>b<tag>out.y=2</tag></rule>`, "a b", `{"x":1,"y":2}`},
		{"literals", literals, rules("", "crimson"), "paint it red", `"crimson"`},
		{"the last literal wins", literals, `<rule id="r">a<tag>one</tag>b<tag>two</tag></rule>`, "a b", `"two"`},
		{"no format, no tags: the text", "", rules("", "")[:0] + `<rule id="r">paint <ruleref uri="#c"/></rule><rule id="c">it</rule>`, "paint it", `"paint it"`},
		{"no format: an expression", "", `<rule id="r">a<tag>'alpha'</tag></rule>`, "a", `"alpha"`},
		{"no format: a script", "", `<rule id="r">a<tag>out.x=1;</tag></rule>`, "a", `{"x":1}`},
		{"no format: a literal", "", `<rule id="r">a<tag>sales department</tag></rule>`, "a", `"sales department"`},
		{"no format: a word", "", `<rule id="r">a<tag>sales</tag></rule>`, "a", `"sales"`},
		{"drafts: $ is the rule's value", "", `<rule id="r">a<tag>$.x='$5'</tag></rule>`, "a", `{"x":"$5"}`},
		{"drafts: $ is assigned", "", `<rule id="r">a<tag>$='yes'</tag></rule>`, "a", `"yes"`},
		{"drafts: $name and $$", "", `<rule id="r"><ruleref uri="#c"/><tag>$.x=$c; $.y=$$</tag></rule><rule id="c">it<tag>$=1</tag></rule>`, "it", `{"x":1,"y":1}`},
		{"$ is a name in the final format", script, `<rule id="r">a<tag>var $=3; out=$</tag></rule>`, "a", `3`},
		{"a price is a literal", "", `<rule id="r">a<tag>$5 off</tag></rule>`, "a", `"$5 off"`},
		{"keys are joined", `mode="dtmf"`, `<rule id="r">1 2 <item repeat="2">3</item></rule>`, "1233", `"1233"`},
		{"header tags", script, `<tag>var base = 10;</tag><rule id="r">a<tag>out = base + 1</tag></rule>`, "a", `11`},
		{"a tag that throws", script, `<rule id="r">a<tag>out = nothing.x</tag></rule>`, "a", "ReferenceError"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source := `<grammar xmlns="` + grammar.Namespace + `" version="1.0" xml:lang="en" root="r" ` + tt.attrs + `>` + tt.rules + `</grammar>`
			g, err := grammar.Parse([]byte(source), grammar.Defaults{})
			if err != nil {
				t.Fatal(err)
			}
			l, err := grammar.Link(context.Background(), g, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			tree := l.Match(tt.text)
			if tree == nil {
				t.Fatal("no match")
			}
			v, err := NewMachine(Limits{}, NewCache()).Interpret(context.Background(), tree)
			got := v.JSON()
			if err != nil {
				got = err.Error()
			}
			if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
				t.Errorf("means %s, want %s", got, tt.want)
			}
		})
	}
}

// What the builtin grammars return (VoiceXML 2.0 appendix P).
func TestBuiltinMeanings(t *testing.T) {
	tests := []struct{ uri, said, want string }{
		{"builtin:dtmf/boolean", "1", `true`},
		{"builtin:dtmf/boolean?y=7;n=9", "9", `false`},
		{"builtin:dtmf/digits", "0123", `"0123"`},
		{"builtin:dtmf/number", "12*5", `"12.5"`},
		{"builtin:dtmf/number", "*5", `"0.5"`},
		{"builtin:dtmf/currency", "12*50", `"12.50"`},
		{"builtin:dtmf/currency", "12", `"12.00"`},
		{"builtin:dtmf/phone", "5551234*77", `"5551234x77"`},
		{"builtin:dtmf/date", "20261123", `"20261123"`},
		{"builtin:dtmf/time", "2359", `"2359h"`},
		{"builtin:grammar/boolean", "nope", `false`},
		{"builtin:grammar/digits?length=3", "one oh three", `"103"`},
		{"builtin:grammar/number", "seven", `"7"`},
		{"builtin:grammar/number", "minus two hundred and forty one point five oh", `"-241.50"`},
		{"builtin:grammar/number", "three million two thousand and six", `"3002006"`},
		{"builtin:grammar/number", "one oh five", `"105"`},
		{"builtin:grammar/currency", "twelve dollars and five cents", `"USD12.05"`},
		{"builtin:grammar/currency", "fifty cents", `"USD0.50"`},
		{"builtin:grammar/currency", "ten euros", `"EUR10.00"`},
		{"builtin:grammar/currency", "nine point nine nine", `"9.99"`},
		{"builtin:grammar/phone", "five five five one two extension seven", `"55512x7"`},
		{"builtin:grammar/time", "five thirty p.m.", `"0530p"`},
		{"builtin:grammar/time", "quarter to one", `"1245?"`},
		{"builtin:grammar/time", "Ten o'clock in the morning.", `"1000a"`},
		{"builtin:grammar/time", "noon", `"1200p"`},
		{"builtin:grammar/date", "march third two thousand six", `"20060303"`},
		{"builtin:grammar/date", "the twenty first of May", `"????0521"`},
		{"builtin:grammar/date", "december nineteen ninety nine", `"199912??"`},
		{"builtin:grammar/date", "someday", "no match"},
	}
	for _, tt := range tests {
		source, _, err := grammar.Builtin(tt.uri)
		if err != nil {
			t.Fatal(err)
		}
		g, err := grammar.Parse(source, grammar.Defaults{URI: tt.uri})
		if err != nil {
			t.Fatal(err)
		}
		l, err := grammar.Link(context.Background(), g, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		got := "no match"
		if tree := l.Match(tt.said); tree != nil {
			v, err := NewMachine(Limits{}, NewCache()).Interpret(context.Background(), tree)
			if got = v.JSON(); err != nil {
				got = err.Error()
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q means %s, want %s", tt.uri, tt.said, got, tt.want)
		}
	}
}

// What tags come to without the engine is what it makes of them, and what they could
// mean otherwise is left to it.
func TestSimply(t *testing.T) {
	const c = `<rule id="c"><one-of><item>red<tag>out='#f00'</tag></item><item>blue</item></one-of></rule>`
	rule := func(content string) string { return `<rule id="r">` + content + `</rule>` + c }
	const script, literals = `tag-format="semantics/1.0"`, `tag-format="semantics/1.0-literals"`
	tests := []struct {
		name, attrs, rules, text string
		simple                   bool
	}{
		{"a literal", script, rule(`a<tag>out = "x"; // why</tag>`), "a", true},
		{"a truth", script, rule(`a<tag>out=true</tag>`), "a", true},
		{"a number", script, rule(`a<tag>out=1.5</tag>`), "a", true},
		{"no tag", script, rule(`<ruleref uri="#c"/>`), "blue", true},
		{"what a rule means", script, rule(`<ruleref uri="#c"/><tag>out=rules.c</tag>`), "red", true},
		{"its latest meaning", script, rule(`<tag>out=""</tag><item repeat="1-"><ruleref uri="#c"/><tag>out+=rules.c</tag></item>`), "red blue red", true},
		{"the last literal", literals, rule(`a<tag> x </tag><ruleref uri="#c"/><tag> y z </tag>`), "a red", true},
		{"literals without one", literals, rule(`<ruleref uri="#c"/>`), "blue", true},
		{"more to an object", script, rule(`a<tag>out+="x"</tag>`), "a", false},
		{"a number to a text", script, rule(`<tag>out="x"</tag>a<tag>out+=1</tag>`), "a", false},
		{"a rule that has not come", script, rule(`<tag>out=rules.c</tag><ruleref uri="#c"/>`), "red", false},
		{"nothing set", script, rule(`a<tag>"x"</tag>`), "a", false},
		{"a member", script, rule(`a<tag>out.x="y"</tag>`), "a", false},
		{"another variable", script, rule(`a<tag>x="y"</tag>`), "a", false},
		{"a rule's member", script, rule(`<ruleref uri="#c"/><tag>out=rules.c.length</tag>`), "red", false},
		{"a header", script, `<tag>var n=1</tag>` + rule(`a<tag>out="x"</tag>`), "a", false},
		{"no format", "", rule(`a<tag>out="x"</tag>`), "a", false},
		{"a long text", script, rule(`<tag>out=""</tag>a<item repeat="100"><tag>out+="` + strings.Repeat("x", 50) + `"</tag>b</item>`), "a" + strings.Repeat(" b", 100), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := grammar.Parse([]byte(`<grammar xmlns="`+grammar.Namespace+`" version="1.0" xml:lang="en" root="r" `+tt.attrs+`>`+tt.rules+`</grammar>`), grammar.Defaults{})
			if err != nil {
				t.Fatal(err)
			}
			l, err := grammar.Link(t.Context(), g, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			tree := l.Match(tt.text)
			if tree == nil {
				t.Fatal("no match")
			}
			sameSimply(t, tree, NewCache())
			m := NewMachine(Limits{}, NewCache())
			if _, err := m.Interpret(t.Context(), tree); err == nil && (m.vm == nil) != tt.simple {
				t.Errorf("without the engine: %t, want %t", m.vm == nil, tt.simple)
			}
			aged := NewMachine(Limits{}, NewCache())
			aged.implicit = true
			if _, err := aged.Interpret(t.Context(), tree); err == nil && aged.vm == nil {
				t.Error("objects may have code of their own, and nobody ran it")
			}
		})
	}
}

// sameSimply fails the test when the engine makes something else of a parse.
func sameSimply(t *testing.T, tree *grammar.Tree, cache *Cache) {
	t.Helper()
	m := NewMachine(Limits{}, cache)
	got, ok := m.simply(tree)
	if !ok {
		return
	}
	v, err := m.call(t.Context(), Source{}, func() (goja.Value, error) { return m.interpret(tree) })
	if want := (Value{v, m}).JSON(); err != nil || m.Value(got).JSON() != want {
		t.Errorf("simply means %v, want %s, %v", got, want, err)
	}
}

// FuzzTags interprets tags of every format: a fault is an error, never more.
func FuzzTags(f *testing.F) {
	for _, tag := range []string{"out.x = rules.latest()", "out=meta.current().text", "crimson", "}", "$.x=1", "this.y"} {
		for format := range 3 {
			f.Add(tag, format)
		}
	}
	for _, pattern := range []string{"w3c-srgs/test/*.gr*", "w3c-vxml/*/*.gr*"} {
		for _, name := range vxmltest.Files(f, vxmltest.Suites, pattern) {
			tags(f, vxmltest.Read(f, name))
		}
	}
	for _, name := range vxmltest.Files(f, vxmltest.Attacks, "srgs-jvoicexml/*.*r*") {
		tags(f, vxmltest.Read(f, name))
	}
	cache := NewCache()
	f.Fuzz(func(t *testing.T, tag string, format int) {
		tree := &grammar.Tree{Rule: "r", Format: grammar.TagFormat(uint(format) % 3), Nodes: []grammar.Node{{Token: "a"}, {Tag: &tag}}}
		vxmltest.Within(t, func() {
			sameSimply(t, tree, cache)
			m := NewMachine(Limits{Time: 20 * time.Millisecond}, cache)
			if v, err := m.Interpret(context.Background(), tree); err == nil {
				_ = v.JSON()
			}
		})
	})
}

// tags adds the tags of a grammar.
func tags(f *testing.F, source []byte) {
	root, _, err := grammar.Read(source, "u")
	if err != nil {
		return
	}
	var walk func(n *xmltree.Node)
	walk = func(n *xmltree.Node) {
		if n.Name == "tag" {
			f.Add(n.Content(), 0)
			f.Add(n.Content(), 1)
		}
		for _, e := range n.Elements() {
			walk(e)
		}
	}
	walk(root)
}

// Who misspells a variable is told which one was probably meant.
func TestMeant(t *testing.T) {
	m := NewMachine(Limits{}, NewCache())
	session := m.NewReadOnly("session", told{"connection": func() (Value, error) { return m.Value(nil), nil }})
	scope := m.NewScope(m.NewScope(session, "application"), "dialog")
	if err := scope.Run(context.Background(), Source{Text: "var account = 1, x1 = 2; function total() { return acount }"}); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ expr, want string }{
		{"acount + 1", `ReferenceError: acount is not defined: did you mean "account"? in "acount + 1"`},
		{"Account", `ReferenceError: Account is not defined: did you mean "account"? in "Account"`},
		{"total()", `ReferenceError: acount is not defined: did you mean "account"? in "total()" (total, line 1 of a script)`},
		{"conection", `ReferenceError: conection is not defined: did you mean "connection"? in "conection"`},
		{"aplication.x", `ReferenceError: aplication is not defined: did you mean "application"? in "aplication.x"`},
		{"other", `ReferenceError: other is not defined in "other"`},
		{"(function() { throw 'acount' })()", `acount in "(function() { throw 'acount' })()"`},
	}
	for _, tt := range tests {
		if _, err := scope.Eval(context.Background(), Source{Text: tt.expr}); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v\nwant %s", tt.expr, err, tt.want)
		}
	}
	for target, want := range map[string]string{
		"acount": `the variable is not declared: did you mean "account"? in "acount"`,
		"other":  `the variable is not declared: declare it with <var> in "other"`,
	} {
		if err := scope.Assign(context.Background(), target, m.Value(1)); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", target, err, want)
		}
	}
}

// TestSums has everything that is looked at as it is added up come to what it is.
func TestSums(t *testing.T) {
	s := chain(NewMachine(Limits{}, NewCache()))[4]
	if err := s.Run(t.Context(), Source{Text: `
		var a = 'a', b = 'b', n = 1, o = {valueOf: function () { return 'v'; }, toString: function () { return 's'; }}, p = {q: 'q'}, calls = 0;
		function which() { calls++; return 'q'; }
		function tag(parts, x, y) { return parts.join('|') + x + y; }`}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"a + b":                                 "ab",
		"a + b + n + n":                         "ab11",
		"n + n + a":                             "2a",
		"n + null":                              "1",
		"a + undefined":                         "aundefined",
		"a + o":                                 "av",
		"`${a}${o}-${n}`":                       "as-1",
		"`${a + b}${`${n}${n}`}`":               "ab11",
		"tag`x${a}y${b}z`":                      "x|y|zab",
		"(p[which()] += p.q) + calls":           "qq1",
		"typeof (n + n)":                        "number",
		"(a + b).length + n":                    "3",
		"a.concat(b, n, o, [1, 2])":             "ab1s1,2",
		"[1].concat([2, 3], 'four', [[5]]) + a": "1,2,3,four,5a",
		"[1, [2, [3, [4]]]].flat(2).length + n": "5",
		"[[1, 2], [3]].flat() + b":              "1,2,3b",
		"[1, 2].flatMap(function (x, i) { return [x, i + n]; }) + b":         "1,1,2,2b",
		"(function () { 'use strict'; var x = a; x += b; return x + x; })()": "abab",
		"[a, b].map(x => x + x).join()":                                      "aa,bb",
		"((x = a + b) => x + x)()":                                           "abab",
	} {
		if v, err := s.Eval(t.Context(), Source{Text: text}); err != nil || v.String() != want {
			t.Errorf("%s: %v, %v, want %s", text, v, err, want)
		}
	}
	for _, text := range []string{"`${a}${Symbol()}`", "a + Symbol()", "`${a}${{toString: null, valueOf: null}}`"} {
		if _, err := s.Eval(t.Context(), Source{Text: text}); err == nil || !strings.Contains(err.Error(), "TypeError") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
