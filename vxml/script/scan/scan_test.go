package scan

import (
	"errors"
	"strings"
	"testing"
)

// Texts within the bounds are parsed, and what the scan takes for a regular expression
// is what the parser does.
func TestScan(t *testing.T) {
	long := func(unit string, n int) string { return strings.Repeat(unit, n) }
	tests := []struct {
		name, text string
		want       error
	}{
		{"a division", "a = b / c / d; e = (1) / 2; f = [1] / 2 / g", nil},
		{"a pattern behind a condition", `if (a) /['"(]/.test(b)`, nil},
		{"behind words", `return_ = typeof /'/; for (x in /"/) ;`, nil},
		{"behind a member's name", "a.if(1) / 2; b = a.typeof / 2 + '('", nil},
		{"with a class", `a = /[/'"]/; b = "x"`, nil},
		{"behind a block", "{ } /a/.test(b)", nil},
		{"that may be none", "{ } /'/.test(b)", Ambiguous},
		{"behind a step", "a++ / 2 / '1'", nil},
		{"a template", "a = `'${ {b: '`'}.b }\"${`${1}`}`", nil},
		{"else if", long("if (a) { b() } else ", 200) + ";", nil},
		{"statements without ;", long("a()\nb = {}\n", 5000), nil},
		{"a sum of texts", long("'a' + ", 400) + "1", nil},
		{"methods and blocks", "class A {" + long("a() { if (b) { } }\n static c() { }\n get d() { return 1 }", 300) + "}", nil},
		{"too deep a sum", long("'a' + ", 600) + "1", Depth},
		{"too deep behind what is hidden", "a = {} / 1\n / " + long("!", 600) + "1", Depth},
		{"too deep an else", long("if (a) ; else ", 600) + ";", Depth},
		{"names with escapes", "\\u{61} / 2 / '('; a.\\u0069f / 2 / '('; var b\\u{62}\\u0063 = 1", nil},
		{"a name that is no word", long("\\u0069f (a) ", 300), nil},
		{"too deep behind an escape", "\\u{61} / " + long("!", 600) + "1", Depth},
		{"numbers", "0x1F + 0b1_0 + 0o7 + 1.5e-3 + .5 + 1.e+5 + 5..toFixed(1) + 1_000 / 2 / '('", nil},
		{"integers without bound", "a = 0x1n", Big},
		{"commas and semicolons", long("a,b;", 40_000), nil},
		{"holes in a list", "[" + long(",", 80_000) + "]", Work},
		{"empty statements", long(";", 80_002), Work},
		{"arrows in a row", long("x=>1;", 17_000), Work},
		{"tags in a row", long("a`b`;", 27_000), Work},
		{"parameters read again", long("(a=", 20) + "1" + long(")=>1", 20), Work},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := Text(tt.text, 80_000); err != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// What the parser would go on behind in its own way is refused.
func TestWrong(t *testing.T) {
	tests := []struct {
		name, text string
		line       int
	}{
		{"a bracket too many", "a = 1;\nb)", 2},
		{"another bracket", "a = [1)", 1},
		{"a bracket that stays open", "a(\n", 2},
		{"a text that stays open", "a = 1\n'b\n!", 2},
		{"a text at the end", "'a", 1},
		{"a template", "`a${1}", 1},
		{"a part of a template", "`a${1", 1},
		{"a comment", "a /* b", 1},
		{"a regular expression", "a = /b\n/", 1},
		{"an escape", "a = 1\nb\\u12 = 1", 2},
		{"an escape that stays open", "\\u{61", 1},
		{"an escape of another kind", "a\\ b", 1},
		{"a number with a word behind", "a =\n1in b", 2},
		{"a number with a member's name behind", "5.toString()", 1},
		{"a number without digits", "0x", 1},
		{"an exponent without digits", "1e+", 1},
		{"another base's digit", "0b1a", 1},
		{"an integer without bound, and more", "1na", 1},
		{"a number with an escape", "1\\u006e", 1},
		{"one across lines", "a = /b\u2028/", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var wrong *SyntaxError
			if err := Text(tt.text, 80_000); !errors.As(err, &wrong) || wrong.Line != tt.line {
				t.Errorf("got %+v", err)
			}
		})
	}
}

// Nothing hides behind what ends lines and separates words.
func TestHidden(t *testing.T) {
	deep := strings.Repeat("!", 600) + "1"
	for _, text := range []string{
		"//\r" + deep, "//\u2028" + deep, "//a\u2029" + deep, "typeof\u00a0/'/+" + deep + "+'a'",
		"typeof\ufeff/'/+" + deep + "+'a'", "a\f/b/c;" + deep, "a\v/'b'/" + deep,
	} {
		if err := Text(text, 80_000); err != Depth {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}
