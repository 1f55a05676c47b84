package script

import (
	"reflect"

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
