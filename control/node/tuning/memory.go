package tuning

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// machineMemory is how much memory, in bytes, the machine has.
func machineMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return math.MaxInt64
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// cgroupMemory is how much memory the process may have, by the nearest group around
// it that says so (cgroup v2, memory.max); 0: nobody does.
func cgroupMemory(membership, root string) int64 {
	file, err := os.Open(membership)
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		group, unified := strings.CutPrefix(lines.Text(), "0::")
		for ; unified; group = filepath.Dir(group) {
			text, err := os.ReadFile(filepath.Join(root, group, "memory.max"))
			if limit, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil {
				return limit
			}
			if group == "/" || group == "." || group == "" {
				break
			}
		}
	}
	return 0
}
