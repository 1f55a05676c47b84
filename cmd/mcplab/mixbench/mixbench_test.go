package mixbench

import (
	"testing"

	"mcp/control/media/codec"
	"mcp/control/media/conference"
)

// What is measured happens: everybody is sent a frame for each tick.
func TestConferencesSend(t *testing.T) {
	cost, err := turn([]int{3, 5}, 2, conference.Options{})
	if err != nil || cost <= 0 {
		t.Errorf("%s, %v", cost, err)
	}
}

func TestBridgesPass(t *testing.T) {
	r, err := bridge(codec.PCMU, codec.G722)
	if err != nil || r.Value <= 0 || r.Name != "transcode.pcmu_g722.bridges_per_core" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRecordingsAreWritten(t *testing.T) {
	cost, err := recordAll("audio/wav;codec=ulaw", nil)
	if err != nil || cost <= 0 {
		t.Errorf("%s, %v", cost, err)
	}
}
