package tuning

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryOfTheGroup(t *testing.T) {
	for _, tt := range []struct {
		name, membership string
		limits           map[string]string // by group
		want             int64
	}{
		{name: "its own", membership: "0::/pod/mcp\n", limits: map[string]string{"pod/mcp": "1000\n", "pod": "5000\n"}, want: 1000},
		{name: "of the group around it", membership: "0::/pod/mcp\n", limits: map[string]string{"pod/mcp": "max\n", "pod": "5000\n"}, want: 5000},
		{name: "of a container that sees itself as the root", membership: "0::/\n", limits: map[string]string{"": "7000\n"}, want: 7000},
		{name: "beside groups of version 1", membership: "4:memory:/x\n0::/pod\n", limits: map[string]string{"pod": "9000\n", "x": "1\n"}, want: 9000},
		{name: "no limit", membership: "0::/pod\n", limits: map[string]string{"pod": "max\n"}},
		{name: "no unified group", membership: "4:memory:/x\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for group, limit := range tt.limits {
				dir := filepath.Join(root, group)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "memory.max"), []byte(limit), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			membership := filepath.Join(t.TempDir(), "cgroup")
			if err := os.WriteFile(membership, []byte(tt.membership), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := cgroupMemory(membership, root); got != tt.want {
				t.Errorf("%d, not %d", got, tt.want)
			}
		})
	}
	if got := cgroupMemory(filepath.Join(t.TempDir(), "none"), "/"); got != 0 {
		t.Errorf("%d without a membership", got)
	}
}

func TestMemoryOfTheMachine(t *testing.T) {
	if got := machineMemory(); got < 64<<20 || got == math.MaxInt64 {
		t.Errorf("%d bytes", got)
	}
}
