package speechbench

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"mcp/cmd/mcplab/bench"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRunMeasuresWhatItSays runs everything, small.
func TestRunMeasuresWhatItSays(t *testing.T) {
	dir := t.TempDir()
	o := Options{Options: bench.Options{Out: dir, Progress: io.Discard}, Sessions: 60, Recognitions: 20, Turns: 5, Attached: 40}
	if err := Run(t.Context(), io.Discard, o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "speech.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, r := range report.Results {
		values[r.Name] = r.Value
	}
	for prefix, sessions := range map[string]float64{"speech.": 60, "speech.v1.": 60, "speech.google.": 40, "speech.nexus.": 40} {
		if values[prefix+"sessions"] != sessions || values[prefix+"recognitions"] != 20 || values[prefix+"sessions_per_s"] <= 0 {
			t.Errorf("%s: %v", prefix, values)
		}
		if values[prefix+"left_goroutines"]+values[prefix+"left_files"] != 0 {
			t.Errorf("left behind: %v", values)
		}
	}
	if values["speech.turn_us"] <= 0 || values["speech.v1.turn_us"] <= 0 {
		t.Errorf("turns: %v", values)
	}
}
