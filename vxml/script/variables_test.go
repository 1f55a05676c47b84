package script

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A read-only scope gives what it has, made once and not before it is read, and
// takes nothing (VoiceXML 2.0 section 5.1.2).
func TestReadOnly(t *testing.T) {
	tests := []struct{ name, run, expr, want string }{
		{name: "a variable", expr: "a.n", want: "1"},
		{name: "by the scope's name", expr: "session.a.n", want: "1"},
		{name: "made once", expr: "a === session.a", want: "true"},
		{name: "no other", expr: "typeof session.c + typeof c", want: "undefinedundefined"},
		{name: "not of Object's either", expr: "typeof session.toString", want: "undefined"},
		{name: "its names", expr: "Object.keys(session).join()", want: "a,broken"},
		{name: "assigned", run: "session.a = 2; session.c = 3", expr: "a.n + typeof session.c", want: "1undefined"},
		{name: "deleted", run: "delete session.a", expr: "a.n", want: "1"},
		{name: "changed inside", run: "a.n = 2; a.o.n = 3; a.x = 1", expr: "a.n + typeof a.o.n + typeof a.x", want: "1undefinedundefined"},
		{name: "shadowed", run: "var a = 7", expr: "a + session.a.n", want: "8"},
		{name: "one that cannot be made", expr: "broken", want: "nothing there"},
		{name: "defined", run: "Object.defineProperty(session, 'c', {value: 1})", want: "TypeError"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, made := NewMachine(Limits{}, NewCache()), 0
			scope := m.NewScope(m.NewReadOnly("session", told{
				"a": func() (Value, error) {
					made++
					return m.Value(map[string]any{"n": 1, "o": map[string]any{}}), nil
				},
				"broken": func() (Value, error) {
					made++
					return Value{}, errors.New("nothing there")
				},
			}), "document")
			err := scope.Run(context.Background(), Source{Text: "var unrelated = Math.max(1, 2)"})
			if err != nil || made != 0 {
				t.Fatalf("made %d before any was read, %v", made, err)
			}
			err = scope.Run(context.Background(), Source{Text: tt.run})
			got := ""
			if err == nil {
				var v Value
				v, err = scope.Eval(context.Background(), Source{Text: tt.expr + "\n"})
				got = v.String()
			}
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) || made > 1 {
				t.Errorf("%q, want %q; made %d times", got, tt.want, made)
			}
		})
	}
}

// Variables are the same whether or not the engine has seen them, and in the order in
// which they were made; what needs no script does without the engine.
func TestVariables(t *testing.T) {
	for _, many := range []int{0, 1, maxListed - 1, maxListed, maxListed + 1} {
		m := NewMachine(Limits{}, NewCache())
		outer := m.NewScope(nil, "application")
		s := m.NewScope(outer.Alias("document"), "dialog")
		var want []string
		for i := range many {
			name := string(rune('z' - i))
			want = append(want, name)
			if err := errors.Join(outer.Declare(name, m.Value("?")), outer.Declare(name, m.Value(i))); err != nil {
				t.Fatal(err)
			}
			v, err := s.Eval(context.Background(), Source{Text: name})
			if err != nil || v.Int() != i {
				t.Errorf("%s of %d variables is %s, %v", name, many, v, err)
			}
		}
		if m.vm != nil && many <= maxListed {
			t.Errorf("%d variables that no script has seen needed the engine", many)
		}
		if got := outer.vars.names(); strings.Join(got, "") != strings.Join(want, "") {
			t.Errorf("listed are %v", got)
		}
		err := outer.Run(context.Background(), Source{Text: "var late = Object.keys(application).join('')"})
		if got := s.parent.Get("late").String(); err != nil || got != strings.Join(want, "")+"late" {
			t.Errorf("a script has seen %q, %v", got, err)
		}
	}
}

// Whatever a session evaluates first finds the engine.
func TestFirst(t *testing.T) {
	for _, expr := range []string{
		"1", "'long'.length", "a.length", "a.b", "-a", "a + 'x'", "a ? 1 : 2", "[1].concat(2).length", "eval('1')", "'x'.substr(0)", "/x/.test('x') && RegExp.$1", "{b: 1}.b",
	} {
		m := NewMachine(Limits{}, NewCache())
		s := m.NewScope(nil, "s")
		if err := s.Declare("a", m.Value("text")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Eval(context.Background(), Source{Text: expr}); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

// What is declared for later is made when somebody first asks for it, once.
func TestDeclareLater(t *testing.T) {
	tests := []struct {
		name string
		use  func(s *Scope) (string, error)
		want string
		made int
	}{
		{"nobody asks", func(s *Scope) (string, error) { return s.Find("x").Name(), nil }, "application", 0},
		{"it is read", func(s *Scope) (string, error) { return s.Get("x").String(), nil }, "made", 1},
		{"it is read by name", func(s *Scope) (string, error) {
			v, err := s.Eval(context.Background(), Source{Text: "application.x"})
			return v.String(), err
		}, "made", 1},
		{"a script reads it twice", func(s *Scope) (string, error) {
			v, err := s.Eval(context.Background(), Source{Text: "(function() { return x + x })()"})
			return v.String() + s.Get("x").String(), err
		}, "mademademade", 1},
		{"it is declared anew", func(s *Scope) (string, error) {
			err := s.Declare("x", s.machine.Value("new"))
			return s.Get("x").String(), err
		}, "new", 0},
		{"there are many", func(s *Scope) (string, error) {
			for i := range maxListed {
				if err := s.Declare(fmt.Sprintf("n%d", i), Value{}); err != nil {
					return "", err
				}
			}
			return s.Get("x").String(), s.DeclareLater("y", func() Value { return s.Get("x") })
		}, "made", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewMachine(Limits{}, NewCache())
			s := m.NewScope(nil, "application")
			made := 0
			err := s.DeclareLater("x", func() Value { made++; return m.Value("made") })
			if err != nil {
				t.Fatal(err)
			}
			got, err := tt.use(s)
			if got != tt.want || made != tt.made || err != nil {
				t.Errorf("%q, made %d times, %v; want %q, %d times", got, made, err, tt.want, tt.made)
			}
		})
	}
}
