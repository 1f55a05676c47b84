package admission

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// quota is how many processors' time the process may use, by the tightest of the groups
// around it (cgroup v2, cpu.max: microseconds of each period); +Inf: none says so.
// Group is the process's own, root where groups are mounted.
func quota(root, group string) float64 {
	least := math.Inf(1)
	for group = filepath.Join("/", group); ; group = filepath.Dir(group) {
		text, err := os.ReadFile(filepath.Join(root, group, "cpu.max"))
		if fields := strings.Fields(string(text)); err == nil && len(fields) == 2 {
			used, bad := strconv.ParseFloat(fields[0], 64) // "max" is none
			period, worse := strconv.ParseFloat(fields[1], 64)
			if bad == nil && worse == nil && used > 0 && period > 0 {
				least = min(least, used/period)
			}
		}
		if group == "/" {
			return least
		}
	}
}

// unified is the process's own group of cgroup v2, by its /proc/self/cgroup.
func unified(membership string) string {
	text, err := os.ReadFile(membership)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if group, found := strings.CutPrefix(line, "0::"); found {
			return strings.TrimSpace(group)
		}
	}
	return ""
}
