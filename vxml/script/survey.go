package script

import (
	"reflect"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"

	"mcp/vxml/script/scan"
)

// reach is the groups of the engine's functions that a script may come to. Guards take
// time and memory, which sessions whose scripts do not reach that far are spared.
type reach uint8

const (
	lengthening reach = 1 << iota // of texts, by a number
	replacing                     // in texts
	matching                      // of expressions
	listing                       // what else plain work with texts and lists reaches
	widening
	farthest
	adding // what texts are added up to

	near = lengthening | replacing | matching | listing
	wide = near | widening
	far  = wide | farthest
)

// trait is what a name tells of the script that has it.
type trait struct {
	reach    reach
	implicit bool // an object may get code by it that runs without being called
	older    bool // engines of old had it beside the standard, or annex B of that has
}

// traits are those of all names that have any: functions to be guarded and what
// leads to them; how a script comes by a list that is longer than what it takes of
// memory, by long texts as lists, and by expressions that it makes up.
var traits = map[string]trait{
	"repeat": {reach: lengthening}, "padStart": {reach: lengthening}, "padEnd": {reach: lengthening}, "replace": {reach: replacing},
	"replaceAll": {reach: replacing}, "join": {reach: near}, "fill": {reach: near}, "concat": {reach: near},
	"splice": {reach: near}, "unshift": {reach: near}, "flat": {reach: near}, "flatMap": {reach: near},
	"toSorted": {reach: near}, "toSpliced": {reach: near}, "toReversed": {reach: near}, "with": {reach: near},
	"split": {reach: near}, "apply": {reach: near}, "from": {reach: near}, "exec": {reach: matching | listing}, "test": {reach: matching},
	"match": {reach: wide}, "matchAll": {reach: wide}, "search": {reach: wide}, "of": {reach: wide},
	"length": {reach: wide}, "RegExp": {reach: wide}, "Set": {reach: wide}, "Map": {reach: wide},
	"WeakSet": {reach: wide}, "WeakMap": {reach: wide}, "Promise": {reach: wide}, "Array": {reach: wide},
	"parse": {reach: wide, implicit: true}, "Proxy": {reach: wide, implicit: true},
	"JSON": {reach: near, implicit: true}, "toString": {reach: near, implicit: true},
	"toLocaleString": {reach: near, implicit: true},
	"valueOf":        {implicit: true}, "toJSON": {implicit: true}, "Symbol": {implicit: true},
	"defineProperty": {implicit: true}, "defineProperties": {implicit: true}, "assign": {implicit: true},
	"setPrototypeOf": {implicit: true}, "prototype": {implicit: true}, "__proto__": {implicit: true},
	"Object": {reach: far, implicit: true}, "Reflect": {reach: far, implicit: true},
	"Function": {reach: far, implicit: true}, "constructor": {reach: far, implicit: true},
	"eval": {reach: far, implicit: true},
	"raw":  {reach: far}, "BigInt": {reach: far}, "DataView": {reach: far}, "ArrayBuffer": {reach: far},
	"SharedArrayBuffer": {reach: far}, "Int8Array": {reach: far}, "Uint8Array": {reach: far},
	"Uint8ClampedArray": {reach: far}, "Int16Array": {reach: far}, "Uint16Array": {reach: far},
	"Int32Array": {reach: far}, "Uint32Array": {reach: far}, "Float16Array": {reach: far}, "Float32Array": {reach: far},
	"Float64Array": {reach: far}, "BigInt64Array": {reach: far}, "BigUint64Array": {reach: far},
	"getYear": {older: true}, "setYear": {older: true}, "toGMTString": {older: true}, "__lookupGetter__": {older: true},
	"__lookupSetter__": {older: true}, "anchor": {older: true}, "big": {older: true}, "blink": {older: true},
	"bold": {older: true}, "fixed": {older: true}, "fontcolor": {older: true}, "fontsize": {older: true},
	"italics": {older: true}, "link": {older: true}, "small": {older: true}, "strike": {older: true},
	"sub": {older: true}, "sup": {older: true}, "lastMatch": {older: true}, "lastParen": {older: true},
	"$1": {older: true}, "$2": {older: true}, "$3": {older: true}, "$4": {older: true}, "$5": {older: true},
	"$6": {older: true}, "$7": {older: true}, "$8": {older: true}, "$9": {older: true},
	"__defineGetter__": {implicit: true, older: true}, "__defineSetter__": {implicit: true, older: true},
}

