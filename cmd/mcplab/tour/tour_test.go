package tour

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mcp/cmd/mcplab/engine"
	"mcp/cmd/mcplab/netlab"
)

// options builds the programs and returns options with names of this test's own.
func options(t *testing.T) Options {
	t.Helper()
	if testing.Short() {
		t.Skip("takes about a minute")
	}
	skip := t.Skip
	if os.Getenv("CI") == "true" {
		skip = t.Fatal
	}
	if os.Geteuid() != 0 {
		skip("needs root to make network namespaces")
	}
	e, err := engine.New(engine.Config{})
	if errors.Is(err, engine.ErrMissing) {
		skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	for _, program := range []string{"kamailio", "snmpd", "snmpwalk", "prometheus", "java", "openssl", "flite"} {
		if _, err := exec.LookPath(program); err != nil {
			skip(err)
		}
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "mcp/cmd/mcp", "mcp/cmd/mcplab")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	o := Options{
		Platform: filepath.Join(dir, "mcp"), Lab: filepath.Join(dir, "mcplab"), Out: filepath.Join(dir, "out"),
		Prefix: fmt.Sprintf("t%d-%04x-", os.Getpid(), rand.Uint32()&0xffff), Plane: "auto",
	}
	t.Cleanup(func() {
		for _, pattern := range []string{"/run/netns/" + o.Prefix + "*", netlab.BPF + "/" + o.Prefix + "*"} {
			if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		}
	})
	return o
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
