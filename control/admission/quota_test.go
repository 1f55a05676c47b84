package admission

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestQuota(t *testing.T) {
	for name, row := range map[string]struct {
		files map[string]string // by group
		want  float64
	}{
		"nobody limits":         {nil, math.Inf(1)},
		"no limit":              {map[string]string{"pod/mcp": "max 100000\n"}, math.Inf(1)},
		"a fraction":            {map[string]string{"pod/mcp": "150000 100000\n"}, 1.5},
		"an outer one":          {map[string]string{"pod": "50000 100000\n", "pod/mcp": "max 100000\n"}, 0.5},
		"the tightest":          {map[string]string{"pod": "400000 100000\n", "pod/mcp": "200000 100000\n"}, 2},
		"what cannot be a file": {map[string]string{"pod/mcp": "a lot\n"}, math.Inf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for group, text := range row.files {
				dir := filepath.Join(root, group)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "cpu.max"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := quota(root, "/pod/mcp"); got != row.want {
				t.Errorf("%v processors, want %v", got, row.want)
			}
		})
	}
}

func TestUnified(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cgroup")
	if err := os.WriteFile(file, []byte("4:memory:/a\n0::/kubepods/pod1/mcp\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := unified(file); got != "/kubepods/pod1/mcp" {
		t.Errorf("%q", got)
	}
	if got := unified(file + ".missing"); got != "" {
		t.Errorf("%q where nothing is known", got)
	}
}
