package tuning

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// look is how often the collector is fitted to the load.
	look = time.Second
	// apart is how far apart its runs are to be, in looks.
	apart = 10
	// leastRoom is for so much garbage, in bytes, even while next to none is made.
	leastRoom = 64 << 20
	// mostFree is how much memory, in bytes, an idle platform keeps that is not in use. By
	// itself the runtime would come to give it back two runs of its own later, minutes.
	mostFree = 2 * leastRoom
	// usual is the runtime's own percentage: a heap may double before it is collected.
	usual = 100
	// smallest is the heap, in bytes, below which the runtime takes it for so large.
	smallest = 4 << 20
)

// collector has garbage collected less often than the runtime would while the heap is
// small and calls make much garbage of it each second: one run costs what is in use,
// not what is garbage. A heap in use that is larger than the most of garbage is left to
// the runtime, and an idle platform gives its memory back.
type collector struct {
	most uint64 // bytes of garbage; 0: the runtime is left alone
	room uint64 // bytes of garbage until the next run
}

// fit takes how much is in use and how much was allocated since the last look, in
// bytes, and gives the percentage of what is in use that may be garbage (GOGC).
func (c *collector) fit(used, allocated uint64) int {
	c.room = min(c.most, max(leastRoom, apart*allocated, c.room-c.room/apart))
	return int(max(usual, usual*c.room/max(smallest, used)))
}

// idle tells that no load is left to make room for.
func (c *collector) idle() bool { return c.room <= leastRoom }

// run fits the collector until ctx ends, and leaves it as it was.
func (c collector) run(ctx context.Context) error {
	if c.most == 0 {
		return nil
	}
	looks := time.NewTicker(look)
	defer looks.Stop()
	before := newHeap()
	percent := c.fit(before.used, 0)
	defer debug.SetGCPercent(debug.SetGCPercent(percent))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-looks.C:
		}
		now := newHeap()
		if fit := c.fit(now.used, now.allocated-before.allocated); fit != percent {
			percent = fit
			debug.SetGCPercent(percent)
		}
		before = now
		if c.idle() && sample("/memory/classes/heap/free:bytes") > mostFree {
			debug.FreeOSMemory()
		}
	}
}

// heap is what the collector has to do with, in bytes.
type heap struct {
	used      uint64 // as the last run found it, stacks and globals too, which GOGC counts
	allocated uint64 // since the start
}

func newHeap() heap {
	return heap{
		used:      sample("/gc/heap/live:bytes") + sample("/gc/scan/stack:bytes") + sample("/gc/scan/globals:bytes"),
		allocated: sample("/gc/heap/allocs:bytes"),
	}
}

// sample reads a metric of the runtime that is a count.
func sample(name string) uint64 {
	one := []metrics.Sample{{Name: name}}
	metrics.Read(one)
	return one[0].Value.Uint64()
}
