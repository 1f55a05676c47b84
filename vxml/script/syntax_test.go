package script

import (
	"errors"
	"strings"
	"testing"
)

func TestSyntax(t *testing.T) {
	tests := []struct {
		name, text string
		expression bool
		line       int // 0: it is right
	}{
		{"a script", "var a = 1;\nfunction f() { return a }", false, 0},
		{"an expression", "a + 1 // and no more", true, 0},
		{"an object", "{a: 1}", true, 0},
		{"a script that is none", "var a = 1;\nfunction f( {", false, 2},
		{"half an expression", "1 +", true, 2},
		{"statements are no expression", "var a", true, 1},
		{"a script of many tokens", strings.Repeat("a();", 24_000), false, 0},
		{"a script of too many", strings.Repeat("a();", 34_000), false, 1},
		{"an expression of as many", "[" + strings.Repeat("a(),", 27_000) + "]", true, 1},
		{"a script that is too large", strings.Repeat(" ", 2<<20), false, 1},
		{"what could not be compiled", "2n ** 99999n", true, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var wrong *SyntaxError
			err := Limits{Work: 100_000}.Syntax(tt.text, tt.expression)
			if errors.As(err, &wrong); (err == nil) != (tt.line == 0) || err != nil && wrong.Line != tt.line {
				t.Errorf("%+v", err)
			}
		})
	}
}
