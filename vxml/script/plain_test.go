package script

import (
	"context"
	"testing"
)

// Plain expressions mean what their programs do, whatever stands around them.
func TestPlain(t *testing.T) {
	exprs := []string{
		"1", "1.5", "-1", "'a'", "\"b\"", "true", "null", "undefined", "n", "s", "o.a", "o.b", "o['a']", "o.a.b.c", "document.n", "dialog.n",
		"session.s.k", "s.length", "n + 1", "n + 'x'", "'a' + n", "s + s", "n == 1", "n === '1'", "n < 2 && s", "!n", "typeof missing", "missing",
		"missing.x", "n ? s : o", "(n)", "n.x", "null.x", "Math.PI", "Math", "n /* c */", "n // c", "o.a;", "n, s", "f", "list[0]", "list.length",
		"1 +", "0x10", "1e3", "'\\u0041'", "NaN", "x.y = 1", "n++", "this.n", "list", "o", "s[0]",
	}
	machine := func(implicit bool) *Scope {
		m := NewMachine(Limits{}, NewCache())
		s := chain(m)
		m.implicit = implicit
		for i, text := range []string{"var n = 1, document_n = 1", "var n = 2, s = 'text'", "var n = '1', o = {a: {x: 1}, b: null}, list = [1, 2]; function f() {}"} {
			if err := s[i+1].Run(context.Background(), Source{Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		return s[4]
	}
	quick, slow := machine(false), machine(true)
	for _, expr := range exprs {
		got, err := quick.Eval(context.Background(), Source{Text: expr})
		want, wantErr := slow.Eval(context.Background(), Source{Text: expr})
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() || got.JSON() != want.JSON() {
			t.Errorf("%s is %s, %v; as a program %s, %v", expr, got.JSON(), err, want.JSON(), wantErr)
		}
	}
}

// What an expression runs by itself is under the limits, however it came there.
func TestPlainIsGuarded(t *testing.T) {
	for _, text := range []string{
		"var o = {valueOf() { for (;;); }}", "var o = {get x() { for (;;); }}; var x = {get ['x']() {}}",
		"var o = {}; o['value' + 'Of'] = function () { for (;;); }", "var o = {}; o.toString = function () { for (;;); }",
		"var o = {}; var k = 'vaxxlueOf'.split('xx').join(''); o[k] = function () { for (;;); }",
		"class A { valueOf() { for (;;); } } var o = new A()", "var o = {}; o.__proto__ = {get x() { for (;;); }}",
		"var o = new Proxy({}, {get: function () { for (;;); }})",
	} {
		m := NewMachine(Limits{Time: 1}, NewCache())
		if err := chain(m)[2].Run(context.Background(), Source{Text: text}); err != nil && !m.implicit {
			t.Errorf("%s: %v", text, err)
		}
		if !m.implicit {
			t.Errorf("%s gives an object code of its own unnoticed", text)
		}
	}
	for _, text := range []string{"s + s", "f()", "new F", "s.x()", "n++", "x = 1", "/a/", "`a`", "[1]", "{}", "a => a", "o[k]", "delete o.a", "a in b", "1n"} {
		p, err := compile(key{chain: "a " + innermost, kind: expression, text: text}, Source{Text: text}, inlineWork)
		if err == nil && p.plain.brief {
			t.Errorf("%s is taken for plain", text)
		}
	}
}

// Scripts that only declare run without a watch, and declare what they did with one;
// nothing that is called or computed does.
func TestDeclarationsAreBrief(t *testing.T) {
	for text, brief := range map[string]bool{
		"":                                    true,
		"function f() { for (;;); }":          true,
		"var a = 1, b = 'x', c; var d = true": true,
		"function f() { return 1 }; function g() { return f() };\n// and\nvar a": true,
		"function *f() {} async function g() {}":                                 true,

		"f()":                                   false,
		"function f() {} f()":                   false,
		"var a = f()":                           false,
		"var a = b":                             false,
		"var a = -b":                            false,
		"var [a] = 'x'":                         false,
		"var {a} = 'x'":                         false,
		"var a = [1]":                           false,
		"let a = 1":                             false,
		"class A { static x = f() }":            false,
		"{ function f() {} }":                   false,
		"if (a) var b":                          false,
		"for (;;);":                             false,
		"a: for (;;) function_()":               false,
		"'use strict'; function f() {}":         false,
		"var a = (function () { for (;;); })()": false,
	} {
		p, err := compile(key{chain: "a " + innermost, kind: statements, text: text}, Source{Text: text}, inlineWork)
		if err != nil || p.plain.brief != brief {
			t.Errorf("%s is taken for brief: %v, %v", text, p != nil && p.plain.brief, err)
		}
	}
	const text = "function twice(n) { return 2 * n }; var a = 3, b = 'x', c, a"
	for _, implicit := range []bool{false, true} {
		m := NewMachine(Limits{}, NewCache())
		m.implicit = implicit
		s := chain(m)[3]
		if err := s.Run(context.Background(), Source{Text: text}); err != nil {
			t.Fatal(err)
		}
		v, err := s.Eval(context.Background(), Source{Text: "[twice(a), b, typeof c, dialog.twice === twice]"})
		if err != nil || v.JSON() != `[6,"x","undefined",true]` {
			t.Errorf("with a watch (%v) it comes to %s, %v", implicit, v.JSON(), err)
		}
	}
}
