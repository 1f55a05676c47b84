package script

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/unistring"
)

// What scripts make of text at run time is compiled by the engine itself, so it has
// to be looked at before. Constructors of functions are guarded like other functions
// (guard.go). A call of eval that sees the variables around it is one by syntax, and
// has to stay one: what is handed to it goes through vet.

// vet is what a script calls for what it hands to eval: a property of numbers that
// cannot be changed, as no variable, and no object in a with, can stand before it.
const vet = "$vet"

// errPassedOn refuses what would give a script the engine's own eval to call by
// another name.
var errPassedOn = errors.New("eval is called, so it cannot be a value as well")

// vet is what is handed to eval, unless it must not be compiled. What it hands to eval
// itself passes in the same way, since its text is written anew.
func (g *guards) vet(c goja.FunctionCall) goja.Value {
	tree, text := g.compilable(c.Argument(0))
	if tree == nil {
		return c.Argument(0)
	}
	within, err := surveyOf(tree)
	switch {
	case within.values > 0:
		panic(g.vm.NewTypeError(errPassedOn.Error()))
	case err != nil:
		g.stop(err)
	case within.calls == nil:
		return c.Argument(0)
	}
	return g.vm.ToValue(vetted(text, within.calls))
}

// vetted is a text whose calls of eval, between these parentheses, go through vet.
func vetted(text string, calls []int) string {
	slices.SortFunc(calls, func(a, b int) int { return max(b, -b) - max(a, -a) })
	for _, i := range calls { // which count from 1
		if i > 0 {
			text = text[:i] + "0.." + vet + "(" + text[i:]
		} else {
			text = text[:-i-1] + ")" + text[-i-1:]
		}
	}
	return text
}

// compilable stops a script that makes of a text what must not be compiled. What is
// no text, or no script, is for the engine to complain of.
func (g *guards) compilable(v goja.Value) (*ast.Program, string) {
	source, ok := v.(goja.String)
	if !ok {
		return nil, ""
	}
	g.limit(int64(source.Length()), int64(g.machine.limits.Size))
	text := source.String()
	tree, err := parse("", text, inlineWork)
	switch {
	case err == nil:
		return tree, text
	case excessive(err):
		g.stop(err)
	}
	return nil, text
}

// evaluating gives a program that calls eval the engine's own.
func (m *Machine) evaluating(made goja.Value) (goja.Value, error) {
	f, ok := goja.AssertFunction(made)
	if !ok {
		return nil, errors.New("compiled script is not a function")
	}
	m.keepEval()
	if !m.vetting {
		g := &guards{vm: m.engine(), machine: m}
		err := g.prototype("Number").DefineDataProperty(vet, m.engine().ToValue(g.vet), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
		if err != nil {
			return nil, fmt.Errorf("look at what is handed to eval: %w", err)
		}
		m.vetting = true
	}
	return f(goja.Undefined(), m.eval)
}

// keepEval keeps the engine's own eval, since its place is taken when it is guarded.
func (m *Machine) keepEval() {
	if m.eval == nil {
		m.eval = m.engine().Get("eval")
	}
}

// Functions whose constructors have no name.
var (
	generating = goja.MustCompile("", "(function*(){})", false)
	waiting    = goja.MustCompile("", "(async function(){})", false)
)

// texts guards the functions that compile the text they are given: eval where it is
// not called by its name, and the constructors of functions.
func (g *guards) texts() {
	g.machine.keepEval()
	g.before(g.vm.GlobalObject(), "eval", func(c goja.FunctionCall) { g.compilable(c.Argument(0)) })
	look := func(args []goja.Value) {
		var size int64
		for _, a := range args {
			size += length(a)
			g.limit(size, int64(g.machine.limits.Size))
			g.compilable(a)
		}
	}
	g.constructor("Function", g.prototype("Function"), look)
	for _, code := range []*goja.Program{generating, waiting} {
		if f, err := g.vm.RunProgram(code); err == nil {
			g.constructor("", f.(*goja.Object).Prototype(), look)
		}
	}
	if f, err := g.vm.RunProgram(generating); err == nil {
		if all, ok := f.(*goja.Object).Prototype().Get("prototype").(*goja.Object); ok {
			g.around(all, "next", g.deeper)
		}
	}
}

// made tells whether a constructor, which is this, has made its argument.
func made(c goja.FunctionCall) bool {
	by, _ := c.This.(*goja.Object)
	o, _ := c.Argument(0).(*goja.Object)
	if by == nil || o == nil {
		return false
	}
	prototype := by.Get("prototype")
	for o = o.Prototype(); o != nil; o = o.Prototype() {
		if o == prototype {
			return true
		}
	}
	return false
}

// constructor replaces a constructor, which has a global name or none, by one that
// looks at its arguments first.
func (g *guards) constructor(name string, prototype *goja.Object, look func([]goja.Value)) {
	original, ok := prototype.Get("constructor").(*goja.Object)
	if !ok {
		return
	}
	call, callable := goja.AssertFunction(original)
	construct, constructs := goja.AssertConstructor(original)
	if !callable || !constructs {
		return
	}
	guarded := g.vm.ToValue(g.vm.NewProxy(original, &goja.ProxyTrapConfig{
		Apply: func(_ *goja.Object, this goja.Value, args []goja.Value) goja.Value {
			look(args)
			v, err := call(this, args...)
			if err != nil {
				panic(err)
			}
			return v
		},
		Construct: func(_ *goja.Object, args []goja.Value, target *goja.Object) *goja.Object {
			look(args)
			v, err := construct(target, args...)
			if err != nil {
				panic(err)
			}
			return v
		},
	}))
	// The properties of built-in objects can be defined anew. The engine does not look
	// through a proxy for instanceof.
	instance := g.vm.ToValue(func(c goja.FunctionCall) goja.Value { return g.vm.ToValue(made(c)) })
	_ = original.DefineDataPropertySymbol(goja.SymHasInstance, instance, goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = prototype.DefineDataProperty("constructor", guarded, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	if name != "" {
		_ = g.vm.GlobalObject().DefineDataProperty(name, guarded, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
}

// A script names what it reaches in its text, where that is seen before the script
// runs (survey.go), or computes the name. Names that are computed pass a function on
// their way, which like vet is a property of numbers, and has guarded what a name
// leads to before it is used.

// keyed is that function.
const keyed = "$key"

// written tells whether the name that an expression comes to stands in the text.
func written(e ast.Expression) bool { return literal(e) != nil }

// passed is the call 0..name(args), which a script cannot stand before.
func passed(name unistring.String, at file.Idx, args []ast.Expression) ast.Expression {
	return &ast.CallExpression{
		Callee: &ast.DotExpression{
			Left:       &ast.NumberLiteral{Idx: at, Literal: "0", Value: int64(0)},
			Identifier: ast.Identifier{Name: name, Idx: at},
		},
		LeftParenthesis: at, ArgumentList: args, RightParenthesis: at,
	}
}

// keys gives numbers the function.
func (g *guards) keys() {
	_ = g.prototype("Number").DefineDataProperty(keyed, g.vm.ToValue(g.key), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
}

// key is the name that a value is as one. Of an object that is settled here, since it
// may be another the next time.
func (g *guards) key(c goja.FunctionCall) goja.Value {
	name := c.Argument(0)
	if o, ok := name.(*goja.Object); ok {
		name = o.ToString()
	}
	text, ok := name.(goja.String)
	if !ok {
		return name
	}
	t := traits[text.String()]
	g.machine.implicit = g.machine.implicit || t.implicit
	g.machine.guard(t.reach)
	return name
}
