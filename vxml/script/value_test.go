package script

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Values are shown briefly, without secrets, and nothing of the page's is called for it.
func TestBrief(t *testing.T) {
	tests := []struct{ name, expr, want string }{
		{"nothing", "undefined", "undefined"},
		{"null", "null", "null"},
		{"a number", "4.5", "4.5"},
		{"a text", `'a "b"'`, `"a \"b\""`},
		{"a secret", "'pin 4711!'", `"pin ***!"`},
		{"a secret number", "{pin: 4711}", "{pin: ***}"},
		{"a secret name", "{p4711: 1}", "{p***: 1}"},
		{"objects and lists", "{a: [1, 'x', {b: null}], c: undefined}", `{a: [1, "x", {b: null}], c: undefined}`},
		{"a list with gaps", "[1,,2]", "[1, undefined, 2]"},
		{"a long text", "new Array(101).join('ab')", `"` + strings.Repeat("ab", 20) + `…"`},
		{"a secret at the end", "new Array(20).join('ab') + '4711'", `"` + strings.Repeat("ab", 19) + `**…"`},
		{"a text too long to look at", "'a'.repeat(70000)", `"… of 70000 bytes"`},
		{"a long list", "(function() { var a = []; for (var i = 0; i < 1e5; i++) a[i] = i; return a })()", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …]"},
		{"what contains itself", "(function() { var a = {}; a.a = a; return a })()", "{a: {a: {a: {a: …}}}}"},
		{"code", "{f: function() { return 1 }}", "{f: function}"},
		{"what code computes", "{get a() { throw 1 }, b: 2}", "{a: …, b: 2}"},
		{"an error", "new TypeError('no')", `"TypeError: no"`},
		{"what cannot be shown", "new Proxy({}, {ownKeys: function() { throw 1 }})", "…"},
		{"what never ends", "new Proxy({}, {ownKeys: function() { for (;;) {} }})", "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewMachine(Limits{}, NewCache())
			v, err := m.NewScope(nil, "s").Eval(context.Background(), Source{Text: tt.expr})
			if err != nil {
				t.Fatal(err)
			}
			if got := v.Brief(40, func(text string) string { return strings.ReplaceAll(text, "4711", "***") }); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// A scope tells once of each value that a variable has.
func TestChanged(t *testing.T) {
	m := NewMachine(Limits{}, NewCache())
	outer := m.NewScope(nil, "application")
	s := outer.Alias("document")
	write := func(v Value) string { return v.Brief(100, func(text string) string { return text }) }
	for _, step := range []struct {
		code string
		want []string
	}{
		{"var a = 1, b, o = {x: 1}; function f() {}", []string{"a = 1", "o = {x: 1}"}},
		{"a = 1", nil},
		{"b = 'c'; o.x++", []string{"b = \"c\"", "o = {x: 2}"}},
		{"b = undefined", []string{"b = undefined"}},
	} {
		if err := s.Run(context.Background(), Source{Text: step.code}); err != nil {
			t.Fatal(err)
		}
		var got []string
		tell := func(name string, _ Value, text string) { got = append(got, fmt.Sprintf("%s = %s", name, text)) }
		s.Changed(write, tell)
		if got != nil {
			t.Errorf("the same variables under another name: %v", got)
		}
		outer.Changed(write, tell)
		if slices.Sort(got); !slices.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.code, got, step.want)
		}
	}
}

// What is hidden is not shown, whoever refers to it.
func TestHide(t *testing.T) {
	m := NewMachine(Limits{}, NewCache())
	s := m.NewScope(nil, "s")
	if err := s.Run(context.Background(), Source{Text: "var a = {b: [1], get c() { throw 1 }}, d = {a: a, b: a.b}; a.a = a"}); err != nil {
		t.Fatal(err)
	}
	s.Get("a").Hide()
	m.Value(1).Hide()
	for name, want := range map[string]string{"a": "…", "d": "{a: …, b: …}"} {
		if got := s.Get(name).Brief(100, strings.ToLower); got != want {
			t.Errorf("%s is shown as %s, not %s", name, got, want)
		}
	}
}
