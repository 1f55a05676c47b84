package vxml_test

import (
	"cmp"
	"strings"
	"testing"

	"mcp/vxml"
)

// Pages are written for the engines of their day: what ECMAScript of 1999 has, and
// what has come since, works in every place of a page.
func TestScripts(t *testing.T) {
	script := func(text string) string { return `<script><![CDATA[` + cmp.Or(text, ";") + `]]></script>` }
	tests := []struct{ name, script, expr, want string }{
		{"with", "var o = {a: 1}, r; with (o) { a = 2; r = a; }", "r + o.a", "4"},
		{"arguments", "function f() { return arguments.length + arguments.callee.length; }", "f(1, 2)", "2"},
		{"recursion by callee", "var f = function (n) { return n < 2 ? 1 : n * arguments.callee(n - 1); }", "f(5)", "120"},
		{"octal numbers", "var n = 010;", "n", "8"},
		{"numbers with a nought in front", "", "parseInt('010', 10) + parseInt('0x1f')", "41"},
		{"escape", "", "escape('a b') + unescape('%41')", "a%20bA"},
		{"the year of old", "", "new Date(1999, 11, 31).getYear()", "99"},
		{"dates in words", "", "new Date(Date.parse('Jan 2, 2000 10:20:30')).getHours()", "10"},
		{"dates add up", "", "new Date(2001, 0, 32).getMonth()", "1"},
		{"substr", "", "'abcdef'.substr(-3, 2)", "de"},
		{"regular expressions", "var m = /(\\d+)-(\\w+)/.exec('x 12-ab y');", "m[1] + m[2] + m.index", "12ab2"},
		{"what they remember", "/(\\d+) (b)?/.test('a 42 b');", "RegExp.$1 + RegExp.$2 + RegExp.$3 + RegExp.lastMatch", "42b42 b"},
		{"that of match and replace, too", "'k=v'.match(/(.)=(.)/); var a = RegExp.$2; 'x:y'.replace(/(.):/, '$1');", "a + RegExp.$1", "vx"},
		{"dates of old", "var d0 = new Date(0); d0.setYear(99);", "d0.getFullYear() + new Date(0).toGMTString()", "1999Thu, 01 Jan 1970 00:00:00 GMT"},
		{"Date by itself", "", "typeof Date() + new Date(2000, 1, 29).getDate() + Date.UTC(1970, 0, 2)", "string2986400000"},
		{"texts with markup", "", "'a'.bold() + 'b'.anchor('c')", "<b>a</b><a name=\"c\">b</a>"},
		{"localized", "", "typeof (1234.5).toLocaleString() + 'A'.toLocaleLowerCase()", "stringa"},
		{"watching nothing", "var o = {toString: function () { return 'o'; }, valueOf: function () { return 4; }};", "o + 1 + String(o)", "5o"},
		{"getters of old", "var o = {}; o.__defineGetter__('x', function () { return 3; });", "o.x + typeof o.__proto__", "3object"},
		{"replace by a function", "", "'a1b2'.replace(/\\d/g, function (d) { return d * 2; })", "a2b4"},
		{"global matches", "var r = /a/g, n = 0; while (r.exec('banana')) n++;", "n", "3"},
		{"labels", "var n = 0; outer: for (var i = 0; i < 3; i++) { for (var j = 0; j < 3; j++) { if (j == 1) continue outer; n++; } }", "n", "3"},
		{"switch", "function f(x) { switch (x) { case 1: return 'a'; case 2: case 3: return 'b'; default: return 'c'; } }", "f(1) + f(3) + f(9)", "abc"},
		{"prototypes", "function P(n) { this.n = n; } P.prototype.twice = function () { return this.n * 2; };", "new P(4).twice()", "8"},
		{"extended built-ins", "String.prototype.shout = function () { return this.toUpperCase() + '!'; };", "'a'.shout()", "A!"},
		{"functions of text", "var f = new Function('a', 'b', 'return a + b');", "f(1, 2)", "3"},
		{"eval", "var x = 3;", "eval('x + 1')", "4"},
		{"for in", "var o = {b: 1, a: 2}, s = ''; for (var k in o) s += k + o[k];", "s", "b1a2"},
		{"try", "var s = ''; try { undefinedThing(); } catch (e) { s = e.name; } finally { s += '.'; }", "s", "ReferenceError."},
		{"throwing text", "var s; try { throw 'up'; } catch (e) { s = e; }", "s", "up"},
		{"void and comma", "", "(void 0, 7)", "7"},
		{"typeof of nothing", "", "typeof nothing + typeof null", "undefinedobject"},
		{"NaN", "", "isNaN(parseInt('x')) + ' ' + (0/0 == 0/0)", "true false"},
		{"fixed digits", "", "(12.345).toFixed(1) + (255).toString(16)", "12.3ff"},
		{"sorting", "var a = [10, 9, 1]; a.sort();", "a.join() + a.sort(function (x, y) { return x - y; }).join()", "1,10,91,9,10"},
		{"semicolons that are not there", "var a = 1\nvar b = a\n++b", "a + b", "3"},
		{"comments of old browsers", "<!-- hide\nvar a = 5;\n-->", "a", "5"},
		{"names of later words", "var let_ = 1, o = {class: 2, default: 3};", "o.class + o.default", "5"},
		{"a function in a block", "if (true) { function f() { return 'f'; } }", "f()", "f"},
		{"a variable before it is declared", "var t = typeof later; var later = 1;", "t", "undefined"},
		{"one that is not declared", "implied = 5;", "implied + 1", "6"},
		{"this is the scope", "this.mine = 7; var both = mine + this.d;", "both", "8"},
		{"of functions, too", "var d2 = 4; function f() { return this.d2; }", "f()", "4"},
		{"libraries that look for their root", "(function (root) { root.lib = {n: 3}; })(this);", "lib.n", "3"},
		{"unicode", "var größe = 'ü\\u00df';", "größe.length + größe", "2üß"},
		{"JSON", "", "JSON.parse('{\"a\": [1, 2]}').a.length + JSON.stringify({b: 1})", "2{\"b\":1}"},
		{"template strings", "let n = 2;", "`${n}!`", "2!"},
		{"arrows, spread and defaults", "const f = (a, b = 2, ...c) => a + b + c.length;", "f(...[1]) + f(1, 1, 1, 1)", "7"},
		{"classes", "class A { constructor(n) { this.n = n; } get twice() { return this.n * 2; } } class B extends A {}", "new B(3).twice", "6"},
		{"destructuring", "var [a, {b, c: {e = 4}}, ...r] = [1, {b: 2, c: {}}, 5, 6];", "a + b + e + r", "75,6"},
		{"optional chaining", "var o = {};", "o.x?.y ?? 'none'", "none"},
		{"maps, sets and generators", "function* g() { yield 1; yield 2; }", "new Map([[1, 2]]).get(1) + new Set([1, 1]).size + [...g()].length", "5"},
		{"entries of objects", "", "Object.entries({a: 1}).join() + [1, [2]].flat().length + 'ab'.includes('b')", "a,12true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			told := `<value expr="` + attribute(tt.expr) + `"/>`
			for _, body := range []string{
				`<var name="d" expr="1"/>` + script(tt.script) + `<form><block>` + told + `</block></form>`,
				`<form><var name="d" expr="1"/>` + script(tt.script) + `<block>` + told + `</block></form>`,
				`<form><block><var name="d" expr="1"/>` + script(tt.script) + told + `</block></form>`,
			} {
				if got := said(t, vxml.New(vxml.Options{Fetcher: fetcher(page(body))}), ""); got != tt.want {
					t.Errorf("said %q, want %q in %s", got, tt.want, body)
				}
			}
		})
	}
}

// attribute is text as the value of an attribute.
func attribute(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;").Replace(text)
}
