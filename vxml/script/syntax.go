package script

import (
	"errors"

	"github.com/dop251/goja/parser"
)

// SyntaxError is text that is no script. Its line counts from the text's first, 1.
type SyntaxError struct {
	Line    int
	Message string
}

func (e *SyntaxError) Error() string { return e.Message }

// Syntax tells whether a text could be run as a script, or evaluated as an
// expression, without doing it. Its error is a *SyntaxError.
func Syntax(text string, expression bool) error {
	if why := unfit(text); why != nil {
		return &SyntaxError{1, why.Error()}
	}
	if expression {
		text = "(" + text + "\n)"
	} else {
		text = uncommented(text)
	}
	tree, err := parser.ParseFile(nil, "", text, 0, parser.WithDisableSourceMaps)
	if err == nil {
		err = fit(tree, text)
	}
	var all parser.ErrorList
	switch {
	case err == nil:
		return nil
	case errors.As(err, &all) && len(all) > 0: // what follows the first is confusion
		return &SyntaxError{all[0].Position.Line, all[0].Message}
	}
	return &SyntaxError{1, err.Error()}
}
