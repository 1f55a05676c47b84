package bench

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// sample is a time spent in functions, innermost first.
func sample(spent int64, functions ...string) *profile.Sample {
	s := &profile.Sample{Value: []int64{1, spent}}
	for _, name := range functions {
		s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}})
	}
	return s
}

func TestDivide(t *testing.T) {
	p := &profile.Profile{Sample: []*profile.Sample{
		sample(20, "runtime.memmove", "github.com/dop251/goja.(*vm).run", "mcp/vxml/script.(*Machine).Eval", "mcp/vxml.(*session).eval"),
		sample(20, "mcp/vxml/script.(*Machine).Eval", "mcp/vxml.(*session).eval"),
		sample(25, "runtime.nextFreeFast", "runtime.mallocgc", "mcp/vxml/script.New"),
		sample(10, "runtime.scanobject", "runtime.gcDrain", "runtime.gcBgMarkWorker"),
		sample(15, "mcp/vxml.(*session).visit", "mcp/vxml.(*Interpreter).Run", "mcp/vxml/bench.session"),
		sample(10, "runtime.findRunnable", "runtime.schedule"),
	}}
	want := []Stage{{"script", 40}, {"allocation", 25}, {"form interpretation", 15}, {"garbage collection", 10}, {elsewhere, 10}}
	if got := divide(p); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := divide(&profile.Profile{}); got != nil {
		t.Errorf("no samples: %v", got)
	}
}

// A profile of the interpreter at work knows all of its time by name.
func TestWhere(t *testing.T) {
	in := interpreter()
	got, err := where(func() error {
		_, err := turn(t.Context(), in, Config{Each: 500 * time.Millisecond})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	total, names := 0.0, make(map[string]bool)
	for _, s := range got {
		total += s.Percent
		names[s.Name] = true
	}
	if total < 99.9 || total > 100.1 || !names["script"] {
		t.Errorf("%.1f %% in %v", total, got)
	}
}

func TestWhereFails(t *testing.T) {
	broken := errors.New("broken")
	if _, err := where(func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got, err := where(func() error { return nil }); err != nil || len(got) > 1 {
		t.Errorf("no work: %v, %v", got, err)
	}
}
