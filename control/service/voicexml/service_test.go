package voicexml

import (
	"math"
	"testing"

	"mcp/vxml"
)

func TestFarewell(t *testing.T) {
	list := func(names []string, values map[string]any) vxml.Namelist {
		return vxml.Namelist{Names: names, Values: values}
	}
	circle := map[string]any{}
	circle["self"] = circle
	tests := []struct {
		name     string
		element  string
		returned vxml.Namelist
		result   any
		want     string
	}{
		{"nothing", "exit", vxml.Namelist{}, nil, "__reason=exit"},
		{"a number", "exit", vxml.Namelist{}, int64(5), "__exit=5&__reason=exit"},
		{"a text", "exit", vxml.Namelist{}, "done", "__exit=%22done%22&__reason=exit"},
		{"a boolean", "exit", vxml.Namelist{}, true, "__exit=true&__reason=exit"},
		{"variables, in the page's order", "exit", list([]string{"pin", "errors"}, map[string]any{"errors": int64(0), "pin": int64(1234)}),
			nil, "pin=1234&errors=0&__reason=exit"},
		{"of a disconnect", "disconnect", list([]string{"a.b"}, map[string]any{"a.b": "x y&<z>"}), nil, "a.b=%22x+y%26%3Cz%3E%22&__reason=disconnect"},
		{"UTF-8", "exit", vxml.Namelist{}, "Zürich", "__exit=%22Z%C3%BCrich%22&__reason=exit"},
		{"an object", "exit", vxml.Namelist{}, map[string]any{"b": []any{int64(1), nil}, "a": true}, "__exit=%7B%22a%22%3Atrue%2C%22b%22%3A%5B1%2Cnull%5D%7D&__reason=exit"},
		{"undefined", "exit", list([]string{"u"}, map[string]any{"u": nil}), nil, "u=null&__reason=exit"},
		{"no number", "exit", vxml.Namelist{}, math.NaN(), "__exit=null&__reason=exit"},
		{"what contains itself", "exit", vxml.Namelist{}, circle, "__exit=null&__reason=exit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := farewell(tt.element, tt.returned, tt.result)
			if string(got.Body) != tt.want || got.Type != "application/x-www-form-urlencoded;charset=utf-8" {
				t.Errorf("%s: %s, want %s", got.Type, got.Body, tt.want)
			}
		})
	}
}
