package tour

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"mcp/cmd/mcplab/labtest"
)

// options are those of a run of this test's own.
func options(t *testing.T) Options {
	t.Helper()
	p := labtest.Build(t, "kamailio", "snmpd", "snmpwalk", "prometheus", "java", "openssl", "flite")
	return Options{Platform: p.Platform, Lab: p.Lab, Out: p.Out, Prefix: p.Prefix, Plane: "auto"}
}

// TestEveryConnectionCarriesTraffic is the whole platform with all its far ends.
func TestEveryConnectionCarriesTraffic(t *testing.T) {
	var out strings.Builder
	if err := Run(t.Context(), options(t), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "Every connection carried traffic") {
		t.Error(out.String())
	}
}

// TestMissingPlatformIsToldAndLeavesNothing of what was started before it.
func TestMissingPlatformIsToldAndLeavesNothing(t *testing.T) {
	o := options(t)
	o.Platform = filepath.Join(o.Out, "nothing-here")
	var out strings.Builder
	err := Run(t.Context(), o, &out)
	if err == nil || !strings.Contains(err.Error(), "platform ended before it was ready") {
		t.Fatalf("%v\n%s", err, out.String())
	}
}

// TestSilentConnectionsFail proves that the table can say no.
func TestSilentConnectionsFail(t *testing.T) {
	s := &seen{}
	s.add("GET /answer.grxml")
	tr := &tour{seen: s}
	if _, err := tr.counts(tally{"GET /answer.grxml", "grammars"}, tally{"GET /welcome.wav", "sounds"})(t.Context()); !errors.Is(err, errNothing) {
		t.Errorf("a sound that was never fetched: %v", err)
	}
	if _, err := tr.carried(t.Context()); !errors.Is(err, errNothing) {
		t.Errorf("no audio: %v", err)
	}
	if what, err := tr.counts(tally{"GET /answer.grxml", "grammars"})(t.Context()); err != nil || what != "1 grammars" {
		t.Errorf("%q, %v", what, err)
	}
}