func (t *trait) add(o trait) {
	t.reach |= o.reach
	t.implicit = t.implicit || o.implicit
	t.older = t.older || o.older
}

// maxLevels is how deep a tree may be: the compiler calls itself for each level, and a
// stack that overflows cannot be caught.
const maxLevels = 20_000

// survey is what is to be known of a script before it runs.
type survey struct {
	trait
	calls  []int                  // of eval: its parentheses, the left ones, and the right ones below zero
	values int                    // how often eval stands for one
	keys   bool                   // it computes the names of members
	inner  map[reflect.Type][]int // fields of the kinds of nodes met
	err    error
}

// surveyOf looks at a script, and has the names of members that it computes, and what
// it hands to eval, pass the machine on their way (eval.go).
func surveyOf(tree *ast.Program) (survey, error) {
	var s survey
	s.look(reflect.ValueOf(tree.Body), maxLevels)
	if s.values > 0 {
		s.name("eval")
		if s.calls != nil && s.err == nil {
			s.err = errPassedOn
		}
	}
	return s, s.err
}

func (s *survey) look(v reflect.Value, left int) {
	if left == 0 {
		s.err = scan.Depth
	}
	if s.err != nil {
		return
	}
	if v.Kind() == reflect.Pointer && v.CanInterface() && !v.IsNil() {
		s.node(v.Interface())
		left--
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			s.look(v.Elem(), left)
			s.sum(v)
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.look(v.Index(i), left)
		}
	case reflect.Struct:
		for _, i := range s.fields(v.Type()) {
			s.look(v.Field(i), left)
		}
	}
}

func (s *survey) name(name string) { s.add(traits[name]) }

// variable is a name that stands alone. What eval leads to is known where it is called.
func (s *survey) variable(name string) {
	if name == "eval" {
		s.values++
	} else {
		s.name(name)
	}
}

func (s *survey) node(n any) {
	switch n := n.(type) {
	case *ast.Identifier:
		s.variable(n.Name.String())
	case *ast.DotExpression:
		if n.Identifier.Name == "length" {
			s.add(trait{reach: near}) // to read it is all that most do
		} else {
			s.name(n.Identifier.Name.String())
		}
	case *ast.StringLiteral:
		s.name(n.Value.String())
	case *ast.PropertyShort:
		s.variable(n.Name.Name.String())
	case *ast.CallExpression:
		s.call(n)
	case *ast.ArrayLiteral:
		s.add(trait{reach: near})
	case *ast.RegExpLiteral:
		s.add(trait{reach: matching})
	case *ast.SpreadElement, *ast.ForOfStatement, *ast.ArrayPattern, *ast.ObjectPattern:
		s.add(trait{reach: wide})
	default:
		s.member(n)
	}
}

// member looks at what has members, gives some, or changes them.
func (s *survey) member(n any) {
	switch n := n.(type) {
	case *ast.BracketExpression:
		s.key(&n.Member)
	case *ast.PropertyKeyed:
		s.property(n.Kind, n.Computed, &n.Key)
	case *ast.MethodDefinition:
		s.property(n.Kind, n.Computed, &n.Key)
	case *ast.FieldDefinition:
		s.property(ast.PropertyKindValue, n.Computed, &n.Key)
	case *ast.ClassLiteral:
		s.add(trait{implicit: true})
	case *ast.BinaryExpression:
		unfolded(n)
	case *ast.FunctionLiteral:
		if n.Generator {
			s.add(trait{reach: far})
		}
	case *ast.AssignExpression:
		s.target(n.Left)
	case *ast.TemplateLiteral:
		s.template(n)
	case *ast.UnaryExpression:
		if n.Operator == token.INCREMENT || n.Operator == token.DECREMENT {
			s.target(n.Operand)
		}
	case *ast.ForIntoExpression:
		s.target(n.Expression)
	}
}

