package script

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// What one call of the engine's own functions may make.
const (
	maxText    = 16 << 20 // characters of a string
	maxItems   = 1 << 20  // elements of an array
	maxLayers  = 500      // of arrays and objects within each other
	maxSource  = 1 << 16  // characters of an expression that is made up
	maxPattern = 32 << 20 // characters of an expression times those it looks at
)

// guards puts checks before the engine's functions that allocate or loop in
// proportion to a number, which a page chooses, and see no interrupt meanwhile.
type guards struct {
	vm      *goja.Runtime
	depth   int // of calls of deeper within each other
	machine *Machine
	// describe is Object.getOwnPropertyDescriptor, whatever a page makes of that.
	describe goja.Callable
}

// guard guards the groups that a script reaches, but for those that are guarded.
func (m *Machine) guard(wanted reach) {
	wanted &^= m.guarded
	if wanted == 0 {
		return
	}
	m.guarded |= wanted
	g := &guards{vm: m.engine(), machine: m}
	for _, group := range []struct {
		of    reach
		guard func()
	}{
		{lengthening, g.lengthening}, {replacing, g.replacing}, {matching, g.matching}, {listing, g.listing}, {widening, g.widening},
		{farthest, g.farthest}, {adding, g.adding},
	} {
		if wanted&group.of != 0 {
			group.guard()
		}
	}
}

func (g *guards) lengthening() {
	text := g.prototype("String")
	for _, name := range []string{"repeat", "padStart", "padEnd"} {
		g.before(text, name, g.longer)
	}
}

func (g *guards) replacing() {
	text := g.prototype("String")
	for _, name := range []string{"replace", "replaceAll"} {
		g.before(text, name, g.replacement)
	}
}

func (g *guards) matching() {
	expression := g.prototype("RegExp")
	g.around(expression, "exec", g.exec)
	g.around(expression, "test", g.test)
}

// listing guards what makes lists, and texts of them, and names that are computed.
func (g *guards) listing() {
	text, array := g.prototype("String"), g.prototype("Array")
	g.around(text, "concat", g.concatenation)
	g.around(array, "join", g.join)
	g.before(array, "concat", g.together)
	g.before(array, "flat", g.flattened)
	g.around(array, "flatMap", g.mapped)
	for _, name := range []string{"fill", "splice", "unshift", "toSorted", "toSpliced", "toReversed", "with"} {
		g.before(array, name, func(c goja.FunctionCall) { g.bounded(c.This) })
	}
	g.before(text, "split", func(c goja.FunctionCall) { g.limit(length(c.This), maxText/4) })
	g.before(g.object("Array"), "from", g.first)
	g.before(g.prototype("Function"), "apply", g.second)
	g.before(g.object("JSON"), "stringify", func(c goja.FunctionCall) { g.shallow(c.Argument(0), maxLayers, new(int)) })
	g.keys()
}

// farthest guards what only scripts reach that name it, or that make up names.
func (g *guards) farthest() {
	for _, name := range []string{"keys", "values", "entries", "assign", "getOwnPropertyNames", "getOwnPropertyDescriptors"} {
		g.before(g.object("Object"), name, func(c goja.FunctionCall) {
			for _, v := range c.Arguments {
				g.limit(length(v), maxText/4)
			}
		})
	}
	g.before(g.object("Reflect"), "apply", func(c goja.FunctionCall) { g.bounded(c.Argument(2)) })
	g.before(g.object("Reflect"), "construct", g.second)
	g.before(g.object("String"), "raw", func(c goja.FunctionCall) {
		if o, ok := c.Argument(0).(*goja.Object); ok {
			g.bounded(o.Get("raw"))
		}
	})
	g.withhold()
	g.texts()
}

func (g *guards) object(name string) *goja.Object {
	o, _ := g.vm.Get(name).(*goja.Object)
	return o
}

func (g *guards) prototype(name string) *goja.Object {
	o, _ := g.object(name).Get("prototype").(*goja.Object)
	return o
}

// stop ends the script. The interrupt makes that final: catch does not see it.
func (g *guards) stop(why error) {
	g.machine.interrupt(why)
	panic(g.vm.NewGoError(why))
}

func (g *guards) limit(n, most int64) {
	if n > most {
		g.stop(errMemory)
	}
}

type native = func(goja.FunctionCall) goja.Value

