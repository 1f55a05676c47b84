package script

import (
	"errors"
	"fmt"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"

	"mcp/vxml/script/scan"
)

// inlineWork is what may be to compile of a text that is not a whole script:
// expressions, tags of grammars, what is handed to eval. It takes less than 100 ms.
const inlineWork = 80_000

const maxNames = 10_000 // that one script declares

const errNames = scan.Excess("the script declares too many names: more than 10000")

// parse reads a script, unless that might not end. Source maps that it names are left
// alone: the engine would open any file of the machine.
func parse(name, text string, work int) (*ast.Program, error) {
	if err := scan.Text(text, work); err != nil {
		return nil, err
	}
	tree, err := parser.ParseFile(nil, name, text, 0, parser.WithDisableSourceMaps)
	if all, ok := errors.AsType[parser.ErrorList](err); ok && len(all) > 0 { // what follows the first is confusion
		return nil, &SyntaxError{Line: all[0].Position.Line, Message: "SyntaxError: " + all[0].Message}
	}
	return tree, err
}

// excessive tells whether an error is that a script exceeds one of the bounds.
func excessive(err error) bool {
	var excess scan.Excess
	return errors.As(err, &excess)
}

// SyntaxError is text that is no script.
type SyntaxError = scan.SyntaxError

// Syntax tells whether a text could be run as a script, or evaluated as an expression,
// within the limits, without doing it. Its error is a *SyntaxError.
func (l Limits) Syntax(text string, expression bool) error {
	l = l.WithDefaults()
	if len(text) > l.Size {
		return &SyntaxError{Line: 1, Message: l.oversize()}
	}
	work := l.Work
	if expression {
		text, work = "("+text+"\n)", inlineWork
	} else {
		text = uncommented(text)
	}
	err := scan.Text(text, work)
	if err == nil {
		_, err = parser.ParseFile(nil, "", text, 0, parser.WithDisableSourceMaps)
	}
	var all parser.ErrorList
	var wrong *SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &all) && len(all) > 0: // what follows the first is confusion
		return &SyntaxError{Line: all[0].Position.Line, Message: all[0].Message}
	}
	if errors.As(err, &wrong) {
		return wrong
	}
	if errors.Is(err, scan.Work) {
		err = fmt.Errorf("%w; it may be %d tokens", err, work)
	}
	return &SyntaxError{Line: 1, Message: err.Error()}
}
