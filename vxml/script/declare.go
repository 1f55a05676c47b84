package script

import (
	"regexp"
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
	at        int // behind its brace
	functions []string
}

// declarations parses a script alone, which also refuses text that would only
// make sense inside the wrapper, such as an unbalanced brace.
func declarations(src Source) (declared, error) {
	var d declared
	tree, err := parse(src.Name, src.Text)
	if err != nil {
		return d, &Error{Source: src, Message: err.Error()}
	}
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
	return d, nil
}

// within finds the blocks of a statement that declare functions.
func (d *declared) within(s ast.Statement) {
	switch s := s.(type) {
	case *ast.BlockStatement:
		if s == nil {
			return
		}
		b := block{at: int(s.LeftBrace)} // which counts from 1
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

// published is the script's text with its functions in blocks put onto the scope.
func (d *declared) published(text string) string {
	slices.SortFunc(d.blocks, func(a, b block) int { return b.at - a.at })
	for _, b := range d.blocks {
		text = text[:b.at] + publish(b.functions) + text[b.at:]
	}
	return text
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

// markup is what hid scripts from browsers that knew none: to a script it begins a
// comment (ECMA-262 annex B.1.1). Lines that begin with it are all that is written.
var markup = regexp.MustCompile(`(?m)^([ \t]*)(?:<!--|-->)`)

// uncommented is a script with such comments as usual ones.
func uncommented(text string) string {
	if !strings.Contains(text, "<!--") && !strings.Contains(text, "-->") {
		return text
	}
	return markup.ReplaceAllString(text, "$1//")
}
