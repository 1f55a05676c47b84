package admission

import (
	"runtime"
	"sync"
	"syscall"
	"time"
)

// window is how long the processors' use is averaged over, at least.
const window = 500 * time.Millisecond

// CPU measures which share of the processors this process uses. It measures
// when asked, so that it costs nothing when nobody asks.
type CPU struct {
	mu    sync.Mutex
	used  time.Duration
	at    time.Time
	share float64
}

// Share is the use in the last window or more, from 0 to 1. The first answer is 0.
func (c *CPU) Share() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	elapsed := now.Sub(c.at)
	if elapsed < window {
		return c.share
	}
	used, ok := processTime()
	if !ok {
		return 0
	}
	if !c.at.IsZero() {
		c.share = min(1, float64(used-c.used)/float64(elapsed)/processors())
	}
	c.used, c.at = used, now
	return c.share
}

// processors is how many processors the process may keep busy: no more than it was
// allowed at its start, though more threads than that may run Go code, and no more than
// its groups' quota is now.
func processors() float64 {
	threads := min(runtime.GOMAXPROCS(0), runtime.NumCPU())
	return min(float64(threads), quota("/sys/fs/cgroup", unified("/proc/self/cgroup")))
}

// processTime is the time that all threads of the process have run.
func processTime() (time.Duration, bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
