// Package labtest builds the platform's programs for tests that run them in network
// namespaces, and sees that such tests leave nothing.
package labtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mcp/cmd/mcplab/engine"
	"mcp/cmd/mcplab/netlab"
)

// Programs are what such a test runs.
type Programs struct {
	Platform, Lab string // the binaries mcp and mcplab
	Out           string // a folder for what is left to read
	Prefix        string // of names of the machine's that are this test's own
}

// Build builds the programs. A test is skipped with -short, and where it lacks root,
// speech engines or one of the tools; in CI it fails instead. At its end no namespace
// and no pin that begins with the prefix may be left.
func Build(t *testing.T, tools ...string) Programs {
	t.Helper()
	if testing.Short() {
		t.Skip("takes about half a minute")
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
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			skip(err)
		}
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "mcp/cmd/mcp", "mcp/cmd/mcplab")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := Programs{
		Platform: filepath.Join(dir, "mcp"), Lab: filepath.Join(dir, "mcplab"), Out: filepath.Join(dir, "out"),
		Prefix: fmt.Sprintf("t%d-%04x-", os.Getpid(), rand.Uint32()&0xffff),
	}
	t.Cleanup(func() { NothingLeft(t, p.Prefix) })
	return p
}

// NothingLeft fails a test that has left namespaces or pins.
func NothingLeft(t *testing.T, prefix string) {
	t.Helper()
	for _, pattern := range []string{"/run/netns/" + prefix + "*", netlab.BPF + "/" + prefix + "*"} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}
