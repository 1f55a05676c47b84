package script

import (
	"reflect"
	"strconv"

	"github.com/dop251/goja"

	"mcp/vxml/script/scan"
)

// widening guards what goes through lists by their length, whatever they hold, and what
// compiles expressions.
func (g *guards) widening() {
	g.describe, _ = goja.AssertFunction(g.object("Object").Get("getOwnPropertyDescriptor"))
	text, array := g.prototype("String"), g.prototype("Array")
	for _, name := range lengthy {
		g.before(array, name, func(c goja.FunctionCall) { g.list(c.This) })
	}
	for _, list := range []goja.Value{g.vm.NewArray(), g.vm.ToValue("")} {
		g.iterator(list.ToObject(g.vm))
	}
	for _, name := range []string{"match", "matchAll", "search"} {
		g.before(text, name, func(c goja.FunctionCall) { g.patterns(c.Arguments) })
	}
	g.constructor("RegExp", g.prototype("RegExp"), g.patterns)
	g.before(g.object("JSON"), "parse", func(c goja.FunctionCall) {
		if text, ok := c.Argument(0).(goja.String); ok && scan.Nests(text.String()) {
			g.stop(errMemory)
		}
	})
}

// lengthy are the functions of arrays that go through all that there could be below a
// length, which of any other object is whatever a page says.
var lengthy = []string{
	"concat", "copyWithin", "every", "fill", "filter", "find", "findIndex", "findLast", "findLastIndex", "flat", "flatMap", "forEach",
	"includes", "indexOf", "lastIndexOf", "map", "reduce", "reduceRight", "reverse", "shift", "slice", "some", "sort", "splice",
	"toLocaleString", "toReversed", "toSorted", "toSpliced", "unshift", "with",
}

// list bounds what is taken for an array. Its length must not be another when it is
// read again.
func (g *guards) list(v goja.Value) {
	g.bounded(v)
	o, ok := v.(*goja.Object)
	if !ok || o.ClassName() == "Array" && o.ExportType() != proxied {
		return
	}
	for ; o != nil; o = o.Prototype() {
		if o.ExportType() == proxied {
			g.stop(errComputed)
		}
		found, err := g.describe(goja.Undefined(), o, g.vm.ToValue("length"))
		if err != nil {
			panic(err)
		}
		if d, isThere := found.(*goja.Object); isThere {
			if d.Get("get") != nil {
				g.stop(errComputed)
			}
			return
		}
	}
}

var proxied = reflect.TypeFor[goja.Proxy]()

// iterator has the iteration of lists of a kind come by a guard at each step.
func (g *guards) iterator(list *goja.Object) {
	begin, ok := goja.AssertFunction(list.GetSymbol(goja.SymIterator))
	if !ok {
		return
	}
	if it, err := begin(list); err == nil {
		g.before(it.ToObject(g.vm).Prototype(), "next", func(goja.FunctionCall) {})
	}
}

// patterns bounds the expressions that a script makes up.
func (g *guards) patterns(args []goja.Value) {
	for _, a := range args {
		if text, ok := a.(goja.String); ok && (text.Length() > maxSource || scan.Nests(text.String())) {
			g.stop(errPattern)
		}
	}
}

// items is how many elements a value makes where lists are put together.
func items(v goja.Value) int64 {
	if o, ok := v.(*goja.Object); ok {
		return max(length(o), 1)
	}
	return 1
}

// together holds concat of arrays.
func (g *guards) together(c goja.FunctionCall) {
	size := items(c.This)
	for _, v := range c.Arguments {
		size += items(v)
	}
	g.limit(size, maxItems)
}

// flattened holds flat.
func (g *guards) flattened(c goja.FunctionCall) {
	g.bounded(c.This)
	depth := int64(1)
	if d := c.Argument(0); !goja.IsUndefined(d) {
		depth = d.ToInteger()
	}
	count := flatCount{guards: g, depth: depth}
	count.list(c.This, 0)
}

// flatCount counts what a list comes to that is made flat to a depth.
type flatCount struct {
	*guards
	depth, seen int64
}

func (f *flatCount) list(v goja.Value, layer int64) {
	list, ok := v.(*goja.Object)
	if !ok || list.ClassName() != "Array" && list.ExportType() != proxied {
		return
	}
	n := length(list)
	f.seen += n
	f.limit(f.seen, maxItems)
	f.limit(layer, maxLayers)
	if layer >= f.depth {
		return
	}
	for i := range n {
		f.list(list.Get(strconv.FormatInt(i, 10)), layer+1)
	}
}

// mapped holds flatMap, whose function says what there is to put together.
func (g *guards) mapped(c goja.FunctionCall, original native) goja.Value {
	f, ok := goja.AssertFunction(c.Argument(0))
	if !ok {
		return original(c)
	}
	var size int64
	each := g.vm.ToValue(func(in goja.FunctionCall) goja.Value {
		v, err := f(in.This, in.Arguments...)
		if err != nil {
			panic(err)
		}
		size += items(v)
		g.limit(size, maxItems)
		return v
	})
	c.Arguments = append([]goja.Value{each}, c.Arguments[1:]...)
	return original(c)
}
