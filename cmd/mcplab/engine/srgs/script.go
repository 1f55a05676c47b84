package srgs

import (
	"fmt"
	"strconv"
	"strings"
	"text/scanner"
)

// runScript executes a tag of SISR 1.0's script form. It knows assignments to
// out and its properties of sums of literals, rules.NAME, rules.latest(),
// meta.latest().text, meta.current().text and out itself, which is what most
// grammars use; anything else is refused, not guessed.
func runScript(source string, s *scope) error {
	r := &scriptRun{scope: s, source: source}
	r.lex.Init(strings.NewReader(source))
	r.lex.Mode = scanner.ScanIdents | scanner.ScanFloats | scanner.ScanChars | scanner.ScanStrings | scanner.SkipComments | scanner.ScanComments
	r.lex.Error = func(*scanner.Scanner, string) {}
	// A script string in single quotes may hold several characters, which the
	// scanner reports as an error but delivers whole.
	r.advance()
	for r.tok != scanner.EOF {
		if r.tok == ';' {
			r.advance()
			continue
		}
		if err := r.assignment(); err != nil {
			return fmt.Errorf("%w: tag %q: %v", ErrUnsupported, source, err)
		}
	}
	return nil
}

type scriptRun struct {
	scope  *scope
	source string
	lex    scanner.Scanner
	tok    rune
}

func (r *scriptRun) advance() { r.tok = r.lex.Scan() }

func (r *scriptRun) expect(tok rune) error {
	if r.tok != tok {
		return fmt.Errorf("%s instead of %s", r.lex.TokenText(), scanner.TokenString(tok))
	}
	r.advance()
	return nil
}

// assignment reads out[.a.b] = sum or out[.a.b] += sum.
func (r *scriptRun) assignment() error {
	path, err := r.path()
	if err != nil {
		return err
	}
	if path[0] != "out" {
		return fmt.Errorf("assignment to %s", path[0])
	}
	adds := r.tok == '+'
	if adds {
		r.advance()
	}
	if err := r.expect('='); err != nil {
		return err
	}
	value, err := r.sum()
	if err != nil {
		return err
	}
	if old := property(r.scope.out, path[1:]); adds && old != nil {
		value = add(old, value)
	}
	r.assign(path[1:], value)
	return nil
}

func (r *scriptRun) assign(path []string, value Meaning) {
	if len(path) == 0 {
		r.scope.out = value
		return
	}
	object, ok := r.scope.out.(*Object)
	if !ok {
		object = &Object{}
		r.scope.out = object
	}
	for _, name := range path[:len(path)-1] {
		inner, ok := object.Get(name).(*Object)
		if !ok {
			inner = &Object{}
			object.set(name, inner)
		}
		object = inner
	}
	object.set(path[len(path)-1], value)
}

// path reads names joined by dots; a call's parentheses stay with its name.
func (r *scriptRun) path() ([]string, error) {
	var path []string
	for {
		name := r.lex.TokenText()
		if err := r.expect(scanner.Ident); err != nil {
			return nil, err
		}
		if r.tok == '(' {
			r.advance()
			if err := r.expect(')'); err != nil {
				return nil, err
			}
			name += "()"
		}
		path = append(path, name)
		if r.tok != '.' {
			return path, nil
		}
		r.advance()
	}
}

func (r *scriptRun) sum() (Meaning, error) {
	total, err := r.term()
	for err == nil && r.tok == '+' {
		r.advance()
		var more Meaning
		if more, err = r.term(); err == nil {
			total = add(total, more)
		}
	}
	return total, err
}

// add is ECMAScript's +: a sum of two numbers, otherwise a concatenation.
func add(a, b Meaning) Meaning {
	x, isNumber := a.(float64)
	y, areNumbers := b.(float64)
	if isNumber && areNumbers {
		return x + y
	}
	return text(a) + text(b)
}

func (r *scriptRun) term() (Meaning, error) {
	literal := r.lex.TokenText()
	switch r.tok {
	case scanner.Char, scanner.String:
		r.advance()
		return unquote(literal), nil
	case scanner.Int, scanner.Float:
		r.advance()
		return strconv.ParseFloat(literal, 64)
	case scanner.Ident:
		path, err := r.path()
		if err != nil {
			return nil, err
		}
		return r.value(path)
	}
	return nil, fmt.Errorf("unexpected %s", literal)
}

// value resolves a name.
func (r *scriptRun) value(path []string) (Meaning, error) {
	s, full := r.scope, strings.Join(path, ".")
	switch {
	case full == "true" || full == "false":
		return full == "true", nil
	case full == "meta.latest().text":
		return s.said, nil
	case full == "meta.current().text":
		return strings.Join(s.text, " "), nil
	case path[0] == "out":
		return property(s.out, path[1:]), nil
	case path[0] == "rules" && len(path) > 1 && path[1] == "latest()":
		return property(s.latest, path[2:]), nil
	case path[0] == "rules" && len(path) > 1:
		return property(s.rules[path[1]], path[2:]), nil
	}
	return nil, fmt.Errorf("unknown %s", full)
}

func property(m Meaning, path []string) Meaning {
	for _, name := range path {
		object, ok := m.(*Object)
		if !ok {
			return nil
		}
		m = object.Get(name)
	}
	return m
}

// unquote takes the quotes off a script string and resolves backslashes.
func unquote(s string) string {
	s = s[1 : len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
