package bench

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/vxml/doc"
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
		if r.Unit == "KiB" && r.Where != nil {
			t.Errorf("memory takes time: %v", r.Where)
		}
		if !(r.Value > 0) {
			t.Errorf("%s: %v %s", r.Name, r.Value, r.Unit)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	in := interpreter()
	b.ReportAllocs()
	for b.Loop() {
		if err := session(b.Context(), in, func([]string) string { return "" }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTurn(b *testing.B) {
	b.ReportAllocs()
	n := 0
	err := session(b.Context(), interpreter(), func([]string) string {
		if n++; n > b.N {
			return ""
		}
		return "dtmf:1234"
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := doc.Compile([]byte(page), address); err != nil {
			b.Fatal(err)
		}
	}
}
