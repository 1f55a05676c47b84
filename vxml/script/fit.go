package script

import (
	"fmt"
	"math/big"
	"reflect"
	"regexp"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
)

// unfit says why a text must not be compiled, since compiling it might not end;
// empty when it may.
func unfit(text string) string {
	if nesting(text) > maxNesting {
		return fmt.Sprintf("brackets are nested deeper than %d", maxNesting)
	}
	if bigLiteral.MatchString(text) && bigNumbers(text) {
		return "integers without bound are not accepted"
	}
	return ""
}

// maxNesting bounds brackets: the parser calls itself for each, and a stack that
// overflows cannot be caught.
const maxNesting = 1000

// nesting is the depth of brackets in text. Those in strings and comments count
// too, which does no harm at such a depth.
func nesting(text string) int {
	depth, deepest := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(', '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return deepest
}

// bigLiteral is what may be a BigInt literal, or only the end of a word in a string.
var bigLiteral = regexp.MustCompile(`[\da-fA-F]n\b`)

// bigNumbers tells whether a text holds BigInt literals: the compiler computes
// with them, and one power can take it minutes.
func bigNumbers(text string) bool {
	for _, form := range []string{text, "(" + text + ")"} {
		if tree, err := goja.Parse("", form); err == nil {
			return holdsBig(reflect.ValueOf(tree.Body), 0)
		}
	}
	return false
}

func holdsBig(v reflect.Value, depth int) bool {
	if depth > 16*maxNesting {
		return true
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() || !v.CanInterface() {
			return false
		}
		if n, ok := v.Interface().(*ast.NumberLiteral); ok {
			_, huge := n.Value.(*big.Int)
			return huge
		}
		return holdsBig(v.Elem(), depth+1)
	case reflect.Slice:
		for i := range v.Len() {
			if holdsBig(v.Index(i), depth+1) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			// Declarations point back to what they are declared in.
			if v.Type().Field(i).IsExported() && v.Type().Field(i).Name != "DeclarationList" && holdsBig(v.Field(i), depth+1) {
				return true
			}
		}
	}
	return false
}
