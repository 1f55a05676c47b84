package sipbench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// calleeCore is the core of a callee that has one for itself.
const calleeCore = 0

// leaveTo has this process, whose callers are as busy as the callee that they call,
// run on every core but one. Where there is only one, they share it.
func leaveTo(core int) error {
	if runtime.NumCPU() < 2 {
		return nil
	}
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("leave core %d to the callee: %w", core, err)
	}
	all.Clear(core)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("leave core %d to the callee: %w", core, err)
	}
	for _, t := range threads {
		id, _ := strconv.Atoi(t.Name()) // it is a number
		// Threads that are made later have it from those that make them.
		if err := unix.SchedSetaffinity(id, &all); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("leave core %d to the callee: %w", core, err)
		}
	}
	return nil
}
