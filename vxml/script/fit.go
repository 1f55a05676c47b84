package script

import (
	"errors"
	"fmt"
	"iter"
	"math/big"
	"reflect"
	"regexp"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
)

// parse reads a script. Source maps that it names are left alone: the engine would
// open any file of the machine.
func parse(name, text string) (*ast.Program, error) {
	return goja.Parse(name, text, parser.WithDisableSourceMaps)
}

// Bounds of what is compiled, since the parser and the compiler call themselves for
// each level, and a stack that overflows cannot be caught.
const (
	maxNesting = 1000 // of brackets
	maxLevels  = 4000 // of expressions and statements within each other
	maxArrows  = 4000 // functions; the parser's time grows with the square of those within each other
)

var (
	errNesting = fmt.Errorf("brackets are nested deeper than %d", maxNesting)
	errLevels  = fmt.Errorf("expressions are nested deeper than %d", maxLevels)
	errArrows  = fmt.Errorf("there are more than %d arrow functions", maxArrows)
	errBig     = errors.New("integers without bound are not accepted")
)

// unfit says why a text must not even be parsed; nil when it may be.
func unfit(text string) error {
	switch {
	case nesting(text) > maxNesting:
		return errNesting
	case strings.Count(text, "=>") > maxArrows:
		return errArrows
	}
	return nil
}

// fit says why a script must not be compiled, since that might not end.
func fit(tree *ast.Program, text string) error {
	if len(text) < maxLevels && !bigLiteral.MatchString(text) {
		return nil
	}
	return levels(reflect.ValueOf(tree.Body), maxLevels)
}

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

// levels says what is wrong with a part of a script: it may have only so many levels,
// and no BigInt literal, since the compiler computes with them, and one power can
// take it minutes.
func levels(v reflect.Value, left int) error {
	if left == 0 {
		return errLevels
	}
	if n, ok := node[*ast.NumberLiteral](v); ok {
		if _, huge := n.Value.(*big.Int); huge {
			return errBig
		}
		return nil
	}
	if v.Kind() == reflect.Pointer {
		left--
	}
	for part := range parts(v) {
		if err := levels(part, left); err != nil {
			return err
		}
	}
	return nil
}

// node is a part of a script as a node of one type.
func node[T ast.Node](v reflect.Value) (n T, ok bool) {
	if v.Kind() == reflect.Pointer && v.CanInterface() && !v.IsNil() {
		n, ok = v.Interface().(T)
	}
	return n, ok
}

// parts are what a part of a script is made of.
func parts(v reflect.Value) iter.Seq[reflect.Value] {
	return func(yield func(reflect.Value) bool) {
		switch v.Kind() {
		case reflect.Interface, reflect.Pointer:
			if !v.IsNil() {
				yield(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				if !yield(v.Index(i)) {
					return
				}
			}
		case reflect.Struct:
			for i := range v.NumField() {
				// Declarations point back to what they are declared in.
				if f := v.Type().Field(i); f.IsExported() && f.Name != "DeclarationList" && !yield(v.Field(i)) {
					return
				}
			}
		}
	}
}