// around replaces a function by one that has the original at hand.
func (g *guards) around(holder *goja.Object, name string, f func(goja.FunctionCall, native) goja.Value) {
	original, ok := goja.AssertFunction(holder.Get(name))
	if !ok {
		return // this engine has no such function
	}
	call := func(c goja.FunctionCall) goja.Value {
		v, err := original(c.This, c.Arguments...)
		if err != nil {
			panic(err)
		}
		return v
	}
	guarded := g.vm.ToValue(func(c goja.FunctionCall) goja.Value {
		if why := g.machine.stopping.Load(); why != nil {
			panic(g.vm.NewGoError(*why)) // others of the engine's functions may be calling this for long
		}
		return f(c, call)
	})
	// The property of a built-in object can be defined anew.
	_ = holder.DefineDataProperty(name, guarded, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

func (g *guards) before(holder *goja.Object, name string, check func(goja.FunctionCall)) {
	g.around(holder, name, func(c goja.FunctionCall, original native) goja.Value {
		check(c)
		return original(c)
	})
}

func length(v goja.Value) int64 {
	switch v := v.(type) {
	case nil:
		return 0
	case *goja.Object:
		if n := v.Get("length"); n != nil {
			return n.ToInteger()
		}
		return 0
	case goja.String:
		return int64(v.Length())
	}
	return 0
}

func (g *guards) bounded(list goja.Value)    { g.limit(length(list), maxItems) }
func (g *guards) first(c goja.FunctionCall)  { g.bounded(c.Argument(0)) }
func (g *guards) second(c goja.FunctionCall) { g.bounded(c.Argument(1)) }
func textual(v goja.Value) int64             { return max(length(v), 1) }

// longer holds repeat, padStart and padEnd, whose number is a factor or a length.
func (g *guards) longer(c goja.FunctionCall) {
	n := max(c.Argument(0).ToInteger(), 0)
	g.limit(n, maxText)
	if len(c.Arguments) == 1 {
		g.limit(n*length(c.This), maxText)
	}
}

// replacement bounds text by the worst that a replacement can make of it.
func (g *guards) replacement(c goja.FunctionCall) {
	with, ok := c.Argument(1).(goja.String)
	if !ok {
		return
	}
	size := textual(c.This) * textual(with)
	g.limit(size, maxText)
	if s := with.String(); strings.Contains(s, "$`") || strings.Contains(s, "$'") {
		g.limit(size*textual(c.This), maxText)
	}
}

// join bounds the text that an array's elements make, and their depth.
func (g *guards) join(c goja.FunctionCall, original native) goja.Value {
	g.bounded(c.This)
	if list, ok := c.This.(*goja.Object); ok {
		separator := int64(1)
		if s := c.Argument(0); !goja.IsUndefined(s) {
			separator = textual(s)
		}
		size := length(list) * separator
		g.limit(size, maxText)
		if length(list) > 0 {
			g.vm.ForOf(list, func(v goja.Value) bool {
				if s, ok := v.(goja.String); ok {
					size += int64(s.Length())
				}
				return size <= maxText
			})
		}
		g.limit(size, maxText)
	}
	return g.deeper(c, original)
}

// deeper bounds how deep a function of the engine calls itself by way of a script.
func (g *guards) deeper(c goja.FunctionCall, original native) goja.Value {
	g.depth++
	defer func() { g.depth-- }()
	g.limit(int64(g.depth), maxLayers)
	return original(c)
}

// shallow bounds the depth of a value, for functions that call themselves for
// each level, and the arrays in it.
func (g *guards) shallow(v goja.Value, left int, seen *int) {
	if text, ok := v.(goja.String); ok {
		*seen += text.Length() * maxItems / maxText
	}
	g.limit(int64(*seen), maxItems)
	o, ok := v.(*goja.Object)
	if !ok {
		return
	}
	*seen++
	g.bounded(o)
	if left == 0 {
		g.stop(errMemory)
	}
	for _, k := range o.Keys() {
		g.shallow(o.Get(k), left-1, seen)
	}
}

// exec runs an expression, unless its size and the text's tell that it may take
// long. A match that took all its time found nothing, which is no answer.
func (g *guards) exec(c goja.FunctionCall, original native) goja.Value {
	text := c.Argument(0)
	if rx, ok := c.This.(*goja.Object); ok && length(text) > 1<<10 {
		source := rx.Get("source").String()
		cost := length(text) * int64(len(source))
		if strings.Contains(source, "{") {
			cost *= 64 // a repeat is written out
		}
		if cost > maxPattern {
			g.stop(errPattern)
		}
	}
	begin := time.Now()
	found := original(c)
	if !found.ToBoolean() && time.Since(begin) >= patternTime {
		g.stop(errPattern)
	}
	if o, ok := found.(*goja.Object); ok {
		g.machine.matched = o
	}
	return found
}

// test is exec of which only the success counts.
func (g *guards) test(c goja.FunctionCall, _ native) goja.Value {
	exec, ok := goja.AssertFunction(g.prototype("RegExp").Get("exec"))
	if !ok {
		panic(g.vm.NewTypeError("exec is no function"))
	}
	found, err := exec(c.This, c.Arguments...)
	if err != nil {
		panic(err)
	}
	return g.vm.ToValue(!goja.IsNull(found))
}

// withhold takes away what makes raw memory and endless integers: no dialogue
// has a use for them.
func (g *guards) withhold() {
	for _, name := range []string{
		"ArrayBuffer", "DataView", "BigInt", "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array",
		"Int32Array", "Uint32Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array",
	} {
		// The properties of the global object can be deleted.
		_ = g.vm.GlobalObject().Delete(name)
	}
}

// Text that is added to itself doubles each time: a few additions outgrow any memory
// between two looks at the heap, and while the last of them copies, nobody looks. So
// the length of every text that is added up is looked at by the script itself, in a
// function which like vet is a property of numbers. A text with one of the script's
// own literals added grows no faster than it can be copied, and is left to the watch;
// so is what scripts hand to eval.

// sum is that function. Its second argument is how many texts are to be one.
const sum = "$sum"

var expressions = reflect.TypeFor[ast.Expression]()

// sum has an addition, which is the expression at a place, pass the machine.
func (s *survey) sum(place reflect.Value) {
	if place.Type() != expressions || !place.CanSet() {
		return
	}
	e, _ := place.Interface().(ast.Expression)
	if adds(e) {
		s.add(trait{reach: adding})
		place.Set(reflect.ValueOf(passed(sum, e.Idx0(), []ast.Expression{e})))
	}
}

// adds tells whether an expression may add two texts that are not the script's own.
func adds(e ast.Expression) bool {
	switch e := e.(type) {
	case *ast.BinaryExpression:
		return e.Operator == token.PLUS && literal(e.Left) == nil && literal(e.Right) == nil
	case *ast.AssignExpression:
		return e.Operator == token.PLUS && literal(e.Right) == nil
	}
	return false
}

// template has what a template is made of pass the machine.
func (s *survey) template(n *ast.TemplateLiteral) {
	if n.Tag != nil || len(n.Expressions) < 2 {
		return
	}
	s.add(trait{reach: adding})
	of := strconv.Itoa(len(n.Expressions))
	for i, e := range n.Expressions {
		n.Expressions[i] = passed(sum, e.Idx0(), []ast.Expression{e, &ast.NumberLiteral{
			Idx: e.Idx0(), Literal: of, Value: int64(len(n.Expressions)),
		}})
	}
}

// adding gives numbers the function.
func (g *guards) adding() {
	_ = g.prototype("Number").DefineDataProperty(sum, g.vm.ToValue(g.sum), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
}

// sum is a text, unless it is too long to be one of so many. An object among these is
// made the text that it comes to, which may be another the next time.
func (g *guards) sum(c goja.FunctionCall) goja.Value {
	v, of := c.Argument(0), c.Argument(1)
	many := int64(1)
	if !goja.IsUndefined(of) {
		many = of.ToInteger()
		if o, ok := v.(*goja.Object); ok {
			v = o.ToString()
		}
	}
	if text, ok := v.(goja.String); ok {
		g.limit(int64(text.Length()), maxText/many)
	}
	return v
}

// concatenation holds concat of texts.
func (g *guards) concatenation(c goja.FunctionCall, original native) goja.Value {
	size, args := length(c.This), make([]goja.Value, len(c.Arguments))
	for i, v := range c.Arguments {
		if o, ok := v.(*goja.Object); ok {
			v = o.ToString()
		}
		size += length(v)
		g.limit(size, maxText)
		args[i] = v
	}
	c.Arguments = args
	return original(c)
}
