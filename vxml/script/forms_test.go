package script

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"mcp/vxml/script/scan"
	"mcp/vxml/vxmltest"
)

// forms are what scripts could be made of without end.
var forms = []struct{ name, before, unit, after string }{
	{"prefixes", "", "!", "1"}, {"words for prefixes", "", "typeof ", "1"}, {"conditions", "", "1?1:", "1"}, {"and", "", "1&&", "1"}, {"sums", "", "'a'+", "1"},
	{"assignments", "", "a=", "1"}, {"lists", "", "[", ""}, {"brackets", "", "(", ""}, {"blocks within blocks", "", "{", ""}, {"members", "a", ".b", ""},
	{"calls", "a", "()", ""}, {"optional members", "a", "?.b", ""}, {"templates", "", "`${", ""}, {"tags", "a", "``", ""}, {"arrows", "", "x=>", "1"},
	{"arrows in parameters", "", "(a=", ""}, {"labels", "", "a:", ";"}, {"commas", "", "a,", "a"}, {"new", "", "new ", "a"}, {"async", "", "async ", "a"},
	{"classes within classes", "", "class A{a=", ""}, {"methods", "class A{", "a(){}", "}"}, {"private names", "class A{", "#a%d;", "}"}, {"functions within functions", "", "function f(){", ""},
	{"functions", "", "function f%d(){}", ""}, {"a pattern", "/", "a", "/"}, {"patterns", "", "/a%d/;", ""}, {"repeats", "/", "(a{30}){30}", "/"}, {"a text", "'", "a", "'"},
	{"texts", "", "'a%d';", ""}, {"numbers", "[", "%d.5,", "]"}, {"texts in a list", "[", "'%d',", "]"}, {"an object", "({", "a%d:1,", "})"}, {"else", "", "if(1);else ", ";"},
	{"for", "", "for(;;)", ";"}, {"try", "", "try{}catch(e){", ""}, {"cases", "switch(a){", "case %d:;", "}"}, {"var", "", "var a%d;", ""}, {"let", "", "let a%d;", ""},
	{"names in a pattern", "let [a", ",a%d", "]=b"}, {"parameters", "function f(a", ",a%d", "){}"}, {"eval", "", "eval(a);", ""}, {"comments", "", "/**/", "a"}, {"markup", "", "<!--\n", "a"},
	{"return", "function f(){", "return;", "}"}, {"what is none", "", "@", ""}, {"a long integer", "", "1", "n"}, {"digits", "", "1", ""}, {"closures", "", "(function(){})();", ""},
	{"lines", "", "\n", "a"}, {"a name", "", "\\u0061", ""}, {"computed names", "", "a[b];", ""},
	{"holes in a list", "a=[", ",", "]"}, {"empty statements", "", ";", ""}, {"arrows in a row", "", "x=>1;", ""}, {"tags in a row", "", "a`b`;", ""},
}

// grown is a form at the size that a script may have.
func grown(before, unit, after string) string {
	var b strings.Builder
	b.WriteString(before)
	for i := 0; b.Len() < 1<<20-len(after)-20; i++ {
		if strings.Contains(unit, "%") {
			fmt.Fprintf(&b, unit, i)
		} else {
			b.WriteString(unit)
		}
	}
	return b.String() + after
}

// No text occupies the parser and the compiler, which see no interrupt, for long.
func TestForms(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			text := grown(f.before, f.unit, f.after)
			vxmltest.Within(t, func() {
				_, _ = compile(key{chain: "session application document dialog " + innermost, kind: statements, text: text}, Source{Text: text}, inlineWork)
			})
		})
	}
}

// Few of some forms are as much as many.
func TestShortForms(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("1&&", 200) + "1", strings.Repeat("0||", 200) + "1", strings.Repeat("null??", 200) + "1",
		strings.Repeat("!(", 80) + "1" + strings.Repeat("&&1)&&1", 80), strings.Repeat("(", 80) + "1" + strings.Repeat("&&1)+1", 80),
		strings.Repeat("1&&(", 150) + "1" + strings.Repeat(")", 150), strings.Repeat("-(1||", 100) + "1" + strings.Repeat(")", 100),
		"1" + strings.Repeat("+'a'", 200) + strings.Repeat("?1:1", 1), strings.Repeat("1?1:", 200) + "1",
	} {
		vxmltest.Within(t, func() {
			k := key{chain: "session application document dialog " + innermost, kind: statements, text: text}
			if _, err := compile(k, Source{Text: text}, inlineWork); err != nil {
				t.Errorf("%.20s: %v", text, err)
			}
		})
	}
}

