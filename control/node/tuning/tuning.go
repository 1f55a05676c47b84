// Package tuning fits the Go runtime to what the platform does: how punctually its
// threads are woken, how much memory the process may have, and how much of it may be
// garbage before the collector runs.
package tuning

import (
	"context"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// memoryShare is how much of the memory that the process may have is the heap's.
	memoryShare = 0.9
	// garbageShare is how much of that may be garbage, whatever is configured.
	garbageShare = 0.25
)

// Tune sets the runtime up. What GOMEMLIMIT and GOGC say stands, and so does the number
// of threads that run Go code: one on one processor, where a second would let the
// collector take half of it while it runs, not a quarter. That a write waits for a slow
// disk keeps such a platform's calls waiting for up to 10 ms when there is little load,
// which is when the runtime looks that rarely, and seldom for one when there is much.
// Threads are given their slack before any is made that needs another.
// What is returned fits the collector to the load until its context ends: so many
// bytes may be garbage, or fewer where memory is short; 0: as many as are in use.
func Tune(garbage uint64, log *slog.Logger) func(context.Context) error {
	limit := debug.SetMemoryLimit(-1)
	if allowed := cgroupMemory("/proc/self/cgroup", "/sys/fs/cgroup"); limit == math.MaxInt64 && allowed > 0 {
		limit = int64(memoryShare * float64(allowed))
		debug.SetMemoryLimit(limit)
	}
	garbage = min(garbage, uint64(garbageShare*float64(min(limit, machineMemory()))))
	if os.Getenv("GOGC") != "" {
		garbage = 0
	}
	slack := timerSlack
	if err := slacken(slack); err != nil {
		log.Debug("threads are woken as punctually as the kernel does by itself, which takes CPU time", "err", err)
		slack = 0
	}
	log.Debug("runtime", "threads", runtime.GOMAXPROCS(0), "memory_limit", limit, "garbage", garbage, "timer_slack", slack)
	return collector{most: garbage}.run
}
