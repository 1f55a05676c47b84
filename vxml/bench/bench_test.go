package bench

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every number is there and is one; how large it is, is for a quiet machine.
func TestRun(t *testing.T) {
	results, err := Run(t.Context(), Config{Each: 20 * time.Millisecond, Sessions: 20})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 4 {
		t.Errorf("%d results", len(results))
	}
	for _, r := range results {
		if !(r.Value > 0) {
			t.Errorf("%s: %v %s", r.Name, r.Value, r.Unit)
		}
	}
}