// unfolded keeps the compiler from computing what stands left of a logical operator:
// it does so twice for each such operator within another, which thirty would make
// minutes.
func unfolded(n *ast.BinaryExpression) {
	if n.Operator != token.LOGICAL_AND && n.Operator != token.LOGICAL_OR && n.Operator != token.COALESCE {
		return
	}
	switch n.Left.(type) {
	case *ast.BinaryExpression, *ast.UnaryExpression:
		n.Left = &ast.SequenceExpression{Sequence: []ast.Expression{n.Left}}
	}
}

// property looks at a property that a literal or a class gives.
func (s *survey) property(kind ast.PropertyKind, computed bool, key *ast.Expression) {
	if kind == ast.PropertyKindGet || kind == ast.PropertyKindSet {
		s.add(trait{implicit: true})
	}
	if computed && !written(*key) {
		s.add(trait{reach: wide, implicit: true})
		s.key(key)
	}
}

// target looks at what is assigned to. An index or a length makes a list as long.
func (s *survey) target(e ast.Expression) {
	switch e := e.(type) {
	case *ast.DotExpression:
		s.name(e.Identifier.Name.String())
	case *ast.BracketExpression:
		switch at, ok := literal(e.Member).(int64); {
		case ok && at < 100_000:
		case ok, !written(e.Member):
			s.add(trait{reach: wide, implicit: true})
		}
	}
}

// key has a name that is computed pass the machine.
func (s *survey) key(e *ast.Expression) {
	if !written(*e) {
		s.keys = true
		s.add(trait{reach: near})
		*e = passed(keyed, (*e).Idx0(), []ast.Expression{*e})
	}
}

// call looks at a call of eval, and at what that evaluates where it stands there.
func (s *survey) call(n *ast.CallExpression) {
	name, ok := n.Callee.(*ast.Identifier)
	if !ok || name.Name != "eval" {
		return
	}
	s.values-- // which is counted as a variable
	if len(n.ArgumentList) == 0 {
		return
	}
	s.calls = append(s.calls, int(n.LeftParenthesis), -int(n.RightParenthesis))
	s.evaluated(n.ArgumentList)
	n.ArgumentList = []ast.Expression{passed(vet, n.LeftParenthesis, n.ArgumentList)}
}

// evaluated looks at what eval is called with.
func (s *survey) evaluated(args []ast.Expression) {
	text, ok := args[0].(*ast.StringLiteral)
	if !ok || len(args) > 1 {
		s.name("eval")
		return
	}
	tree, err := parse("", text.Value.String(), inlineWork)
	if err != nil {
		return // as the engine will say
	}
	if within, err := surveyOf(tree); err != nil || within.keys || within.calls != nil {
		s.name("eval") // what it computes does not pass the machine
	} else {
		s.add(within.trait)
	}
}

// fields are those of a kind of node that have others in them.
func (s *survey) fields(t reflect.Type) []int {
	if known, ok := s.inner[t]; ok {
		return known
	}
	var all []int
	for i := range t.NumField() {
		// Declarations point back to what they are declared in.
		if f := t.Field(i); f.IsExported() && f.Name != "DeclarationList" && holds(f.Type) {
			all = append(all, i)
		}
	}
	if s.inner == nil {
		s.inner = make(map[reflect.Type][]int)
	}
	s.inner[t] = all
	return all
}

// holds tells whether values of a type can have nodes in them.
func holds(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.Struct:
		return true
	case reflect.Slice:
		return holds(t.Elem())
	}
	return false
}
