package script

import (
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// declared are the names that a script declares in its scope.
type declared struct {
	vars, functions, lexical []string
	blocks                   []block
}

// block is a block with functions in it, which become the scope's when the block is
// run (ECMA-262 annex B.3.3): the engine keeps them to the block.
type block struct {
	statement *ast.BlockStatement
	functions []string
}

// declarations are those of a script.
func declarations(tree *ast.Program) declared {
	var d declared
	for _, v := range tree.DeclarationList {
		d.vars = append(d.vars, bound(v.List)...)
	}
	for _, s := range tree.Body {
		switch s := s.(type) {
		case *ast.FunctionDeclaration:
			d.functions = append(d.functions, s.Function.Name.Name.String())
		case *ast.ClassDeclaration:
			d.lexical = append(d.lexical, s.Class.Name.Name.String())
		case *ast.LexicalDeclaration:
			d.lexical = append(d.lexical, bound(s.List)...)
		default:
			d.within(s)
		}
	}
	return d
}

// within finds the blocks of a statement that declare functions.
func (d *declared) within(s ast.Statement) {
	switch s := s.(type) {
	case *ast.BlockStatement:
		if s == nil {
			return
		}
		b := block{statement: s}
		for _, inner := range s.List {
			if f, ok := inner.(*ast.FunctionDeclaration); ok {
				b.functions = append(b.functions, f.Function.Name.Name.String())
			}
			d.within(inner)
		}
		if b.functions != nil {
			d.blocks = append(d.blocks, b)
		}
	case *ast.IfStatement:
		d.within(s.Consequent)
		d.within(s.Alternate)
	case *ast.ForStatement:
		d.within(s.Body)
	case *ast.ForInStatement:
		d.within(s.Body)
	case *ast.WhileStatement:
		d.within(s.Body)
	case *ast.DoWhileStatement:
		d.within(s.Body)
	case *ast.TryStatement:
		d.within(s.Body)
		d.within(s.Finally)
		if s.Catch != nil {
			d.within(s.Catch.Body)
		}
	}
}

// published has a script put what it declares onto the scope: functions before it
// runs, and where they stand in a block, before that does; the others at its end.
func (d *declared) published(tree *ast.Program) {
	for _, b := range d.blocks {
		b.statement.List = slices.Concat(publish(b.functions), b.statement.List)
	}
	tree.Body = slices.Concat(publish(d.functions), tree.Body, publish(d.lexical))
}

func bound(list []*ast.Binding) []string {
	var names []string
	for _, b := range list {
		names = append(names, targets(b.Target)...)
	}
	return names
}

// targets are the names that a pattern binds.
func targets(e ast.Expression) []string {
	var names []string
	switch e := e.(type) {
	case *ast.Identifier:
		return []string{e.Name.String()}
	case *ast.AssignExpression: // with a default
		return targets(e.Left)
	case *ast.ArrayPattern:
		for _, inner := range append(slices.Clone(e.Elements), e.Rest) {
			names = append(names, targets(inner)...)
		}
	case *ast.ObjectPattern:
		for _, p := range e.Properties {
			switch p := p.(type) {
			case *ast.PropertyShort:
				names = append(names, p.Name.Name.String())
			case *ast.PropertyKeyed:
				names = append(names, targets(p.Value)...)
			}
		}
		names = append(names, targets(e.Rest)...)
	}
	return names
}

// uncommented is a script whose comments of markup are usual ones: what hid scripts
// from browsers that knew none (ECMA-262 annex B.1.1). Lines that begin with them are
// all that is written.
func uncommented(text string) string {
	if !strings.Contains(text, "<!--") && !strings.Contains(text, "-->") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		rest := strings.TrimLeft(line, " \t")
		if after, ok := cutAny(rest, "<!--", "-->"); ok {
			b.WriteString(line[:len(line)-len(rest)] + "//")
			rest = after
		} else {
			rest = line
		}
		b.WriteString(rest)
	}
	return b.String()
}

func cutAny(text string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if after, ok := strings.CutPrefix(text, p); ok {
			return after, true
		}
	}
	return text, false
}
