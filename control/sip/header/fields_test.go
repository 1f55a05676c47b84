package header_test

import (
	"slices"
	"testing"

	"mcp/control/sip/header"
	"mcp/control/sip/header/headertest"
)

// Headers are found by their full names, in any case and abbreviated or not, in order.
func TestFields(t *testing.T) {
	fields := headertest.Fields("v", "1", "Subject", "s", "VIA", "2", "X-Own", "x", "Via", "3", "x-own-too", "y", "z", "unknown")
	for name, want := range map[string][]string{
		"via": {"1", "2", "3"}, "subject": {"s"}, "X-Own": {"x"}, "z": {"unknown"}, "v": {}, "own": {}, "": {},
	} {
		if got := header.Values(fields, name); !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
		if got := header.First(fields, name); len(want) > 0 && got != want[0] || len(want) == 0 && got != "" {
			t.Errorf("the first %q is %q", name, got)
		}
	}
	var got []string
	for f := range fields.Beginning("x-") {
		got = append(got, f.Value())
	}
	if !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("those that begin with x- are %q", got)
	}
	for range fields.Beginning("v") {
		break
	}
}
