package script

import (
	"context"
	"slices"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// Most expressions of pages are a literal, a variable, or a comparison of these, and
// many scripts only declare functions. They call nothing and cannot loop, so none of
// the limits needs a watch, which costs more than they do themselves. That holds as long as no script has given
// an object code that runs without being called: accessors, conversions, proxies.

// plain is a script that is simpler than its compiled program.
type plain struct {
	literal any      // int64, float64, string or bool; nil: it is none
	path    []string // a variable, and names of members behind it
	brief   bool     // it calls nothing
}

// maxPlain bounds the text of an expression that runs without limits: what it
// makes is no longer than what it is made of and its text.
const maxPlain = 256

// plainOf looks at an expression of a text's length.
func plainOf(e ast.Expression, size int) plain {
	if size > maxPlain || !brief(e) {
		return plain{}
	}
	p := plain{literal: literal(e), brief: true}
	p.path, _ = path(e)
	return p
}

// declares tells whether a script declares functions, and variables that are literals or
// have no value, and does nothing else.
func declares(tree *ast.Program) bool {
	for _, s := range tree.Body {
		switch s := s.(type) {
		case *ast.FunctionDeclaration, *ast.EmptyStatement:
		case *ast.VariableStatement:
			if !slices.ContainsFunc(s.List, computes) {
				continue
			}
			return false
		default:
			return false
		}
	}
	return true
}

// computes tells whether what a variable is must be found out.
func computes(b *ast.Binding) bool {
	_, named := b.Target.(*ast.Identifier)
	return !named || b.Initializer != nil && literal(b.Initializer) == nil
}

func literal(e ast.Expression) any {
	switch e := e.(type) {
	case *ast.NumberLiteral:
		switch n := e.Value.(type) {
		case int64, float64:
			return n
		}
	case *ast.StringLiteral:
		return e.Value.String()
	case *ast.BooleanLiteral:
		return e.Value
	}
	return nil
}

// path are the names that a member expression strings together.
func path(e ast.Expression) ([]string, bool) {
	switch e := e.(type) {
	case *ast.Identifier:
		return []string{e.Name.String()}, true
	case *ast.DotExpression:
		left, ok := path(e.Left)
		return append(left, e.Identifier.Name.String()), ok
	}
	return nil, false
}

// brief tells whether an expression calls nothing, and makes no text longer than
// what it is given by more than its own.
func brief(e ast.Expression) bool {
	switch e := e.(type) {
	case *ast.NumberLiteral:
		return literal(e) != nil
	case *ast.StringLiteral, *ast.BooleanLiteral, *ast.NullLiteral, *ast.Identifier:
		return true
	case *ast.DotExpression:
		return brief(e.Left)
	case *ast.BracketExpression:
		return brief(e.Left) && literal(e.Member) != nil
	case *ast.UnaryExpression:
		switch e.Operator {
		case token.NOT, token.MINUS, token.TYPEOF:
			return brief(e.Operand)
		}
	case *ast.ConditionalExpression:
		return brief(e.Test) && brief(e.Consequent) && brief(e.Alternate)
	case *ast.BinaryExpression:
		return operates(e) && brief(e.Left) && brief(e.Right)
	}
	return false
}

func operates(e *ast.BinaryExpression) bool {
	switch e.Operator {
	case token.PLUS:
		return literal(e.Left) != nil || literal(e.Right) != nil
	case token.MINUS, token.MULTIPLY, token.SLASH, token.REMAINDER, token.LOGICAL_AND, token.LOGICAL_OR, token.EQUAL,
		token.NOT_EQUAL, token.STRICT_EQUAL, token.STRICT_NOT_EQUAL, token.LESS, token.GREATER, token.LESS_OR_EQUAL,
		token.GREATER_OR_EQUAL:
		return true
	}
	return false
}

// plainly is the value of an expression that is a literal or a variable, nil
// where its program has to tell.
func (s *Scope) plainly(src Source, p plain) goja.Value {
	m := s.machine
	switch {
	case p.literal != nil:
		return unowned(p.literal)
	case p.path == nil || m.implicit:
		return nil
	}
	owner := s.Find(p.path[0])
	if owner == nil || owner.vars.fixed != nil {
		return nil
	}
	v, err := m.try(src, func() (goja.Value, error) { return member(owner.vars, p.path), nil })
	if err != nil {
		return nil
	}
	return v
}

// member is what a path leads to, nil where it leads nowhere.
func member(vars *variables, path []string) goja.Value {
	v := vars.get(path[0])
	for _, name := range path[1:] {
		inner, ok := v.(*goja.Object)
		if !ok {
			return nil
		}
		v = inner.Get(name)
	}
	return v
}

// briefly runs f where it is called, without a watch.
func (m *Machine) briefly(_ context.Context, src Source, f func() (goja.Value, error)) (goja.Value, error) {
	outer := m.busy
	m.busy = true
	defer func() { m.busy = outer }()
	return m.try(src, f)
}
