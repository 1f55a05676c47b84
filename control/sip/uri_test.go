package sip

import (
	"maps"
	"slices"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// Headers come by their full names in lower case, and those that are there more than
// once keep their order and disturb none beside them.
func TestHeadersByName(t *testing.T) {
	got := headersOf([]sip.Header{
		sip.NewHeader("v", "1"), sip.NewHeader("Subject", "s"), sip.NewHeader("VIA", "2"),
		sip.NewHeader("X-Own", "x"), sip.NewHeader("Via", "3"), sip.NewHeader("x-own", "y"),
	})
	want := map[string][]string{"via": {"1", "2", "3"}, "subject": {"s"}, "x-own": {"x", "y"}}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v, want %v", got, want)
	}
}
