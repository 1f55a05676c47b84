package vxmltest

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// complaints counts what a test would fail for.
type complaints struct {
	testing.TB
	failed int
}

func (c *complaints) Helper()               {}
func (c *complaints) Errorf(string, ...any) { c.failed++ }

var kept []byte

func TestWithin(t *testing.T) {
	most := cost{20 * time.Millisecond, 8 << 20}
	tests := []struct {
		name string
		f    func()
		want int
	}{
		{"nothing", func() {}, 0},
		{"waiting costs nothing", func() { time.Sleep(most.time * 6 / 5) }, 0},
		{"too slow", func() {
			for begin := processor(); processor()-begin <= most.time; {
				continue
			}
		}, 1},
		{"too large", func() { kept = make([]byte, most.bytes+1) }, 1},
	}
	for _, tt := range tests {
		c := &complaints{TB: t}
		if most.bounds(c, tt.f); c.failed != tt.want {
			t.Errorf("%s: %d complaints, want %d", tt.name, c.failed, tt.want)
		}
	}
	kept = nil
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "some", "a.gram")
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SUITES", dir)
	if got := Files(t, Suites, "some/*.gram"); len(got) != 1 || string(Read(t, got[0])) != "text" {
		t.Errorf("found %q", got)
	}
	if got := Files(t, Suites, "none/*.gram"); len(got) != 0 {
		t.Errorf("found %q where nothing is", got)
	}
}