// A list of numbers of half a megabyte, a library with many small functions and one with
// many regular expressions are compiled; a limit that is set holds.
func TestWork(t *testing.T) {
	long := func(unit string, n int) string { return strings.Repeat(unit, n) }
	tests := []struct {
		name, text string
		work       int
		limit      bool
	}{
		{"numbers", "var a = [" + long("12,", 170_000) + "]", 0, false},
		{"functions", "(function (root) { 'use strict';\n" + long("  root.f = function (a, b) { if (!a) { return b; } return a.c(b) + 'x'; };\n", 5000) + "})(this);", 0, false},
		{"patterns", "var a = [" + long("/^(?:[a-z]+|\\\\d{1,3})(\\\\.\\\\w+)*$/i,", 4000) + "]", 0, false},
		{"less is set", "var a = [" + long("12,", 1000) + "]", 500, true},
		{"more is set", "var a = [" + long("1.5,", 210_000) + "]", 300_000, false},
		{"too much", "var a = [" + long("1.5,", 210_000) + "]", 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := key{chain: "session " + innermost, kind: statements, text: tt.text}
			_, err := compile(k, Source{Text: tt.text}, Limits{Work: tt.work}.WithDefaults().Work)
			var e *Error
			if errors.As(err, &e) != tt.limit || e != nil && !e.Limit {
				t.Error(err)
			}
		})
	}
}

// A script that declares too many names is refused, before and behind others.
func TestNames(t *testing.T) {
	names := func(n int) string {
		var b strings.Builder
		b.WriteString("var b")
		for i := range n {
			fmt.Fprintf(&b, ",b%d", i)
		}
		return b.String()
	}
	for n, want := range map[int]bool{9000: false, 10_000: true} {
		_, err := compile(key{chain: "session " + innermost, kind: statements, text: names(n)}, Source{}, inlineWork)
		var e *Error
		if errors.As(err, &e) != want || e != nil && e.Message != errNames.Error() {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// What closes the parentheses that an expression is put into is none.
func TestNoExpression(t *testing.T) {
	for _, text := range []string{"1); (2", "1)\n;(2", "1); var a; (2", "1}; {2", "", ")("} {
		_, err := compile(key{chain: "session " + innermost, kind: expression, text: text}, Source{Text: text}, inlineWork)
		if err == nil {
			t.Errorf("%q is an expression", text)
		}
	}
}

// What the parser takes for space, the end of a line or a comment hides nothing that
// comes behind it.
func TestNothingIsHiddenFromTheScan(t *testing.T) {
	for _, before := range []string{
		"//\r", "//\u2028", "//\u2029", "//\r\n", "/*\u2028*/", "#!`\n", "#!/*\r", "if\u00a0(1)/`/;", "while\u2003(0)/`/;",
		"if\ufeff(1)/`/;", "typeof\u00a0/`/;", "typeof\f/`/;", "a\u2028/1;", "'\\\u2028';", "`\\\r\n`;", "var \\u{61}=`${1}`;", "1..a\u3000/1;",
	} {
		if _, err := goja.Parse("", before+"!1", parser.WithDisableSourceMaps); err != nil {
			t.Errorf("%q is not accepted at all: %v", before, err)
		}
		if err := scan.Text(before+strings.Repeat("!", 1000)+"1", inlineWork); !errors.Is(err, scan.Depth) {
			t.Errorf("behind %q: %v", before, err)
		}
	}
}

// FuzzCompile compiles scripts of any kind.
func FuzzCompile(f *testing.F) {
	for _, form := range forms {
		f.Add(form.before+strings.Repeat(form.unit, 3)+form.after, true)
	}
	for _, text := range bombs {
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, whole bool) {
		k := key{chain: "session dialog " + innermost, kind: expression, text: text}
		if whole {
			k.kind = statements
		}
		vxmltest.Within(t, func() { _, _ = compile(k, Source{Text: text}, inlineWork) })
	})
}

// Computed names are what they were, and their objects asked once.
func TestComputedNames(t *testing.T) {
	tests := []afterwards{
		{"an index", "var a = [3, 1, 2], s = 0; for (var i = 0; i < a.length; i++) s += a[i]; a[i] = 9;", "s + a[3] + a.length", "19"},
		{"a method", "var o = {v: 7, f: function () { return this.v; }}, k = 'f';", "o[k]()", "7"},
		{"of what a class extends", "class A { m() { return 1 } } class B extends A { m() { return super[k()]() } } function k() { return 'm' }", "new B().m()", "1"},
		{"assigned and stepped", "var o = {n: 1}, k = 'n'; o[k] += 2; o[k]++; --o[k];", "o.n", "3"},
		{"a pattern's", "var k = 'b', o = {b: 5}; var {[k]: x} = o; [o[k]] = [6];", "x + o.b", "11"},
		{"deleted", "var o = {a: 1}, k = 'a'; delete o[k];", "k in o", "false"},
		{"optional", "var o = null, k = 'a';", "typeof o?.[k]", "undefined"},
		{"a symbol", "var o = {}, s = Symbol(); o[s] = 4;", "o[s]", "4"},
		{"an object", "var n = 0, k = {toString: function () { n++; return 'a'; }}, o = {a: 2}; var r = o[k];", "r + n", "3"},
		{"beside a variable of the check's name", "var $key = function () { return 'b'; }, o = {a: 1, b: 2}, k = 'a';", "o[k]", "1"},
		{"functions in a block", "if (true) { function f() { return 2 } }", "document === undefined ? 0 : f()", "2"},
		{"lines of errors", "var l; try {\n\nnull.x } catch (e) { l = /:3:/.test(e.stack) }", "l", "true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}
