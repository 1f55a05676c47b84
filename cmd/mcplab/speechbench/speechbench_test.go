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
	o := Options{Options: bench.Options{Out: dir, Progress: io.Discard}, Sessions: 60, Recognitions: 20, Turns: 5}
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
	if values["speech.sessions"] != 60 || values["speech.recognitions"] != 20 || values["speech.sessions_per_s"] <= 0 || values["speech.turn_us"] <= 0 {
		t.Errorf("%v", values)
	}
	if values["speech.left_goroutines"]+values["speech.left_files"] != 0 {
		t.Errorf("left behind: %v", values)
	}
}
