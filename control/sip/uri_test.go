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
	res := sip.NewResponse(200, "OK")
	for _, h := range [][2]string{{"v", "1"}, {"Subject", "s"}, {"VIA", "2"}, {"X-Own", "x"}, {"Via", "3"}, {"x-own", "y"}} {
		res.AppendHeader(sip.NewHeader(h[0], h[1]))
	}
	got := headersOf(response{res})
	want := map[string][]string{"via": {"1", "2", "3"}, "subject": {"s"}, "x-own": {"x", "y"}}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v, want %v", got, want)
	}
}
