package conference

import (
	"slices"
	"testing"

	"mcp/control/media/codec"
)

func TestPlan(t *testing.T) {
	u, a := side{codec: codec.PCMU}, side{codec: codec.PCMA}
	with := func(s side, change func(*side)) side { change(&s); return s }
	both := []way{{0, 1}, {1, 0}}
	for _, tt := range []struct {
		name  string
		shape shape
		want  plan
	}{
		{name: "nobody"},
		{name: "nobody, watched", shape: shape{watched: true}, want: plan{}},
		{name: "one", shape: shape{sides: []side{u}}, want: plan{mixed: true}},
		{name: "two", shape: shape{sides: []side{u, u}}, want: plan{ways: both}},
		{name: "two, watched", shape: shape{sides: []side{u, u}, watched: true}, want: plan{mixed: true}},
		{name: "two codecs", shape: shape{sides: []side{u, a}}, want: plan{mixed: true}},
		{name: "not connected", shape: shape{sides: []side{{}, {}}}, want: plan{mixed: true}},
		{name: "three", shape: shape{sides: []side{u, u, u}}, want: plan{mixed: true}},
		{name: "mute", shape: shape{sides: []side{with(u, func(s *side) { s.mute = true }), u}}, want: plan{ways: []way{{1, 0}}}},
		{name: "deaf", shape: shape{sides: []side{with(u, func(s *side) { s.deaf = true }), u}}, want: plan{ways: []way{{0, 1}}}},
		{name: "gain", shape: shape{sides: []side{u, with(u, func(s *side) { s.gain = true })}}, want: plan{mixed: true}},
		{name: "private", shape: shape{sides: []side{u, with(u, func(s *side) { s.private = true })}}, want: plan{mixed: true}},
	} {
		if got := tt.shape.plan(); got.mixed != tt.want.mixed || !slices.Equal(got.ways, tt.want.ways) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
