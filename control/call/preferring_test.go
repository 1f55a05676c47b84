package call

import (
	"slices"
	"testing"

	"mcp/control/media/codec"
	"mcp/control/sdp"
)

// A second far end is offered first what the first one speaks, in its format.
func TestPreferringWhatTheOtherSpeaks(t *testing.T) {
	ulaw := sdp.Codec{Name: "PCMU", ClockRate: 8000}
	efficient := sdp.Codec{Name: "AMR", PayloadType: 98, ClockRate: 8000}
	aligned := sdp.Codec{Name: "AMR", PayloadType: 99, ClockRate: 8000, Format: "octet-align=1"}
	slow := sdp.Codec{Name: "AMR", PayloadType: 98, ClockRate: 8000, Format: "mode-set=0"}
	all := []sdp.Codec{ulaw, efficient, aligned}
	for _, tt := range []struct {
		name  string
		first codec.Codec
		want  []sdp.Codec
	}{
		{"what is first already", codec.PCMU, all},
		{"what is not there", codec.GSM, all},
		{"a packing", codec.Codec{Name: "AMR", ClockRate: 8000, Format: "octet-align=1"}, []sdp.Codec{aligned, ulaw, efficient}},
		{"a set of modes", codec.Codec{Name: "AMR", ClockRate: 8000, Format: "mode-set=0"}, []sdp.Codec{slow, ulaw, aligned}},
	} {
		if got := preferring(tt.first, all); !slices.Equal(got, tt.want) || all[1] != efficient {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}
