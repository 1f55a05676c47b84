package node

import (
	"bufio"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// heapFloor is how much the heap may grow, however little of it is in use, before
	// the garbage collector runs: a platform with few calls up has a small heap and
	// makes much of it garbage each second.
	heapFloor = 64 << 20
	// leastThreads is how many threads run Go code at once. With one, a write that
	// waits for the disk keeps all calls waiting.
	leastThreads = 2
	// memoryShare is how much of the memory that the process may have is the heap's.
	memoryShare = 0.9
)

// tune fits the Go runtime to what the platform does, and returns what must be kept
// for as long as it is to hold. What GOMEMLIMIT and GOMAXPROCS say stands. Where it
// raises the threads, on one processor, processors allowed later are not followed.
func tune(log *slog.Logger) (kept []byte) {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < leastThreads {
		runtime.GOMAXPROCS(leastThreads)
	}
	limit := debug.SetMemoryLimit(-1)
	if allowed := cgroupMemory("/proc/self/cgroup", "/sys/fs/cgroup"); limit == math.MaxInt64 && allowed > 0 {
		limit = int64(memoryShare * float64(allowed))
		debug.SetMemoryLimit(limit)
	}
	log.Debug("runtime", "threads", runtime.GOMAXPROCS(0), "memory_limit", limit)
	// What the collector takes to be in use, though nothing ever touches it: it costs
	// addresses and no memory.
	return make([]byte, min(heapFloor, limit/8))
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
